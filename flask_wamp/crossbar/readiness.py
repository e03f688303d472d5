"""When the node is ready: once all procedures of the application are served, by every process that is
to serve them.

Crossbar.io's own "ready" comes when the workers have started, whether or not anything was
registered.
"""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from autobahn.wamp.exception import ApplicationError
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.python.failure import Failure

from ..health import Health
from .colleagues import Colleagues
from .listening import pages

#: Seconds after which procedures that nobody has registered are named in the log.
PATIENCE = 30.0
#: Seconds until the listeners are looked for again, which may start after the procedures.
LISTENER_DELAY = 0.1
#: Seconds until the processes are looked at again, once somebody serves each procedure: of one that
#: shares what another one has registered, the router tells nobody.
AGAIN = 0.2


class Watcher(Protocol):
    """The session that asks the router."""

    log: Any

    @property
    def page_name(self) -> str:
        """The host under which the page is announced."""

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure; a Deferred."""

    def subscribe(self, handler: Any, topic: Any = None, options: Any = None) -> Any:
        """Subscribe to a topic; a Deferred."""

    def fail(self, what: str) -> None:
        """Log what went wrong, and end the process."""

    def before_ready(self) -> None:
        """The listeners are there, and the page is announced next."""

    def announced(self, urls: list[str]) -> None:
        """The page was announced."""

    def looked(self) -> None:
        """Fewer procedures may be missing."""

    def late(self) -> None:
        """It takes longer than anybody should wait for."""


class Readiness:
    """Watches the registrations, and announces the page once all of them are there to stay.

    :param own: URI and match policy of each procedure of the application.
    :param awaited: procedures of other services.
    :param health: is told which are missing.
    """

    def __init__(
        self,
        session: Watcher,
        reactor: Any,
        application: str,
        own: Iterable[tuple[str, str]],
        awaited: Iterable[str],
        health: Health,
    ) -> None:
        self._session = session
        self._reactor = reactor
        self._application = application
        self._own = list(own)
        self._wanted = [*self._own, *((uri, "exact") for uri in awaited)]
        self._missing = set(self._wanted)
        self._colleagues = Colleagues(session, reactor)
        self._check: Any = None
        #: Why it is not ready, though all procedures are there.
        self._reason = ""
        self._health = health
        self._watch: Any = None
        self._all_there: Deferred[None] = Deferred()
        self._all_there.addCallback(lambda _: self._announce())
        self._all_there.addCallback(self._end_watch)
        self._all_there.addErrback(self._announcement_failed)

    def missing(self) -> Collection[tuple[str, str]]:
        """Return URI and match policy of what nobody has registered so far."""
        return self._missing

    @inlineCallbacks
    def watch(self) -> Any:
        """Look at the registrations, now and whenever there is a further one."""
        self._watch = yield self._session.subscribe(self._look, "wamp.registration.on_create")
        self._reactor.callLater(PATIENCE, self._complain)
        yield self._look()

    @inlineCallbacks
    def _look(self, *_registration: Any) -> Any:
        for uri, match in sorted(self._missing):
            if (yield self._lookup(uri, match)) is not None:
                self._missing.discard((uri, match))
        self._session.looked()
        if self._all_there.called:
            return
        self._health.missing = sorted(uri for uri, _match in self._missing)
        self._health.looked = bool(self._missing)
        if self._missing:
            return
        if self._check is None:
            self._check = self._reactor.callLater(0, self._check_processes)

    @inlineCallbacks
    def _check_processes(self) -> Any:
        """Look at the processes again and again, until they are there."""
        try:
            self._reason = yield self._lacking()
        except Exception as error:  # noqa: BLE001
            # Whatever it is, the node is not ready, and the log says so in a while.
            self._reason = f"it cannot be told who serves: {error}"
        if self._reason:
            self._check = self._reactor.callLater(AGAIN, self._check_processes)
        else:
            self._all_there.callback(None)

    def _lookup(self, uri: str, match: str) -> Any:
        """Return the id of a registration, or None; a Deferred."""
        return self._session.call("wamp.registration.lookup", uri, {"match": match})

    @inlineCallbacks
    def _lacking(self) -> Any:
        """Return why this is not all yet; nothing where it is.

        One that was refused a procedure, because another service has it, is about to end its
        process; until then each of its procedures is registered, by one of the two. So there is one
        session that has all, or there is one supervisor whose processes have them together: what
        only one process can have, several share out, and one that was refused something is not among
        those that a supervisor calls ready.
        """
        supervised = yield self._colleagues.supervised()
        callees = {}
        for uri, match in self._wanted:
            callees[uri, match] = yield self._callees(uri, match)
        serving = set().union(*callees.values())
        for each in supervised:
            # Of one without a process it cannot be told what that will serve.
            if not each.is_whole and (not each.sessions or each.sessions & serving):
                count = f"{len(each.sessions)} of {each.processes}"
                return f"{count} processes of {each.name} serve"
        own = [callees[procedure] for procedure in self._own]
        if not own or set.intersection(*own):
            return ""
        if any(all(some & each.sessions for some in own) for each in supervised):
            return ""
        return "no process has registered all of its procedures"

    @inlineCallbacks
    def _callees(self, uri: str, match: str) -> Any:
        """Return the sessions that have registered a procedure; a Deferred of a set."""
        try:
            registration = yield self._lookup(uri, match)
            found = yield self._session.call("wamp.registration.list_callees", registration)
        except ApplicationError:
            return set()  # it has gone again
        return set(found or ())

    def _complain(self) -> None:
        if self._all_there.called:
            return
        self._session.late()
        uris = ", ".join(uri for uri, _match in sorted(self._missing))
        nobody = f"nobody has registered {uris}"
        self._session.log.error(
            "flask-wamp: {application} is not ready: {reason}",
            application=self._application,
            reason=nobody if self._missing else self._reason,
        )

    def _end_watch(self, _announced: None) -> Any:
        return self._watch.unsubscribe()

    def _announcement_failed(self, failure: Failure) -> None:
        self._session.fail(f"cannot announce the page: {failure.getErrorMessage()}")

    def _announce(self) -> None:
        """Say where the page is; the listeners may start a moment after the procedures."""
        urls = pages(self._reactor, self._session.page_name)
        if not urls:
            self._reactor.callLater(LISTENER_DELAY, self._announce)
            return
        self._session.before_ready()
        # A warning, because Crossbar tells everything else at "info", hundreds of lines of it.
        self._session.log.warn(  # noqa: G010 - a txaio logger
            "flask-wamp: {application} is ready at {pages}",
            application=self._application,
            pages=" ".join(urls),
        )
        self._health.looked = True
        self._session.announced(urls)
