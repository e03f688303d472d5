"""How many calls run at a time: of a procedure, and of one kind of caller.

The others wait without a thread. Everything here is used on the reactor's thread only, so it needs
no lock.
"""

from collections import Counter, deque
from typing import Any

from ...declare.declared import Procedure, Subscription

#: Calls that may wait for a thread, of each kind of caller; one more is told "busy".
WAITING_CALLS = 4096


class Gate:
    """Lets a limited number of calls through, and keeps the others in a queue.

    :param width: calls that are started and unfinished at a time.
    :param queue: calls that may wait, one more is refused; by default :data:`WAITING_CALLS`.
    """

    def __init__(self, width: int, queue: int | None = None) -> None:
        self._width = width
        self.queue = WAITING_CALLS if queue is None else queue
        self._open = 0
        self._waiting: deque[Any] = deque()
        #: Calls that have left and still send results, by the session that takes them.
        self.streams: Counter[int | None] = Counter()

    def is_full(self) -> bool:
        """Whether one more call would be refused."""
        return self._open >= self._width and len(self._waiting) >= self.queue

    def waiting(self) -> int:
        """Return how many wait for a place."""
        return len(self._waiting)

    def admit(self, job: Any) -> bool:
        """Take a place for *job*, or let it wait where there is none, and tell if it may start."""
        if self._open < self._width:
            self._open += 1
            return True
        self._waiting.append(job)
        return False

    def leave(self) -> Any:
        """Give a place back, and return the job that has it now and may start, or None."""
        if self._waiting:
            return self._waiting.popleft()
        self._open -= 1
        return None

    def end_stream(self, caller: int | None) -> None:
        """A call that has left sends no further results."""
        self.streams[caller] -= 1
        if not self.streams[caller]:
            del self.streams[caller]

    def withdraw(self, job: Any) -> bool:
        """Take a *job* that still waits out of the queue; False when it has started."""
        try:
            self._waiting.remove(job)
        except ValueError:
            return False
        return True


class Limits:
    """What keeps to each procedure's ``concurrency``, and to the order of each handler's events.

    It outlives a session, whose calls and events may run on after it is lost.

    :ivar queues: the events that wait for handlers, see :mod:`.events`.
    """

    def __init__(self) -> None:
        self.queues: dict[Subscription, Any] = {}
        self._gates: dict[Procedure, Gate] = {}

    def of(self, procedure: Procedure) -> Gate | None:
        """Return the limit of a procedure, or None where it has none."""
        options = procedure.options
        if options.concurrency is None:
            return None
        limit = self._gates.get(procedure)
        if limit is None:
            limit = self._gates[procedure] = Gate(options.concurrency, options.queue)
        return limit

    def waiting(self) -> int:
        """Return how many calls wait, of all procedures."""
        return sum(gate.waiting() for gate in self._gates.values())

    def forget(self, procedure: Procedure) -> None:
        """Drop the limit of a procedure that was removed."""
        self._gates.pop(procedure, None)
