"""Serving with options: limits of concurrency, patterns, retained events, and what changes."""

from collections.abc import Callable
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask, g

from flask_wamp import WAMP, event, invocation
from flask_wamp._twisted.serve import calls, gates
from flask_wamp._twisted.threads import place_handed_over

from ..doubles import SESSION_ID, TIMEOUT, Blocked, Router, Serving, Turns, eventually
from ..helpers import Counted, declared, fired, server_of

UNAVAILABLE = "wamp.error.unavailable"
CANCELED = "wamp.error.canceled"


# --- what is asked of the router


def test_binding_registers_with_options(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("com.shop.a", invoke="roundrobin")(lambda: 1)
    wamp.callee("com.shop.b", force_reregister=True)(lambda: 1)
    wamp.callee("com.shop.", match="prefix", concurrency=3)(lambda: 1)
    wamp.callee("com.shop.c")(lambda: 1)
    sent = serve().transport.of_kind(message.Register)
    assert [(msg.procedure, msg.match, msg.invoke, msg.force_reregister) for msg in sent] == [
        ("com.shop.a", "exact", "roundrobin", None),
        ("com.shop.b", "exact", "single", True),
        ("com.shop.", "prefix", "single", None),
        ("com.shop.c", "exact", "single", None),
    ]
    assert all(msg.concurrency is None for msg in sent)


@pytest.mark.parametrize(
    ("pattern", "match", "called", "parts"),
    [
        ("com..stock", "wildcard", "com.pen.stock", ["pen"]),
        ("com.shop.", "prefix", "com.shop.a.b", ["a", "b"]),
        ("com.shop", "exact", None, []),
    ],
)
def test_binding_call_tells_the_parts_of_its_pattern(
    wamp: WAMP, serve: Serving, pattern: str, match: str, called: str | None, parts: list[str]
) -> None:
    wamp.callee(pattern, match=match)(lambda: [invocation.uri, list(invocation.parts)])
    router = serve()
    request = router.invoke(pattern, procedure=called)
    assert router.value(request) == [called or pattern, parts]


def test_binding_event_tells_the_parts_of_its_pattern(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    seen = []

    @wamp.subscribe("com..sold", match="wildcard")
    def sold() -> None:
        seen.append((event.uri, event.parts, event.retained))

    router = serve()
    assert router.transport.of_kind(message.Subscribe)[0].match == "wildcard"
    router.publish("com..sold", topic="com.pen.sold")
    turns.run_until(lambda: seen)
    assert seen == [("com.pen.sold", ("pen",), False)]


@pytest.mark.parametrize("progress", [True, False])
def test_binding_call_tells_whether_results_are_taken_as_they_come(
    wamp: WAMP, serve: Serving, progress: bool
) -> None:
    wamp.callee("com.shop.x")(lambda: invocation.progress)
    router = serve()
    assert router.value(router.invoke("com.shop.x", progress=progress)) is progress


# --- a limit of calls


def test_binding_limit_lets_so_many_run(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    view = Counted()
    wamp.callee("com.shop.x", concurrency=2)(view.__call__)
    router = serve(threads=6)
    requests = [router.invoke("com.shop.x", n) for n in range(8)]
    view.blocked.wait()
    view.blocked.wait()
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests] == list(range(8))
    assert view.most == 2
    assert sorted(view.ran) == list(range(8))


def test_binding_limit_of_one_keeps_the_order(wamp: WAMP, serve: Serving) -> None:
    ran: list[int] = []
    wamp.callee("com.shop.x", concurrency=1)(ran.append)
    router = serve(threads=6)
    requests = [router.invoke("com.shop.x", n) for n in range(100)]
    assert [router.value(request) for request in requests] == [None] * 100
    assert ran == list(range(100))


def test_binding_limit_does_not_hold_other_procedures(wamp: WAMP, serve: Serving) -> None:
    """What waits in it has no place in the gate, and no thread."""
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1)(view.__call__)
    wamp.callee("com.shop.y")(lambda: "y")
    router = serve(threads=2)
    requests = [router.invoke("com.shop.x", n) for n in range(100)]
    view.blocked.wait()
    assert router.value(router.invoke("com.shop.y")) == "y"
    assert view.ran == [0]
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests] == list(range(100))


def test_binding_limit_is_for_every_caller(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    """Strangers, colleagues, and the views of this process."""
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1)(view.__call__)
    router = serve(threads=6)
    requests = [
        router.invoke("com.shop.x", 0),
        router.invoke("com.shop.x", 1, authrole="backend"),
        router.invoke("com.shop.x", 2, caller=SESSION_ID, authrole="backend"),
        router.invoke("com.shop.x", 3, caller=None),
    ]
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests] == [0, 1, 2, 3]
    assert view.most == 1


