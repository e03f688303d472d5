"""Calls of generators, results of several values, and the signals around a call."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask, current_app, g, has_app_context, has_request_context, request

from flask_wamp import (
    WAMP,
    ApplicationError,
    CallResult,
    DeclarationError,
    call_finished,
    call_started,
    invocation,
)
from flask_wamp.context import Invocation
from flask_wamp.serve import dispatcher as dispatcher_module
from flask_wamp.serve.defects import Defect
from flask_wamp.serve.dispatcher import CallerGone
from flask_wamp.state import state_of

from ..doubles import Caller, Declare, View

RUNTIME_ERROR = "wamp.error.runtime_error"
RETURNED: list[Any] = [0, False, "", [], {"a": 3}, b"x"]


def send_to(app: Flask, uri: str, send: Callable[[Any], None]) -> Any:
    """Return the last result of the procedure *uri*, whose others *send* takes."""
    state = state_of(app)
    procedure = state.registry.resolved("")[uri, "exact"]
    return state.dispatcher.call(procedure, Invocation(uri, progress=True), [], {}, send)


# --- generators


@pytest.mark.parametrize(
    ("yielded", "returned", "parts", "last", "as_list"),
    [
        ([], None, [], CallResult(), []),
        ([1, None, (2, 3)], None, [1, None, [2, 3]], CallResult(), [1, None, [2, 3]]),
        *(([1], value, [1], value, [1, value]) for value in RETURNED),
        ([1], CallResult((2, 3)), [1], CallResult((2, 3)), [1, [2, 3]]),
        (
            [CallResult((1, (2,))), CallResult((3,), {"left": b"x"}), 4],
            None,
            [CallResult((1, [2])), CallResult((3,), {"left": b"x"}), 4],
            CallResult(),
            [[1, [2]], {"args": [3], "kwargs": {"left": b"x"}}, 4],
        ),
    ],
)
def test_dispatcher_generator_is_sent_in_parts_or_is_a_list(
    call: Caller,
    declare: Declare,
    yielded: list[Any],
    returned: Any,
    parts: list[Any],
    last: Any,
    as_list: list[Any],
) -> None:
    """Nothing is lost, whatever the caller takes."""

    @declare
    def count() -> Any:
        yield from yielded
        return returned

    for _ in range(2):
        assert call("count") == as_list
        assert call.stream("count") == (parts, last)


def test_dispatcher_generator_sends_each_before_it_goes_on(app: Flask, declare: Declare) -> None:
    order = []

    @declare
    def count() -> Iterator[int]:
        for n in range(3):
            order.append(f"yield {n}")
            yield n

    send_to(app, "count", lambda n: order.append(f"send {n}"))
    assert order == ["yield 0", "send 0", "yield 1", "send 1", "yield 2", "send 2"]


def test_dispatcher_generator_runs_in_the_context_of_its_call(
    app: Flask, call: Caller, declare: Declare
) -> None:
    ended: list[Any] = []
    app.teardown_appcontext(lambda error: ended.append(g.pop("mark", None)))

    @declare
    def count() -> Iterator[Any]:
        g.mark = 1
        yield [current_app == app, invocation.uri]
        ended.append("not yet")
        yield g.mark

    assert call("count") == [[True, "count"], 1]
    assert call.stream("count")[0] == [[True, "count"], 1]
    assert ended == ["not yet", 1] * 2
    assert not has_app_context()


def test_dispatcher_generator_of_a_route_has_its_request(view: View, call: Caller) -> None:
    @view("/count/<int:n>")
    def count(n: int) -> Iterator[Any]:
        yield [request.method, request.path, n]
        yield has_request_context()

    assert call("count", 3) == [["CALL", "/count/3", 3], True]


def test_dispatcher_generator_with_a_status(view: View, call: Caller) -> None:
    @view("/count")
    def count() -> Any:
        return (n for n in range(2)), 201

    assert call("count") == [0, 1]


def test_dispatcher_generator_that_fails_midway(
    app: Flask, call: Caller, declare: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    parts: list[Any] = []
    ended = []

    @declare
    def count() -> Iterator[int]:
        try:
            yield 1
            raise KeyError("secret")
        finally:
            ended.append(True)

    error = call.error("count")
    assert (error.uri, set(error.kwargs)) == (RUNTIME_ERROR, {"id"})
    with pytest.raises(ApplicationError) as caught:
        send_to(app, "count", parts.append)
    assert caught.value.uri == RUNTIME_ERROR
    assert caught.value.kwargs["id"] in caplog.text
    assert parts == [1]
    assert ended == [True, True]


def test_dispatcher_generator_that_raises_what_is_declared(
    wamp: WAMP, call: Caller, declare: Declare
) -> None:
    @wamp.error("com.shop.no_stock")
    class NoStock(Exception):
        pass

    @declare
    def sell() -> Iterator[int]:
        yield 1
        raise NoStock("pen")

    assert call.error("sell").uri == "com.shop.no_stock"
    with pytest.raises(ApplicationError) as caught:
        call.stream("sell")
    assert (caught.value.uri, caught.value.args) == ("com.shop.no_stock", ("pen",))


def test_dispatcher_generator_with_a_part_that_cannot_travel(
    app: Flask, call: Caller, declare: Declare
) -> None:
    ended: list[bool] = []
    parts: list[Any] = []

    @declare
    def count() -> Iterator[Any]:
        try:
            yield 1
            yield object()
            yield 3
        finally:
            ended.append(True)

    runs: list[Callable[[], Any]] = [
        lambda: call("count"),
        lambda: send_to(app, "count", parts.append),
    ]
    for run in runs:
        with pytest.raises(ApplicationError, match="the result cannot travel: a object") as caught:
            run()
        assert caught.value.uri == "wamp.error.invalid_payload"
    assert parts == [1]
    assert ended == [True, True]


def test_dispatcher_generator_whose_caller_is_gone_is_closed(app: Flask, declare: Declare) -> None:
    ended = []

    @declare
    def count() -> Iterator[int]:
        try:
            while True:
                yield 1
        except GeneratorExit:
            ended.append("closed")
            raise
        finally:
            ended.append(f"cleaned up in {current_app.name}")

    def gone(part: Any) -> None:
        raise CallerGone

    with pytest.raises(ApplicationError) as caught:
        send_to(app, "count", gone)
    assert caught.value.uri == "wamp.error.canceled"
    assert caught.value.args == ("the call was canceled",)
    assert ended == ["closed", "cleaned up in shop"]


def test_dispatcher_generator_for_a_list_ends_when_the_call_is_canceled(
    call: Caller, declare: Declare
) -> None:
    taken = []

    @declare
    def count() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            if n == 2:
                invocation.cancellation.set()
            yield n

    assert call.error("count").uri == "wamp.error.canceled"
    assert taken == [0, 1, 2]


def test_dispatcher_generator_whose_list_is_too_long(
    call: Caller, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes progressive results may have any number of them."""
    monkeypatch.setattr(dispatcher_module, "MAX_LIST", 1000)
    ended = []

    @declare
    def count() -> Any:
        try:
            for _ in range(20):
                yield "x" * 96
        finally:
            ended.append(True)

    error = call.error("count")
    assert error.uri == "wamp.error.payload_size_exceeded"
    assert "over 1000 bytes: ask for progressive ones" in error.args[0]
    assert ended == [True]
    parts, _last = call.stream("count")
    assert len(parts) == 20


