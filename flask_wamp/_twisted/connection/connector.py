"""Connects to one of the routers, and again for ever after every loss."""

import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import txaio
from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.python.failure import Failure

from ...config import WampConfig
from ..replies import Reply
from ..serve.leaving import SYSTEM_SHUTDOWN
from ..session import NO_OPTIONS, Session
from .forks import leave_at_fork
from .login import ClientSession, Context, Login
from .pulse import PROBE, Pulse
from .transports import dial

txaio.use_twisted()

FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0
GROWTH = 1.5
#: Seconds before and between attempts where a router has refused the login: no time makes a wrong
#: password right, but somebody may.
FIRST_REFUSED_DELAY = 1.0
LONGEST_REFUSED_DELAY = 30.0
#: Seconds from the begin of a round to a joined session; several routers share them.
JOIN_TIMEOUT = 10.0
#: Seconds that each of many routers has in any case.
SHORTEST_JOIN_TIMEOUT = 3.0
#: Seconds that a router may take to say goodbye, having taken what was sent before.
LEAVE_TIMEOUT = 2.0
#: How a router says that there is no such realm, which may be there in a moment.
NO_SUCH_REALM = "wamp.error.no_such_realm"


class Lost(NamedTuple):
    """An attempt that has failed, or a session that has ended."""

    url: str
    reason: str

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


