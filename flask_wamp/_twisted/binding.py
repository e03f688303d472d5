"""Serves an application's procedures and subscriptions through a session."""

from collections.abc import Sequence
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.exception import Error as AutobahnError
from autobahn.wamp.types import RegisterOptions, SubscribeOptions
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks, succeed
from twisted.logger import Logger

from ..context import Event, Invocation
from ..errors import (
    CANCELED,
    INVALID_PAYLOAD,
    NO_SUCH_PROCEDURE,
    UNAVAILABLE,
    ApplicationError,
    RegistrationFailed,
)
from ..registry import Procedure, Subscription, describe
from ..state import State
from ..uris import pattern_parts
from .jobs import CallJob, HandlerQueue, Retained
from .pool import GATE, STREAMS, STREAMS_OF_A_STRANGER, ElasticPool, Gate
from .session import Session, publisher_of

Declared = Procedure | Subscription

#: Calls that may wait for a thread, of each kind of caller; one more is told "busy".
WAITING_CALLS = 4096


def bind(session: Session, state: State, pool: ElasticPool) -> "Deferred[ViewServer]":
    """Register the procedures of *state* with *session*, and make its subscriptions.

    :returns: fires with the server when all is registered, and fails with
        :class:`RegistrationFailed`, which names all that the router refused.
    """
    server = ViewServer(session, state, pool)
    session.server = server
    registry = state.registry
    return server.add_all([*registry.procedures, *registry.subscriptions])


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
    """Brings invocations and events to the pool, and their outcomes back to the session.

    Every method runs on the reactor's thread.
    """

    _log = Logger()

    def __init__(self, session: Session, state: State, pool: ElasticPool) -> None:
        self.session = session
        self.dispatcher = state.dispatcher
        self._prefix = state.config.uri_prefix
        self._pool = pool
        self.reactor = pool.reactor
        self._bound: dict[Declared, Any] = {}
        self._twins: dict[Subscription, Any] = {}
        self._procedures: dict[int, tuple[str, Procedure]] = {}
        self._handlers: dict[int, list[HandlerQueue]] = {}
        self._running: dict[int, CallJob] = {}
        width = max(GATE, pool.base)
        self._outside = Gate(pool.submit, width, WAITING_CALLS)
        self._colleagues = Gate(pool.submit, width, WAITING_CALLS)

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
            self._procedures.pop(bound.id, None)
            self._pool.forget(declared)
        else:
            queues = self._handlers[bound.id]
            queues[:] = [queue for queue in queues if queue.subscription is not declared]
            twin = self._twins.pop(declared, None)
            if twin is not None:
                yield twin.unsubscribe()
            yield bound.unsubscribe()
        self.dispatcher.forget(declared)

    def invoke(self, invocation: message.Invocation) -> None:
        """Begin to answer an invocation."""
        found = self._procedures.get(invocation.registration)
        if found is None:
            error = ApplicationError(NO_SUCH_PROCEDURE, "the procedure has been removed")
            self.session.refuse(invocation.request, error)
            return
        job = CallJob(self, invocation, *found)
        if invocation.payload is not None:
            error = ApplicationError(
                INVALID_PAYLOAD, "payload that the router does not read is not supported"
            )
            self.session.refuse(invocation.request, error)
            return
        job.gate = self._gate_for(job.invocation)
        job.limit = self._pool.limit_of(job.procedure, _enter, WAITING_CALLS)
        self._running[invocation.request] = job
        if job.limit is None:
            self.enter(job)
        elif not job.limit.admit(job):
            job.limit = None
            self._refuse_busy(job, "as many calls of it as may wait do so already")

    def enter(self, job: CallJob) -> None:
        """Let a job that has a place among the calls of its procedure pass the gate."""
        if job.gate is None or job.canceled:
            job.gate = None
            self._pool.submit(job)
        elif not job.gate.admit(job):
            job.gate = None
            self._refuse_busy(job, f"{WAITING_CALLS} calls wait for a thread already")

    def interrupt(self, request: int) -> None:
        """Answer with "canceled"; a view that runs already runs on, for nobody."""
        job = self._running.pop(request, None)
        if job is None:
            return
        self._withdraw(job)
        job.cancel()
        self.session.refuse(request, ApplicationError(CANCELED, "the call was canceled"))

    def handle(self, event: message.Event) -> None:
        """Queue an event for each handler of its subscription."""
        if event.payload is not None:
            self._log.error(
                "flask-wamp: an event is dropped: payload that the router does not read is not "
                "supported"
            )
            return
        publisher, authid, authrole = publisher_of(event)
        for queue in self._handlers.get(event.subscription, ()):
            if not queue.wants(retained=bool(event.retained)):
                continue
            options = queue.subscription.options
            topic = event.topic or queue.subscription.topic
            context = Event(
                topic,
                event.publication,
                publisher,
                authid,
                authrole,
                pattern_parts(queue.subscription.topic, options.match, topic),
                bool(event.retained),
            )
            queue.put(context, list(event.args or ()), event.kwargs or {})

    def revoked(self, number: int) -> None:
        """The router has taken a registration or subscription away, as somebody has asked it to."""
        revoked = [declared for declared, bound in self._bound.items() if bound.id == number]
        for declared in revoked:
            del self._bound[declared]
            self._log.error(
                "flask-wamp: the router has revoked {what}", what=self._describe(declared)
            )
        self._procedures.pop(number, None)
        self._handlers.pop(number, None)

    def lost(self) -> None:
        """Forget the calls that run: the router has told their callers."""
        for job in self._running.values():
            job.cancel()
        self._running.clear()

    def stream(self, job: CallJob) -> None:
        """A job sends the results of a generator: it may take long, and leaves its gate."""
        gate, job.gate = job.gate, None
        if gate is None:
            return
        gate.leave()
        # A service has one session for all of its users, a stranger one for itself.
        each = STREAMS if gate is self._colleagues else STREAMS_OF_A_STRANGER
        caller = job.invocation.caller
        if gate.streams.total() < STREAMS and gate.streams[caller] < each:
            gate.streams[caller] += 1
            job.streams_of = gate
        elif not job.canceled:
            job.cancel()
            self._refuse_busy(job, "as many calls as may send results do so already")

    def gone(self, job: CallJob) -> None:
        """The router has no session any more that the results of a job could go to."""
        self._running.pop(job.request, None)
        job.cancel()

    def send_part(self, job: CallJob, value: Any) -> None:
        """Send a progressive result, unless its caller has given up."""
        if job.canceled:
            return
        try:
            self.session.progress(job.request, value)
        except Exception as error:  # noqa: BLE001
            # As with a result: serializers raise errors of their own.
            self._running.pop(job.request, None)
            job.cancel()
            self.session.refuse_unfit(job.request, error)

    def finished(self, job: CallJob) -> None:
        """Send a job's outcome, unless its caller has given up."""
        if job.gate is not None:
            job.gate.leave()
        if job.limit is not None:
            job.limit.leave()
        if job.streams_of is not None:
            job.streams_of.end_stream(job.invocation.caller)
        if job.canceled:
            return
        del self._running[job.request]
        if job.error is not None:
            self.session.refuse(job.request, job.error)
        else:
            self.session.answer(job.request, job.value)

    def _request(self, declared: "Declared") -> "Deferred[Any]":
        if isinstance(declared, Procedure):
            uri = declared.uri(self._prefix)
            options = RegisterOptions(
                match=declared.options.match,
                invoke=declared.options.invoke,
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
            self._procedures[bound.id] = (declared.uri(self._prefix), declared)
        else:
            queue = HandlerQueue(self.dispatcher, declared, self._pool)
            self._handlers.setdefault(bound.id, []).append(queue)
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
        ours = f"invoke={declared.options.invoke!r} here"
        return f"{reason} ({ours}; {theirs})" if theirs else f"{reason} ({ours})"

    def _withdraw(self, job: CallJob) -> None:
        """Give back the places of a job that will not start."""
        if job.limit is not None and job.limit.withdraw(job):
            job.limit = job.gate = None
        elif job.gate is not None and job.gate.withdraw(job):
            job.gate = None
            if job.limit is not None:
                job.limit.leave()
                job.limit = None

    def _refuse_busy(self, job: CallJob, reason: str) -> None:
        text = f"busy: {reason}"
        self._running.pop(job.request, None)
        if job.limit is not None and not job.started:
            job.limit.leave()
            job.limit = None
        self.session.refuse(
            job.request, ApplicationError(UNAVAILABLE, text, status=503, description=text)
        )

    def _gate_for(self, invocation: Invocation) -> Gate | None:
        """Return the gate that a call has to pass; none for calls of this process's own views.

        A view that waits for a view of this process holds a thread until that one has run, so
        the inner call must not wait for the outer ones to finish. Services of the same role have
        a gate of their own, so that strangers cannot keep them out. Where the router does not
        disclose callers, what this process awaits tells its own calls.
        """
        session = self.session
        if invocation.caller is None:
            return None if session.awaits(invocation.uri) else self._outside
        if invocation.caller == session.session_id:
            return None
        return self._colleagues if invocation.caller_authrole == session.authrole else self._outside


def _enter(job: CallJob) -> None:
    job.server.enter(job)
