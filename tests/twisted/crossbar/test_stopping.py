"""What a worker does before it ends."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from flask_wamp.crossbar.stopping import LAST_RESORT, SLACK, Ending, ending_of


class Worker:
    """A process whose own handlers, as Crossbar.io's, are counted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.last_resort: list[float] = []
        self.cut_off: list[str] = []
        self.ended = 0
        self.ignored = 0
        untyped: Any = self.clock
        untyped.callFromThread = lambda work: work()
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._ignore)
        self.ending = Ending(
            self.clock, last_resort=self.last_resort.append, at_once=self.cut_off.append
        )

    def _end(self, _number: int, _frame: Any) -> None:
        self.ended += 1

    def _ignore(self, _number: int, _frame: Any) -> None:
        self.ignored += 1


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Give a worker, and the handlers of this process back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Worker()
    for number, handler in before.items():
        signal.signal(number, handler)


def tell(number: signal.Signals) -> None:
    """Send this process a signal, and let Python handle it."""
    os.kill(os.getpid(), number)
    signal.sigtimedwait([], 0)


def test_everything_that_is_to_be_done_first_is_done_first(worker: Worker) -> None:
    works: list[Deferred[None]] = [Deferred(), Deferred()]
    for work in works:
        worker.ending.first(3, lambda work=work: work)  # type: ignore[misc]
    tell(signal.SIGTERM)
    assert worker.ended == 0
    works[0].callback(None)
    assert worker.ended == 0
    works[1].callback(None)
    assert worker.ended == 1
    worker.clock.advance(3 + SLACK)
    assert worker.ended == 1


def test_what_takes_too_long_is_left(worker: Worker) -> None:
    worker.ending.first(3, Deferred)
    worker.ending.first(1, lambda: None)
    tell(signal.SIGTERM)
    assert worker.last_resort == [3 + SLACK + LAST_RESORT]
    worker.clock.advance(3 + SLACK - 0.1)
    assert worker.ended == 0
    worker.clock.advance(0.1)
    assert worker.ended == 1


def test_what_fails_holds_nothing_up(worker: Worker) -> None:
    worker.ending.first(3, lambda: 1 / 0)
    tell(signal.SIGTERM)
    assert worker.ended == 1


def test_a_second_sigterm_is_the_first_of_another_sender(worker: Worker) -> None:
    """systemd tells all processes, and the controller tells its workers."""
    worker.ending.first(3, Deferred)
    tell(signal.SIGTERM)
    tell(signal.SIGTERM)
    assert (worker.ended, worker.cut_off) == (0, [])


def test_ctrl_c_while_it_ends_ends_it_at_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("flask_wamp.crossbar.stopping.time.monotonic", lambda: now[0])
    worker.ending.first(3, Deferred)
    tell(signal.SIGINT)
    assert (worker.ignored, worker.cut_off) == (1, [])
    tell(signal.SIGTERM)
    # The terminal's first, which has come late.
    now[0] += 0.2
    tell(signal.SIGINT)
    assert (worker.ignored, worker.cut_off) == (2, [])
    now[0] += 1
    tell(signal.SIGINT)
    assert len(worker.cut_off) == 1
    assert "told twice" in worker.cut_off[0]


def test_a_reactor_has_one_ending() -> None:
    reactor, other = Clock(), Clock()
    assert ending_of(reactor) is ending_of(reactor)
    assert ending_of(reactor) is not ending_of(other)
