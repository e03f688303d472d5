"""Calls started now and awaited later, one by one or gathered."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError as AutobahnError
from flask import g

from flask_wamp import (
    CallTimeout,
    Canceled,
    NoSuchProcedure,
    RemoteError,
)
from flask_wamp.node import CrossbarNode

from .callees import Slow, next_of
from .support import INVOCATION, LIMIT, YIELD, MakeApp, Peer, RawPeer, http, wait_until

pytestmark = pytest.mark.node

CANCEL, INTERRUPT = 49, 69
#: What a timeout may be late by.
TOLERANCE = 0.05


def test_started_calls_run_at_once_and_are_awaited_in_any_order(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    names = ["started one", "started two", "started three"]
    with app.app_context():
        pending = [g.wampy.start_call("com.test.hold", name) for name in names]
        wait_until(
            lambda: set(names) <= set(anonymous.call("com.test.held")), "all three are in flight"
        )
        assert [each.done() for each in pending] == [False] * 3
        anonymous.call("com.test.release", names[2])
        assert pending[2].result(LIMIT) == "released started three"
        assert [each.done() for each in pending] == [False, False, True]
        # Again, as often as one likes.
        assert pending[2].result() == "released started three"
        for name in names[:2]:
            anonymous.call("com.test.release", name)
        assert g.wampy.gather(pending) == [f"released {name}" for name in names]
        assert all(each.done() for each in pending)
        assert pending[0].uri == "com.test.hold"


def test_started_call_goes_on_when_the_wait_is_over(silent: RawPeer, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        pending = g.wampy.start_call("com.raw.silent")
        request = next_of(silent, INVOCATION)[1]
        for timeout in (0, 0.05):
            with pytest.raises(CallTimeout, match="it goes on"):
                pending.result(timeout)
        assert not pending.done()
        silent.send([YIELD, request, {}, ["at last"]])
        assert pending.result(LIMIT) == "at last"


def test_started_call_is_canceled_when_its_time_is_over_though_nobody_waits(
    silent: RawPeer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context():
        # Connected, or the time may be over before the call is sent, and nobody is asked.
        assert g.wampy.call("com.test.add", 1, 2) == 3
        pending = g.wampy.with_options(timeout=0.5).start_call("com.raw.silent")
        request = next_of(silent, INVOCATION)[1]
        assert next_of(silent, INTERRUPT)[1] == request
        assert pending.done()
        with pytest.raises(CallTimeout, match=r"within 0\.5 s"):
            pending.result()


def test_started_call_canceled_is_interrupted_and_raises(trusted: Peer, make_app: MakeApp) -> None:
    slow = Slow(trusted, "com.autobahn.canceled")
    app, _ = make_app()
    with app.app_context():
        pending = g.wampy.start_call("com.autobahn.canceled")
        wait_until(lambda: not slow.calls.empty(), "the call is there")
        pending.cancel()
        assert pending.done()
        with pytest.raises(Canceled):
            pending.result()
        assert slow.canceled.wait(LIMIT)
        pending.cancel()
        # Too late, it does nothing.
        answered = g.wampy.start_call("com.test.add", 1, 2)
        assert answered.result() == 3
        answered.cancel()
        assert answered.result() == 3


def test_started_call_canceled_wakes_the_thread_that_waits(
    silent: RawPeer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context():
        pending = g.wampy.start_call("com.raw.silent")
    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(pending.result)
        next_of(silent, INVOCATION)
        pending.cancel()
        with pytest.raises(Canceled):
            outcome.result(LIMIT)


def test_started_call_raises_what_call_raises(make_app: MakeApp) -> None:
    class NoStock(Exception):
        def __init__(self, item: str, wanted: int) -> None:
            super().__init__(item)
            self.wanted = wanted

    app, wamp = make_app()
    with app.app_context():
        take = g.wampy.start_call("com.test.take", "tea", wanted=2)
        with pytest.raises(RemoteError) as raised:
            take.result()
        assert raised.value.uri == "com.test.error.no_stock"
        wamp.error("com.test.error.no_stock")(NoStock)
        with pytest.raises(NoStock, match="tea") as declared:
            g.wampy.start_call("com.test.take", "tea", wanted=2).result()
        assert declared.value.wanted == 2
        with pytest.raises(NoSuchProcedure):
            g.wampy.start_call("com.test.nothing").result()


def test_gather_gives_results_in_the_order_of_the_calls(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        started = (g.wampy.start_call("com.test.echo", number) for number in range(200))
        assert g.wampy.gather(started) == list(range(200))
        assert g.wampy.gather([]) == []


def test_gather_cancels_the_rest_at_the_first_failure(silent: RawPeer, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        calls = [
            g.wampy.start_call("com.test.add", 1, 2),
            g.wampy.start_call("com.test.abort", 409),
            g.wampy.start_call("com.raw.silent"),
        ]
        with pytest.raises(RemoteError) as raised:
            g.wampy.gather(calls)
        assert raised.value.uri == "wamp.error.conflict"
        next_of(silent, INVOCATION)
        next_of(silent, INTERRUPT)
        with pytest.raises(Canceled):
            calls[2].result(LIMIT)
        assert calls[0].result() == 3


def test_gather_does_not_wait_for_earlier_calls_when_a_later_one_has_failed(
    silent: RawPeer, make_app: MakeApp
) -> None:
    app, _ = make_app(WAMP_TIMEOUT=LIMIT)
    with app.app_context():
        calls = [
            g.wampy.start_call("com.raw.silent"),
            g.wampy.start_call("com.test.abort", 409),
        ]
        began = time.monotonic()
        with pytest.raises(RemoteError) as raised:
            g.wampy.gather(calls)
        assert raised.value.uri == "wamp.error.conflict"
        assert time.monotonic() - began < LIMIT / 2
        next_of(silent, INVOCATION)
        next_of(silent, INTERRUPT)


@pytest.mark.parametrize(("views", "depth", "width"), [(64, 0, 8), (8, 2, 8), (1, 1, 100)])
def test_gather_within_hosted_views_does_not_deadlock(
    anonymous: Peer, views: int, depth: int, width: int
) -> None:
    """Views on 4 threads start calls at once, into views of their own process that call too."""
    args = [[depth, number] for number in range(width)]
    started = [
        anonymous.start_call("com.test.gather", uri="com.test.nested", args=args)
        for _ in range(views)
    ]
    for each in started:
        expected = [[number] * (depth + 1) for number in range(width)]
        assert each.result(90) == {"results": expected}


@pytest.mark.slow
def test_gather_of_more_than_there_are_threads_for_is_told_so(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    """Whoever waits for a call of this process holds a thread: 48 x (1 + 16 x 2) are too many."""
    args = [[2, number] for number in range(16)]
    started = [
        anonymous.start_call("com.test.gather", uri="com.test.nested", args=args) for _ in range(64)
    ]
    outcomes = [each.exception(90) for each in started]
    assert any(outcomes)
    assert {error.error for error in outcomes if isinstance(error, AutobahnError)} == {
        "wamp.error.runtime_error"
    }
    wait_until(lambda: "TooManyCalls" in peers_node.log, "the log has the reason")
    # And all of them are well again.
    assert anonymous.call("com.test.gather", uri="com.test.nested", args=args) == {
        "results": [[number] * 3 for number in range(16)]
    }


def test_gather_within_hosted_views_of_http_does_not_deadlock(peers_node: CrossbarNode) -> None:
    def ask(_: int) -> Any:
        order = {"uri": "com.test.add", "args": [[n, n] for n in range(8)]}
        return http(peers_node.url + "gather", order, timeout=60).json

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(ask, range(48)))
    assert answers == [{"results": [2 * n for n in range(8)]}] * 48
    order = {"uri": "com.test.nested", "args": [[2, n] for n in range(8)]}
    answer = http(peers_node.url + "gather", order).json
    assert answer == {"results": [[n] * 3 for n in range(8)]}


def test_gather_within_gather_within_hosted_views(anonymous: Peer) -> None:
    inner = {"uri": "com.test.add", "args": [[1, 2], [3, 4]]}
    outcome = anonymous.call("com.test.gather", uri="com.test.gather", args=[[]] * 16, kwargs=inner)
    assert outcome == {"results": [{"results": [3, 7]}] * 16}
