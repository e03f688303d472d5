"""Events: to the handlers of their subscription, one after another."""

from collections import deque
from enum import Enum
from typing import Any

from autobahn.wamp import message
from twisted.logger import Logger

from ...context import Event
from ...declare.declared import Subscription, describe
from ...serve.dispatcher import Dispatcher
from ...uris import pattern_parts
from ..identity import publisher_of
from ..threads import ElasticPool
from .jobs import EventJob

#: Events that may wait for one slow handler; further ones are dropped, and logged.
WAITING_EVENTS = 10_000


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
            if self.dispatcher.meter is not None:
                self.dispatcher.meter.dropped(self.subscription.topic)

    def waiting(self) -> int:
        """Return how many events wait."""
        return len(self._events)

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


class Events:
    """Hands the events of a session's subscriptions to their handlers; on the reactor's thread."""

    _log = Logger()

    def __init__(self, dispatcher: Dispatcher, pool: ElasticPool) -> None:
        self._dispatcher = dispatcher
        self._pool = pool
        self._handlers: dict[int, list[HandlerQueue]] = {}

    def serve(self, number: int, subscription: Subscription) -> HandlerQueue:
        """Handle the events of a subscription, with one more handler."""
        queue = HandlerQueue(self._dispatcher, subscription, self._pool)
        self._handlers.setdefault(number, []).append(queue)
        return queue

    def remove(self, number: int, subscription: Subscription) -> None:
        """Let one handler of a subscription have no further event."""
        queues = self._handlers[number]
        queues[:] = [queue for queue in queues if queue.subscription is not subscription]

    def forget(self, number: int) -> None:
        """Handle no further event of a subscription, which is gone."""
        self._handlers.pop(number, None)

    def waiting(self) -> int:
        """Return how many events wait, of all handlers."""
        return sum(queue.waiting() for queues in self._handlers.values() for queue in queues)

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
