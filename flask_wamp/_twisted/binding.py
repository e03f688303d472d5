"""Serves an application's procedures and subscriptions through a session."""

from collections import deque
from typing import Any

from autobahn.wamp import message
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..context import Event, Invocation
from ..errors import (
    CANCELED,
    INVALID_PAYLOAD,
    RUNTIME_ERROR,
    UNAVAILABLE,
    ApplicationError,
    RegistrationFailed,
)
from ..registry import Procedure, Subscription, describe
from ..state import State
from .pool import GATE, ElasticPool, Gate
from .session import Session, caller_of, publisher_of

#: Calls that may wait for a thread, of each kind of caller; one more is told "busy".
WAITING_CALLS = 4096
#: Events that may wait for one slow handler; further ones are dropped, and logged.
WAITING_EVENTS = 10_000


def bind(session: Session, state: State, pool: ElasticPool) -> "Deferred[ViewServer]":
    """Register the procedures of *state* with *session*, and make its subscriptions.

    :returns: fires with the server when all is registered, and fails with
        :class:`RegistrationFailed`, which names all that the router refused.
    """
    server = ViewServer(session, state, pool)
    session.server = server
    requests: list[Deferred[Any]] = []
    names: list[str] = []
    for uri, procedure in state.registry.resolved(state.config.uri_prefix).items():
        names.append(f"the procedure {uri!r} of {describe(procedure.function)}")
        registered = session.register(_served_elsewhere, uri)
        requests.append(registered.addCallback(server.add_procedure, uri, procedure))
    for subscription in state.registry.subscriptions:
        names.append(
            f"the subscription to {subscription.topic!r} of {describe(subscription.function)}"
        )
        subscribed = session.subscribe(_served_elsewhere, subscription.topic)
        requests.append(subscribed.addCallback(server.add_subscription, subscription))

    def report(results: list[tuple[bool, Any]]) -> ViewServer:
        refused = [
            f"{name}: {_reason(result)}"
            for name, (success, result) in zip(names, results, strict=True)
            if not success
        ]
        if refused:
            raise RegistrationFailed("the router refused " + "; ".join(refused))
        return server

    return DeferredList(requests, consumeErrors=True).addCallback(report)


