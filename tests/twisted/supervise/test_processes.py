"""Real processes: started, heard, told and ended."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp._twisted.supervise import processes
from flask_wamp._twisted.supervise.settings import ChildSettings

from ..doubles import eventually


class Listener:
    """What a watcher is told, on the reactor's thread."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.lines: list[tuple[int, str]] = []
        self.code: int | None = None
        self.reason = ""

    def reported(self, report: dict[str, Any]) -> None:
        self.reports.append(report)

    def said(self, stream: int, line: str) -> None:
        self.lines.append((stream, line))

    def ended(self, code: int) -> None:
        self.code = code

    def kinds(self) -> set[str]:
        return {report["is"] for report in self.reports}


Start = Callable[[str], tuple[processes.ChildProcess, Listener]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Give what starts a process that does as it is named."""
    monkeypatch.setattr(processes, "CHILD", "tests.twisted.supervise.child_double")
    reactor = running_reactor()
    started: list[tuple[processes.ChildProcess, Listener]] = []

    def begin(wish: str) -> tuple[processes.ChildProcess, Listener]:
        listener = Listener()
        process = processes.ChildProcess(reactor, listener)  # type: ignore[arg-type]
        started.append((process, listener))
        reactor.callFromThread(process.spawn, ChildSettings(f"x:{wish}", slot=4))
        return started[-1]

    yield begin
    for process, _listener in started:
        reactor.callFromThread(process.hang_up)
    eventually(lambda: all(listener.code is not None for _process, listener in started))


def test_process_is_heard_told_and_ended(start: Start) -> None:
    process, listener = start("lives")
    eventually(lambda: {"ready", "beat"} <= listener.kinds())
    running_reactor().callFromThread(process.send, "take")
    running_reactor().callFromThread(process.send, "drain")
    eventually(lambda: listener.code is not None)
    assert listener.code == 0
    texts = [line for stream, line in listener.lines if stream == 1]
    assert texts == ["begins 4", "told take", "told drain", "ends"]
    assert listener.reports[-1]["is"] in ("drained", "beat")
    assert any(report == {"is": "drained", "unfinished": 2} for report in listener.reports)


def test_process_has_its_pipes_and_nothing_else_of_this_one(start: Start) -> None:
    process, listener = start("lives")
    eventually(lambda: "ready" in listener.kinds())
    assert process.pid is not None
    descriptors = Path(f"/proc/{process.pid}/fd").iterdir()
    assert sorted(path.name for path in descriptors) == ["0", "1", "2", "3"]
    assert psutil.Process(process.pid).ppid() == os.getpid()


def test_hanging_up_ends_it(start: Start) -> None:
    process, listener = start("lives")
    eventually(lambda: "ready" in listener.kinds())
    running_reactor().callFromThread(process.hang_up)
    eventually(lambda: listener.code is not None)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_end_by_a_signal_is_noticed(start: Start, number: int) -> None:
    process, listener = start("lives")
    eventually(lambda: "ready" in listener.kinds())
    running_reactor().callFromThread(process.signal, number)
    eventually(lambda: listener.code is not None)
    assert listener.code == -number
    # Nothing is sent to whoever has its number next.
    process.signal(signal.SIGKILL)


def test_end_by_a_defect_is_told_apart(start: Start) -> None:
    _process, listener = start("segfault")
    eventually(lambda: listener.code is not None)
    assert listener.code == -signal.SIGSEGV
    _process, listener = start("fails")
    eventually(lambda: listener.code is not None)
    assert listener.code == 7
    assert listener.reports == [{"is": "failed", "why": "cannot load it"}]


def test_noise_is_kept_in_bounds(start: Start) -> None:
    """A line of 100,000 bytes ends the logging of Twisted's own supervisor."""
    process, listener = start("noise")
    eventually(lambda: "ready" in listener.kinds())
    eventually(lambda: (2, "<3>grave") in listener.lines)
    (long,) = [line for _stream, line in listener.lines if line.startswith("xx")]
    assert len(long) < 10_000
    running_reactor().callFromThread(process.send, "take")
    eventually(lambda: (1, "told take") in listener.lines)
