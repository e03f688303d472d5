"""Says in the log when a procedure has lost the last process that served it, and when one is back.

Nobody else does: its callers get "no such procedure", as if it had never been there.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.defer import inlineCallbacks

from ..health import Health

#: Seconds without a process after which a procedure is named; one that is replaced is back by then.
PATIENCE = 1.0
#: Seconds from an event to the look at what there is: a process registers many procedures at once.
SOON = 0.05
EVENTS = ("wamp.registration.on_create", "wamp.registration.on_delete")


class Watcher(Protocol):
    """The session that asks the router."""

    log: Any

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure; a Deferred."""

    def subscribe(self, handler: Any, topic: Any = None, options: Any = None) -> Any:
        """Subscribe to a topic; a Deferred."""

    def fail(self, what: str) -> None:
        """Log what went wrong, and end the process."""


class Unserved:
    """Watches procedures that were all served once.

    :param wanted: URI and match policy of each.
    :param health: is told which are missing.
    :param end_after: seconds without a process after which the node ends, so that whoever looks after
        it starts it anew; None is never.
    """

    def __init__(
        self,
        session: Watcher,
        reactor: Any,
        wanted: Iterable[tuple[str, str]],
        health: Health,
        end_after: float | None = None,
    ) -> None:
        self._session = session
        self._reactor = reactor
        self._wanted = sorted(wanted)
        self._health = health
        self._end_after = end_after
        self._since: dict[str, float] = {}
        self._named: set[str] = set()
        self._look_is_due = False
        self._has_ended = False

    @inlineCallbacks
    def watch(self) -> Any:
        """Look at the registrations whenever one comes or goes, from now on; a Deferred."""
        for event in EVENTS:
            yield self._session.subscribe(self._soon, event)
        yield self._look()

    def _soon(self, *_registration: Any) -> None:
        if not self._look_is_due:
            self._look_is_due = True
            self._reactor.callLater(SOON, self._look)

    @inlineCallbacks
    def _look(self) -> Any:
        self._look_is_due = False
        missing = []
        for uri, match in self._wanted:
            found = yield self._session.call("wamp.registration.lookup", uri, {"match": match})
            if found is None:
                missing.append(uri)
        if self._health.stopping:
            return
        self._health.missing = missing
        self._note_those_back(missing)
        for uri in missing:
            if uri not in self._since:
                self._since[uri] = self._reactor.seconds()
                self._reactor.callLater(PATIENCE, self._name)
                if self._end_after is not None:
                    self._reactor.callLater(self._end_after, self._end, self._end_after)

    def _note_those_back(self, missing: list[str]) -> None:
        back = sorted(self._since.keys() - set(missing))
        named = [uri for uri in back if uri in self._named]
        if named:
            longest = max(self._gone_for(uri) for uri in named)
            self._session.log.warn(  # noqa: G010 - a txaio logger
                "flask-wamp: served again, after {seconds:.1f} s: {uris}",
                seconds=longest,
                uris=", ".join(named),
            )
        for uri in back:
            del self._since[uri]
            self._named.discard(uri)

    def _name(self) -> None:
        """Name the procedures that have been missing for a while, once."""
        late = [
            uri
            for uri in sorted(self._since.keys() - self._named)
            if self._gone_for(uri) >= PATIENCE
        ]
        if late and not self._health.stopping:
            self._named.update(late)
            self._session.log.error(
                "flask-wamp: no process serves {uris} any more: calls fail until one does",
                uris=", ".join(late),
            )

    def _end(self, after: float) -> None:
        late = [uri for uri in sorted(self._since) if self._gone_for(uri) >= after]
        if late and not (self._health.stopping or self._has_ended):
            self._has_ended = True
            self._session.fail(
                f"no process has served {', '.join(late)} for {after:g} s: the node ends, "
                "to be started anew"
            )

    def _gone_for(self, uri: str) -> float:
        seconds: float = self._reactor.seconds() - self._since[uri]
        return seconds
