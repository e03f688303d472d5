"""Calls and events: contexts, results, errors, and the log."""

import functools
import gc
import logging
import threading
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask, Response, abort, current_app, g, got_request_exception, has_request_context
from werkzeug.exceptions import Conflict, HTTPException, NotFound
from werkzeug.http import HTTP_STATUS_CODES

from flask_wamp import WAMP, ApplicationError, RemoteError
from flask_wamp.declare.declared import Procedure, Subscription, describe
from flask_wamp.serve import dispatcher as dispatcher_module
from flask_wamp.serve.endpoints import Endpoint
from flask_wamp.serve.statuses import URI_BY_STATUS
from flask_wamp.state import state_of

from ..doubles import Caller, Declare

INVALID = "wamp.error.invalid_argument"
INVALID_PAYLOAD = "wamp.error.invalid_payload"
RUNTIME_ERROR = "wamp.error.runtime_error"


def test_dispatcher_call_gives_the_result(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert call("add", 1) == 2
    assert call("add", 1, 2) == 3
    assert call("add", a=1, b=3) == 4


def test_dispatcher_call_has_an_application_context_only(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @wamp.callee
    def look() -> list[bool]:
        return [current_app == app, has_request_context(), "wampy" in g]

    assert call("look") == [True, False, True]


def test_dispatcher_contexts_of_calls_are_apart(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def first() -> bool:
        seen = "mark" in g
        g.mark = 1
        return seen

    assert call("first") is False
    assert call("first") is False


def test_dispatcher_teardown_runs_with_the_error(
    app: Flask, declare: Declare, call: Caller
) -> None:
    seen: list[BaseException | None] = []
    app.teardown_appcontext(seen.append)
    errors: list[Exception | None] = [None, KeyError("x")]

    @declare
    def fail() -> Any:
        if error := errors.pop(0):
            raise error

    call("fail")
    call.error("fail")
    assert [type(error) for error in seen] == [type(None), KeyError]


def test_dispatcher_misfit_does_not_run_the_view(declare: Declare, call: Caller) -> None:
    runs = []

    @declare
    def add(a: int, b: int) -> None:
        runs.append((a, b))

    error = call.error("add", 1)
    text = "missing a required argument: 'b'"
    assert (error.uri, error.args) == (INVALID, (text,))
    assert error.kwargs == {"status": 400, "description": text, "parameter": "b"}
    assert runs == []


def test_dispatcher_type_error_inside_is_no_misfit(declare: Declare, call: Caller) -> None:
    """A TypeError of the view's own, even one that reads like a misfit, runs the view once."""
    runs = []

    @declare
    def fail(a: int = 1) -> None:
        runs.append(a)
        raise TypeError("fail() missing 1 required positional argument: 'a'")

    assert call.error("fail").uri == RUNTIME_ERROR
    assert runs == [1]


def test_dispatcher_prepares_a_function_once(
    app: Flask, wamp: WAMP, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For calls and for events; and holds it no longer than it is declared."""
    prepared = []

    class Noting(Endpoint):
        def __init__(self, app: Flask, function: Any, *rest: Any) -> None:
            prepared.append(function.__name__)
            super().__init__(app, function, *rest)

    monkeypatch.setattr(dispatcher_module, "Endpoint", Noting)

    def work() -> None: ...

    wamp.callee(work)
    wamp.subscribe("com.shop.sold")(work)
    for _ in range(2):
        call("work")
        call.deliver("com.shop.sold")
    assert prepared == ["work", "work"]
    state = state_of(app)
    declared: list[Procedure | Subscription] = [
        *state.registry.procedures,
        *state.registry.subscriptions,
    ]
    alive = weakref.ref(work)
    del work
    while declared:
        state.registry.remove(declared[0])
        state.dispatcher.forget(declared.pop(0))
    gc.collect()
    assert alive() is None


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> dict[str, Any]:
    """Return a dict in itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@dataclass
class Point:
    """A dataclass."""

    x: int


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (1.5, 1.5),
        ("", ""),
        ("größe", "größe"),
        (b"\x00\xff", b"\x00\xff"),
        ({"a": [b"x"]}, {"a": [b"x"]}),
        ([1, {"a": (2,)}], [1, {"a": [2]}]),
        (OrderedDict(a=1), {"a": 1}),
        (Point(1), {"x": 1}),
        (({"a": 1}, 201), {"a": 1}),
        (({"a": 1}, HTTPStatus.CREATED), {"a": 1}),
        (({"a": b"x"}, 200), {"a": b"x"}),
        (({"a": 1}, 201, {"X-A": "b"}), {"a": 1}),
        ((None, 204), None),
        (Response('{"a": 1}', mimetype="application/json"), {"a": 1}),
        (Response("größe", mimetype="text/html"), "größe"),
        (Response(b"\xff", mimetype="text/plain"), "\ufffd"),
        (Response("größe".encode("latin-1"), content_type="text/plain; charset=latin-1"), "größe"),
        (Response("größe".encode(), content_type="text/plain"), "größe"),
        (Response(b"\x00\xff", mimetype="application/octet-stream"), b"\x00\xff"),
        (Response(status=204), None),
        (Response(b"", mimetype="image/png"), b""),
        ((Response("text"), 201), "text"),
    ],
)
def test_dispatcher_results(declare: Declare, call: Caller, value: Any, result: Any) -> None:
    @declare
    def give() -> Any:
        return value

    given = call("give")
    assert given == result
    assert type(given) is type(result)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ((1, 2), [1, 2]),
        ((1, 2, 3), [1, 2, 3]),
        (("x", 99), ["x", 99]),
        (("x", 100), "x"),
        (("x", 600), ["x", 600]),
    ],
)
def test_dispatcher_tuple_without_a_status_is_a_list(
    wamp: WAMP, call: Caller, value: Any, result: Any
) -> None:
    wamp.callee("give")(lambda: value)
    assert call("give") == result