class Connector:
    """Keeps one session to one of the routers; every method runs on the reactor's thread.

    A round tries the routers one after another, in the order in which they are configured. The next
    round, and the first after a session, begins with the first router again.

    :param connecting: called when a round begins.
    :param joined: called with each session that has joined.
    :param lost: called when a session has ended, or a round has failed, then with each attempt.
    :param in_context: makes the context of the application in which a function of its gives tickets.
    """

    def __init__(
        self,
        reactor: Any,
        config: WampConfig,
        *,
        connecting: Callable[[], None],
        joined: Callable[[Session], None],
        lost: Callable[[Sequence[Lost]], None],
        in_context: Context = nullcontext,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._on_connecting = connecting
        self._on_joined = joined
        self._on_lost = lost
        self._in_context = in_context
        self._join_timeout = max(JOIN_TIMEOUT / len(config.addresses), SHORTEST_JOIN_TIMEOUT)
        self._delay = FIRST_DELAY
        self._retry: Any = None
        self._attempt: Any = None
        self._deadline: Any = None
        self._protocol: Any = None
        self._session: Session | None = None
        self._pulse: Pulse | None = None
        self._left: Session | None = None
        self._address = config.addresses[0]
        self._failed: list[Lost] = []
        self._reason = ""
        #: A router of the last round has refused the login.
        self.is_refused = False
        self._closed: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        """The router of the session, or of the last attempt."""
        return self._address.url

    def connect(self) -> None:
        """Begin a round."""
        self._retry = None
        self._failed = []
        self.is_refused = False
        self._on_connecting()
        self._begin_attempt()

    def close(self, closed: Callable[[], None]) -> None:
        """End the session, make no further attempt, and call *closed* when that is done."""
        if not self._stop_trying(closed):
            self.drop("the connection was closed by this process")

    def end(self, ended: Callable[[], None]) -> None:
        """End the session, as the process does, and call *ended* when what was sent has arrived.

        A router that takes its time is not cut off: what the kernel has, it sends after the end.
        """
        if self._stop_trying(ended):
            return
        self._reason = "the process ends"
        if self._session is not None and self._session.is_attached():
            self._leave(self._session)
        else:
            self._abort(self._reason)

    def drop(self, reason: str) -> None:
        """End a session that is of no use, because of *reason*; the next round follows."""
        self._reason = self._reason or reason
        if self._session is not None and self._session.is_attached():
            self._delay = LONGEST_DELAY
            self._leave(self._session)
            self._limit(LEAVE_TIMEOUT, reason)
        else:
            self._abort(reason)

    def _leave(self, session: Session) -> None:
        """Say goodbye, once: Autobahn complains of a second time."""
        if self._left is not session:
            self._left = session
            session.leave()

    def session_joined(self, session: Session) -> None:
        """An attempt has succeeded."""
        self._limit(None, "")
        self._session = session
        self._begin_pulse(session)
        self._delay = FIRST_DELAY
        self._failed = []
        self._on_joined(session)

    def session_left(self, details: CloseDetails) -> None:
        """The session has ended, or the router refused it; its transport closes next."""
        texts = (details.reason, details.message)
        reason = ": ".join(text for text in texts if text)
        uri = details.reason or ""
        if self._session is None and uri.startswith("wamp.error.") and uri != NO_SUCH_REALM:
            self.is_refused = True
            realm = self._config.realm
            reason = f"the router refused the login to {realm!r}: {reason}"
        if uri == SYSTEM_SHUTDOWN:
            self._delay = LONGEST_DELAY  # it is there for a moment more
        self._reason = self._reason or reason

    def login_failed(self, reason: str) -> None:
        """This process does not go on with the login."""
        self.is_refused = True
        self._reason = self._reason or f"the login failed: {reason}"
        # Later: Autobahn has yet to return.
        self._limit(0, reason)

    def transport_lost(self, reason: str) -> None:
        """The transport is gone, whatever it had come to."""
        self._limit(None, "")
        self._end_pulse()
        ended = self._session is not None
        self._protocol = self._session = None
        self._failed.append(Lost(self.url, self._reason or reason.rstrip(".")))
        is_last = len(self._failed) == len(self._config.addresses)
        if not ended and not is_last and self._closed is None:
            self._begin_attempt()
            return
        self._on_lost(self._failed)
        if self._closed is not None:
            self._closed()
            return
        longest = LONGEST_DELAY
        if self.is_refused:
            longest = LONGEST_REFUSED_DELAY
            self._delay = max(self._delay, FIRST_REFUSED_DELAY)
        self._retry = self._reactor.callLater(
            self._delay * random.uniform(0.5, 1.0),  # noqa: S311 - spreads load, guards nothing # nosec B311
            self.connect,
        )
        self._delay = min(self._delay * GROWTH, longest)

    def _begin_attempt(self) -> None:
        self._address = self._config.addresses[len(self._failed)]
        self._reason = ""
        self._limit(self._join_timeout, "the router did not answer in time")
        try:
            self._attempt = dial(
                self._reactor,
                self._address,
                self._config,
                self._join_timeout,
                self._make_session,
                self.transport_lost,
                self._heard,
            )
        except (OSError, ValueError) as error:
            # The files of TLS are read anew, and may be gone.
            self.transport_lost(str(error))
        else:
            self._attempt.addCallbacks(self._connected, self._refused)

    def _make_session(self) -> Session:
        credentials = self._config.credentials
        login = None
        if credentials is not None:
            login = Login(credentials, self._reactor, self._in_context)
        return ClientSession(ComponentConfig(realm=self._config.realm), self, login)

    def _connected(self, protocol: Any) -> None:
        self._attempt = None
        self._protocol = protocol
        leave_at_fork(protocol)

    def _refused(self, failure: Failure) -> None:
        self._attempt = None
        self.transport_lost(failure.getErrorMessage())

    def _stop_trying(self, closed: Callable[[], None]) -> bool:
        """Make no further attempt; tells whether that was all, and *closed* called."""
        self._closed = closed
        if self._retry is None:
            return False
        self._retry.cancel()
        self._retry = None
        closed()
        return True

    def _abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._session is not None:
            self._session.ended_because = self._reason
        if self._attempt is not None:
            self._attempt.cancel()
        elif self._protocol is not None:
            self._protocol.transport.abortConnection()

    def _begin_pulse(self, session: Session) -> None:
        protocol = self._protocol
        if not self._config.ping:
            return

        def ask() -> None:
            if not protocol.ask_for_life():
                session.call_for(Reply(), PROBE, [], {}, NO_OPTIONS)

        self._pulse = Pulse(
            self._reactor,
            self._config.ping,
            ask=ask,
            is_reading=lambda: session.is_reading,
            dead=self._abort,
        )

    def _heard(self) -> None:
        if self._pulse is not None:
            self._pulse.heard()

    def _end_pulse(self) -> None:
        if self._pulse is not None:
            self._pulse.stop()
            self._pulse = None

    def _limit(self, seconds: float | None, reason: str) -> None:
        """Abort after *seconds*, in place of the limit that there was; None lifts it."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self._reactor.callLater(seconds, self._abort, reason)
