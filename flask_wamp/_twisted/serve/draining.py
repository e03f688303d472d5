"""How a process stops serving without a call that fails.

A router sends invocations until it has answered that a registration is gone, and events until it has
answered that a subscription is. So these answers are waited for, and what comes meanwhile is answered
and handled as ever. (``leave()`` alone fails the calls that are under way; WAMP spec, 4.4 and 9.3.)

A view that runs may call a procedure of the process that it runs in. Where another process serves it
too, or has taken it over, that is who answers; a process that is the only one and stops cannot: the
inner call fails at once with ``wamp.error.no_such_procedure``.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger

from ..threads import ElasticPool
from .calls import Calls
from .jobs import EventJob

_log = Logger()


class Drained(Protocol):
    """What can be drained; on the reactor's thread."""

    calls: Calls
    pool: ElasticPool

    def release_all(self) -> "Deferred[Any]":
        """Unregister and unsubscribe everything; fires with the router's last answer."""


@inlineCallbacks
def drain(server: Drained, grace: float) -> Any:
    """Take no further calls and events, and finish those that have come; a Deferred that never fails.

    The session may be left in a later turn of the reactor than the one in which it fires.

    :param grace: seconds after which calls that still run are answered with ``wamp.error.unavailable``.
    :returns: fires with the number of these calls.
    """
    pool = server.pool
    left = TimeLimit(pool, grace)
    yield left.until(server.release_all())
    yield left.until(when(pool, lambda: not pool.under_way))
    left.stop()
    events = sum(isinstance(job, EventJob) for job in pool.under_way)
    unanswered = server.calls.give_up()
    if unanswered or events:
        _log.error(
            "flask-wamp: after {grace:g} s {calls} calls are answered with an error, and {events} "
            "handlers of events are left alone: the process stops",
            grace=grace,
            calls=unanswered,
            events=events,
        )
    return unanswered


def when(pool: ElasticPool, condition: Callable[[], bool]) -> "Deferred[None]":
    """Fire as soon as *condition* holds, which is looked at after each job of *pool*."""
    fired: Deferred[None] = Deferred(lambda _: pool.watchers.remove(look))

    def look() -> None:
        if condition():
            pool.watchers.remove(look)
            fired.callback(None)

    pool.watchers.append(look)
    look()
    return fired


def are_handled(pool: ElasticPool) -> bool:
    """Tell whether no event is handled, nor waits: one that waits waits for one that is handled."""
    return not any(isinstance(job, EventJob) for job in pool.under_way)


class TimeLimit:
    """The seconds that some waiting may take, all in all."""

    def __init__(self, pool: ElasticPool, seconds: float) -> None:
        self._awaited: Deferred[Any] | None = None
        self._is_over = False
        self._timer = pool.reactor.call_later(seconds, self._end)

    def until(self, awaited: "Deferred[Any]") -> "Deferred[Any]":
        """Fire when *awaited* has, or has failed, or when the time is over."""
        self._awaited = awaited.addErrback(lambda _failure: None)
        if self._is_over:
            awaited.cancel()
        return awaited

    def stop(self) -> None:
        """Need no more time."""
        if self._timer.active():
            self._timer.cancel()

    def _end(self) -> None:
        self._is_over = True
        if self._awaited is not None:
            self._awaited.cancel()
