"""A process that stops serving fails no call that the router has sent to it."""

from collections.abc import Callable
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask, g

from flask_wamp import WAMP
from flask_wamp._twisted.flow import IS_FULL
from flask_wamp._twisted.serve.binding import FIRST_DELAY, PATIENCE, bind
from flask_wamp._twisted.serve.draining import when
from flask_wamp.state import state_of

from ..doubles import Blocked, Router, Serving, Turns
from ..helpers import declared, server_of

GRACE = 10.0
UNAVAILABLE = "wamp.error.unavailable"
TAKEN = "wamp.error.procedure_already_exists"

Bind = Callable[..., list[Any]]


class Drain:
    """A process that is told to drain, at a router that answers when the test lets it.

    :ivar fired: what the drain has fired with.
    :ivar held: what the router has not done yet.
    """

    def __init__(self, router: Router, turns: Turns) -> None:
        self.router, self.turns = router, turns
        self.fired: list[Any] = []
        self.held: list[Any] = []
        self._send = router.transport.on_send
        router.transport.on_send = self._hold
        server_of(router).drain(GRACE).addBoth(self.fired.append)

    def _hold(self, msg: Any) -> None:
        if type(msg) in (message.Unregister, message.Unsubscribe):
            self.held.append(msg)
        else:
            self._send(msg)

    def answer(self) -> None:
        """Let the router do what it was asked for."""
        held, self.held = self.held, []
        for msg in held:
            self._send(msg)

    def finish(self) -> Any:
        """Return what the drain fires with."""
        self.turns.run_until(lambda: self.fired)
        return self.fired[0]


@pytest.fixture
def blocked() -> Blocked:
    return Blocked()


