"""Questions to the application: threads, deadlines, and what is too much."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from flask import Flask, g, request
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from flask_wamp.crossbar.asking import PATIENCE, Asking, Defects, TooLate
from flask_wamp.login import Handshake

from ..doubles import Turns, eventually


class Outcome:
    """What a Deferred has fired with."""

    def __init__(self, deferred: "Deferred[Any]") -> None:
        self.values: list[Any] = []
        deferred.addBoth(self.values.append)

    @property
    def there(self) -> bool:
        """Whether it has fired."""
        return bool(self.values)

    @property
    def value(self) -> Any:
        """The value; raises where it is a failure."""
        if isinstance(self.values[0], Failure):
            self.values[0].raiseException()
        return self.values[0]


@pytest.fixture
def turns() -> Turns:
    """Give what stands in for the reactor."""
    return Turns()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give what functions hang at, until the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


made: list[Asking] = []


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    yield
    while made:
        ask = made.pop()
        ask.stop()


def asking(turns: Turns, **limits: Any) -> Asking:
    """Return what asks, with these limits."""
    made.append(Asking(turns.queue(), **limits))
    return made[-1]


def test_asking_returns_the_value_on_the_reactors_thread(turns: Turns) -> None:
    ask = asking(turns)
    outcome = Outcome(ask.run(threading.get_ident))
    turns.run_until(lambda: outcome.there)
    assert outcome.value != threading.get_ident()
    assert turns.clock.getDelayedCalls() == []


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_asking_fails_with_what_the_function_raises(turns: Turns, error: BaseException) -> None:
    def fail() -> None:
        raise error

    ask = asking(turns, threads=1)
    outcome = Outcome(ask.run(fail))
    turns.run_until(lambda: outcome.there)
    with pytest.raises(type(error)):
        _ = outcome.value
    again = Outcome(ask.run(lambda: 7))
    turns.run_until(lambda: again.there)
    assert again.value == 7


def test_asking_gives_up_in_time_and_asks_others_meanwhile(
    turns: Turns, gate: threading.Event
) -> None:
    ask = asking(turns, deadline=3, threads=2)
    running = threading.Semaphore(0)

    def hang() -> str:
        running.release()
        gate.wait()
        return "late"

    hanging = [Outcome(ask.run(hang)) for _ in range(2)]
    for _ in hanging:
        running.acquire()
    waiting = Outcome(ask.run(lambda: "in time"))
    turns.clock.advance(2.9)
    assert not hanging[0].there
    turns.clock.advance(0.05)
    behind = Outcome(ask.run(lambda: "behind"))
    turns.clock.advance(0.06)
    for each in hanging:
        with pytest.raises(TooLate, match="within 3 s"):
            _ = each.value
    # The one that waited has had its time too; the one behind it gets a thread of its own.
    with pytest.raises(TooLate):
        _ = waiting.value
    turns.run_until(lambda: behind.there)
    assert behind.value == "behind"
    assert ask._threads == 4
    gate.set()
    turns.run_until(lambda: ask._threads == 2)
    assert ask._hanging == 0
    last = Outcome(ask.run(lambda: "last"))
    turns.run_until(lambda: last.there)
    assert len(hanging[0].values) == 1


def test_asking_does_not_let_others_wait_for_one_that_takes_its_time(
    turns: Turns, gate: threading.Event
) -> None:
    ask = asking(turns, threads=1)
    running = threading.Event()

    def take_time() -> str:
        running.set()
        gate.wait()
        return "in time"

    slow = Outcome(ask.run(take_time))
    running.wait()
    quick = Outcome(ask.run(lambda: "quick"))
    turns.clock.advance(PATIENCE)
    assert ask._threads == 1
    turns.clock.advance(PATIENCE)
    turns.run_until(lambda: quick.there)
    assert not slow.there
    gate.set()
    turns.run_until(lambda: slow.there)
    assert (quick.value, slow.value) == ("quick", "in time")
    turns.run_until(lambda: ask._threads == 1)
    assert ask._hanging == 0
    assert turns.clock.getDelayedCalls() == []


def test_asking_has_no_more_threads_than_it_may(turns: Turns, gate: threading.Event) -> None:
    ask = asking(turns, deadline=1, threads=1, most_threads=3)
    started: list[int] = []

    def hang() -> None:
        started.append(threading.get_ident())
        gate.wait()

    def are(count: int) -> bool:
        return len(started) == count

    for number in range(5):
        ask.run(hang).addErrback(lambda _failure: None)
        eventually(partial(are, min(number + 1, 3)))
        turns.clock.advance(1.1)
    assert ask._threads == 3
    outcome = Outcome(ask.run(lambda: 7))
    turns.clock.advance(1.1)
    with pytest.raises(TooLate):
        _ = outcome.value
    gate.set()
    again = Outcome(ask.run(lambda: 7))
    turns.run_until(lambda: again.there)
    assert again.value == 7
    turns.run_until(lambda: ask._threads == 1)


def test_asking_refuses_what_is_too_much(turns: Turns, gate: threading.Event) -> None:
    ask = asking(turns, threads=1, waiting=2)
    for _ in range(2):
        ask.run(gate.wait)
    with pytest.raises(TooLate, match="too many"):
        _ = Outcome(ask.run(lambda: 7)).value


@dataclass
class Wish:
    """What somebody wants to do."""

    session: int | None = 7


def asked(
    turns: Turns,
    function: Callable[[Any], Any],
    handshake: Handshake | None = None,
    *,
    app: Flask | None = None,
    guarded: bool = True,
) -> Any:
    """Return whether *function* allows it."""
    ask = asking(turns)
    outcome = Outcome(ask.ask(app or Flask("x"), function, Wish(), handshake, guarded=guarded))
    turns.run_until(lambda: outcome.there)
    return outcome.value


def saying(answer: Any, _wish: Any) -> Any:
    """Return *answer*, whatever is wished."""
    return answer


def test_asking_allows_what_is_true_and_nothing_else(turns: Turns) -> None:
    assert asked(turns, lambda wish: wish.session == 7) is True
    for no in (False, None, 1, "yes", [True]):
        assert asked(turns, partial(saying, no)) is False


def test_asking_denies_where_the_function_fails(turns: Turns) -> None:
    assert asked(turns, lambda wish: wish.nothing) is False
    assert asked(turns, lambda: True) is False  # type: ignore[arg-type,misc]


def test_asking_runs_in_the_request_of_who_wants_to(turns: Turns) -> None:
    app = Flask("x")

    @app.before_request
    def load() -> Any:
        g.user = request.headers["User-Agent"]
        return "denied" if g.user == "stranger" else None

    def page(name: str) -> Handshake:
        return Handshake({"HTTP_USER_AGENT": name, "HTTP_HOST": "localhost"})

    def allow(_wish: Any) -> bool:
        return bool(g.get("user") == "alice")

    assert asked(turns, allow, page("alice"), app=app) is True
    assert asked(turns, allow, page("bob"), app=app) is False
    assert asked(turns, lambda _wish: True, page("stranger"), app=app) is False
    assert asked(turns, lambda _wish: True, page("stranger"), app=app, guarded=False) is True
    assert asked(turns, lambda _wish: "user" not in g, app=app) is True


def test_defects_at_one_place_are_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    defects = Defects("what")
    monkeypatch.setattr(
        Defects, "_log", type("Log", (), {"failure": lambda _self, *args: told.append(args)})()
    )

    def failure(error: Exception) -> Failure:
        try:
            raise error
        except type(error):
            return Failure()

    for _ in range(3):
        defects.tell(failure(ValueError()))
    assert len(told) == 1
    defects.tell(failure(KeyError()))
    assert len(told) == 2
