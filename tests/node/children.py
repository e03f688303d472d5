"""Serving processes that a test drives as a supervisor does, through their pipes."""

import json
import os
import signal
import threading
import time
from contextlib import suppress
from typing import Any, Self

from flask_wamp._twisted.supervise.processes import CHILD, spawn
from flask_wamp._twisted.supervise.settings import ChildSettings
from flask_wamp.node import CrossbarNode

from .support import APPS, LIMIT, wait_until


class Child:
    """A serving process of ``apps.replaced``.

    :ivar reports: what it has told, but for its heartbeats.
    :ivar beats: its heartbeats.
    :ivar output: its lines, each with the descriptor that it came through.
    """

    def __init__(self, url: str, application: str = f"{APPS}.replaced:app", **told: Any) -> None:
        settings = ChildSettings(application, url=url, **told)
        pipes = [os.pipe() for _ in range(4)]
        theirs = (pipes[0][0], *(writing for _reading, writing in pipes[1:]))
        self.pid = spawn(CHILD, settings.to_json(), theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self._commands = pipes[0][1]
        self.reports: list[dict[str, Any]] = []
        self.beats: list[dict[str, Any]] = []
        self.output: list[tuple[int, str]] = []
        self.last_beat = 0.0
        self._code: int | None = None
        self._readers = [
            threading.Thread(target=self._read, args=(number, pipes[number][0]))
            for number in (1, 2, 3)
        ]
        for reader in self._readers:
            reader.start()

    def tell(self, word: str) -> None:
        """Give it a command."""
        os.write(self._commands, word.encode() + b"\n")

    def report(self, kind: str) -> dict[str, Any]:
        """Return a report, waiting for it."""

        def find() -> dict[str, Any] | None:
            ended = not self.is_running()
            if ended:
                # What it has told at its end may not be read yet.
                for reader in self._readers:
                    reader.join(LIMIT)
            found = [each for each in list(self.reports) if each["is"] == kind]
            assert found or not ended, self.output
            return found[0] if found else None

        found = wait_until(find, f"it reports {kind!r}")
        assert found is not None
        return found

    def ready(self) -> Self:
        """Wait until it serves, and its heartbeats say so."""
        procedures = self.report("ready")["procedures"]
        wait_until(lambda: self.beats and self.beats[-1]["procedures"] == procedures, "it beats")
        return self

    def line(self, text: str) -> tuple[int, str]:
        """Return a line of its output with this text, waiting for it."""

        def find() -> tuple[int, str] | None:
            return next((each for each in list(self.output) if text in each[1]), None)

        found = wait_until(find, f"it says {text!r}")
        assert found is not None
        return found

    def take_over_from(self, other: "Child") -> None:
        """Serve in place of another one, which ends."""
        self.tell("take")
        self.report("taken")
        other.tell("drain")
        assert other.report("drained") == {"is": "drained", "unfinished": 0}
        assert other.end() == 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def is_running(self) -> bool:
        """Tell whether it has not ended."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    def end(self) -> int:
        """Wait for its end, and return its exit code."""
        wait_until(lambda: not self.is_running(), "it ends")
        for reader in self._readers:
            reader.join(LIMIT)
        self.hang_up()
        assert self._code is not None
        return self._code

    def hang_up(self) -> None:
        """Be gone, as a supervisor that has ended."""
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.is_running():
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        self.end()

    def _read(self, number: int, descriptor: int) -> None:
        with os.fdopen(descriptor) as lines:
            for line in lines:
                if number < 3:
                    self.output.append((number, line.rstrip("\n")))
                    continue
                report = json.loads(line)
                if report["is"] == "beat":
                    self.last_beat = time.monotonic()
                    self.beats.append(report)
                else:
                    self.reports.append(report)


def child(node: CrossbarNode, **told: Any) -> Child:
    """Start a serving process at *node*."""
    return Child(node.backend_url, **told)
