"""Keeps a session from reading its connection, so that the router keeps what comes."""

from collections.abc import Callable
from typing import Any, Protocol

#: Seconds between two looks at whether the session awaits an answer.
LOOK = 0.05


class Reads(Protocol):
    """A session whose connection can be left unread."""

    @property
    def has_transport(self) -> bool:
        """Whether there is a connection."""

    def awaits_answers(self) -> bool:
        """Tell whether the router owes it an answer, which has to be read."""

    def read(self, on: bool) -> None:
        """Read the connection, or leave what comes where it is."""


class Brake:
    """Stops the reading as long as anybody holds it, but never while an answer is awaited.

    What came before an answer is read with it, so who holds it has to take what still comes. On the
    reactor's thread.
    """

    def __init__(self, session: Reads, call_later: Callable[..., Any]) -> None:
        self._session = session
        self._call_later = call_later
        self._holders: set[Any] = set()
        self._timer: Any = None
        self._reads = True

    def hold(self, who: Any) -> None:
        """Stop the reading for *who*."""
        self._holders.add(who)
        if self._timer is None:
            self.look()

    def release(self, who: Any) -> None:
        """Read again, unless another holds it."""
        if who in self._holders:
            self._holders.discard(who)
            self.look()

    def look(self) -> None:
        """Read, or do not, as things stand; called when an answer is awaited, too."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._session.has_transport:
            self._holders.clear()
            return
        reads = not self._holders or self._session.awaits_answers()
        if reads != self._reads:
            self._reads = reads
            self._session.read(reads)
        if self._holders:
            self._timer = self._call_later(LOOK, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
