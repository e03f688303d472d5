"""The sessions that Crossbar.io loads into its workers.

A node needs two: :class:`WebSession` as a component of the router that hosts the WSGI application,
so that its views can call and publish, and :class:`ViewsSession` in a container, which serves the
procedures and subscriptions. Both are bound to an application by a subclass::

    class Web(WebSession):
        application = "flask_app.wsgi:app"
"""

import importlib
import os
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from autobahn.wamp import message
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CloseDetails
from flask import Flask
from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from ._twisted.binding import bind
from ._twisted.flow import FlowHost
from ._twisted.link import SessionLink
from ._twisted.notices import Notices
from ._twisted.pool import ElasticPool
from ._twisted.reactor_queue import ReactorQueue
from ._twisted.reactor_thread import running_reactor
from ._twisted.session import Session
from ._twisted.strict import guard_router, restore_recursion_limit
from .errors import SetupError
from .state import State, state_of

#: Seconds that views which still run get to end, once the node stops.
SHUTDOWN_GRACE = 1.0
#: Seconds after which procedures that nobody has registered are named in the log.
PATIENCE = 30.0
#: Seconds in which a session that is lost turns out to be the node's own stop.
STOP_NOTICE = 1.0


class AppSession(Session):
    """A session that gives an application in this process its link.

    :cvar application: where the Flask application is, ``"module:object"``: the application, or a
        factory that takes no arguments (:attr:`factories`). ``"extra": {"application": ...}`` in the component's
        configuration names it as well, without a subclass.
    """

    application: ClassVar[str] = ""
    factories: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        restore_recursion_limit()
        self._extra: dict[str, Any] = (config and config.extra) or {}
        self._application = str(self._extra.get("application", self.application))
        self._reactor = running_reactor()
        self._queue = ReactorQueue(self._reactor.callFromThread, self._reactor.callLater)
        self._link = SessionLink(self._queue)
        self._state: State | None = None
        self._notices: Notices | None = None
        self._stopping = False
        # Before Crossbar's own triggers, which wait for the threads that this one releases.
        self._reactor.addSystemEventTrigger("before", "shutdown", self._release)
        try:
            state = state_of(load_application(self._application, factories=self.factories))
        except Exception as error:  # noqa: BLE001
            # Whatever keeps an application from loading, the node must not come up without it.
            self.fail(f"cannot load the Flask application {self._application!r}", error)
        else:
            state.slot.attach(self._link)
            self._state = state
            self._notices = Notices(state)
            self._reactor.addSystemEventTrigger("during", "shutdown", self._finish_notices)

    def onConnect(self) -> None:
        """Join the realm, unless the application did not load."""
        if self._state is not None:
            super().onConnect()

    def onLeave(self, details: CloseDetails) -> Any:
        """End the process where the session is lost before it stops: nothing would serve then."""
        self._link.detach(f"the session ended: {details.reason}")
        self.tell_left(str(details.reason))
        self._reactor.callLater(STOP_NOTICE, self._fail_unless_stopping, details)
        return super().onLeave(details)

    def fail(self, what: str, error: Exception | None = None) -> None:
        """Log *what* went wrong, and end the process: the node then ends as well."""
        self.log.error("flask-wamp: {klass}: {what}", klass=type(self).__name__, what=what)
        if error is not None:
            lines = traceback.format_exception(error)
            self.log.error("{traceback}", traceback="".join(lines).rstrip())
        self._stopping = True
        try:
            self._reactor.stop()
        except ReactorNotRunning:
            # It is stopping already, or has yet to start: then the exception tells Crossbar.
            if error is not None:
                raise

    def tell_joined(self) -> None:
        """Let the application know that this session can be used."""
        if self._notices is not None:
            self._notices.joined(self, str(self.config.realm))

    def tell_left(self, reason: str) -> None:
        """Let the application know that this session has ended."""
        if self._notices is not None:
            self._notices.left(reason)

    def _finish_notices(self) -> Any:
        """Give ``@wamp.on_leave`` functions their second, while the process ends."""
        self.tell_left("the node stops")
        return self._notices and self._notices.finished(self._reactor, SHUTDOWN_GRACE)

    def _fail_unless_stopping(self, details: CloseDetails) -> None:
        if not self._stopping:
            self.fail(f"the session ended: {details.reason} {details.message or ''}".rstrip())

    def _release(self) -> None:
        self._stopping = True
        self._link.release("the node stops")


