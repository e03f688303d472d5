"""A serving process that runs: what it says is read, and what it is told is written."""

import contextlib
import json
import os
import signal
import sys
from typing import Any

from .computing import Times, times_of
from .descriptors import Pipes, Reader, close_all, watch_end
from .lines import Lines
from .settings import ChildSettings
from .watched import Watched

#: The program of a serving process.
CHILD = "flask_wamp._twisted.child"
#: Descriptors of a child beside that of reports, 3.
COMMANDS, OUTPUT, ERRORS = range(3)
#: Bytes of a report.
LONGEST_REPORT = 2**18
#: Signals that a child takes as any program does, whatever this process does about them.
DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGUSR1)


def environment() -> dict[str, str]:
    """Return the environment of programs that import what this process can."""
    paths = [os.path.abspath(path or ".") for path in sys.path]  # noqa: PTH100 - no links resolved
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


def spawn(module: str, argument: str, descriptors: tuple[int, ...]) -> int:
    """Run a module of ours as a program, and return its process's id.

    :param descriptors: what it has as 0, 1, 2 and so on; all others are closed.
    :raises OSError: there can be no further process.
    """
    # Without the working directory, a node's, among the places that modules are imported from.
    command = [sys.executable, "-P", "-m", module, argument]
    actions: list[tuple[int, ...]] = [
        (os.POSIX_SPAWN_DUP2, theirs, number) for number, theirs in enumerate(descriptors)
    ]
    actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited(len(descriptors))]
    return os.posix_spawn(
        sys.executable,
        command,
        environment(),
        file_actions=actions,
        setsigmask=(),
        setsigdef=DEFAULT_SIGNALS,
    )


def _inherited(least: int) -> list[int]:
    """Return the descriptors from *least* on that a program of this process would have as well."""
    found = []
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - names, not paths
        with contextlib.suppress(OSError):  # it was the listing's own
            if number >= least and os.get_inheritable(number):
                found.append(number)
    return found


class ChildProcess:
    """A serving process, for the one who watches it."""

    def __init__(self, reactor: Any, watcher: Watched) -> None:
        self.pid: int | None = None
        self._reactor = reactor
        self._watcher = watcher
        self._readers: list[Reader] = []
        self._commands = -1
        self._waiting: list[str] = []
        self._hung_up = False

    def run(self, pid: int, pipes: Pipes) -> None:
        """Take over a process that was started with *pipes*, whose own ends are closed here."""
        self.pid = pid
        self._commands = pipes.ours[COMMANDS]
        close_all(pipes.theirs)
        takers = (
            Lines(lambda line: self._watcher.said(OUTPUT, line)),
            Lines(lambda line: self._watcher.said(ERRORS, line)),
            Lines(self._report, LONGEST_REPORT),
        )
        for descriptor, taker in zip(pipes.ours[1:], takers, strict=True):
            self._readers.append(Reader(self._reactor, descriptor, taker))
        watch_end(self._reactor, pid, self._ended)
        for word in self._waiting:
            self.send(word)
        if self._hung_up:
            self.hang_up()

    def spawn(self, settings: ChildSettings) -> None:
        """Start it as a program of its own.

        :raises OSError: there can be none.
        """
        pipes = Pipes.make()
        try:
            pid = spawn(CHILD, settings.to_json(), pipes.theirs)
        except OSError:
            close_all((*pipes.theirs, *pipes.ours))
            raise
        self.run(pid, pipes)

    def not_started(self, why: str) -> None:
        """Tell that there is no process, and will be none."""
        self._watcher.reason = f"a process cannot be started: {why}"
        self._watcher.ended(1)

    def send(self, word: str) -> None:
        """Write a command, which a process that does not read is spared."""
        if self.pid is None:
            self._waiting.append(word)
        elif self._commands >= 0:
            with contextlib.suppress(OSError):
                os.write(self._commands, f"{word}\n".encode())

    def signal(self, number: int) -> None:
        """Send a signal."""
        if self.pid is not None and self._readers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def times(self) -> Times:
        """Return how long each of its threads has computed."""
        return times_of(self.pid)

    def hang_up(self) -> None:
        """Close what commands come through."""
        self._hung_up = True
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def _report(self, line: str) -> None:
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            return  # cut off, as a pipe that was full leaves it, or a view's own words
        if isinstance(report, dict):
            self._watcher.reported(report)

    def _ended(self, code: int) -> None:
        # Others may have the pipes still, what the process has started; so nothing waits for their
        # end, but what is there is read.
        readers, self._readers = self._readers, []
        for reader in readers:
            reader.finish()
        self.hang_up()
        self._watcher.ended(code)
