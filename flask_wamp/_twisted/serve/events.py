"""Events: to the handlers of their subscription, one after another; and what waits for slow ones."""

import time
import weakref
from enum import Enum
from typing import Any

from autobahn.wamp import message
from twisted.logger import Logger

from ...context import Event
from ...declare.declared import Subscription
from ...serve.dispatcher import Dispatcher
from ...tracing.carrier import unpack
from ...uris import pattern_parts
from ..identity import publisher_of
from ..session import Session
from ..threads import ElasticPool
from .backlog import Backlog
from .brake import Brake
from .gates import Limits
from .jobs import EventJob
from .overflow import EventCounts, Told, Waiting, packed, unpacked


class Retained(Enum):
    """Where a handler's request for the retained event stands."""

    NONE = 0
    #: It is under way; the event may come before the answer.
    ASKED = 1
    #: It is answered: if there is such an event, it is the next.
    NEXT = 2


class HandlerQueue:
    """The events that wait for one handler, which handles them one after another.

    With a *concurrency* above 1 it handles as many at a time. It outlives a session, so that what
    the next one brings is handled behind what the last one has brought. On the reactor's thread.
    """

    _log = Logger()

    def __init__(
        self, dispatcher: Dispatcher, subscription: Subscription, pool: ElasticPool
    ) -> None:
        self.subscription = subscription
        self.dispatcher = dispatcher
        self.retained = Retained.NONE
        self._options = subscription.options
        self._pool = pool
        self._brake: Brake | None = None
        self._backlog: Backlog[Waiting] = Backlog(
            self._options.queue, packed, unpacked, pool.reactor.put, self._go_on
        )
        self._running = 0
        self._dropped = 0
        self._blocked = 0.0
        self._blocked_since: float | None = None
        self._told = Told(self, pool.reactor.call_later)
        _queues.add(self)

    def counts(self) -> EventCounts:
        """Return how the events fare."""
        function = self.subscription.function
        return EventCounts(
            self.subscription.topic,
            self._options.match,
            f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}",
            self._running,
            len(self._backlog),
            self._backlog.spilled,
            self._dropped + self._backlog.lost,
            self._blocked_seconds(),
        )

    def begin(self, brake: Brake) -> None:
        """Take the events of a session.

        :param brake: keeps it from reading further ones.
        """
        self.retained = Retained.NONE
        self._end_block()
        self._brake = brake
        self._press()

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
        if self._running < self._options.concurrency and not self._backlog:
            self._run((event, args, kwargs))
            return
        if len(self._backlog) >= self._options.queue:
            self._told.begin()
            if self._options.overflow == "error":
                self._dropped += 1
                return
            if self._options.overflow == "drop_oldest":
                self._backlog.popleft()
                self._dropped += 1
        self._keep((event, args, kwargs))
        self._press()

    def finished(self) -> None:
        """Go on with the next event."""
        self._running -= 1
        self._go_on()

    def unfinished(self) -> int:
        """Return how many events are being handled, or wait."""
        return self._running + len(self._backlog)

    def _go_on(self) -> None:
        """Handle what waits, as far as it may be."""
        while self._running < self._options.concurrency:
            waiting = self._backlog.popleft()
            if waiting is None:
                break
            self._run(waiting)
        self._press()
        if not self._backlog:
            self._told.end()

    def _run(self, waiting: Waiting) -> None:
        self._running += 1
        self._pool.submit(EventJob(self, *waiting))

    def _keep(self, waiting: Waiting) -> None:
        try:
            self._backlog.append(waiting)
        except Exception as error:  # noqa: BLE001
            # What CBOR cannot carry is no value for a handler either.
            self._dropped += 1
            self._log.error(
                "flask-wamp: an event of {topic} is dropped, as it cannot be kept: {error}",
                topic=self.subscription.topic,
                error=f"{type(error).__name__}: {error}"[:500],
            )

    def _press(self) -> None:
        """Let the router keep what comes, or no longer."""
        backlog = self._backlog
        if backlog.is_behind:
            self._told.begin()
            self._told.failed(backlog.failure)
        is_full = len(backlog) >= self._options.queue and self._options.overflow == "block"
        if is_full or backlog.is_behind:
            if self._blocked_since is None and self._brake is not None:
                self._blocked_since = time.monotonic()
                self._brake.hold(self)
        elif self._blocked_since is not None:
            brake = self._brake
            self._end_block()
            if brake is not None:
                brake.release(self)

    def _end_block(self) -> None:
        self._blocked = self._blocked_seconds()
        self._blocked_since = None

    def _blocked_seconds(self) -> float:
        since = self._blocked_since
        return self._blocked + (0.0 if since is None else time.monotonic() - since)


_queues: "weakref.WeakSet[HandlerQueue]" = weakref.WeakSet()


def event_counts() -> list[EventCounts]:
    """Return how the events of each subscription of this process fare; from any thread."""
    return [queue.counts() for queue in list(_queues)]


class Events:
    """Hands the events of a session's subscriptions to their handlers; on the reactor's thread."""

    _log = Logger()

    def __init__(
        self, session: Session, dispatcher: Dispatcher, pool: ElasticPool, limits: Limits
    ) -> None:
        self._dispatcher = dispatcher
        self._pool = pool
        self._queues = limits.queues
        self._brake = session.brake = Brake(session, pool.reactor.call_later)
        self._handlers: dict[int, list[HandlerQueue]] = {}

    def serve(self, number: int, subscription: Subscription) -> HandlerQueue:
        """Handle the events of a subscription, with one more handler."""
        queue: HandlerQueue | None = self._queues.get(subscription)
        if queue is None:
            queue = HandlerQueue(self._dispatcher, subscription, self._pool)
            self._queues[subscription] = queue
        queue.begin(self._brake)
        self._handlers.setdefault(number, []).append(queue)
        return queue

    def remove(self, number: int, subscription: Subscription) -> None:
        """Let one handler of a subscription have no further event."""
        queues = self._handlers[number]
        queues[:] = [queue for queue in queues if queue.subscription is not subscription]
        self._queues.pop(subscription, None)

    def forget(self, number: int) -> None:
        """Handle no further event of a subscription, which is gone."""
        self._handlers.pop(number, None)

    def unfinished(self) -> int:
        """Return how many events of this process are being handled, or wait."""
        return sum(queue.unfinished() for queue in self._queues.values())

    def counts(self) -> list[EventCounts]:
        """Return how the events of each handler fare."""
        return [queue.counts() for queue in self._queues.values()]

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
                unpack(event.transaction_hash),
            )
            queue.put(context, list(event.args or ()), event.kwargs or {})
