"""Calls and events: contexts, results, errors, and the log."""

import functools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask, Response, abort, current_app, g, got_request_exception, has_request_context
from werkzeug.exceptions import Conflict, HTTPException, NotFound

from flask_wamp import WAMP, ApplicationError, RemoteError
from flask_wamp.serve.statuses import URI_BY_STATUS

from .doubles import Caller

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


def test_dispatcher_teardown_runs_with_the_error(app: Flask, wamp: WAMP, call: Caller) -> None:
    seen: list[BaseException | None] = []
    app.teardown_appcontext(seen.append)

    @wamp.callee
    def fail(with_: bool) -> None:
        if with_:
            raise KeyError("x")

    call("fail", False)
    call.error("fail", True)
    assert [type(error) for error in seen] == [type(None), KeyError]


def test_dispatcher_misfit_does_not_run_the_view(wamp: WAMP, call: Caller) -> None:
    runs = []

    @wamp.callee
    def add(a: int, b: int) -> None:
        runs.append((a, b))

    error = call.error("add", 1)
    assert error.uri == "wamp.error.invalid_argument"
    assert error.kwargs["parameter"] == "b"
    assert error.kwargs["status"] == 400
    assert runs == []


def test_dispatcher_type_error_inside_is_no_misfit(wamp: WAMP, call: Caller) -> None:
    """A TypeError of the view's own, even one that reads like a misfit, runs the view once."""
    runs = []

    @wamp.callee
    def fail(a: int) -> None:
        runs.append(a)
        raise TypeError("fail() missing 1 required positional argument: 'a'")

    assert call.error("fail", 1).uri == RUNTIME_ERROR
    assert runs == [1]


@dataclass
class Point:
    """A dataclass."""

    x: int


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("text", "text"),
        (b"bytes", b"bytes"),
        ({"a": [b"x"]}, {"a": [b"x"]}),
        (Point(1), {"x": 1}),
        ((1, 2, 3), [1, 2, 3]),
        ((1, 2), [1, 2]),
        (({"a": 1}, 201), {"a": 1}),
        (({"a": 1}, HTTPStatus.CREATED), {"a": 1}),
        (({"a": 1}, 201, {"X-A": "b"}), {"a": 1}),
        ((None, 204), None),
        (Response('{"a": 1}', mimetype="application/json"), {"a": 1}),
        (Response("größe", mimetype="text/plain"), "größe"),
        (Response("größe".encode("latin-1"), content_type="text/plain; charset=latin-1"), "größe"),
        (Response(b"\x00\xff", mimetype="application/octet-stream"), b"\x00\xff"),
        (Response(status=204), None),
        (Response(b"", mimetype="image/png"), b""),
        ((Response("text"), 201), "text"),
    ],
)
def test_dispatcher_results(wamp: WAMP, call: Caller, value: Any, result: Any) -> None:
    @wamp.callee
    def give() -> Any:
        return value

    given = call("give")
    assert given == result
    assert type(given) is type(result)


@pytest.mark.parametrize("status", [*URI_BY_STATUS, 402, 451, 500, 502])
@pytest.mark.parametrize("as_response", [False, True])
def test_dispatcher_returned_status_becomes_an_error(
    wamp: WAMP, call: Caller, status: int, as_response: bool
) -> None:
    @wamp.callee
    def give() -> Any:
        return Response("no luck", status=status) if as_response else ("no luck", status)

    error = call.error("give")
    fallback = "wamp.error.invalid_argument" if status < 500 else RUNTIME_ERROR
    assert error.uri == URI_BY_STATUS.get(status, fallback)
    assert error.args == ("no luck",)
    assert error.kwargs == {"status": status, "description": "no luck"}


def test_dispatcher_returned_status_with_a_body_that_is_no_text(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def give() -> Any:
        return {"field": "name"}, 422

    error = call.error("give")
    assert error.uri == "wamp.error.invalid_argument"
    assert error.kwargs["body"] == {"field": "name"}
    assert error.kwargs["status"] == 422


def test_dispatcher_returned_redirect_becomes_an_error(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def give() -> Any:
        return "elsewhere", 302

    assert call.error("give").uri == "wamp.error.redirect"


@pytest.mark.parametrize("status", URI_BY_STATUS)
def test_dispatcher_http_exception_becomes_an_error(wamp: WAMP, call: Caller, status: int) -> None:
    @wamp.callee
    def give(description: str | None) -> Any:
        abort(status, description=description)

    error = call.error("give", "because")
    assert error.uri == URI_BY_STATUS[status]
    assert error.args == ("because",)
    assert error.kwargs == {"status": status, "description": "because"}
    assert call.error("give", None).kwargs["description"]


def test_dispatcher_http_exception_without_a_code(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def give() -> Any:
        raise HTTPException("odd")

    assert call.error("give").uri == RUNTIME_ERROR


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
    assert error.uri == "wamp.error.invalid_payload"
    assert "com.example.x" in error.args[0]
    assert "a object" in error.args[0]
    assert "com.example.x was refused" in caplog.text


@pytest.mark.parametrize(
    ("value", "type_"),
    [(object(), "object"), ({1}, "set"), (2**64, "int"), (float("nan"), "float"), (len, "builtin")],
)
def test_dispatcher_result_that_cannot_travel_names_its_type(
    wamp: WAMP, call: Caller, value: Any, type_: str, caplog: pytest.LogCaptureFixture
) -> None:
    @wamp.callee
    def give() -> Any:
        return [value]

    error = call.error("give")
    assert error.uri == "wamp.error.invalid_payload"
    assert error.args[0].startswith("the result[0] cannot travel: ")
    assert type_ in error.args[0]
    assert "The answer of give was refused" in caplog.text


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
    assert error_id in error.args[0]
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
    assert "sold" in record.getMessage()
    assert "failed at an event of com.example.sold" in record.getMessage()
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
    assert "did not handle an event of com.example.sold" in record.getMessage()
    assert "'article'" in record.getMessage()
    assert not record.exc_info
    assert runs == []


def test_dispatcher_async_views_and_handlers(wamp: WAMP, call: Caller) -> None:
    pytest.importorskip("asgiref", reason="Flask runs async views with asgiref")
    seen = []

    @wamp.callee
    async def add(a: int, b: int) -> int:
        return a + b

    @wamp.subscribe("com.example.sold")
    async def sold(article: str) -> None:
        seen.append(article)

    assert call("add", 1, 2) == 3
    call.deliver("com.example.sold", "pen")
    assert seen == ["pen"]
