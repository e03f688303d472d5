"""What the halves that serve tell of their work, where the metrics of an application are on.

Standard library only: nothing of this knows how it is counted.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class EventLoad(Protocol):
    """How the events of one handler fare; what is counted is counted from its beginning on."""

    @property
    def topic(self) -> str:
        """What it is subscribed to, as it is declared."""

    @property
    def handler(self) -> str:
        """The function."""

    @property
    def waiting(self) -> int:
        """How many events wait."""

    @property
    def spilled(self) -> int:
        """For how many there was no room in memory."""

    @property
    def dropped(self) -> int:
        """How many were dropped."""

    @property
    def blocked(self) -> float:
        """For how many seconds the connection was not read, since there was no room."""


class Load(Protocol):
    """How much one session of a process has to do now; asked on the reactor's thread."""

    def over(self) -> bool:
        """Tell whether the session has ended."""

    def running_calls(self) -> int:
        """Return how many calls have come and are not answered, those that wait included."""

    def waiting_calls(self) -> int:
        """Return how many of these wait for a place."""

    def events(self) -> Sequence[EventLoad]:
        """Return how the events of each handler fare."""


class Meter(Protocol):
    """Counts for one application; any thread.

    Procedures and topics are those that the application has declared, patterns as patterns, never
    what a peer has sent: there are only so many of them.
    """

    def called(self, procedure: str, seconds: float, error: str | None) -> None:
        """A call was answered, *seconds* after it came: with a result, or the error URI *error*."""

    def refused(self, procedure: str) -> None:
        """A call was refused because too many were there already."""

    def handled(self, topic: str, seconds: float, *, failed: bool) -> None:
        """A handler took *seconds* for an event."""

    def denied(self, role: str, action: str) -> None:
        """The router has denied something to a peer; *role* is one of the node's configuration."""

    def complained(self, kind: str) -> None:
        """The router has refused something to a peer, or has ended it; *kind* is one of ours."""

    def watch(self, load: Load, call_later: Callable[..., Any]) -> None:
        """Look at *load* from time to time, until it is over; on the reactor's thread."""
