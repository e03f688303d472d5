"""Registers an application's procedures with a session, and makes its subscriptions."""

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
from .events import Events, HandlerQueue, Retained
from .gates import Limits

Declared = Procedure | Subscription


def bind(
    session: Session, state: State, pool: ElasticPool, limits: Limits
) -> "Deferred[ViewServer]":
    """Register the procedures of *state* with *session*, and make its subscriptions.

    :param limits: of the procedures' ``concurrency``, the same for every session of the process.

    :returns: fires with the server when all is registered, and fails with
        :class:`RegistrationFailed`, which names all that the router refused.
    """
    state.callers.renew(session.authrole)
    server = ViewServer(session, state, pool, limits)
    session.server = server
    watch_load(server, pool)
    registry = state.registry
    return server.add_all([*registry.procedures, *registry.subscriptions])


def watch_load(server: "ViewServer", pool: ElasticPool) -> None:
    """Let what *server* has to do be looked at, where the application's metrics are on."""
    meter = server.calls.dispatcher.meter
    if meter is not None:
        meter.watch(server, pool.reactor.call_later)


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
        self.events = Events(state.dispatcher, pool)
        # Straight to those who take them, the session's invocations and events.
        self.invoke = self.calls.invoke
        self.interrupt = self.calls.interrupt
        self.handle = self.events.handle
        self.lost = self.calls.lost
        self._dispatcher = state.dispatcher
        self._prefix = state.config.uri_prefix
        self._bound: dict[Declared, Any] = {}
        self._twins: dict[Subscription, Any] = {}

    def add_all(self, declared: Sequence["Declared"]) -> "Deferred[ViewServer]":
        """Register procedures and make subscriptions.

        :returns: fires with this server, or fails with :class:`RegistrationFailed`.
        """
        requests = [self._request(each) for each in declared]

        @inlineCallbacks
        def report(results: list[tuple[bool, Any]]) -> Any:
            refused = []
            for each, (success, result) in zip(declared, results, strict=True):
                if not success:
                    reason = yield self._reason(each, result.value)
                    refused.append(f"{self._describe(each)}: {reason}")
            if refused:
                raise RegistrationFailed("the router refused " + "; ".join(refused))
            return self

        return DeferredList(requests, consumeErrors=True).addCallback(report)

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

    def revoked(self, number: int) -> None:
        """The router has taken a registration or subscription away, as somebody has asked it to."""
        revoked = [declared for declared, bound in self._bound.items() if bound.id == number]
        for declared in revoked:
            del self._bound[declared]
            self._log.error(
                "flask-wamp: the router has revoked {what}", what=self._describe(declared)
            )
        self.calls.forget(number)
        self.events.forget(number)

    def over(self) -> bool:
        """Tell whether the session has ended."""
        return not self.session.is_attached()

    def running_calls(self) -> int:
        """Return how many calls have no answer yet."""
        return self.calls.running()

    def waiting_calls(self) -> int:
        """Return how many of these wait for a place."""
        return self.calls.waiting()

    def waiting_events(self) -> int:
        """Return how many events wait for their handlers."""
        return self.events.waiting()

    def _request(self, declared: "Declared") -> "Deferred[Any]":
        if isinstance(declared, Procedure):
            uri = declared.uri(self._prefix)
            options = RegisterOptions(
                match=declared.options.match,
                invoke=declared.options.policy(shared=self.shared),
                force_reregister=declared.options.force_reregister or None,
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
            if declared.options.get_retained:
                # Asked for separately, and not waited for: Crossbar.io 26.10 leaves some of these
                # requests without an answer, though it sends the event.
                queue.retained = Retained.ASKED
                again = self._subscribe(declared, get_retained=True)
                again.addCallbacks(self._add_twin, _unanswered, callbackArgs=(declared, queue))

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
