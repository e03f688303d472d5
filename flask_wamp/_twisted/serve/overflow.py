"""Events for which a handler is too slow: on their way to the disk, counted, and told of in the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import cbor2
from twisted.logger import Logger

from ...context import Event
from ...declare.declared import Subscription, describe
from ...tracing.carrier import Carried

#: Seconds between two lines of the log that say the same of a handler.
PAUSE = 60.0

#: How deep an event may be that is read again: any that a serializer has read. Who handles it refuses it.
MAX_DEPTH = 2000

#: An event, and its positional and keyword payload.
Waiting = tuple[Event, list[Any], dict[str, Any]]

_FIELDS = tuple(field.name for field in fields(Event))


def packed(waiting: Waiting) -> bytes:
    """Return an event as bytes.

    :raises Exception: it has what CBOR cannot carry.
    """
    event, args, kwargs = waiting
    return cbor2.dumps([[getattr(event, name) for name in _FIELDS], args, kwargs])


def unpacked(data: bytes) -> Waiting:
    """Return the event that :func:`packed` has made *data* of."""
    values, args, kwargs = cbor2.loads(data, max_depth=MAX_DEPTH)
    known = dict(zip(_FIELDS, values, strict=True))
    tuples = {"parts": tuple(known["parts"]), "carried": Carried(*known["carried"])}
    return Event(**{**known, **tuples}), args, kwargs


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How the events of one subscription fare in this process, at one moment.

    :ivar topic: what is subscribed to, as it is declared.
    :ivar match: how that is a pattern, or ``exact``.
    :ivar handler: the function, as ``module.name``.
    :ivar running: events that are being handled.
    :ivar waiting: events that wait for the handler, in memory and on disk.
    :ivar spilled: events for which there was no room in memory, all in all.
    :ivar dropped: events that nobody has handled and nobody will, all in all.
    :ivar blocked: seconds for which the connection was not to be read, all in all.
    """

    topic: str
    match: str
    handler: str
    running: int
    waiting: int
    spilled: int
    dropped: int
    blocked: float


class Queue(Protocol):
    """What is told of."""

    subscription: Subscription

    def counts(self) -> EventCounts:
        """Return how its events fare."""


class Told:
    """What the log says of a slow handler: when it begins, how it ended, each once a minute.

    On the reactor's thread.
    """

    _log = Logger()

    def __init__(self, queue: Queue, call_later: Callable[..., Any]) -> None:
        self._queue = queue
        self._call_later = call_later
        self._is_on = False
        self._begun = self._ended = self._failed = -PAUSE
        self._timer: Any = None
        #: The counts when there first was no room, of what the log has yet to sum up.
        self._before: EventCounts | None = None

    def begin(self) -> None:
        """There is no room for an event."""
        if self._is_on:
            return
        self._is_on = True
        now = self._queue.counts()
        self._before = self._before or now
        if time.monotonic() - self._begun < PAUSE:
            return
        self._begun = time.monotonic()
        overflow = self._queue.subscription.options.overflow
        tell = self._log.error if overflow == "error" else self._log.warn
        tell(
            "flask-wamp: {waiting} events of {topic} wait for {handler} already; {what}",
            waiting=now.waiting,
            topic=now.topic,
            handler=describe(self._queue.subscription.function),
            what=_WHAT[overflow],
        )

    def failed(self, failure: OSError | None) -> None:
        """The disk does not take what comes, because of *failure* or as it is slow."""
        if time.monotonic() - self._failed < PAUSE:
            return
        self._failed = time.monotonic()
        self._log.error(
            "flask-wamp: events of {topic} cannot wait on disk, so the router keeps what comes: "
            "{failure} -- make room, or let TMPDIR name another directory",
            topic=self._queue.subscription.topic,
            failure=str(failure or "it is too slow"),
        )

    def end(self) -> None:
        """No event waits any more."""
        if self._is_on:
            self._is_on = False
            if self._timer is None:
                wait = self._ended + PAUSE - time.monotonic()
                if wait > 0:
                    self._timer = self._call_later(wait, self._sum_up)
                else:
                    self._sum_up()

    def _sum_up(self) -> None:
        self._timer = None
        self._ended = time.monotonic()
        before, now = self._before, self._queue.counts()
        # What is going on by now is summed up at its end.
        self._before = now if self._is_on else None
        assert before is not None  # noqa: S101  # nosec B101
        dropped = now.dropped - before.dropped
        tell = self._log.error if dropped else self._log.warn
        tell(
            "flask-wamp: {handler} has caught up: {dropped} events of {topic} were dropped, "
            "{spilled} had waited on disk, and for {blocked} s nothing was read",
            handler=now.handler,
            dropped=dropped,
            topic=now.topic,
            spilled=now.spilled - before.spilled,
            blocked=f"{now.blocked - before.blocked:.1f}",
        )


_WHAT = {
    "spill": "further ones wait on disk",
    "block": "this process reads no further ones until it has caught up",
    "drop_oldest": "for each further one the oldest is dropped",
    "error": "further ones are dropped until it has caught up",
}
