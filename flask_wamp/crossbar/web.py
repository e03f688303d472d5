"""The session of the process that hosts the WSGI application."""

import sqlite3
from typing import Any, ClassVar

from autobahn.wamp import message
from twisted.internet.defer import DeferredList, inlineCallbacks
from twisted.python.threadpool import ThreadPool

from .._twisted.engine.channels import guard_sites
from .._twisted.engine.pings import ping_in_text
from .._twisted.engine.readers import guard_router
from .._twisted.engine.routers import Calls, lacking_in, router_of
from .._twisted.engine.shutdown import take_thread_pools
from ..declare.rights import DeclaredRights
from ..errors import SetupError
from ..state import State
from .accepted import Accepted
from .authentication import Authentication
from .authorization import Authorization
from .denials import Denials
from .draining import Draining
from .flow_host import FlowHost
from .guarding import JOIN_WITHIN, Guard, guard_peers
from .hosted import Host
from .intake import Intake, hosts_of, max_body_of
from .notify import Systemd
from .readiness import Readiness
from .session import AppSession
from .sockets import close_directory, close_unix_sockets, raise_file_limit
from .starting import Starting
from .stop_host import StopHost
from .stopping import cut_off_later, join_beside
from .unserved import Unserved
from .watchdog import watchdog_of

#: Seconds that an ``extra`` may say at most.
LONGEST = 3600


