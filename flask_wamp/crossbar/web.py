"""The session of the process that hosts the WSGI application."""

from collections.abc import Callable
from typing import Any, ClassVar

from autobahn.wamp import message
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThread

from .._twisted.engine.readers import guard_router
from ..context import Access
from ..declare.rights import DeclaredRights
from ..errors import SetupError
from .application import load_application
from .authorization import Authorization
from .denials import Denials
from .flow_host import FlowHost
from .readiness import Readiness
from .session import AppSession
from .sockets import close_directory, close_unix_sockets
from .stopping import cut_off_later, let_views_respond


class WebSession(AppSession):
    """Lets the views of the WSGI application call and publish; for the router that hosts it.

    It also says when the node is ready, and keeps the backend's Unix sockets to the node's user.

    :cvar awaited: procedures of other services that the node is not ready without.
    """

    awaited: ClassVar[tuple[str, ...]] = ()
    # What a factory made would be another application than the one that Crossbar hosts.
    factories = False

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        guard_router()
        self._flow = FlowHost(self)
        if self._state is not None:
            rights = DeclaredRights(self._state.registry, self._state.config.uri_prefix)
            denials = Denials(self._warn, self._reactor.seconds)
            self._authorization = Authorization(rights, self.ask, denials)
        if "cbdir" in self._extra:
            close_directory(self._extra["cbdir"])

    def onConnect(self) -> None:
        """Give the realm's roles their rights, before anybody else can join, and join."""
        if self._state is None:
            return
        try:
            self._authorization.install(self)
        except SetupError as error:
            self.fail(str(error))
            return
        super().onConnect()

    def ask(self, function: Callable[[Access], Any], access: Access) -> "Deferred[bool]":
        """Ask a function of the application whether *access* is allowed, in a context of it."""
        app = load_application(self._application, factories=self.factories)

        def answer() -> bool:
            with app.app_context():
                return app.ensure_sync(function)(access) is True

        return deferToThread(answer)

    def _warn(self, text: str) -> None:
        self.log.warn("flask-wamp: {text}", text=text)  # noqa: G010 - a txaio logger

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Be the application's link, and wait for its procedures in the background."""
        self._link.attach(self)
        yield self._flow.register()
        self.tell_joined()
        if self._state is not None:
            own = self._state.registry.resolved(self._state.config.uri_prefix)
            readiness = Readiness(self, self._reactor, self._application, own, self.awaited)
            yield readiness.watch()

    def onMessage(self, msg: Any) -> None:
        """Answer what callees ask about the flow of their results."""
        if type(msg) is not message.Invocation or not self._flow.answer(msg):
            super().onMessage(msg)

    def before_ready(self) -> None:
        """The listeners are there, and the page is announced next."""
        let_views_respond(self._reactor)
        close_unix_sockets(self._reactor)

    def _release(self) -> None:
        super()._release()
        cut_off_later()
