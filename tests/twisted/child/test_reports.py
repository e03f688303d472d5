"""What a serving process tells its supervisor, and what it is told."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flask_wamp._twisted.child.orders import LEFT_ALONE
from flask_wamp._twisted.child.reports import LONGEST_TEXT, MOST_WAITING, Reports

from ..doubles import TIMEOUT


@dataclass
class Pipe:
    """The reports' pipe, read by the test."""

    reading: int
    reports: Reports
    rest: bytes = b""

    def lines(self) -> list[dict[str, object]]:
        """Return what has come."""
        os.set_blocking(self.reading, False)
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self.reading, 2**20):
                self.rest += more
        *lines, self.rest = self.rest.split(b"\n")
        return [json.loads(line) for line in lines]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    yield Pipe(reading, Reports(writing))
    os.close(reading)
    os.close(writing)


def test_reports_are_lines(pipe: Pipe) -> None:
    pipe.reports.tell("ready", session=1, subscribes=True)
    pipe.reports.beat(oldest=None)
    assert pipe.lines() == [
        {"is": "ready", "session": 1, "subscribes": True},
        {"is": "beat", "oldest": None},
    ]


def test_reports_to_a_supervisor_that_does_not_read_wait_and_beats_are_dropped(pipe: Pipe) -> None:
    """And nothing blocks."""
    for n in range(10_000):
        pipe.reports.beat(n=n)
    pipe.reports.tell("drained", unfinished=0)
    pipe.reports.beat(n=-1)
    told = pipe.lines()
    count = len(told)
    assert 1000 < count < 10_000
    assert [report["n"] for report in told] == list(range(count))
    pipe.reports.beat(n=-2)
    assert pipe.lines() == [{"is": "drained", "unfinished": 0}, {"is": "beat", "n": -2}]


def test_reports_that_a_pipe_takes_in_parts_come_whole(pipe: Pipe) -> None:
    """A pipe takes whole what has up to 4 KiB, and any part of what has more."""
    text = "x" * LONGEST_TEXT
    for _ in range(100):
        pipe.reports.tell("failed", why=text, where=text, when=text)
    told: list[dict[str, object]] = []
    while pipe.reports._rest:
        told += pipe.lines()
        pipe.reports.finish(0.01)
    told += pipe.lines()
    assert told == len(told) * [{"is": "failed", "why": text, "where": text, "when": text}]
    assert len(told) > MOST_WAITING // (3 * LONGEST_TEXT)


def test_reports_that_wait_are_bounded(pipe: Pipe) -> None:
    for _ in range(100):
        pipe.reports.tell("failed", why="x" * 100_000)
    assert len(pipe.reports._rest) <= MOST_WAITING + 2 * LONGEST_TEXT


def test_reports_finish_when_they_are_read_and_in_time_otherwise(pipe: Pipe) -> None:
    for _ in range(60):
        pipe.reports.tell("failed", why="x" * LONGEST_TEXT)
    assert pipe.reports._rest
    pipe.reports.finish(0.01)
    assert pipe.reports._rest
    reader = threading.Thread(target=pipe.lines)
    reader.start()
    pipe.reports.finish(TIMEOUT)
    assert not pipe.reports._rest
    reader.join()


def test_reports_to_a_supervisor_that_has_gone_are_dropped() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    reports = Reports(writing)
    reports.tell("ready")
    reports.beat()
    os.close(writing)


def test_orders_are_lines() -> None:
    """In as many parts as they come in; the end of them is shown below."""
    reading, writing = os.pipe()
    program = f"""
import sys
sys.path.insert(0, {str(Path.cwd())!r})
from flask_wamp._twisted.child.orders import take_orders
import threading
take_orders(0, lambda word: print(word, flush=True))
threading.Event().wait()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=reading, stdout=subprocess.PIPE, text=True
    )
    os.close(reading)
    assert child.stdout is not None
    os.write(writing, b"ta")
    os.write(writing, b"ke\nnudge\r\ndr")
    assert [child.stdout.readline(), child.stdout.readline()] == ["take\n", "nudge\n"]
    os.write(writing, b"ain\n")
    assert child.stdout.readline() == "drain\n"
    os.close(writing)
    assert child.wait(TIMEOUT) == LEFT_ALONE
    child.stdout.close()