class WebSession(AppSession):
    """Lets the views of the WSGI application call and publish; for the router that hosts it.

    It also knows who the sessions are that log in, says when the node is ready, keeps the backend's
    Unix sockets to the node's user, has the process guard the sessions of its peers, and decides
    which HTTP requests the node's web transports take. Its ``extra`` may have ``hosts``, the host
    names that are answered, ``max_body``, the bytes of a body, ``join_within``, the seconds that a
    peer has from opening its transport until it has joined, ``grace``, those that calls and requests
    get at a stop, ``watchdog``, those that the reactor may stand still, and ``end_unserved_after``,
    those that a procedure may be without a process until the node ends.

    :ivar guard: tells who joins and leaves, and is told who is a service and where a peer is.
    :ivar authentication: lets sessions in, and asks the application who may do what.
    :cvar awaited: procedures of other services that the node is not ready without.
    """

    awaited: ClassVar[tuple[str, ...]] = ()
    # What a factory made would be another application than the one that Crossbar hosts.
    factories = False
    is_first = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        guard_router()
        raise_file_limit()
        self._has_left = False
        self._pools: list[ThreadPool] = []
        self._intake = self._guard_http()
        self.guard: Guard | None = self._guarded()
        directory = self._extra.get("cbdir")
        if directory is not None:
            close_directory(directory)
        self._end_after = self._extra.get("end_unserved_after")
        self._systemd = Systemd.of(self._reactor)
        self._stop_host = StopHost(self, self._reactor)
        self._hosts: list[Host] = [FlowHost(self), self._stop_host]
        self.authentication: Authentication | None = None
        self._authorization: Authorization | None = None
        self._starting: Starting | None = None
        if self._state is not None and self.guard is not None:
            self._authenticate(self._state, self.guard, directory)

    def onConnect(self) -> None:
        """Give the realm's roles their rights, before anybody else can join, and join."""
        if self._authorization is None:
            return
        try:
            self._authorization.install(self)
        except SetupError as error:
            self.fail(str(error))
            return
        super().onConnect()

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Be the application's link, and wait for its procedures in the background."""
        missing = lacking_in(router_of(self))
        if missing:
            self.fail(f"Crossbar.io's router has no {', '.join(missing)}: peers cannot be guarded")
            return
        self._link.attach(self)
        for host in self._hosts:
            yield host.register()
        self.tell_joined()
        if self._state is not None:
            own = self._state.registry.resolved(self._state.config.uri_prefix)
            health = self._state.health
            readiness = Readiness(self, self._reactor, self._application, own, self.awaited, health)
            self._starting = Starting(Calls(self), self._reactor, readiness.missing)
            yield readiness.watch()

    def onMessage(self, msg: Any) -> None:
        """Answer what callees ask about the flow of their results, and who logs in."""
        if type(msg) is not message.Invocation or not any(host.answer(msg) for host in self._hosts):
            super().onMessage(msg)

    def disconnect(self) -> None:
        """Leave the router, once: at a stop Crossbar.io asks a second time, and warns that it did."""
        if not self._has_left:
            self._has_left = True
            super().disconnect()

    @property
    def page_name(self) -> str:
        """The host under which the page is announced."""
        return "localhost" if self._intake is None else self._intake.name

    def before_ready(self) -> None:
        """The listeners are there, and the page is announced next."""
        self._pools += take_thread_pools(self._reactor)
        close_unix_sockets(self._reactor)

    def looked(self) -> None:
        """Let calls of what is registered by now go on."""
        if self._starting is not None:
            self._starting.looked()

    def late(self) -> None:
        """Let no call wait for what may never be there."""
        if self._starting is not None:
            self._starting.end()

    def announced(self, urls: list[str]) -> None:
        """The node is ready: from now on it is said when it is not."""
        self.late()
        watchdog_of(self._reactor).started(self._settings.watchdog)
        self._systemd.ready(f"ready at {' '.join(urls)}")
        if self._state is not None:
            own = self._state.registry.resolved(self._state.config.uri_prefix)
            wanted = [*own, *((uri, "exact") for uri in self.awaited)]
            health = self._state.health
            Unserved(self, self._reactor, wanted, health, self._end_after).watch()

    def _finish(self) -> Any:
        """Take nothing new, and finish what was accepted, before the process ends."""
        super()._finish()
        self._systemd.stopping()
        self._stop_host.begin()
        if self._starting is not None:
            self._starting.stop()
        if self._state is not None:
            self._state.health.stopping = True
        if self.guard is None or self._intake is None:
            return None
        self._pools += take_thread_pools(self._reactor)
        work = Accepted(self, self._reactor, self.guard, self._intake, self._pools)
        return Draining(work, self._reactor, self._settings.grace).begin()

    def _authenticate(self, state: State, guard: Guard, directory: str | None) -> None:
        """Say who the sessions are that log in, from now on."""
        try:
            host = Authentication(self, state, self._queue, directory, guard)
        except (OSError, sqlite3.Error) as error:
            # Nobody could tell whether a login has ended.
            self.fail(f"what was revoked cannot be kept in {directory}", error)
        else:
            self.authentication = host
            self._hosts.append(host)
            self._reactor.addSystemEventTrigger("after", "shutdown", host.close)
            rights = DeclaredRights(state.registry, state.config.uri_prefix)
            denials = Denials(self._warn, self._reactor.seconds)
            meter = state.dispatcher.meter
            if meter is not None:
                denials.count, guard.complaints.count = meter.denied, meter.complained
            self._authorization = Authorization(rights, host.ask, denials)

    def _warn(self, text: str) -> None:
        self.log.warn("flask-wamp: {text}", text=text)  # noqa: G010 - a txaio logger

    def _guarded(self) -> Guard | None:
        try:
            ping_in_text()
            return guard_peers(self._reactor, self._seconds("join_within", "5") or JOIN_WITHIN)
        except RuntimeError as error:
            self.fail("the sessions of peers cannot be guarded", error)
            return None

    def _seconds(self, name: str, example: str) -> float | None:
        """Return the seconds that the component's ``extra`` gives, if it does."""
        seconds = self._extra.get(name)
        if seconds is not None and (
            type(seconds) not in (int, float) or not 0 < seconds <= LONGEST
        ):
            self.fail(f'"extra": {{"{name}": {seconds!r}}}: give seconds, as in {example}')
            return None
        return seconds

    def _guard_http(self) -> Intake | None:
        """Limit what comes in over HTTP; the component starts before the transports."""
        app = self._state.app if self._state is not None else None
        try:
            intake = Intake(hosts_of(self._extra, app), self.log)
            guard_sites(intake, max_body_of(self._extra, app))
        except SetupError as error:
            self.fail(str(error))
            return None
        return intake

    def _release(self) -> Any:
        self._stop_host.begin()
        super()._release()
        cut_off_later()
        return DeferredList([join_beside(self._reactor, pool) for pool in self._pools])