@pytest.mark.parametrize("status", [*URI_BY_STATUS, 402, 418, 451, 500, 502, 599])
@pytest.mark.parametrize("kind", ["text", "response", "object"])
def test_dispatcher_returned_status_becomes_an_error(
    declare: Declare, call: Caller, status: int, kind: str
) -> None:
    @declare
    def give() -> Any:
        body = {"text": "no luck", "object": {"field": "name"}}
        return (body[kind], status) if kind in body else Response("no luck", status=status)

    error = call.error("give")
    assert error.uri == URI_BY_STATUS.get(status, INVALID if status < 500 else RUNTIME_ERROR)
    if kind == "object":
        text = HTTP_STATUS_CODES.get(status, "error")
        assert error.kwargs.pop("body") == {"field": "name"}
    else:
        text = "no luck"
    assert error.args == (text,)
    assert error.kwargs == {"status": status, "description": text}


@pytest.mark.parametrize("status", [300, 302])
def test_dispatcher_returned_redirect_becomes_an_error(
    declare: Declare, call: Caller, status: int
) -> None:
    @declare
    def give() -> Any:
        return "elsewhere", status

    assert call.error("give").uri == "wamp.error.redirect"


@pytest.mark.parametrize("status", [*URI_BY_STATUS, 418, 500])
def test_dispatcher_http_exception_becomes_an_error(
    declare: Declare, call: Caller, status: int
) -> None:
    texts = ["because", None]

    @declare
    def give() -> Any:
        abort(status, description=texts.pop(0))

    error = call.error("give")
    assert error.uri == URI_BY_STATUS.get(status, INVALID if status < 500 else RUNTIME_ERROR)
    assert error.args == ("because",)
    assert error.kwargs == {"status": status, "description": "because"}
    assert call.error("give").kwargs["description"]


