"""The test client: an application's procedures and handlers without a router or a reactor."""

from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from flask import Flask
from flask.testing import FlaskClient

from ..call.link import Link
from ..errors import NotAuthorized, OptionError
from ..signals import SessionInfo, session_joined, session_left
from ..state import state_of
from .answers import UNSET, Answers
from .caller import Caller, Setting
from .link import MemoryLink
from .records import Call, Publication
from .router import MemoryRouter, note
from .stubs import Answer, Stubs

F = TypeVar("F", bound=Answer)

#: The application's own role, as in the node's configurations.
BACKEND = "backend"


class WampTestClient(Caller):
    """Calls an application's procedures and publishes to its handlers, in memory.

    A context manager: meanwhile ``g.wampy`` reaches procedures of the application itself, and
    stubs, whichever way a view is run, and what it calls and publishes is kept.

    :param app: the application.
    :param authid: who calls and publishes, for ``invocation.caller_authid``.
    :param authrole: the role of that, for ``invocation.caller_authrole``; by default that of a
        service, which may do everything. Any other has the rights that are declared, ``"anonymous"``
        those of a visitor.
    :param session: its session id; by default one is given.
    :param http: whose page it is, in place of *authid* and *authrole*: the application says who
        that is, by the cookies that this test client of Flask's has now.
    :param propagate: let defects of views and handlers reach the test as they were raised; by
        default as Flask's test client does, by ``PROPAGATE_EXCEPTIONS`` or ``testing``.
    :param deliver: let events that the application publishes reach its own handlers, as a router
        does where the same process serves them.
    :ivar session: who it is.
    :ivar app_session: who the application is, where its own views call and publish.
    :raises SetupError: the application has no WAMP extension.
    :raises NotAuthorized: the application does not let the page in.
    """

    def __init__(
        self,
        app: Flask,
        *,
        authid: str | None = "tester",
        authrole: str | None = BACKEND,
        session: int | None = None,
        http: FlaskClient | None = None,
        propagate: bool | None = None,
        deliver: bool = True,
    ) -> None:
        self._state = state_of(app)
        router = MemoryRouter(self._state)
        own = router.new_session(app.name, BACKEND)
        who = (
            router.new_session(authid, authrole, session)
            if http is None
            else router.open_page(http, session)
        )
        super().__init__(Setting(router, propagate=propagate), who)
        self._stubs = Stubs(app, self._state.registry, "client.stub")
        self._refusals = Stubs(app, self._state.registry, "client.refuse")
        self._link = MemoryLink(router, self._stubs, self._refusals, own, delivers=deliver)
        self._replaced: list[Link | None] = []

    @property
    def app_session(self) -> SessionInfo:
        """Who the application is, where its own views call and publish."""
        return self._link.session

    @property
    def calls(self) -> list[Call]:
        """What the application has called, in order; not what the client itself has."""
        return self._link.calls

    @property
    def published(self) -> list[Publication]:
        """What the application has published, in order; not what the client itself has."""
        return self._link.published

    def calls_of(self, uri: str) -> list[Call]:
        """Return what the application has called under *uri*."""
        return [call for call in self.calls if call.uri == uri]

    def published_to(self, topic: str) -> list[Publication]:
        """Return what the application has published to *topic*."""
        return [publication for publication in self.published if publication.topic == topic]

    def as_caller(
        self,
        authid: str | None = "tester",
        authrole: str | None = BACKEND,
        *,
        session: int | None = None,
    ) -> Caller:
        """Return another peer, which calls and publishes beside this one."""
        return Caller(self._setting, self._router.new_session(authid, authrole, session))

    def as_page(self, http: FlaskClient, *, session: int | None = None) -> Caller:
        """Return the page that a test client of Flask's has open, with the cookies that it has now.

        Its role and authid are what the application says, as at a node. When the login ends, over
        HTTP or by ``wamp.end_sessions``, what it asks for raises ``NotConnected``.

        :raises NotAuthorized: the application does not let the page in.
        """
        return Caller(self._setting, self._router.open_page(http, session))

    @overload
    def stub(self, uri: str, function: F, /, *, match: str = "exact") -> F: ...

    @overload
    def stub(self, uri: str, /, *, match: str = "exact") -> Callable[[F], F]: ...

    @overload
    def stub(
        self,
        uri: str,
        /,
        *,
        match: str = "exact",
        returns: Any = ...,
        raises: BaseException | type[BaseException] = ...,
        answers: Any = ...,
        progress: Any = ...,
    ) -> Any: ...

    def stub(
        self,
        uri: str,
        function: Any = UNSET,
        /,
        *,
        match: str = "exact",
        returns: Any = UNSET,
        raises: Any = UNSET,
        answers: Any = UNSET,
        progress: Any = UNSET,
    ) -> Any:
        """Say what a call of *uri* by the application is answered with, in place of another stub.

        A stub goes before the application's own procedure of that URI, but for calls of the
        test's own.

        :param function: is called with the call's arguments: what it returns is the answer, what
            it yields are progressive results. Without any answer this is a decorator of it.
        :param match: ``"prefix"`` or ``"wildcard"`` make the URI a pattern.
        :param returns: the answer to every call.
        :param raises: an error, or its class: a ``RemoteError``, ``CallTimeout``,
            ``NotConnected``, an ``ApplicationError``, or what is declared with ``@wamp.error``.
        :param answers: a list of values and errors, one for each call.
        :param progress: a list of progressive results, before what it ``returns`` or ``raises``.
        :raises OptionError: such an answer cannot be.
        :raises PayloadError: a value cannot travel.
        """
        given = Answers(f"client.stub({uri!r}", self._stubs.remote(uri))
        answer = given.made_of(returns, raises, answers, progress)
        if function is not UNSET and (answer is not None or not callable(function)):
            raise OptionError(
                f"client.stub({uri!r}, {function!r}): give a function, or one answer, as in returns=1"
            )
        if answer is not None:
            self._stubs.add(uri, match, answer)
            return None

        def add(answering: F) -> F:
            self._stubs.add(uri, match, answering)
            return answering

        return add if function is UNSET else add(function)

    def remove_stub(self, uri: str, *, match: str = "exact") -> None:
        """Have no answer to *uri* any more.

        :raises OptionError: there is no such stub.
        """
        self._stubs.remove(uri, match)

    def refuse(
        self,
        topic: str,
        raises: Exception | type[Exception] = NotAuthorized,
        *,
        match: str = "exact",
    ) -> None:
        """Let the application's publishes to *topic* be refused from now on, as by a router.

        One that is not acknowledged is lost, which the application does not notice.

        :param raises: the error, or its class: ``NotAuthorized``, ``CallTimeout``, a ``RemoteError``.
        :param match: ``"prefix"`` or ``"wildcard"`` make the topic a pattern.
        :raises OptionError: no publish is answered so.
        """
        given = Answers(f"client.refuse({topic!r}", self._refusals.remote(topic))
        self._refusals.add(topic, match, given.error("raises", raises))

    def disconnect(self, reason: str = "the connection to the router was lost") -> None:
        """Let the application lose its session: ``g.wampy`` raises ``NotConnected`` from now on.

        ``@wamp.on_leave`` functions run, and ``session_left`` is sent, before this returns.

        :param reason: the text of these errors, and of the session's end.
        """
        if self._router.absent is None:
            self._router.absent = reason
            old = self._link.session
            left = SessionInfo(old.session, old.realm, old.authid, old.authrole, reason)
            self._tell(self._state.registry.on_leave, left)
            session_left.send(self._state.app, session=left)

    def reconnect(self) -> None:
        """Let the application have a new session, after the loss of the one that it has.

        ``@wamp.on_join`` functions run, and ``session_joined`` is sent, before this returns. Neither
        happens when a client comes into use.
        """
        self.disconnect()
        old = self._link.session
        self._link.session = self._router.new_session(old.authid, old.authrole)
        self._router.absent = None
        for subscription in self._state.registry.subscriptions:
            self._router.hand_retained(subscription)
        self._tell(self._state.registry.on_join, self._link.session)
        session_joined.send(self._state.app, session=self._link.session)

    def relay(self) -> int:
        """Send the durable events that the application has committed, as a process that serves does.

        They are in :attr:`published` only from then on, and their handlers run before this returns.

        :returns: how many the router has taken; those that it refuses are set aside.
        :raises SetupError: the application has no outbox.
        """
        with self._router.shown():
            return self._state.outbox.send_now()

    def __enter__(self) -> Self:
        self._state.dispatcher.prepare()
        self._replaced.append(self._state.slot.link)
        self._state.slot.attach(self._link)
        self._setting.is_used = True
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._state.slot.attach(self._replaced.pop())
        self._setting.is_used = bool(self._replaced)
        self._router.close()
        failures, self._router.failures = self._router.failures, []
        if error is not None:
            note(error, failures)
        elif failures and self._setting.propagates:
            note(failures[0], failures[1:])
            failures[0].add_note("A handler raised this, and no call of the test client showed it.")
            raise failures[0]

    def _tell(self, functions: list[Callable[..., Any]], info: SessionInfo) -> None:
        app = self._state.app

        def run(function: Callable[..., Any]) -> None:
            with app.app_context():
                app.ensure_sync(function)(info)

        for function in functions:
            Context().run(run, function)