@pytest.mark.parametrize(("last", "fits"), [(96, True), (97, False)])
def test_dispatcher_generator_whose_last_value_is_counted(
    call: Caller, declare: Declare, monkeypatch: pytest.MonkeyPatch, last: int, fits: bool
) -> None:
    monkeypatch.setattr(dispatcher_module, "MAX_LIST", 1000)

    @declare
    def count() -> Any:
        for _ in range(9):
            yield "x" * 96
        return "x" * last

    if fits:
        assert len(call("count")) == 10
    else:
        assert call.error("count").uri == "wamp.error.payload_size_exceeded"


def test_dispatcher_other_iterators_are_no_generators(wamp: WAMP, call: Caller) -> None:
    wamp.callee("com.shop.count")(lambda: map(str, range(3)))
    assert call.error("com.shop.count").uri == "wamp.error.invalid_payload"


def test_dispatcher_value_is_no_part(call: Caller, declare: Declare) -> None:
    @declare
    def add() -> list[int]:
        return [1, 2]

    assert call.stream("add") == ([], [1, 2])


# --- results of several values


def test_dispatcher_result_of_several_values(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def split() -> CallResult:
        return CallResult((1, Decimal(2)), {"left": {3: b"x"}})

    assert call("split") == CallResult((1, "2"), {"left": {"3": b"x"}})


def test_dispatcher_result_of_several_values_with_one_that_cannot_travel(
    wamp: WAMP, call: Caller
) -> None:
    @wamp.callee
    def split() -> CallResult:
        return CallResult((1, object()))

    error = call.error("split")
    assert error.uri == "wamp.error.invalid_payload"
    assert "[1] cannot travel: a object" in error.args[0]


# --- signals


class Signals:
    """Notes the signals of calls."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def started(self, sender: Any, invocation: Invocation) -> None:
        """Note a start."""
        self.seen.append(("started", sender.name, invocation.uri, has_app_context()))

    def finished(self, sender: Any, invocation: Invocation, error: Any) -> None:
        """Note an end."""
        uri = error and (type(error), error.uri)
        self.seen.append(("finished", sender.name, invocation.uri, uri, has_app_context()))


@pytest.fixture
def signals(app: Flask) -> Iterator[Signals]:
    """Return what notes the signals of the application."""
    signals = Signals()
    with (
        call_started.connected_to(signals.started, app),
        call_finished.connected_to(signals.finished, app),
    ):
        yield signals


def test_dispatcher_signals_of_a_result(call: Caller, declare: Declare, signals: Signals) -> None:
    @declare
    def add() -> int:
        signals.seen.append("view")
        return 1

    call("add")
    assert signals.seen == [
        ("started", "shop", "add", False),
        "view",
        ("finished", "shop", "add", None, False),
    ]


@pytest.mark.parametrize(
    ("error", "args", "uri"),
    [
        (KeyError("x"), [], RUNTIME_ERROR),
        (SystemExit(), [], RUNTIME_ERROR),
        (ApplicationError("com.shop.no_stock"), [], "com.shop.no_stock"),
        (CallerGone(), [], "wamp.error.canceled"),
        (None, ["does not fit"], "wamp.error.invalid_argument"),
    ],
)
def test_dispatcher_signals_of_an_error(
    wamp: WAMP, call: Caller, signals: Signals, error: Any, args: list[str], uri: str
) -> None:
    @wamp.callee
    def fail() -> None:
        raise error

    kind = Defect if isinstance(error, KeyError) else ApplicationError
    assert call.error("fail", *args).uri == uri
    assert signals.seen == [
        ("started", "shop", "fail", False),
        ("finished", "shop", "fail", (kind, uri), False),
    ]


def test_dispatcher_signals_of_a_generator_come_around_all_its_parts(
    app: Flask, declare: Declare, signals: Signals
) -> None:
    @declare
    def count() -> Iterator[int]:
        yield 1
        yield 2

    send_to(app, "count", signals.seen.append)
    assert [seen if isinstance(seen, int) else seen[0] for seen in signals.seen] == [
        "started",
        1,
        2,
        "finished",
    ]


def test_dispatcher_signals_of_one_application_are_not_the_others(signals: Signals) -> None:
    other = Flask("other")
    WAMP(other).callee("add")(lambda: 1)
    assert Caller(other)("add") == 1
    assert signals.seen == []


# --- typed arguments


def test_dispatcher_call_converts_what_is_annotated(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def add(a: int, b: int = 0, *, c: Any = None) -> list[Any]:
        return [a, b, c]

    assert call("add", "1", b="2", c="3") == [1, 2, "3"]
    error = call.error("add", "x", b="y")
    assert error.uri == "wamp.error.invalid_argument"
    assert error.args == (error.kwargs["description"],)
    assert [each["loc"] for each in error.kwargs["errors"]] == [["a"], ["b"]]


def test_dispatcher_prepare_refuses_annotations_that_cannot_be_checked(
    app: Flask, wamp: WAMP
) -> None:
    """Before the first call, for procedures and for handlers."""
    wamp.callee("com.shop.add")(lambda: None)
    dispatcher, registry = state_of(app).dispatcher, state_of(app).registry
    dispatcher.prepare()

    def sold(order: "Nonsense") -> None: ...  # type: ignore[name-defined] # noqa: F821

    wamp.subscribe("com.shop.sold")(sold)
    with pytest.raises(DeclarationError, match=r"the parameter 'order' of .*sold"):
        dispatcher.prepare()
    assert len(registry.procedures) == len(registry.subscriptions) == 1


def test_dispatcher_async_views_and_handlers(wamp: WAMP, call: Caller, declare: Declare) -> None:
    pytest.importorskip("asgiref", reason="Flask runs async views with asgiref")
    seen = []

    @declare
    async def double(n: int) -> int:
        return 2 * n

    @wamp.subscribe("com.shop.sold")
    async def sold(n: int) -> None:
        seen.append(n)

    assert call("double", "3") == 6
    assert call.error("double", "x").uri == "wamp.error.invalid_argument"
    call.deliver("com.shop.sold", "4")
    call.deliver("com.shop.sold", "x")
    assert seen == [4]