def test_dispatcher_http_exception_without_a_code(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def give() -> Any:
        raise HTTPException("odd")

    assert call.error("give").uri == RUNTIME_ERROR


def test_dispatcher_http_exception_without_a_description(declare: Declare, call: Caller) -> None:
    class Unpaid(HTTPException):
        code = 402

    @declare
    def give() -> Any:
        raise Unpaid

    assert call.error("give").kwargs == {"status": 402, "description": "Payment Required"}


def test_dispatcher_application_error_travels(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def give() -> Any:
        raise ApplicationError("com.example.x", Point(1), at=Point(2))

    error = call.error("give")
    assert (error.uri, error.args, error.kwargs) == (
        "com.example.x",
        ({"x": 1},),
        {"at": {"x": 2}},
    )


def test_dispatcher_declared_error_travels_with_its_arguments(wamp: WAMP, call: Caller) -> None:
    @wamp.error("com.example.no_stock")
    class NoStock(Exception):
        def __init__(self, article: str, left: int) -> None:
            super().__init__(f"{left} of {article}")

    class NoPens(NoStock):
        pass

    @wamp.callee
    def buy() -> None:
        raise NoPens("pen", left=2)

    error = call.error("buy")
    assert (error.uri, error.args, error.kwargs) == ("com.example.no_stock", ("pen",), {"left": 2})


def test_dispatcher_declared_http_exception_has_its_own_uri(wamp: WAMP, call: Caller) -> None:
    @wamp.error("com.example.taken")
    class Taken(Conflict):
        pass

    @wamp.callee
    def take() -> None:
        raise Taken("by alice")

    error = call.error("take")
    assert (error.uri, error.args) == ("com.example.taken", ("by alice",))


@pytest.mark.parametrize("declared", [True, False])
def test_dispatcher_error_payload_that_cannot_travel(
    wamp: WAMP, call: Caller, declared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.error("com.example.x")
    class Declared(Exception):
        pass

    @wamp.callee
    def give() -> Any:
        if declared:
            raise Declared(object())
        raise ApplicationError("com.example.x", object())

    error = call.error("give")
    reason = "argument [0] cannot travel: a object"
    assert error.uri == INVALID_PAYLOAD
    assert error.args[0].startswith(f"the error com.example.x: {reason}")
    (message,) = caplog.messages
    assert message.startswith(f"The payload of the error com.example.x was refused: {reason}")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([object()], "[0] cannot travel: a object"),
        ({"a": {1}}, "['a'] cannot travel: a set"),
        ([2**64], "[0] cannot travel: an int of more than 64 bits"),
        (float("nan"), " cannot travel: the float nan"),
        ([len], "[0] cannot travel: a builtin_function_or_method"),
        ("\ud800", " cannot travel: a str with lone surrogates"),
        (cyclic(), "nested over"),
        (nested(10_000), "nested over"),
    ],
    ids=["object", "set", "int", "nan", "function", "surrogate", "cycle", "deep"],
)
def test_dispatcher_result_that_cannot_travel_names_its_type(
    declare: Declare, call: Caller, value: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    @declare
    def give() -> Any:
        return value

    error = call.error("give")
    assert error.uri == INVALID_PAYLOAD
    assert error.args[0].startswith("the result")
    assert reason in error.args[0]
    assert caplog.messages == [f"The answer of give was refused: {error.args[0]}"]


def test_dispatcher_remote_error_of_a_nested_call_is_internal(wamp: WAMP, call: Caller) -> None:
    """Another service's error means nothing to this one's callers, unless the view says so."""

    @wamp.callee
    def outer() -> None:
        raise RemoteError.from_uri("com.example.inner", ["secret"])

    error = call.error("outer")
    assert error.uri == RUNTIME_ERROR
    assert "secret" not in str(error)


def test_dispatcher_any_other_error_is_generic_and_logged_under_an_id(
    wamp: WAMP, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.callee
    def fail() -> None:
        raise KeyError("secret")

    error = call.error("fail")
    error_id = error.kwargs["id"]
    assert error.uri == RUNTIME_ERROR
    assert set(error.kwargs) == {"id"}
    assert len(error_id) == 16
    assert error.args == (f"The procedure failed; its log says more under {error_id}.",)
    assert "secret" not in str(error)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"fail failed [{error_id}]"
    assert record.exc_info
    assert isinstance(record.exc_info[1], KeyError)
    assert call.error("fail").kwargs["id"] != error_id


def test_dispatcher_traceback_in_debug_only(app: Flask, wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def fail() -> None:
        raise KeyError("secret")

    assert "traceback" not in call.error("fail").kwargs
    app.debug = True
    trace = call.error("fail").kwargs["traceback"]
    assert trace[0].startswith("Traceback")
    assert trace[-1] == "KeyError: 'secret'\n"
    assert any("in fail" in line for line in trace)


def test_dispatcher_debug_shows_no_traceback_of_chosen_errors(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    app.debug = True

    @wamp.callee
    def give() -> None:
        raise NotFound("nothing here")

    assert set(call.error("give").kwargs) == {"status", "description"}


def test_dispatcher_got_request_exception_is_sent(app: Flask, wamp: WAMP, call: Caller) -> None:
    """Error trackers listen to this signal of Flask's."""
    seen: list[tuple[Any, Any]] = []

    def note(sender: Any, exception: Any, **_: Any) -> None:
        seen.append((sender, exception))

    @wamp.callee
    def fail() -> None:
        raise KeyError("x")

    @wamp.callee
    def refuse() -> None:
        abort(404)

    with got_request_exception.connected_to(note, app):
        call.error("fail")
        call.error("refuse")
    ((sender, exception),) = seen
    assert sender is app
    assert isinstance(exception, KeyError)


def test_dispatcher_exit_of_a_view_is_an_error_of_the_call(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def leave() -> None:
        raise SystemExit(3)

    error = call.error("leave")
    assert (error.uri, error.args) == (
        "wamp.error.runtime_error",
        ("the procedure ended with SystemExit",),
    )


def test_dispatcher_decorated_function_runs_with_its_decorator(wamp: WAMP, call: Caller) -> None:
    def doubled(function: Any) -> Any:
        @functools.wraps(function)
        def twice(*args: Any) -> Any:
            return 2 * function(*args)

        return twice

    @wamp.callee
    @doubled
    def give(a: int) -> int:
        return a

    assert call("give", 2) == 4
    assert call.error("give").kwargs["parameter"] == "a"


def test_dispatcher_200_threads_at_once(app: Flask, wamp: WAMP, call: Caller) -> None:
    """Each call gets its own result, and its own context, with and without a route."""
    barrier = threading.Barrier(200, timeout=30)

    @wamp.callee
    def plain(n: int) -> list[int]:
        g.n = n
        return [g.n, n]

    @app.get("/routed/<int:n>")
    @wamp.callee
    def routed(n: int) -> list[int]:
        g.n = n
        return [g.n, n]

    def one(n: int) -> list[Any]:
        barrier.wait()
        return [call("plain", n), call("routed", n), call("plain", -n)]

    with ThreadPoolExecutor(200) as threads:
        results = list(threads.map(one, range(200)))
    assert results == [[[n, n], [n, n], [-n, -n]] for n in range(200)]


def test_dispatcher_event_reaches_every_handler(wamp: WAMP, call: Caller) -> None:
    seen: list[Any] = []

    @wamp.subscribe("com.example.sold")
    def first(article: str, *, left: int = 0) -> None:
        seen.append(("first", article, left, has_request_context(), "wampy" in g))

    @wamp.consume(topic="com.example.sold")
    def second(*args: Any, **kwargs: Any) -> None:
        seen.append(("second", args, kwargs))

    call.deliver("com.example.sold", "pen", left=2)
    assert seen == [("first", "pen", 2, False, True), ("second", ("pen",), {"left": 2})]


def test_dispatcher_event_as_the_predecessor_sent_it(wamp: WAMP, call: Caller) -> None:
    seen = []

    @wamp.consume(topic="spam")
    def handle(message: str) -> None:
        seen.append(message)

    call.deliver("spam", message="x")
    call.deliver("spam", "y")
    assert seen == ["x", "y"]


def test_dispatcher_failing_handler_is_logged(
    app: Flask, wamp: WAMP, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    torn: list[BaseException | None] = []
    app.teardown_appcontext(torn.append)

    @wamp.subscribe("com.example.sold")
    def sold() -> None:
        raise KeyError("x")

    call.deliver("com.example.sold")
    (record,) = caplog.records
    assert record.getMessage() == f"{describe(sold)} failed at an event of com.example.sold"
    assert record.exc_info
    assert isinstance(record.exc_info[1], KeyError)
    assert [type(error) for error in torn] == [KeyError]


def test_dispatcher_event_that_does_not_fit_is_logged_without_traceback(
    wamp: WAMP, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    runs = []

    @wamp.subscribe("com.example.sold")
    def sold(article: str) -> None:
        runs.append(article)

    call.deliver("com.example.sold", other=1)
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"{describe(sold)} did not handle an event of com.example.sold: {INVALID}: "
        "missing a required argument: 'article'"
    )
    assert not record.exc_info
    assert runs == []
