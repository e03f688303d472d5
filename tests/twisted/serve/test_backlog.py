"""What waits for a handler: in order whatever the disk does, and never more than the room in memory."""

import errno
import threading
from collections.abc import Sequence

import pytest

from flask_wamp._twisted.serve import backlog as backlog_module
from flask_wamp._twisted.serve.backlog import Backlog
from flask_wamp._twisted.serve.spill import Spill

from ..doubles import TIMEOUT, Turns


class Kept:
    """A backlog of numbers, with room for four."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.changes = 0
        self.backlog: Backlog[int] = Backlog(
            4, lambda number: b"%d" % number, int, turns.call_from_thread, self._change
        )

    def _change(self) -> None:
        self.changes += 1

    def put(self, numbers: Sequence[int]) -> None:
        """Append *numbers*."""
        for number in numbers:
            self.backlog.append(number)

    def take(self, count: int) -> list[int]:
        """Take so many, waiting for the disk."""
        taken: list[int] = []

        def take_what_is_there() -> bool:
            while len(taken) < count and (number := self.backlog.popleft()) is not None:
                taken.append(number)
            return len(taken) == count

        self.turns.run_until(take_what_is_there)
        return taken

    def is_behind(self) -> bool:
        """Tell whether the disk does not take what comes."""
        return self.backlog.is_behind

    def settle(self) -> None:
        """Wait until the disk has nothing to do."""
        self.turns.run_until(lambda: not self.backlog._is_busy)


@pytest.fixture
def kept(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Return a backlog that writes at once."""
    monkeypatch.setattr(backlog_module, "WORTH_RECORDS", 1)
    return Kept(turns)


class Disk:
    """Where the spill writes; *is_full* at first."""

    def __init__(self) -> None:
        self.is_full = True


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Return the disk, of a backlog that writes three at a time."""
    disk, write = Disk(), Spill.write

    def write_unless_full(spill: Spill, records: Sequence[bytes]) -> None:
        if disk.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(spill, records)

    monkeypatch.setattr(Spill, "write", write_unless_full)
    monkeypatch.setattr(backlog_module, "WORTH_RECORDS", 3)
    return disk


def test_backlog_in_memory_needs_no_disk(kept: Kept) -> None:
    kept.put(range(4))
    assert kept.take(4) == [0, 1, 2, 3]
    assert kept.backlog.popleft() is None
    assert (kept.backlog.spilled, kept.turns.wake_ups) == (0, 0)


def test_backlog_keeps_the_order_over_the_disk(kept: Kept) -> None:
    kept.put(range(100))
    kept.settle()
    assert len(kept.backlog) == 100
    assert len(kept.backlog._memory) <= 4
    assert kept.take(30) == list(range(30))
    kept.put(range(100, 150))
    assert kept.take(120) == list(range(30, 150))
    assert len(kept.backlog) == 0
    assert kept.backlog.spilled == 146
    assert kept.changes > 0

    # And begins anew, in memory.
    kept.put([1, 2])
    assert kept.take(2) == [1, 2]
    assert kept.backlog.spilled == 146


def test_backlog_writes_when_it_is_worth_it(turns: Turns) -> None:
    kept = Kept(turns)
    kept.put(range(4 + 99))
    assert turns.wake_ups == 0
    assert not kept.backlog._is_busy
    assert kept.take(103) == list(range(103))


def test_backlog_does_not_wait_for_a_slow_disk(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    write = Spill.write

    def write_slowly(spill: Spill, records: Sequence[bytes]) -> None:
        assert go_on.wait(TIMEOUT)
        write(spill, records)

    monkeypatch.setattr(Spill, "write", write_slowly)
    monkeypatch.setattr(backlog_module, "MAX_UNWRITTEN", 100)
    kept.put(range(30))
    assert not kept.is_behind()
    kept.put(range(30, 90))
    assert kept.is_behind()
    # What is in memory is handled meanwhile, what is being written when it has been read again.
    assert kept.take(4) == [0, 1, 2, 3]
    assert kept.backlog.popleft() is None
    go_on.set()
    assert kept.take(86) == list(range(4, 90))
    assert not kept.is_behind()


def test_backlog_full_disk_loses_nothing_and_is_tried_again(
    kept: Kept, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "REST", 0.0)
    kept.put(range(10))
    kept.turns.run_until(lambda: kept.backlog.failure)
    assert kept.is_behind()
    assert "No space left" in str(kept.backlog.failure)
    assert kept.take(2) == [0, 1]
    disk.is_full = False
    assert kept.take(1) == [2]
    kept.settle()
    kept.put(range(10, 20))
    assert kept.take(17) == list(range(3, 20))
    kept.settle()
    assert kept.backlog.lost == 0
    assert not kept.is_behind()


def test_backlog_disk_that_was_full_takes_what_comes_later(
    kept: Kept, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little that is, and though nothing is taken, since nothing more comes until it has."""
    monkeypatch.setattr(backlog_module, "REST", 0.01)
    kept.put(range(7))
    kept.turns.run_until(kept.is_behind)
    disk.is_full = False
    kept.turns.run_until(lambda: not kept.is_behind())
    assert kept.take(7) == list(range(7))
    disk.is_full = True
    kept.put(range(7))
    kept.turns.run_until(kept.is_behind)
    assert kept.take(7) == list(range(7))
    kept.put(range(5))
    assert not kept.is_behind()


def test_backlog_disk_that_gives_nothing_back_is_counted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_spill: Spill, _most: int) -> list[bytes]:
        raise OSError(errno.EIO, "Input/output error")

    kept.put(range(20))
    kept.settle()
    with monkeypatch.context() as broken:
        broken.setattr(Spill, "read", fail)
        assert kept.take(4) == [0, 1, 2, 3]
        kept.settle()
    assert kept.backlog.lost > 0
    left = kept.take(len(kept.backlog))
    assert kept.backlog.lost + 4 + len(left) == 20
    kept.put([20])
    assert kept.take(1) == [20]


def test_backlog_goes_on_where_no_thread_can_be_started(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        kept.put(range(50))
        assert kept.take(50) == list(range(50))