def _served_elsewhere(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands invocations and events to its server")


def _reason(failure: Failure) -> str:
    error = failure.value
    texts = [str(getattr(error, "error", "")), *(str(arg) for arg in getattr(error, "args", ()))]
    return " - ".join(text for text in texts if text) or type(error).__name__


class ViewServer:
    """Brings invocations and events to the pool, and their outcomes back to the session.

    Every method runs on the reactor's thread.
    """

    _log = Logger()

    def __init__(self, session: Session, state: State, pool: ElasticPool) -> None:
        self._session = session
        self.dispatcher = state.dispatcher
        self._pool = pool
        self._procedures: dict[int, tuple[str, Procedure]] = {}
        self._handlers: dict[int, list[HandlerQueue]] = {}
        self._running: dict[int, CallJob] = {}
        width = max(GATE, pool.base)
        self._outside = Gate(pool, width, WAITING_CALLS)
        self._colleagues = Gate(pool, width, WAITING_CALLS)

    def add_procedure(self, registration: Any, uri: str, procedure: Procedure) -> None:
        """Answer the invocations of *registration* with *procedure*."""
        self._procedures[registration.id] = (uri, procedure)

    def add_subscription(self, subscribed: Any, subscription: Subscription) -> None:
        """Handle the events of *subscribed* with *subscription*, beside its other handlers."""
        queue = HandlerQueue(self.dispatcher, subscription, self._pool)
        self._handlers.setdefault(subscribed.id, []).append(queue)

    def invoke(self, invocation: message.Invocation) -> None:
        """Begin to answer an invocation."""
        uri, procedure = self._procedures[invocation.registration]
        if invocation.enc_algo:
            error = ApplicationError(INVALID_PAYLOAD, "encrypted payload is not supported")
            self._session.refuse(invocation.request, error)
            return
        caller, authid, authrole = caller_of(invocation)
        job = CallJob(
            self,
            invocation.request,
            procedure,
            Invocation(invocation.procedure or uri, caller, authid, authrole),
            list(invocation.args or ()),
            invocation.kwargs or {},
        )
        job.gate = self._gate_for(job.invocation)
        self._running[invocation.request] = job
        if job.gate is None:
            self._pool.submit(job)
        elif not job.gate.admit(job):
            del self._running[invocation.request]
            text = f"busy: {WAITING_CALLS} calls wait for a thread already"
            self._session.refuse(
                invocation.request,
                ApplicationError(UNAVAILABLE, text, status=503, description=text),
            )

    def interrupt(self, request: int) -> None:
        """Answer with "canceled"; a view that runs already runs on, for nobody."""
        job = self._running.pop(request, None)
        if job is None:
            return
        job.canceled = True
        if job.gate is not None and job.gate.withdraw(job):
            job.gate = None
        self._session.refuse(request, ApplicationError(CANCELED, "the call was canceled"))

    def handle(self, event: message.Event) -> None:
        """Queue an event for each handler of its subscription."""
        publisher, authid, authrole = publisher_of(event)
        for queue in self._handlers.get(event.subscription, ()):
            context = Event(
                event.topic or queue.topic, event.publication, publisher, authid, authrole
            )
            queue.put(context, list(event.args or ()), event.kwargs or {})

    def lost(self) -> None:
        """Forget the calls that run: the router has told their callers."""
        for job in self._running.values():
            job.canceled = True
        self._running.clear()

    def finished(self, job: "CallJob") -> None:
        """Send a job's outcome, unless its caller has given up."""
        if job.gate is not None:
            job.gate.leave()
        if job.canceled:
            return
        del self._running[job.request]
        if job.error is not None:
            self._session.refuse(job.request, job.error)
        else:
            self._session.answer(job.request, job.value)

    def _gate_for(self, invocation: Invocation) -> Gate | None:
        """Return the gate that a call has to pass; none for calls of this process's own views.

        A view that waits for a view of this process holds a thread until that one has run, so
        the inner call must not wait for the outer ones to finish. Services of the same role have
        a gate of their own, so that strangers cannot keep them out. Where the router does not
        disclose callers, what this process awaits tells its own calls.
        """
        session = self._session
        if invocation.caller is None:
            return None if session.awaits(invocation.uri) else self._outside
        if invocation.caller == session.session_id:
            return None
        return self._colleagues if invocation.caller_authrole == session.authrole else self._outside


class CallJob:
    """One invocation on its way through the pool."""

    __slots__ = (
        "args", "canceled", "error", "gate", "invocation", "kwargs", "procedure", "request",
        "server", "value",
    )  # fmt: skip

    def __init__(
        self,
        server: ViewServer,
        request: int,
        procedure: Procedure,
        invocation: Invocation,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> None:
        self.server = server
        self.request = request
        self.procedure = procedure
        self.invocation = invocation
        self.args = args
        self.kwargs = kwargs
        self.gate: Gate | None = None
        self.canceled = False
        self.value: Any = None
        self.error: ApplicationError | None = None

    def run(self) -> None:
        """Run the view, unless the caller has given up already."""
        if self.canceled:
            return
        try:
            self.value = self.server.dispatcher.call(
                self.procedure, self.invocation, self.args, self.kwargs
            )
        except ApplicationError as error:
            self.error = error
        except BaseException as exit_:  # noqa: BLE001
            # sys.exit() in a view must not take a thread, and the caller's answer, with it.
            self.error = ApplicationError(
                RUNTIME_ERROR, f"the procedure ended with {type(exit_).__name__}"
            )

    def finish(self) -> None:
        """Hand the outcome to the server."""
        self.server.finished(self)


class HandlerQueue:
    """The events that wait for one handler, which handles them one after another."""

    _log = Logger()

    def __init__(self, dispatcher: Any, subscription: Subscription, pool: ElasticPool) -> None:
        self.topic = subscription.topic
        self._dispatcher = dispatcher
        self._subscription = subscription
        self._pool = pool
        self._events: deque[tuple[Event, list[Any], dict[str, Any]]] = deque()
        self._busy = False
        self._dropped = 0

    def put(self, event: Event, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Handle an event after those that came before; on the reactor's thread."""
        if len(self._events) >= WAITING_EVENTS:
            if self._dropped == 0:
                self._log.error(
                    "flask-wamp: {waiting} events of {topic} wait for {handler} already; further "
                    "ones are dropped until it has caught up",
                    waiting=len(self._events),
                    topic=self.topic,
                    handler=describe(self._subscription.function),
                )
            self._dropped += 1
            return
        self._events.append((event, args, kwargs))
        if not self._busy:
            self._busy = True
            self._pool.submit(self)

    def run(self) -> None:
        """Handle the next event; on a thread of the pool."""
        event, args, kwargs = self._events.popleft()
        try:
            self._dispatcher.handle(self._subscription, event, args, kwargs)
        except BaseException as exit_:  # noqa: BLE001
            # sys.exit() in a handler must not take a thread, and the later events, with it.
            self._log.error(
                "flask-wamp: {handler} ended with {exit}",
                handler=describe(self._subscription.function),
                exit=type(exit_).__name__,
            )

    def finish(self) -> None:
        """Go on with the next event; on the reactor's thread."""
        if self._events:
            self._pool.submit(self)
            return
        self._busy = False
        if self._dropped:
            self._log.error(
                "flask-wamp: {dropped} events of {topic} were dropped",
                dropped=self._dropped,
                topic=self.topic,
            )
            self._dropped = 0
