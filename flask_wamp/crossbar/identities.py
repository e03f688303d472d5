"""Who the sessions are that the application has let in."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..login.handshake import Handshake

#: Sessions that are remembered at most; one more is refused.
MOST: Final = 100_000
#: Sessions beyond which those that have left are looked for.
SWEEP: Final = 1000
#: Seconds that a session may take from the application's yes until it has joined.
JOINING: Final = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a session is.

    :ivar method: how it has logged in: ``cookie``, ``ticket``, ``wampcra``, ...
    :ivar login: the id of its login in the Flask session, None where there is none.
    :ivar since: when it was let in, on the clock of :func:`time.monotonic`.
    """

    handshake: Handshake
    method: str
    authid: str
    authrole: str
    login: str | None
    since: float


class Identities:
    """Remembers who each session is, until it has left.

    :param is_there: tells whether the router has a session.
    """

    def __init__(self, is_there: Callable[[int], bool], *, most: int = MOST) -> None:
        self._is_there = is_there
        self._most = most
        self._sweep_at = SWEEP
        self._by_session: dict[int, Identity] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def add(self, session: int, identity: Identity) -> bool:
        """Remember who a session will be that is about to join; False where there are too many."""
        if len(self._by_session) >= self._sweep_at:
            self._sweep()
        if len(self._by_session) >= self._most:
            return False
        self._by_session[session] = identity
        return True

    def get(self, session: int | None) -> Identity | None:
        """Return who a session is, or None where it is not known."""
        return None if session is None else self._by_session.get(session)

    def left(self, session: int) -> None:
        """Forget a session that has left."""
        self._by_session.pop(session, None)

    def sessions(self, *, authid: str | None = None, login: str | None = None) -> list[int]:
        """Return the sessions of an authid, or of a login, those that are about to join included."""
        return [
            session
            for session, each in self._by_session.items()
            if (authid is None or each.authid == authid) and (login is None or each.login == login)
        ]

    def is_joining(self, session: int) -> bool:
        """Tell whether a session may yet join."""
        identity = self._by_session.get(session)
        return (
            identity is not None
            and not self._is_there(session)
            and time.monotonic() - identity.since < JOINING
        )

    def _sweep(self) -> None:
        """Forget those that have left, or have not joined in time."""
        for session in list(self._by_session):
            if not self._is_there(session) and not self.is_joining(session):
                del self._by_session[session]
        self._sweep_at = max(SWEEP, min(2 * len(self._by_session), self._most))
