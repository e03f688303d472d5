"""Registers an application's procedures with a session, and makes its subscriptions."""

import weakref
from collections.abc import Sequence
from typing import Any

from autobahn.wamp.exception import Error as AutobahnError
from autobahn.wamp.types import RegisterOptions, SubscribeOptions
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from ...declare.declared import Procedure, Subscription, describe
from ...errors import RegistrationFailed
from ...state import State
from ..session import Session
from ..threads import ElasticPool
from .calls import Calls
from .draining import drain
from .events import Events, HandlerQueue, Retained
from .gates import Limits
from .load import watch_load
from .refusals import CONFLICTS, kind_of

Declared = Procedure | Subscription


#: Seconds until it is asked for again, twice as long each time; and in which it is, all in all, by
#: processes that somebody watches: the session of a process that has died may take that long to go.
FIRST_DELAY = 0.2
PATIENCE = 10.0


def bind(
    session: Session,
    state: State,
    pool: ElasticPool,
    limits: Limits,
    patience: float = 0.0,
) -> "Deferred[ViewServer]":
    """Register the procedures of *state* with *session*, and make its subscriptions.

    :param limits: of the procedures' ``concurrency``, the same for every session of the process.
    :param patience: seconds to ask again for what somebody else has registered.

    :returns: fires with the server when all is registered, and fails with
        :class:`RegistrationFailed`, which names all that the router refused.
    """
    state.callers.renew(session.authrole)
    server = ViewServer(session, state, pool, limits)
    session.server = server
    registry = state.registry
    declared: list[Declared] = [*registry.procedures, *registry.subscriptions]
    return server.add_all(declared, patience).addCallback(_begin, state)


def _begin(server: "ViewServer", state: State) -> "ViewServer":
    """Let this process send durable events, whose handlers are there by now."""
    state.outbox.begin()
    return server


