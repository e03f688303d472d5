"""Connects to a router, and again for ever after every loss."""

import random
from collections.abc import Callable
from typing import Any

import txaio
from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.python.failure import Failure

from ...config import Address
from ..session import Session
from .login import ClientSession
from .transports import endpoint_of, factory_of

txaio.use_twisted()

FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0
GROWTH = 1.5
#: Seconds from the attempt's begin to the joined session.
JOIN_TIMEOUT = 10.0
#: Seconds that a router may take to say goodbye.
LEAVE_TIMEOUT = 1.0


class Connector:
    """Keeps one session to a router; every method runs on the reactor's thread.

    :param connecting: called when an attempt begins.
    :param joined: called with each session that has joined.
    :param lost: called with the reason, when an attempt has failed or a session has ended.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        realm: str,
        *,
        connecting: Callable[[], None],
        joined: Callable[[Session], None],
        lost: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._realm = realm
        self._on_connecting = connecting
        self._on_joined = joined
        self._on_lost = lost
        self._delay = FIRST_DELAY
        self._retry: Any = None
        self._attempt: Any = None
        self._deadline: Any = None
        self._protocol: Any = None
        self._session: Session | None = None
        self._reason = ""
        self._closed: Callable[[], None] | None = None

    def connect(self) -> None:
        """Begin an attempt."""
        self._retry = None
        self._reason = ""
        self._on_connecting()
        self._limit(JOIN_TIMEOUT, "the router did not answer in time")
        self._attempt = endpoint_of(self._reactor, self._address, JOIN_TIMEOUT).connect(
            factory_of(self._reactor, self._address, self._make_session, self.transport_lost)
        )
        self._attempt.addCallbacks(self._connected, self._refused)

    def close(self, closed: Callable[[], None]) -> None:
        """End the session, make no further attempt, and call *closed* when that is done."""
        self._closed = closed
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
            closed()
        else:
            self.drop("the connection was closed by this process")

    def drop(self, reason: str) -> None:
        """End a session that is of no use, because of *reason*; the next attempt follows."""
        self._reason = self._reason or reason
        if self._session is not None and self._session.is_attached():
            self._delay = LONGEST_DELAY
            self._session.leave()
            self._limit(LEAVE_TIMEOUT, reason)
        else:
            self._abort(reason)

    def session_joined(self, session: Session) -> None:
        """An attempt has succeeded."""
        self._limit(None, "")
        self._session = session
        self._delay = FIRST_DELAY
        self._on_joined(session)

    def session_left(self, details: CloseDetails) -> None:
        """The session has ended, or the router refused it; its transport closes next."""
        texts = (details.reason, details.message)
        self._reason = self._reason or ": ".join(text for text in texts if text)

    def transport_lost(self, reason: str) -> None:
        """The transport is gone, whatever it had come to."""
        self._limit(None, "")
        self._protocol = self._session = None
        self._on_lost(self._reason or reason)
        if self._closed is not None:
            self._closed()
            return
        self._retry = self._reactor.callLater(
            self._delay * random.uniform(0.8, 1.2),  # noqa: S311 - spreads load, guards nothing
            self.connect,
        )
        self._delay = min(self._delay * GROWTH, LONGEST_DELAY)

    def _make_session(self) -> Session:
        return ClientSession(ComponentConfig(realm=self._realm), self)

    def _connected(self, protocol: Any) -> None:
        self._attempt = None
        self._protocol = protocol

    def _refused(self, failure: Failure) -> None:
        self._attempt = None
        self.transport_lost(failure.getErrorMessage())

    def _abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._attempt is not None:
            self._attempt.cancel()
        elif self._protocol is not None:
            self._protocol.transport.abortConnection()

    def _limit(self, seconds: float | None, reason: str) -> None:
        """Abort after *seconds*, in place of the limit that there was; None lifts it."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self._reactor.callLater(seconds, self._abort, reason)
