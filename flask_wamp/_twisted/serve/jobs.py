"""Calls and events on their way through the pool: what runs on its threads."""

import time
from typing import Any, Protocol

from autobahn.wamp import message
from twisted.logger import Logger

from ...context import Event, Invocation
from ...declare.declared import Procedure, Subscription, describe
from ...errors import ApplicationError
from ...payload import unfit_arguments, weight
from ...serve.arguments import invalid_argument
from ...serve.dispatcher import CallerGone, Dispatcher
from ...tracing.carrier import unpack
from ...uris import pattern_parts
from ..identity import caller_of
from ..replies import Reply
from ..threads import ReactorQueue
from .gates import Gate
from .window import Window


class CallOwner(Protocol):
    """Whose call a job answers; on the reactor's thread, but for ``dispatcher`` and ``reactor``."""

    dispatcher: Dispatcher
    reactor: ReactorQueue

    def enter(self, job: "CallJob") -> bool:
        """Let a job that has a place among the calls of its procedure pass the gate."""

    def stream(self, job: "CallJob") -> None:
        """A job sends the results of a generator."""

    def send_part(self, job: "CallJob", value: Any) -> None:
        """Send a progressive result."""

    def check_flow(self, job: "CallJob", reply: Reply) -> None:
        """Ask whether the caller of a job takes its results."""

    def gone(self, job: "CallJob") -> None:
        """Nobody is there any more whom the results of a job could go to."""

    def finished(self, job: "CallJob") -> None:
        """Send a job's outcome."""


class EventOwner(Protocol):
    """Whose event a job handles."""

    subscription: Subscription
    dispatcher: Dispatcher

    def finished(self) -> None:
        """Go on with the next event; on the reactor's thread."""


class CallJob:
    """One invocation on its way through the pool."""

    __slots__ = (
        "args", "arrived", "began", "declared", "error", "gate", "invocation", "kwargs", "limit",
        "owner", "procedure", "request", "streams_of", "taken", "token", "value",
    )  # fmt: skip

    def __init__(
        self, owner: CallOwner, msg: message.Invocation, uri: str, procedure: Procedure
    ) -> None:
        caller, authid, authrole = caller_of(msg)
        called = msg.procedure or uri
        carried = unpack(msg.transaction_hash)
        self.owner = owner
        self.request: int = msg.request
        #: When it came, in seconds of the monotonic clock; and its procedure's URI, or pattern.
        self.arrived = time.monotonic()
        self.declared = uri
        self.procedure = procedure
        self.invocation = Invocation(
            called,
            caller,
            authid,
            authrole,
            pattern_parts(uri, procedure.options.match, called),
            bool(msg.receive_progress),
            carried=carried,
        )
        self.args = list(msg.args or ())
        self.kwargs: dict[str, Any] = msg.kwargs or {}
        #: What its caller calls the stream of results, if it is one of ours.
        self.token = carried.stream
        self.gate: Gate | None = None
        self.limit: Gate | None = None
        self.streams_of: Gate | None = None
        self.taken: Window | None = None
        self.value: Any = None
        self.error: ApplicationError | None = None
        self.began: float | None = None

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
        send = Sender(self) if self.invocation.progress else None
        reason = unfit_arguments(self.args, self.kwargs)
        if reason is not None:
            self.error = invalid_argument(reason)
            return
        try:
            self.value = self.owner.dispatcher.call(
                self.procedure, self.invocation, self.args, self.kwargs, send
            )
        except ApplicationError as error:
            self.error = error

    def finish(self) -> None:
        """Hand the outcome to its owner; on the reactor's thread."""
        self.owner.finished(self)


class Sender:
    """Sends what a generator yields, as fast as its caller takes it; on the view's thread."""

    def __init__(self, job: CallJob) -> None:
        self._job = job
        owner = job.owner
        self._post = owner.reactor.put
        self._window = Window(
            lambda reply: owner.check_flow(job, reply),
            lambda: owner.gone(job),
            owner.reactor.put,
            owner.reactor.call_later,
        )
        self._streams = False

    def __call__(self, value: Any) -> None:
        """Send *value*, once there is room for it.

        :raises CallerGone: the caller has given up.
        """
        job = self._job
        if not self._streams:
            self._streams = True
            job.taken = self._window
            self._post(lambda: job.owner.stream(job))
        # Who waits for his caller is not stuck, nor is who has sent something lately.
        job.began = None
        self._window.take(weight(value))
        job.began = time.monotonic()
        if job.canceled:
            raise CallerGone
        self._post(lambda: job.owner.send_part(job, value))


class EventJob:
    """One event on its way through the pool."""

    __slots__ = ("_args", "_event", "_kwargs", "_queue", "began")

    _log = Logger()

    def __init__(
        self, queue: EventOwner, event: Event, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        self._queue = queue
        self._event = event
        self._args = args
        self._kwargs = kwargs
        self.began: float | None = None

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
        begun = time.monotonic()
        error: BaseException | None = None
        try:
            error = self._queue.dispatcher.handle(
                subscription, self._event, self._args, self._kwargs
            )
        except BaseException as exit_:  # noqa: BLE001
            error = exit_
            # sys.exit() in a handler must not take a thread, and the later events, with it.
            self._log.error(
                "flask-wamp: {handler} ended with {exit}",
                handler=describe(subscription.function),
                exit=type(exit_).__name__,
            )
        meter = self._queue.dispatcher.meter
        if meter is not None:
            meter.handled(subscription.topic, time.monotonic() - begun, failed=error is not None)

    def finish(self) -> None:
        """Let the next event be handled; on the reactor's thread."""
        self._queue.finished()