def _served_elsewhere(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands invocations and events to its server")


def _unanswered(_failure: Any) -> None:
    """Take the failure of a request that nobody waits for: the session has ended."""


@inlineCallbacks
def _holder_of(session: Session, uri: str, match: str) -> Any:
    """Return who has registered *uri*, in words; None where the router does not tell."""
    try:
        registration = yield session.call("wamp.registration.lookup", uri, {"match": match})
        found = yield session.call("wamp.registration.get", registration)
        callees = yield session.call("wamp.registration.list_callees", registration)
        holders = []
        for callee in callees[:3]:
            who = yield session.call("wamp.session.get", callee)
            holders.append(f"session {callee} (authid {who['authid']!r}, {who['authrole']!r})")
    except (AutobahnError, LookupError, TypeError):
        # It has gone meanwhile, or this role may not ask.
        return None
    return f"invoke={found['invoke']!r} at {', '.join(holders)}"


class ViewServer:
    """Registers and subscribes, and hands what comes to those who answer and handle it.

    Every method runs on the reactor's thread.
    """

    _log = Logger()
    #: Other processes of the application serve as well.
    shared = False

    def __init__(self, session: Session, state: State, pool: ElasticPool, limits: Limits) -> None:
        self.session = session
        self.calls = Calls(session, state.dispatcher, pool, limits)
        self.events = Events(session, state.dispatcher, pool, limits)
        # Straight to those who take them, the session's invocations and events.
        self.invoke = self.calls.invoke
        self.interrupt = self.calls.interrupt
        self.handle = self.events.handle
        self.lost = self.calls.lost
        self.pool = pool
        self._queues: weakref.WeakSet[HandlerQueue] = weakref.WeakSet()
        #: This process is about to end, and serves nothing new.
        self.is_draining = False
        self._dispatcher = state.dispatcher
        self._prefix = state.config.uri_prefix
        self._bound: dict[Declared, Any] = {}
        self._twins: dict[Subscription, Any] = {}
        watch_load(self, pool)

    @inlineCallbacks
    def add_all(self, declared: Sequence["Declared"], patience: float = 0.0) -> Any:
        """Register procedures and make subscriptions.

        :param patience: seconds to ask again for what somebody else has registered.
        :returns: fires with this server, or fails with :class:`RegistrationFailed`.
        """
        requests = [self._persist(each, patience) for each in declared]
        yield self._all_or_fail(declared, requests)
        return self

    @inlineCallbacks
    def _all_or_fail(self, declared: Sequence["Declared"], requests: Sequence[Any]) -> Any:
        results = yield DeferredList(requests, consumeErrors=True)
        refused = []
        for each, (success, result) in zip(declared, results, strict=True):
            if not success:
                reason = yield self._reason(each, result.value)
                refused.append(f"{self._describe(each)}: {reason}")
        if refused:
            raise RegistrationFailed("the router refused " + "; ".join(refused))

    @inlineCallbacks
    def _persist(self, declared: "Declared", patience: float) -> Any:
        """Ask for something, again and again where somebody else has it."""
        delay, waited = FIRST_DELAY, 0.0
        while True:
            try:
                yield self._request(declared)
            except AutobahnError as error:
                if kind_of(error) not in CONFLICTS or waited >= patience:
                    raise
            else:
                return
            yield self._pause(delay)
            waited += delay
            delay *= 2

    def _pause(self, seconds: float) -> "Deferred[None]":
        over: Deferred[None] = Deferred()
        self.pool.reactor.call_later(seconds, over.callback, None)
        return over

    def add(self, declared: "Declared") -> "Deferred[Any]":
        """Serve one more procedure or subscription, unless it is served."""
        return succeed(self) if declared in self._bound else self.add_all([declared])

    @inlineCallbacks
    def remove(self, declared: "Declared") -> Any:
        """Serve a procedure or subscription no more; what is under way is finished."""
        bound = self._bound.pop(declared, None)
        if bound is None:
            return
        if isinstance(declared, Procedure):
            yield bound.unregister()
            self.calls.forget(bound.id)
            self.calls.drop_limit(declared)
        else:
            self.events.remove(bound.id, declared)
            twin = self._twins.pop(declared, None)
            if twin is not None:
                yield twin.unsubscribe()
            yield bound.unsubscribe()
        self._dispatcher.forget(declared)

    def drain(self, grace: float) -> "Deferred[int]":
        """Serve nothing more, finish what has come; see :func:`.draining.drain`."""
        self.is_draining = True
        return drain(self, grace)

    def unfinished_events(self) -> int:
        """Return how many events are handled or wait, those of released subscriptions included."""
        return sum(queue.unfinished() for queue in self._queues)

    def release_all(self) -> "Deferred[Any]":
        """Unregister and unsubscribe everything; fires with the router's last answer.

        What comes until then is answered and handled.
        """
        return DeferredList([self.release(each) for each in list(self._bound)])

    @inlineCallbacks
    def release(self, declared: "Declared") -> Any:
        """Let the router send no more of what was declared; does not fail."""
        bound = self._bound.pop(declared, None)
        twin = self._twins.pop(declared, None)  # type: ignore[arg-type]
        try:
            if isinstance(declared, Procedure):
                yield bound.unregister()
                self.calls.forget(bound.id)
            else:
                if twin is not None:
                    yield twin.unsubscribe()
                yield bound.unsubscribe()
                self.events.remove(bound.id, declared)
        except Exception:  # noqa: BLE001
            # Another process has taken it over meanwhile, or the session has ended.
            self._log.debug("flask-wamp: {what} had gone", what=self._describe(declared))

    def revoked(self, number: int) -> None:
        """The router has taken a registration or subscription away, as somebody has asked it to."""
        revoked = [declared for declared, bound in self._bound.items() if bound.id == number]
        for declared in revoked:
            del self._bound[declared]
            self._tell_revoked(declared)
        self.calls.forget(number)
        self.events.forget(number)

    def _tell_revoked(self, declared: "Declared") -> None:
        self._log.error("flask-wamp: the router has revoked {what}", what=self._describe(declared))

    def _request(self, declared: "Declared", *, force: bool = False) -> "Deferred[Any]":
        """Register or subscribe; with *force* a registration is taken from who has it."""
        if isinstance(declared, Procedure):
            uri = declared.uri(self._prefix)
            options = RegisterOptions(
                match=declared.options.match,
                invoke=declared.options.policy(shared=self.shared),
                force_reregister=force or declared.options.force_reregister or None,
            )
            request = self.session.register(_served_elsewhere, uri, options)
        else:
            request = self._subscribe(declared)
        bound: Deferred[Any] = request.addCallback(self._bind, declared)
        return bound

    def _subscribe(self, declared: Subscription, **options: Any) -> "Deferred[Any]":
        match = declared.options.match
        request: Deferred[Any] = self.session.subscribe(
            _served_elsewhere, declared.topic, SubscribeOptions(match=match, **options)
        )
        return request

    def _bind(self, bound: Any, declared: "Declared") -> None:
        """Answer the invocations of a registration, or handle the events of a subscription."""
        self._bound[declared] = bound
        if isinstance(declared, Procedure):
            self.calls.serve(bound.id, declared.uri(self._prefix), declared)
        else:
            queue = self.events.serve(bound.id, declared)
            self._queues.add(queue)
            if declared.options.get_retained:
                # Asked for separately, and not waited for: Crossbar.io 26.10 leaves some of these
                # requests without an answer, though it sends the event.
                queue.retained = Retained.ASKED
                again = self._subscribe(declared, get_retained=True)
                again.addCallbacks(self._add_twin, _unanswered, callbackArgs=(declared, queue))
        if self.is_draining:
            self.release(declared)

    def _add_twin(self, twin: Any, declared: Subscription, queue: HandlerQueue) -> Any:
        """Keep the second subscription of a handler that wants the retained event."""
        if queue.retained is Retained.ASKED:
            queue.retained = Retained.NEXT
        if declared not in self._bound:
            return twin.unsubscribe()
        self._twins[declared] = twin
        return None

    def _describe(self, declared: "Declared") -> str:
        function = describe(declared.function)
        if isinstance(declared, Procedure):
            return f"the procedure {declared.uri(self._prefix)!r} of {function}"
        return f"the subscription to {declared.topic!r} of {function}"

    @inlineCallbacks
    def _reason(self, declared: "Declared", error: Any) -> Any:
        """Return why the router refused; for a conflict of procedures with both sides."""
        texts = [str(getattr(error, "error", "")), *(str(arg) for arg in error.args)]
        reason = " - ".join(text for text in texts if text) or type(error).__name__
        is_conflict = "procedure_" in getattr(error, "error", "")
        if not isinstance(declared, Procedure) or not is_conflict:
            return reason
        theirs = yield _holder_of(self.session, *declared.key(self._prefix))
        ours = f"invoke={declared.options.policy(shared=self.shared)!r} here"
        return f"{reason} ({ours}; {theirs})" if theirs else f"{reason} ({ours})"
