"""Where the threads of a process are, as ``faulthandler`` writes it, without those that have no work."""

import re
from collections.abc import Callable

_THREAD = re.compile(r"(Current thread|Thread) 0x[0-9a-f]+ .*\(most recent call first\):$")
#: How the lines below that begin.
_FRAME = ("  File ", "  ...")
#: Where a thread of the pool waits, :mod:`flask_wamp._twisted.threads`.
_IDLE = re.compile(r' *File ".*flask_wamp/_twisted/threads\.py", line \d+ in (_work|_park)$')


class Stacks:
    """Passes lines on, but for the stacks of threads of the pool that wait for work: it counts those.

    :param take: gets the lines.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._head: str | None = None
        self._is_skipping = False
        self._idle = 0

    def feed(self, line: str) -> None:
        """Take the next line."""
        if self._is_skipping and (not line or line.startswith(_FRAME)):
            self._is_skipping = bool(line)
            return
        self._is_skipping = False
        head, self._head = self._head, None
        if head is not None and _IDLE.match(line):
            self._is_skipping = True
            self._idle += 1
            return
        if head is not None:
            self._take(head)
        if _THREAD.match(line):
            self._head = line
            return
        if line and not line.startswith(_FRAME):
            self._tell_idle()
        self._take(line)

    def end(self) -> None:
        """No line follows."""
        if self._head is not None:
            self._take(self._head)
            self._head = None
        self._tell_idle()

    def _tell_idle(self) -> None:
        if self._idle:
            self._take(f"{self._idle} threads of the pool had no work")
            self._idle = 0
