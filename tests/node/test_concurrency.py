"""Procedures that run a few calls at a time, let a few wait, and tell the others "busy"."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from flask import g

from flask_wamp import CallTimeout
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import (
    CALL,
    CANCEL,
    ERROR,
    LIMIT,
    RESULT,
    MakeApp,
    Peer,
    PeerCall,
    connected,
    error_of,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node

BUSY = "wamp.error.unavailable"


class Held:
    """A procedure whose calls wait to be released, each by its number, and are counted."""

    def __init__(self) -> None:
        self.running: list[int] = []
        self.most = 0
        self._released: set[int] = set()
        self._changed = threading.Condition()

    def call(self, number: int) -> int:
        """Answer with *number* when it is released."""
        with self._changed:
            self.running.append(number)
            self.most = max(self.most, len(self.running))
            released = self._changed.wait_for(lambda: number in self._released, LIMIT)
            self.running.remove(number)
        if not released:
            raise TimeoutError(number)
        return number

    def release(self, *numbers: int) -> None:
        """Let the calls with *numbers* answer, now or when they come."""
        with self._changed:
            self._released.update(numbers)
            self._changed.notify_all()

    def runs(self, *numbers: int) -> None:
        """Wait until exactly the calls with *numbers* run."""
        wait_until(lambda: sorted(self.running) == sorted(numbers), f"{numbers} run")


def serve_held(make_app: MakeApp, **options: int) -> Held:
    """Serve ``com.here.held`` from this process."""
    app, wamp = make_app()
    held = Held()

    wamp.callee("com.here.held", **options)(held.call)  # type: ignore[call-overload]

    @wamp.callee("com.here.not_held")
    def other() -> None:
        return None

    wamp.start(app)
    return held


def test_concurrency_limits_what_runs_and_what_waits(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    held = serve_held(make_app, concurrency=2, queue=3)
    calls = [anonymous.start_call("com.here.held", number) for number in range(5)]
    # Calls of one session arrive in order: this one is the sixth, and is told at once.
    error = error_of(lambda: anonymous.call("com.here.held", 5))
    assert error.error == BUSY
    assert "busy" in error.args[0]
    assert error.kwargs["status"] == 503
    held.runs(0, 1)
    assert not any(call.done() for call in calls)
    # Another caller is told the same, services included; other procedures are not concerned.
    with connected(trusted_url(peers_node)) as colleague:
        assert error_of(lambda: colleague.call("com.here.held", 6)).error == BUSY
    assert anonymous.call("com.serving.count", 1) == [0]
    held.release(1)
    held.runs(0, 2)
    # A place in the queue is free now, and only one.
    calls.append(anonymous.start_call("com.here.held", 7))
    assert error_of(lambda: anonymous.call("com.here.held", 8)).error == BUSY
    held.release(*range(10))
    assert [call.result(LIMIT) for call in calls] == [0, 1, 2, 3, 4, 7]
    assert held.most == 2


def test_concurrency_is_kept_under_a_crowd(anonymous: Peer, make_app: MakeApp) -> None:
    held = serve_held(make_app, concurrency=3)
    calls = [anonymous.start_call("com.here.held", number) for number in range(200)]
    held.runs(0, 1, 2)
    held.release(*range(200))
    assert [call.result(LIMIT) for call in calls] == list(range(200))
    assert held.most == 3


def test_concurrency_without_a_queue_refuses_at_once(anonymous: Peer, make_app: MakeApp) -> None:
    held = serve_held(make_app, concurrency=1, queue=0)
    first = anonymous.start_call("com.here.held", 0)
    assert error_of(lambda: anonymous.call("com.here.held", 1)).error == BUSY
    held.release(0, 2)
    assert first.result(LIMIT) == 0
    assert anonymous.call("com.here.held", 2) == 2


def test_concurrency_of_views_that_call_each_other(anonymous: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.here.outer", concurrency=1)
    def outer(number: int) -> int:
        inner: int = g.wampy.call("com.here.inner", number)
        return inner

    @wamp.callee("com.here.inner", concurrency=1)
    def inner(number: int) -> int:
        return number

    wamp.start(app)
    outcomes = anonymous.call_all("com.here.outer", [[number] for number in range(100)])
    assert outcomes == [(True, number) for number in range(100)]


def test_concurrency_places_come_back_after_cancels(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    held = serve_held(make_app, concurrency=1, queue=1)
    with raw_peer(peers_node.ws_url) as peer:
        for number in range(0, 40, 4):
            running, waiting, next_, look = (number + at for at in (1, 2, 3, 4))
            peer.send([CALL, running, {}, "com.here.held", [running]])
            peer.send([CALL, waiting, {}, "com.here.held", [waiting]])
            held.runs(running)
            peer.send([CANCEL, waiting, {"mode": "kill"}])
            assert peer.receive()[:3] == [ERROR, CALL, waiting]
            # The queue's place is free, the running call's is not: its view runs on.
            peer.send([CANCEL, running, {"mode": "kill"}])
            assert peer.receive()[:3] == [ERROR, CALL, running]
            peer.send([CALL, next_, {}, "com.here.held", [next_]])
            # It has come, and no call of another session overtakes it, when this is answered.
            answer = peer.request([CALL, look, {}, "com.here.not_held"])
            assert answer[:2] == [RESULT, look]
            assert error_of(lambda: anonymous.call("com.here.held", 99)).error == BUSY
            held.runs(running)
            held.release(running)
            held.runs(next_)
            held.release(next_)
            answer = peer.receive()
            assert (answer[:2], answer[3]) == ([RESULT, next_], [next_])
    assert held.most == 1


def test_concurrency_places_come_back_after_timeouts(anonymous: Peer, make_app: MakeApp) -> None:
    """By a Flask caller on its side, and by an Autobahn caller at the router."""
    held = serve_held(make_app, concurrency=2, queue=0)
    caller, _ = make_app("caller")
    with caller.app_context():
        g.wampy.call("com.here.not_held")  # connected
        soon = g.wampy.with_options(timeout=0.2)
    for number in range(10):
        with pytest.raises(CallTimeout):
            soon.call("com.here.held", number)
        held.release(number)
        held.runs()
    # Of 1 s, which it may cut short by as much, the router may leave the view no time to begin.
    call = anonymous.begin("com.here.held", 10, timeout=2)
    assert error_of(call.result).error == "wamp.error.canceled"
    held.runs(10)
    held.release(10)
    held.runs()
    # A view's place comes back a moment after its end.
    calls = [
        wait_until(partial(admitted, anonymous, number), "there is a place") for number in (11, 12)
    ]
    held.runs(11, 12)
    held.release(11, 12)
    assert [call.result(LIMIT) for call in calls if call] == [11, 12]


def test_concurrency_places_come_back_when_callers_go_away(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    held = serve_held(make_app, concurrency=2, queue=2)
    peer = Peer.connect(peers_node.ws_url)
    for number in range(4):
        peer.begin("com.here.held", number)
    held.runs(0, 1)
    peer.drop()
    # The places of those that wait are free soon, the others when their views have ended.
    calls = [
        wait_until(partial(admitted, anonymous, number), "there is a place") for number in (10, 11)
    ]
    assert error_of(lambda: anonymous.call("com.here.held", 12)).error == BUSY
    held.runs(0, 1)
    held.release(0, 1)
    held.runs(10, 11)
    calls += [anonymous.start_call("com.here.held", number) for number in (13, 14)]
    held.release(10, 11, 13, 14)
    assert [call.result(LIMIT) for call in calls if call] == [10, 11, 13, 14]


def admitted(peer: Peer, number: int) -> "Future[Any] | None":
    """Return a call of ``com.here.held`` that runs or waits, or None where it is told "busy"."""
    call = peer.start_call("com.here.held", number)
    peer.call("com.here.not_held")  # a refusal would have come before the answer
    return None if call.done() else call


def test_concurrency_counts_generators_until_they_are_closed(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()

    @wamp.callee("com.here.numbers", concurrency=1, queue=0)
    def numbers() -> Iterator[int]:
        yield from itertools.count()

    wamp.start(app)
    for _ in range(5):
        call = wait_until(lambda: begun(anonymous, "com.here.numbers"), "there is a place")
        assert call is not None
        assert error_of(lambda: anonymous.call("com.here.numbers")).error == BUSY
        call.cancel()


def begun(peer: Peer, uri: str) -> PeerCall | None:
    """Return a call of *uri* that gives results, or None where it is told "busy"."""
    call = peer.begin(uri)
    wait_until(lambda: call.done() or call.parts(), "the call begins, or is refused")
    if not call.done():
        return call
    assert error_of(call.result).error == BUSY
    return None


def test_namespace_defaults_are_inherited_and_replaced(anonymous: Peer, make_app: MakeApp) -> None:
    """Its concurrency and queue, below another namespace and in a decorator."""
    app, wamp = make_app()
    held = {name: Held() for name in ("outer", "inner", "own")}
    outer = wamp.namespace("com.here.outer", concurrency=1, queue=0)
    inner = outer.namespace("inner", queue=1)
    outer.callee("held")(held["outer"].call)
    inner.callee("held")(held["inner"].call)
    inner.callee("own", concurrency=2)(held["own"].call)
    wamp.start(app)
    for name, uri, fitting in (
        ("outer", "com.here.outer.held", 1),
        ("inner", "com.here.outer.inner.held", 2),
        ("own", "com.here.outer.inner.own", 3),
    ):
        calls = [anonymous.start_call(uri, number) for number in range(fitting)]
        assert error_of(lambda uri=uri: anonymous.call(uri, 9)).error == BUSY  # type: ignore[misc]
        # Released before they run, two calls may run one after the other, and show no more.
        held[name].runs(*range(2 if name == "own" else 1))
        held[name].release(*range(fitting))
        assert [call.result(LIMIT) for call in calls] == list(range(fitting))
        assert held[name].most == (2 if name == "own" else 1)