@pytest.mark.parametrize("queue", [0, 2])
def test_binding_limit_refuses_what_may_not_wait(wamp: WAMP, serve: Serving, queue: int) -> None:
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1, queue=queue)(view.__call__)
    router = serve()
    requests = [router.invoke("com.shop.x", n) for n in range(queue + 3)]
    for request in requests[queue + 1 :]:
        error = router.error(request)
        assert (error.error, error.kwargs["status"]) == (UNAVAILABLE, 503)
        assert "busy: as many calls of it as may wait do so already" in error.args[0]
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests[: queue + 1]] == list(range(queue + 1))
    assert router.value(router.invoke("com.shop.x", 9)) == 9


def test_binding_limit_lets_4096_wait_by_default(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here as many as stand in for them."""
    assert gates.WAITING_CALLS == 4096
    monkeypatch.setattr(gates, "WAITING_CALLS", 20)
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1)(view.__call__)
    router = serve(threads=1)
    requests = [router.invoke("com.shop.x", n) for n in range(22)]
    assert router.error(requests[-1]).error == UNAVAILABLE
    view.blocked.go_on.set()
    assert [router.value(request) for request in requests[:-1]] == list(range(21))


@pytest.mark.parametrize("fails", [True, False])
def test_binding_limit_place_comes_back(wamp: WAMP, serve: Serving, fails: bool) -> None:
    @wamp.callee("com.shop.x", concurrency=1, queue=0)
    def x() -> int:
        if fails:
            raise SystemExit
        return 1

    router = serve(threads=1)
    for _ in range(5):
        answer = router.answer(router.invoke("com.shop.x"))
        assert type(answer) is (message.Error if fails else message.Yield)


def test_binding_limit_call_interrupted_while_it_waits_does_not_run(
    wamp: WAMP, serve: Serving
) -> None:
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1, queue=2)(view.__call__)
    router = serve(threads=4)
    requests = [router.invoke("com.shop.x", n) for n in range(3)]
    view.blocked.wait()
    router.interrupt(requests[1])
    assert router.error(requests[1]).error == CANCELED
    # Its place in the queue is free.
    another = router.invoke("com.shop.x", 3)
    assert router.error(router.invoke("com.shop.x", 4)).error == UNAVAILABLE
    view.blocked.go_on.set()
    assert [router.value(request) for request in (requests[0], requests[2], another)] == [0, 2, 3]
    assert view.ran == [0, 2, 3]
    assert len(router.answers(requests[1])) == 1


def test_binding_limit_call_interrupted_while_it_waits_in_the_gate(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both its places are free: one in the limit, one among those that wait for the gate."""
    monkeypatch.setattr(calls, "GATE", 1)
    monkeypatch.setattr(gates, "WAITING_CALLS", 1)
    other, view = Counted(), Counted()
    wamp.callee("com.shop.other")(other.__call__)
    wamp.callee("com.shop.x", concurrency=1, queue=5)(view.__call__)
    view.blocked.go_on.set()
    router = serve(threads=1)
    first = router.invoke("com.shop.other", 0)
    other.blocked.wait()
    in_gate = router.invoke("com.shop.x", 1)
    in_limit = router.invoke("com.shop.x", 2)
    router.interrupt(in_gate)
    assert router.error(in_gate).error == CANCELED
    assert router.answers(in_limit) == []
    other.blocked.go_on.set()
    assert router.value(first) == 0
    assert router.value(in_limit) == 2
    assert router.value(router.invoke("com.shop.x", 3)) == 3
    assert view.ran == [2, 3]


def test_binding_limit_call_interrupted_while_it_runs_keeps_its_place(
    wamp: WAMP, serve: Serving
) -> None:
    """Until the view is done: what it limits is the work, not the answers."""
    view = Counted()
    wamp.callee("com.shop.x", concurrency=1)(view.__call__)
    wamp.callee("com.shop.y")(lambda: "y")
    router = serve(threads=4)
    given_up = router.invoke("com.shop.x", 0)
    view.blocked.wait()
    router.interrupt(given_up)
    next_one = router.invoke("com.shop.x", 1)
    assert router.value(router.invoke("com.shop.y")) == "y"
    assert view.ran == [0]
    view.blocked.go_on.set()
    assert router.value(next_one) == 1
    assert view.most == 1


def test_binding_limit_outlives_a_lost_session(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    """The views of the old session's calls run on; those that waited do not start."""
    view = Counted()
    wamp.callee("com.shop.x", concurrency=2)(view.__call__)
    wamp.callee("com.shop.y")(lambda: "y")
    old = serve(threads=6)
    for n in range(5):
        old.invoke("com.shop.x", n)
    view.blocked.wait()
    view.blocked.wait()
    old.transport.lose()
    new = serve.again()
    requests = [new.invoke("com.shop.x", n) for n in range(10, 15)]
    assert new.value(new.invoke("com.shop.y")) == "y"
    assert sorted(view.ran) == [0, 1]
    view.blocked.go_on.set()
    assert [new.value(request) for request in requests] == list(range(10, 15))
    assert view.most == 2
    assert sorted(view.ran) == [0, 1, *range(10, 15)]


def test_binding_limit_of_a_view_that_calls_itself_through_another(
    wamp: WAMP, serve: Serving
) -> None:
    """Places in the limit are of the procedure, so the views it calls have theirs."""

    @wamp.callee("com.shop.outer", concurrency=1)
    def outer(n: int) -> int:
        return int(g.wampy.call("com.shop.inner", n)) + 1

    wamp.callee("com.shop.inner", concurrency=1)(lambda n: n + 1)
    router = serve(threads=1)
    requests = [router.invoke("com.shop.outer", n) for n in range(10)]
    assert [router.value(request) for request in requests] == [n + 2 for n in range(10)]


def test_binding_limit_behind_a_full_gate_refuses_one_call_after_another(
    wamp: WAMP,
    serve: Serving,
    turns: Turns,
    twisted_log: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many wait in it: each has its answer."""
    monkeypatch.setattr(calls, "GATE", 1)
    monkeypatch.setattr(gates, "WAITING_CALLS", 1)
    other, view = Blocked(), Blocked()

    @wamp.callee("com.shop.other")
    def wait() -> None:
        with place_handed_over():
            other()

    wamp.callee("com.shop.x", concurrency=1, queue=5000)(view.__call__)
    router = serve(threads=1)
    # One in the gate, and the one that may wait before it.
    others = [router.invoke("com.shop.other") for _ in range(2)]
    other.wait()
    # A call of this process passes no gate, and leaves none when it is done.
    first = router.invoke("com.shop.x", caller=SESSION_ID, authrole="backend")
    view.wait()
    requests = [router.invoke("com.shop.x") for _ in range(400)]
    view.go_on.set()
    try:
        turns.run_until(lambda: router.answers(first) or twisted_log)
        assert twisted_log == []
        assert router.value(first) is None
        assert [router.error(request).error for request in requests] == [UNAVAILABLE] * 400
    finally:
        other.go_on.set()
    assert [router.value(request) for request in others] == [None] * 2


# --- handlers


def test_binding_handler_with_concurrency(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    view = Counted()
    wamp.subscribe("com.shop.sold", concurrency=3)(view.__call__)
    router = serve(threads=6)
    for n in range(9):
        router.publish("com.shop.sold", n)
    for _ in range(3):
        view.blocked.wait()
    assert view.ran.__len__() == 3
    view.blocked.go_on.set()
    turns.run_until(lambda: len(view.ran) == 9 and view.running == 0)
    assert view.most == 3
    assert sorted(view.ran) == list(range(9))


def test_binding_handler_starts_events_in_their_order(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    """Also with concurrency, which makes no promise about their end."""
    seen: list[int] = []
    wamp.subscribe("com.shop.sold", concurrency=2)(seen.append)
    router = serve(threads=1)
    for n in range(100):
        router.publish("com.shop.sold", n)
    turns.run_until(lambda: len(seen) == 100)
    assert seen == list(range(100))


# --- retained events


def retained_requests(router: Router) -> list[str]:
    """Return the topics whose retained event was asked for."""
    return [msg.topic for msg in router.transport.of_kind(message.Subscribe) if msg.get_retained]


@pytest.fixture
def retaining(serve: Serving, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Router]:
    """Return what serves through a router that has kept an event of ``com.shop.price``."""

    def retaining(*, silent: bool = False, **options: Any) -> Router:
        class Retaining(Router):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.retained["com.shop.price"] = "kept"
                if silent:
                    self.silent.add("com.shop.price")

        monkeypatch.setattr("tests.twisted.doubles.Router", Retaining)
        return serve(**options)

    return retaining


def test_binding_retained_event_is_handled_first(
    wamp: WAMP, retaining: Callable[..., Router], turns: Turns
) -> None:
    seen = []

    @wamp.subscribe("com.shop.price", get_retained=True)
    def price(value: str) -> None:
        seen.append((value, event.retained, event.publication))

    router = retaining()
    router.publish("com.shop.price", "new")
    turns.run_until(lambda: len(seen) == 2)
    assert seen == [("kept", True, 4), ("new", False, 5)]
    assert retained_requests(router) == ["com.shop.price"]


def test_binding_retained_event_is_for_those_who_asked(
    wamp: WAMP, retaining: Callable[..., Router], turns: Turns
) -> None:
    asked: list[str] = []
    other: list[str] = []
    wamp.subscribe("com.shop.price")(other.append)
    wamp.subscribe("com.shop.price", get_retained=True)(asked.append)
    router = retaining()
    router.publish("com.shop.price", "new")
    turns.run_until(lambda: len(asked) == 2 and other)
    turns.run_pending()
    assert asked == ["kept", "new"]
    assert other == ["new"]


def test_binding_retained_event_reaches_each_handler_once(
    wamp: WAMP, retaining: Callable[..., Router], turns: Turns
) -> None:
    seen: dict[str, list[str]] = {"one": [], "two": []}
    for handler in seen.values():
        wamp.subscribe("com.shop.price", get_retained=True)(handler.append)
    router = retaining()
    router.publish("com.shop.price", "new")
    turns.run_until(lambda: all("new" in handled for handled in seen.values()))
    assert list(seen.values()) == [["kept", "new"]] * 2


def test_binding_retained_event_for_a_handler_that_comes_later(
    app: Flask, wamp: WAMP, retaining: Callable[..., Router], turns: Turns
) -> None:
    """It alone gets it."""
    first: list[str] = []
    second: list[str] = []
    wamp.subscribe("com.shop.price", get_retained=True)(first.append)
    router = retaining()
    turns.run_until(lambda: first)
    wamp.subscribe("com.shop.price", get_retained=True)(second.append)
    fired(server_of(router).add(declared(app, "com.shop.price")), turns)
    router.publish("com.shop.price", "new")
    turns.run_until(lambda: "new" in first and "new" in second)
    assert (first, second) == (["kept", "new"], ["kept", "new"])


def test_binding_retained_event_is_not_waited_for(
    wamp: WAMP, retaining: Callable[..., Router], turns: Turns
) -> None:
    """Crossbar.io does not answer some of the requests for it."""
    seen: list[str] = []
    wamp.subscribe("com.shop.price", get_retained=True)(seen.append)
    router = retaining(silent=True)
    assert server_of(router) is not None
    router.publish("com.shop.price", "new")
    turns.run_until(lambda: seen)
    assert seen == ["new"]
    router.transport.lose()
    assert server_of(router) is None


@pytest.mark.parametrize("silent", [True, False])
def test_binding_removed_handler_of_retained_events_is_subscribed_no_more(
    app: Flask, wamp: WAMP, retaining: Callable[..., Router], turns: Turns, silent: bool
) -> None:
    seen: list[str] = []
    wamp.subscribe("com.shop.price", get_retained=True)(seen.append)
    router = retaining(silent=silent)
    removed: list[Any] = []
    server = server_of(router)
    server.remove(declared(app, "com.shop.price")).addBoth(removed.append)
    turns.run_until(lambda: removed)
    assert removed == [None]
    assert len(router.transport.of_kind(message.Unsubscribe)) == 1
    assert router.subscriptions == {}
    assert server._twins == {}


# --- payload that is none


@pytest.mark.parametrize("value", [float("nan"), {1: 2}])
def test_binding_call_with_what_is_no_wamp_payload(wamp: WAMP, serve: Serving, value: Any) -> None:
    runs: list[Any] = []
    wamp.callee("com.shop.x")(runs.append)
    router = serve()
    error = router.error(router.invoke("com.shop.x", value))
    assert error.error == "wamp.error.invalid_argument"
    assert "the payload has " in error.args[0]
    assert runs == []


def test_binding_event_with_what_is_no_wamp_payload_is_logged(
    wamp: WAMP, serve: Serving, turns: Turns, twisted_log: list[str]
) -> None:
    seen: list[Any] = []
    wamp.subscribe("com.shop.sold")(seen.append)
    router = serve()
    router.publish("com.shop.sold", float("inf"))
    router.publish("com.shop.sold", 2)
    turns.run_until(lambda: seen)
    assert seen == [2]
    assert any("an event of com.shop.sold for " in text for text in twisted_log)


def test_binding_lost_session_cancels_what_runs(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    seen: list[bool] = []

    @wamp.callee("com.shop.x")
    def x() -> None:
        seen.append(invocation.cancelled)
        seen.append(invocation.wait_cancelled(TIMEOUT))

    router = serve()
    router.invoke("com.shop.x")
    eventually(lambda: seen)
    router.transport.lose()
    turns.run_until(lambda: len(seen) == 2)
    assert seen == [False, True]


def test_binding_event_that_the_router_does_not_read_is_logged(
    wamp: WAMP, serve: Serving, turns: Turns, twisted_log: list[str]
) -> None:
    seen: list[Any] = []
    wamp.subscribe("com.shop.sold")(seen.append)
    router = serve()
    number = router.subscriptions["com.shop.sold"]
    router.transport.receive(
        message.Event(
            number, 5, payload=b"x", enc_algo="cryptobox", enc_key="k", enc_serializer="cbor"
        )
    )
    router.publish("com.shop.sold", 2)
    turns.run_until(lambda: seen)
    assert seen == [2]
    assert any("an event is dropped: payload that the router" in text for text in twisted_log)
