"""How a session of ours logs in to a realm."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from autobahn.wamp.types import CloseDetails, ComponentConfig
from twisted.internet.defer import Deferred

from ...credentials import TICKET, Credentials
from ...secret import Secret, revealed
from ..session import Session
from .challenges import Method, Unanswerable, method_of

log = logging.getLogger("flask_wamp")

#: Makes a context of the application.
Context = Callable[[], AbstractContextManager[Any]]


class Connection(Protocol):
    """What is told how a session fares."""

    def session_joined(self, session: Session) -> None:
        """The router has let the session join the realm."""

    def session_left(self, details: CloseDetails) -> None:
        """The session has ended, or the router refused it."""

    def login_failed(self, reason: str) -> None:
        """This process does not go on with the login; the transport is to be closed."""


class Login:
    """One login: answers the router's challenge on a thread, since that may take a while.

    :param in_context: makes the context in which a function that gives tickets is called.
    """

    def __init__(self, credentials: Credentials, reactor: Any, in_context: Context) -> None:
        self.method = credentials.method
        self.authid = credentials.authid
        self._credentials = credentials
        self._reactor = reactor
        self._in_context = in_context
        self._steps: Method | None = None
        self._sent = ""
        self._has_answered = False
        if isinstance(credentials.secret, Secret):
            self._steps = method_of(credentials, credentials.secret.reveal())

    @property
    def extra(self) -> dict[str, Any] | None:
        """What goes with the HELLO."""
        return self._steps.extra if self._steps is not None else None

    def answer(
        self,
        method: str,
        extra: Mapping[str, Any],
        answered: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        """Answer a challenge: one of the two functions is called later, on the reactor's thread."""
        if method != self.method or self._has_answered:
            failed(f"the router asks for {method!r:.40}, not for {self.method!r} once")
            return
        self._has_answered = True

        def work() -> None:
            tell, text = answered, ""
            try:
                text = self._answer(extra)
            except Unanswerable as error:
                tell, text = failed, str(error)
            self._reactor.callFromThread(lambda: tell(text))

        threading.Thread(target=work, name="flask-wamp login", daemon=True).start()

    def check(self, method: str | None, extra: Mapping[str, Any] | None) -> None:
        """Check the WELCOME.

        :raises Unanswerable: the router lets somebody in whom it has not asked who he is, or does
            not prove what it would have to.
        """
        if self.method == "tls":
            if method not in (None, self.method):
                raise Unanswerable(f"the router let the session in by {method!r:.40}, not by 'tls'")
        elif not self._has_answered or self._steps is None:
            raise Unanswerable(
                f"the router let the session in by {method!r:.40} and without a challenge: offer "
                f"{self.method!r} there, or leave the credentials out"
            )
        else:
            self._steps.check(extra or {})

    def redact(self, text: str) -> str:
        """Return *text* without the ticket, should a router repeat it."""
        return text.replace(self._sent, "***") if self._sent else text

    def _answer(self, extra: Mapping[str, Any]) -> str:
        if self._steps is None:
            self._steps = method_of(self._credentials, self._fresh())
        answer = self._steps.answer(extra)
        if self.method == "ticket":
            self._sent = answer
        return answer

    def _fresh(self) -> str:
        """Return a ticket from the application's function.

        :raises Unanswerable: it gives none.
        """
        provide = self._credentials.secret
        if not callable(provide):
            raise Unanswerable(f"the router asks for {self.method!r}, which has no secret")
        try:
            with self._in_context():
                given = revealed(provide())
        except Exception as error:
            log.exception("the function %s raised", TICKET)
            raise Unanswerable(
                f"the function {TICKET} raised {type(error).__name__}, see the log"
            ) from None
        if not isinstance(given, str) or not given:
            raise Unanswerable(f"the function {TICKET} returned no text")
        return given


class ClientSession(Session):
    """A session that logs in, and tells its connection how it fares.

    :param login: None lets the router make of it what it makes of everybody.
    """

    def __init__(
        self, config: ComponentConfig, connection: Connection, login: Login | None = None
    ) -> None:
        super().__init__(config)
        self._connection = connection
        self._login = login

    def onConnect(self) -> None:
        """The transport is there: ask to be let in."""
        login, realm = self._login, self.config.realm
        if login is None:
            self.join(realm)
        else:
            self.join(realm, authmethods=[login.method], authid=login.authid, authextra=login.extra)

    def onChallenge(self, challenge: Any) -> Any:
        """The router asks who this is; returns a Deferred, which has the answer once."""
        answer: Deferred[str] = Deferred()

        def answered(text: str) -> None:
            # Autobahn would send it without looking whether there is still a transport.
            if self.has_transport:
                answer.callback(text)

        # Where there is no answer the Deferred never fires: Autobahn would tell the router why.
        if self._login is None:
            self._fail(
                f"the router asks for {challenge.method!r:.40}, and there are no credentials: set "
                "WAMP_AUTHID and what proves it"
            )
        else:
            self._login.answer(challenge.method, challenge.extra or {}, answered, self._fail)
        return answer

    def onWelcome(self, welcome: Any) -> str | None:
        """The router lets the session in; a text refuses that."""
        if self._login is not None:
            try:
                self._login.check(welcome.authmethod, welcome.authextra)
            except Unanswerable as error:
                self._fail(str(error))
                return "the login was refused"
        return None

    def onJoin(self, details: Any) -> None:
        """The router has let the session join the realm."""
        self._connection.session_joined(self)

    def onLeave(self, details: CloseDetails) -> Any:
        """The session has ended, or was refused."""
        message = details.message or ""
        if self._login is not None:
            message = self._login.redact(message)
        self._connection.session_left(CloseDetails(details.reason, message))
        return super().onLeave(details)

    def _fail(self, reason: str) -> None:
        if self.has_transport:
            self._connection.login_failed(reason)
