"""Calls and events on their way through the pool, and the events that wait for their handler."""

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any

from autobahn.wamp import message
from twisted.logger import Logger

from ..arguments import invalid_argument
from ..context import Event, Invocation
from ..dispatcher import CallerGone, Dispatcher
from ..errors import ApplicationError
from ..payload import unfit_arguments, weight
from ..registry import Procedure, Subscription, describe
from ..uris import pattern_parts
from .flow import MAX_TOKEN, Window
from .pool import ElasticPool, Gate
from .session import caller_of

if TYPE_CHECKING:
    from .binding import ViewServer

#: Events that may wait for one slow handler; further ones are dropped, and logged.
WAITING_EVENTS = 10_000


class CallJob:
    """One invocation on its way through the pool."""

    __slots__ = (
        "args", "error", "gate", "invocation", "kwargs", "limit", "procedure", "request", "server",
        "started", "streams_of", "taken", "token", "value",
    )  # fmt: skip

    def __init__(
        self, server: "ViewServer", msg: message.Invocation, uri: str, procedure: Procedure
    ) -> None:
        caller, authid, authrole = caller_of(msg)
        called = msg.procedure or uri
        self.server = server
        self.request: int = msg.request
        self.procedure = procedure
        self.invocation = Invocation(
            called,
            caller,
            authid,
            authrole,
            pattern_parts(uri, procedure.options.match, called),
            bool(msg.receive_progress),
        )
        self.args = list(msg.args or ())
        self.kwargs: dict[str, Any] = msg.kwargs or {}
        #: What its caller calls the stream of results, if it is one of ours.
        token = msg.transaction_hash
        self.token: str | None = token if token is None or len(token) <= MAX_TOKEN else None
        self.gate: Gate | None = None
        self.limit: Gate | None = None
        self.streams_of: Gate | None = None
        self.taken: Window | None = None
        self.started = False
        self.value: Any = None
        self.error: ApplicationError | None = None

    @property
    def canceled(self) -> bool:
        """Whether the caller has given up."""
        return self.invocation.cancelled

    def cancel(self) -> None:
        """The caller has given up."""
        self.invocation.cancellation.set()
        if self.taken is not None:
            self.taken.close()

    def run(self) -> None:
        """Run the view, unless the caller has given up already."""
        if self.canceled:
            return
        self.started = True
        send = Sender(self) if self.invocation.progress else None
        reason = unfit_arguments(self.args, self.kwargs)
        if reason is not None:
            self.error = invalid_argument(reason)
            return
        try:
            self.value = self.server.dispatcher.call(
                self.procedure, self.invocation, self.args, self.kwargs, send
            )
        except ApplicationError as error:
            self.error = error

    def finish(self) -> None:
        """Hand the outcome to the server."""
        self.server.finished(self)


class Sender:
    """Sends what a generator yields, as fast as its caller takes it; on the view's thread."""

    def __init__(self, job: CallJob) -> None:
        self._job = job
        reactor = job.server.reactor
        self._post = reactor.put
        self._window = Window(job, reactor.put, reactor.call_later)
        self._streams = False

    def __call__(self, value: Any) -> None:
        """Send *value*, once there is room for it.

        :raises CallerGone: the caller has given up.
        """
        job = self._job
        if not self._streams:
            self._streams = True
            job.taken = self._window
            self._post(lambda: job.server.stream(job))
        self._window.take(weight(value))
        if job.canceled:
            raise CallerGone
        self._post(lambda: job.server.send_part(job, value))


class Retained(Enum):
    """Where a handler's request for the retained event stands."""

    NONE = 0
    #: It is under way; the event may come before the answer.
    ASKED = 1
    #: It is answered: if there is such an event, it is the next.
    NEXT = 2


class HandlerQueue:
    """The events that wait for one handler, which handles them one after another.

    With a *concurrency* above 1 it handles as many at a time. On the reactor's thread.
    """

    _log = Logger()

    def __init__(
        self, dispatcher: Dispatcher, subscription: Subscription, pool: ElasticPool
    ) -> None:
        self.subscription = subscription
        self.dispatcher = dispatcher
        self._pool = pool
        self.retained = Retained.NONE
        self._events: deque[EventJob] = deque()
        self._running = 0
        self._dropped = 0

    def wants(self, *, retained: bool) -> bool:
        """Tell whether an event is for this handler; a retained one comes for each that asked."""
        if retained:
            asked = self.retained is not Retained.NONE
            self.retained = Retained.NONE
            return asked
        if self.retained is Retained.NEXT:
            self.retained = Retained.NONE
        return True

    def put(self, event: Event, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Handle an event after those that came before."""
        job = EventJob(self, event, args, kwargs)
        if self._running < self.subscription.options.concurrency:
            self._running += 1
            self._pool.submit(job)
        elif len(self._events) < WAITING_EVENTS:
            self._events.append(job)
        else:
            if self._dropped == 0:
                self._log.error(
                    "flask-wamp: {waiting} events of {topic} wait for {handler} already; further "
                    "ones are dropped until it has caught up",
                    waiting=len(self._events),
                    topic=self.subscription.topic,
                    handler=describe(self.subscription.function),
                )
            self._dropped += 1

    def finished(self) -> None:
        """Go on with the next event."""
        if self._events:
            self._pool.submit(self._events.popleft())
            return
        self._running -= 1
        if self._dropped:
            self._log.error(
                "flask-wamp: {dropped} events of {topic} were dropped",
                dropped=self._dropped,
                topic=self.subscription.topic,
            )
            self._dropped = 0


class EventJob:
    """One event on its way through the pool."""

    __slots__ = ("_args", "_event", "_kwargs", "_queue")

    _log = Logger()

    def __init__(
        self, queue: HandlerQueue, event: Event, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        self._queue = queue
        self._event = event
        self._args = args
        self._kwargs = kwargs

    def run(self) -> None:
        """Handle the event; on a thread of the pool."""
        subscription = self._queue.subscription
        reason = unfit_arguments(self._args, self._kwargs)
        if reason is not None:
            self._log.error(
                "flask-wamp: an event of {topic} for {handler} is dropped: {reason}",
                topic=self._event.uri,
                handler=describe(subscription.function),
                reason=reason,
            )
            return
        try:
            self._queue.dispatcher.handle(subscription, self._event, self._args, self._kwargs)
        except BaseException as exit_:  # noqa: BLE001
            # sys.exit() in a handler must not take a thread, and the later events, with it.
            self._log.error(
                "flask-wamp: {handler} ended with {exit}",
                handler=describe(subscription.function),
                exit=type(exit_).__name__,
            )

    def finish(self) -> None:
        """Let the next event be handled; on the reactor's thread."""
        self._queue.finished()