def test_drain_answers_what_comes_until_the_router_has_answered(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    handled: list[int] = []
    wamp.callee("com.shop.a")(lambda: 1)
    wamp.callee("com.shop.b")(lambda: 2)
    wamp.subscribe("com.shop.topic")(handled.append)
    draining = Drain(serve(), turns)
    router = draining.router
    assert len(draining.held) == 3
    assert router.value(router.invoke("com.shop.a")) == 1
    router.publish("com.shop.topic", 7)
    turns.run_until(lambda: handled == [7])
    assert draining.fired == []
    draining.answer()
    assert draining.finish() == 0
    assert router.registrations == router.subscriptions == {}


def test_drain_finishes_calls_and_events_that_run_or_wait(
    wamp: WAMP, serve: Serving, turns: Turns, blocked: Blocked
) -> None:
    handled: list[int] = []

    @wamp.callee("com.shop.slow", concurrency=1)
    def slow(n: int) -> int:
        blocked()
        return n

    @wamp.subscribe("com.shop.topic")
    def take(n: int) -> None:
        blocked()
        handled.append(n)

    router = serve()
    requests = [router.invoke("com.shop.slow", n) for n in range(3)]
    for n in range(3):
        router.publish("com.shop.topic", n)
    draining = Drain(router, turns)
    draining.answer()
    blocked.wait()
    turns.run_pending()
    assert draining.fired == []
    blocked.go_on.set()
    assert draining.finish() == 0
    assert [router.value(request) for request in requests] == [0, 1, 2]
    assert handled == [0, 1, 2]
    # The grace is over for nobody.
    assert turns.clock.getDelayedCalls() == []


def test_drain_answers_the_rest_after_the_grace(
    wamp: WAMP, serve: Serving, turns: Turns, blocked: Blocked, twisted_log: list[str]
) -> None:
    """And says which of the calls may have run."""

    @wamp.callee("com.shop.slow", concurrency=1)
    def slow() -> None:
        blocked()

    wamp.subscribe("com.shop.topic")(blocked)
    router = serve()
    runs, waits = router.invoke("com.shop.slow"), router.invoke("com.shop.slow")
    router.publish("com.shop.topic")
    for _ in range(2):
        blocked.wait()
    draining = Drain(router, turns)
    draining.answer()
    turns.clock.advance(GRACE - 0.1)
    turns.run_pending()
    assert draining.fired == []
    turns.clock.advance(0.2)
    assert draining.finish() == 2
    errors = {request: router.error(request) for request in (runs, waits)}
    assert {error.error for error in errors.values()} == {UNAVAILABLE}
    assert {request: error.kwargs["may_have_run"] for request, error in errors.items()} == {
        runs: True,
        waits: False,
    }
    assert "stops: the call has not run" in errors[waits].args[0]
    assert "stops: the call may run to its end" in errors[runs].args[0]
    (said,) = [text for text in twisted_log if "stops" in text]
    assert "after 10 s 2 calls are answered with an error, and 1 handlers" in said
    blocked.go_on.set()
    turns.run_until(lambda: not serve.pool.under_way)
    # Nothing more is said to the router, whatever comes of them.
    assert [len(router.answers(request)) for request in (runs, waits)] == [1, 1]


def test_drain_says_of_a_generator_that_waits_for_its_caller_that_it_may_have_run(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    @wamp.callee("com.shop.all")
    def everything() -> Any:
        yield from range(10_000)

    router = serve()
    router.answers_of["flask_wamp.flow.check"] = IS_FULL
    request = router.invoke("com.shop.all", progress=True, token="t")
    turns.run_until(lambda: len(router.transport.of_kind(message.Call)) >= 1)
    draining = Drain(router, turns)
    draining.answer()
    turns.clock.advance(GRACE + 0.1)
    assert draining.finish() == 1
    assert router.error(request).kwargs["may_have_run"] is True
    turns.run_until(lambda: not serve.pool.under_way)


def test_drain_at_a_router_that_does_not_answer_is_over_with_the_grace(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    draining = Drain(serve(), turns)
    turns.clock.advance(GRACE + 0.1)
    assert draining.finish() == 0


def test_drain_without_a_session_waits_for_what_runs(
    wamp: WAMP, serve: Serving, turns: Turns, blocked: Blocked
) -> None:
    wamp.callee("com.shop.slow")(blocked)
    router = serve()
    router.invoke("com.shop.slow")
    blocked.wait()
    draining = Drain(router, turns)
    router.transport.lose()
    turns.run_pending()
    assert draining.fired == []
    blocked.go_on.set()
    assert draining.finish() == 0


def test_drain_leaves_what_another_process_has_taken_over(
    wamp: WAMP, serve: Serving, turns: Turns, twisted_log: list[str]
) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    draining = Drain(serve(), turns)
    (unregister,) = draining.held
    error = message.Error(
        message.Unregister.MESSAGE_TYPE, unregister.request, "wamp.error.no_such_registration"
    )
    draining.router.transport.receive(error)
    assert draining.finish() == 0
    assert not [text for text in twisted_log if "rror" in text]


def test_drain_lets_a_running_view_call(
    wamp: WAMP, serve: Serving, turns: Turns, blocked: Blocked
) -> None:
    """Also what this process itself serves, as long as the router sends it here."""
    wamp.callee("com.shop.inner")(lambda: 5)

    @wamp.callee("com.shop.outer")
    def outer() -> Any:
        blocked()
        return g.wampy.call("com.shop.inner")

    router = serve()
    request = router.invoke("com.shop.outer")
    blocked.wait()
    draining = Drain(router, turns)
    blocked.go_on.set()
    assert router.value(request) == 5
    draining.answer()
    assert draining.finish() == 0


def test_drain_gives_back_what_is_registered_meanwhile(
    app: Flask, wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    draining = Drain(serve(), turns)
    assert draining.finish() == 0
    wamp.callee("com.shop.late")(lambda: 1)
    server_of(draining.router).add(declared(app, "com.shop.late"))
    draining.answer()
    assert draining.router.registrations == {}


def test_when_waits_for_what_is_given_up_no_more(serve: Serving) -> None:
    serve()
    waiting = when(serve.pool, lambda: False)
    assert len(serve.pool.watchers) == 1
    waiting.addErrback(lambda _failure: None).cancel()
    assert serve.pool.watchers == []


@pytest.fixture
def begin(app: Flask, serve: Serving, turns: Turns) -> Bind:
    """Return what binds to a router with some patience, and returns what comes of it."""
    serve()

    def begin(router: Router, patience: float) -> list[Any]:
        outcome: list[Any] = []
        bind(router.session, state_of(app), serve.pool, serve.limits, patience).addBoth(
            outcome.append
        )
        return outcome

    return begin


def test_bind_asks_again_for_what_somebody_else_has(wamp: WAMP, begin: Bind, turns: Turns) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    router = Router(turns, refused=("com.shop.a",), refusal=TAKEN)
    outcome = begin(router, PATIENCE)
    delay = FIRST_DELAY
    for _ in range(3):
        turns.clock.advance(delay)
        delay *= 2
    assert outcome == []
    assert len(router.transport.of_kind(message.Register)) == 4
    router._refused = ()
    turns.clock.advance(delay)
    turns.run_until(lambda: outcome)
    assert outcome == [router.session.server]


def test_bind_gives_up_in_time(wamp: WAMP, begin: Bind, turns: Turns) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    router = Router(turns, refused=("com.shop.a",), refusal=TAKEN)
    outcome = begin(router, PATIENCE)
    for _ in range(8):
        turns.clock.advance(PATIENCE)
    turns.run_until(lambda: outcome)
    assert "already_exists" in str(outcome[0].value)
    assert len(router.transport.of_kind(message.Register)) < 10


@pytest.mark.parametrize(
    ("patience", "refusal"), [(0.0, TAKEN), (PATIENCE, "wamp.error.not_authorized")]
)
def test_bind_asks_once_where_asking_again_is_of_no_use(
    wamp: WAMP, begin: Bind, turns: Turns, patience: float, refusal: str
) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    router = Router(turns, refused=("com.shop.a",), refusal=refusal)
    outcome = begin(router, patience)
    turns.run_until(lambda: outcome)
    assert refusal in str(outcome[0].value)
    assert len(router.transport.of_kind(message.Register)) == 1
