"""The session of the process that hosts the WSGI application."""

from typing import Any, ClassVar

from autobahn.wamp import message
from twisted.internet.defer import inlineCallbacks

from .._twisted.engine.channels import guard_sites
from .._twisted.engine.readers import guard_router
from ..errors import SetupError
from .flow_host import FlowHost
from .intake import Intake, hosts_of, max_body_of
from .readiness import Readiness
from .session import AppSession
from .sockets import close_directory, close_unix_sockets, raise_file_limit
from .stopping import cut_off_later, let_views_respond


class WebSession(AppSession):
    """Lets the views of the WSGI application call and publish; for the router that hosts it.

    It also says when the node is ready, keeps the backend's Unix sockets to the node's user, and
    decides which HTTP requests the node's web transports take. Its ``extra`` may have ``hosts``, the
    host names that are answered, and ``max_body``, the bytes of a body.

    :cvar awaited: procedures of other services that the node is not ready without.
    """

    awaited: ClassVar[tuple[str, ...]] = ()
    # What a factory made would be another application than the one that Crossbar hosts.
    factories = False

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        guard_router()
        raise_file_limit()
        self._guard_http()
        self._flow = FlowHost(self)
        if "cbdir" in self._extra:
            close_directory(self._extra["cbdir"])

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

    def _guard_http(self) -> None:
        """Limit what comes in over HTTP; the component starts before the transports."""
        app = self._state.app if self._state is not None else None
        try:
            guard_sites(Intake(hosts_of(self._extra, app), self.log), max_body_of(self._extra, app))
        except SetupError as error:
            self.fail(str(error), error)

    def _release(self) -> None:
        super()._release()
        cut_off_later()