class ViewsSession(AppSession):
    """Serves an application's procedures and subscriptions; for a container."""

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register everything; the process ends where the router refuses anything."""
        state = self._state
        if state is None:
            return
        self._link.attach(self)
        pool = ElasticPool(state.config.threads, self._queue)
        pool.start()
        state.registry.freeze(f"{type(self).__name__} of the node")
        try:
            state.dispatcher.prepare()
            yield bind(self, state, pool)
        except Exception as error:  # noqa: BLE001
            # Refused by the router or lost on the way, the remedy is the reader's: a restart.
            self.fail(str(error))
            yield Deferred()
        self.log.info(
            "flask-wamp: {count} procedures of {application} are registered",
            count=len(state.registry.procedures),
            application=self._application,
        )
        self.tell_joined()


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
        if "cbdir" in self._extra:
            # Sockets in the directory are open to everybody until they are made private.
            Path(self._extra["cbdir"]).chmod(0o700)

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Be the application's link, and wait for its procedures in the background."""
        self._link.attach(self)
        yield self._flow.register()
        self.tell_joined()
        if self._state is not None:
            yield self._watch_registrations(self._state)

    def onMessage(self, msg: Any) -> None:
        """Answer what callees ask about the flow of their results."""
        if type(msg) is not message.Invocation or not self._flow.answer(msg):
            super().onMessage(msg)

    @inlineCallbacks
    def _watch_registrations(self, state: State) -> Any:
        """Announce the page once a process has registered every procedure, whoever it is."""
        own = state.registry.resolved(state.config.uri_prefix)
        missing = {*own, *((uri, "exact") for uri in self.awaited)}

        @inlineCallbacks
        def look(*_registration: Any) -> Any:
            for uri, match in sorted(missing):
                if (yield self._lookup(uri, match)) is not None:
                    missing.discard((uri, match))
            if missing or all_there.called:
                return
            if (yield self._served_by_one(own)) and not all_there.called:
                all_there.callback(None)

        all_there: Deferred[None] = Deferred()
        all_there.addCallback(lambda _: self._announce())
        watch = yield self.subscribe(look, "wamp.registration.on_create")
        all_there.addCallback(lambda _: watch.unsubscribe())
        all_there.addErrback(self._announcement_failed)
        self._reactor.callLater(PATIENCE, self._complain, missing, all_there)
        yield look()

    def _lookup(self, uri: str, match: str) -> Any:
        """Return the id of a registration, or None; a Deferred."""
        return self.call("wamp.registration.lookup", uri, {"match": match})

    @inlineCallbacks
    def _served_by_one(self, registrations: Iterable[tuple[str, str]]) -> Any:
        """Tell whether a session has made all *registrations*, of URI and match policy.

        One that was refused a procedure, because another service has it, is about to end its
        process; until then each of its procedures is registered, by one of the two.
        """
        common: set[int] | None = None
        for uri, match in registrations:
            registration = yield self._lookup(uri, match)
            try:
                callees = yield self.call("wamp.registration.list_callees", registration)
            except ApplicationError:
                return False  # it has gone again
            common = set(callees) if common is None else common & set(callees)
        return common is None or bool(common)

    def _complain(self, missing: set[tuple[str, str]], all_there: "Deferred[None]") -> None:
        if all_there.called:
            return
        uris = ", ".join(uri for uri, _match in sorted(missing))
        nobody = f"nobody has registered {uris}"
        self.log.error(
            "flask-wamp: {application} is not ready: {reason}",
            application=self._application,
            reason=nobody if missing else "no process has registered all of its procedures",
        )

    def _announcement_failed(self, failure: Failure) -> None:
        self.fail(f"cannot announce the page: {failure.getErrorMessage()}")

    def _announce(self) -> None:
        """Say where the page is; the listeners may start a moment after the procedures."""
        listening = [
            reader.getHost()
            for reader in self._reactor.getReaders()
            if isinstance(reader, tcp.Port)
        ]
        pages = [
            _page_at(host) for host in listening if isinstance(host, IPv4Address | IPv6Address)
        ]
        if not pages:
            self._reactor.callLater(0.1, self._announce)
            return
        self._let_views_respond_at_the_end()
        for host in listening:
            if isinstance(host, UNIXAddress) and host.name is not None:
                Path(os.fsdecode(host.name)).chmod(0o600)
        # A warning, because Crossbar tells everything else at "info", hundreds of lines of it.
        self.log.warn(  # noqa: G010 - a txaio logger
            "flask-wamp: {application} is ready at {pages}",
            application=self._application,
            pages=" ".join(pages),
        )

    def _let_views_respond_at_the_end(self) -> None:
        """Join the WSGI threads beside the reactor, through which they write their responses.

        Crossbar.io joins them on the reactor's thread when the node stops; a view that ends then
        waits for the reactor, and the reactor for the view.
        """
        # Twisted has no public way to what somebody else wants to be called at the end.
        before = self._reactor._eventTriggers["shutdown"].before  # noqa: SLF001
        for stop, args, kwargs in list(before):
            if isinstance(getattr(stop, "__self__", None), ThreadPool):
                handle = ("before", stop, args, kwargs)
                self._reactor.removeSystemEventTrigger(("shutdown", handle))
                self._reactor.addSystemEventTrigger("before", "shutdown", self._beside, stop)

    def _beside(self, work: Callable[[], None]) -> "Deferred[None]":
        """Do *work* on a thread of its own, since those of the pools end."""
        done: Deferred[None] = Deferred()

        def run() -> None:
            work()
            self._reactor.callFromThread(done.callback, None)

        threading.Thread(target=run, name="flask-wamp end", daemon=True).start()
        return done

    def _release(self) -> None:
        super()._release()
        # Views that go on are waited for at the end, for as long as they take.
        guard = threading.Timer(SHUTDOWN_GRACE, self._end_process)
        guard.daemon = True
        guard.start()

    def _end_process(self) -> None:
        os.write(2, b"flask-wamp: views still run while the node stops; they are cut off\n")
        os._exit(1)


def load_application(place: str, *, factories: bool = True) -> Flask:
    """Import the Flask application at *place*, ``"module:object"``.

    :param factories: call the object where it is a factory.
    :raises SetupError: the place names no Flask application, nor a factory of one.
    """
    module, _, name = place.partition(":")
    if not module or not name:
        raise SetupError(
            f"{place!r} is not of the form 'module:object', as in 'flask_app.wsgi:app'"
        )
    found = getattr(importlib.import_module(module), name, None)
    if callable(found) and not isinstance(found, Flask):
        if not factories:
            raise SetupError(
                f"{place!r} is a factory: name the application that the node's WSGI resource "
                "hosts, so that its views get the session"
            )
        found = found()
    if not isinstance(found, Flask):
        raise SetupError(f"there is no Flask application {name!r} in the module {module!r}")
    return found


def _page_at(address: IPv4Address | IPv6Address) -> str:
    host = address.host if address.host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{address.port}/"
