"""What a serving process tells its supervisor, without ever waiting for it."""

import contextlib
import json
import os
import select
import threading
import time
from typing import Any

#: Characters of a text in a report: the supervisor logs it.
LONGEST_TEXT = 2000
#: Bytes that wait for a supervisor which does not read; of beats, none does.
MOST_WAITING = 2**16


class Reports:
    """Writes reports, a JSON object a line; on any thread.

    A heartbeat that finds the pipe full is dropped, or the reactor would stand still because the
    supervisor does. What else there is to tell waits for the next one.

    :param descriptor: where they go.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor
        self._rest = b""
        self._lock = threading.Lock()

    def tell(self, kind: str, **details: Any) -> None:
        """Report something that is not to be lost."""
        with self._lock:
            if len(self._rest) < MOST_WAITING:
                self._rest += _line(kind, details)
            self._write()

    def beat(self, **details: Any) -> None:
        """Report that this process is alive, if it can be told now."""
        with self._lock:
            self._write()
            if not self._rest:
                self._rest = _line("beat", details)
                whole = len(self._rest)
                self._write()
                if len(self._rest) == whole:
                    self._rest = b""

    def finish(self, seconds: float) -> None:
        """Wait *seconds* at most until all is written; the process ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with self._lock:
                self._write()
                if not self._rest:
                    return
            select.select([], [self._descriptor], [], left)

    def _write(self) -> None:
        # Of a supervisor that has gone the end of the commands tells.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._rest:
                written = os.write(self._descriptor, self._rest)
                self._rest = self._rest[written:]


def _line(kind: str, details: dict[str, Any]) -> bytes:
    short = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in details.items()
    }
    return json.dumps({"is": kind, **short}).encode() + b"\n"
