"""A reactor that stands still is noticed, and a process that was stopped is not taken for one."""

import faulthandler
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock

from flask_wamp.crossbar import watchdog
from flask_wamp.crossbar.watchdog import LOOKS, Watchdog, watchdog_of

from ..doubles import eventually

LIMIT = 0.2


class Reactor(Clock):
    """One whose turns the test takes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], None]] = []

    def callFromThread(self, work: Callable[[], None]) -> None:
        """Do some work at the next turn."""
        self.asked.append(work)

    def turn(self) -> None:
        """Do what threads have asked for."""
        for _ in range(len(self.asked)):
            self.asked.pop(0)()


class Process:
    """A process with a watchdog, which says what it has ended for."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.ended: list[str] = []
        self.dog = Watchdog(self.reactor, self.ended.append)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Note the timers that would end the test's process; None is one that was taken back."""
    armed: list[float | None] = []

    def arm(seconds: float, *, exit: bool, file: int) -> None:  # noqa: A002 - faulthandler's name
        assert exit
        assert file == 2
        armed.append(seconds)

    monkeypatch.setattr(faulthandler, "dump_traceback_later", arm)
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: armed.append(None))
    return armed


@pytest.fixture
def process(timers: list[float | None]) -> Iterator[Process]:
    """Give a process, and end its watchdog."""
    before = signal.getsignal(signal.SIGTSTP)
    process = Process()
    yield process
    process.dog.over()
    for thread in threading.enumerate():
        if thread.name == "watchdog":
            thread.join()
    signal.signal(signal.SIGTSTP, before)


def test_reactor_that_stands_still_is_the_end(process: Process) -> None:
    process.dog.starting()
    process.dog.started(LIMIT)
    eventually(lambda: process.ended)
    assert process.ended == [f"the reactor has stood still for {LIMIT:g} s: the process is ended"]


def test_reactor_that_has_turns_is_left_alone(process: Process, timers: list[float | None]) -> None:
    process.dog.starting()
    process.dog.started(LIMIT)

    def turn() -> bool:
        process.reactor.turn()
        return len(timers) > 3 * LOOKS

    eventually(turn)
    assert process.ended == []
    # What goes by the machine's clock, which may be set back, is not waited for.
    assert process.reactor.getDelayedCalls() == []
    # The timer for an interpreter that is held is set anew at each look.
    assert set(timers) == {3 * LIMIT}


def test_component_that_starts_may_take_its_time(
    process: Process, timers: list[float | None]
) -> None:
    process.dog.starting()
    process.dog.starting()
    process.dog.started(LIMIT)
    eventually(lambda: len(timers) > 3 * LOOKS)
    assert process.ended == []
    process.dog.started(LIMIT)
    eventually(lambda: process.ended)


def test_no_limit_is_no_watchdog(process: Process, timers: list[float | None]) -> None:
    process.dog.starting()
    process.dog.started(0)
    assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    assert timers == []


def test_ctrl_z_takes_the_timer_back(
    process: Process, timers: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Any] = []
    monkeypatch.setattr(os, "kill", lambda _process, number: stopped.append(number))
    process.dog.starting()
    process.dog.started(60)
    handler: Any = signal.getsignal(signal.SIGTSTP)
    handler(signal.SIGTSTP, None)
    assert None in timers
    assert stopped == [signal.SIGSTOP]


def test_end_within_is_the_last_word(
    process: Process, timers: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    dog = watchdog_of(process.reactor)
    assert watchdog_of(process.reactor) is dog
    dog.starting()
    dog.started(60)
    watchdog.end_within(5)
    assert timers[-1] == 5
    for thread in threading.enumerate():
        if thread.name == "watchdog":
            thread.join()
    assert timers[-1] == 5
