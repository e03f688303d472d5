"""An elastic pool of threads that run views.

At most ``base`` threads run at a time, which is also the fastest. A thread that is about to wait
for an answer hands its place to a spare one and takes a place of its own back afterwards, so views
that call views of the same process always find a thread. What would make the threads grow without
limit, calls from outside, passes a :class:`Gate` first. Calls whose generator sends results, to a
caller that may take its time, leave the gate, and have a limit of their own.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ..errors import TooManyCalls
from ..registry import Procedure
from .reactor_queue import ReactorQueue

#: Calls of one kind from outside that are started and unfinished at a time.
GATE = 48
#: How deep views may call views while the gates are full, without a thread being refused.
NESTING = 5
#: Calls of one kind from outside whose results a generator sends, at a time; they have left the gate.
STREAMS = 100
#: Of these, the calls of one session that is no service of the node's own.
STREAMS_OF_A_STRANGER = 25
#: Seconds that a spare thread stays for the next call that waits.
SPARE_LIFE = 30.0


class Job(Protocol):
    """Work with a part on a thread of the pool and a part on the reactor's."""

    def run(self) -> None:
        """Do the work, on a thread of the pool; an exception here is a defect of the job."""

    def finish(self) -> None:
        """Hand over the outcome, on the reactor's thread."""


class _Local(threading.local):
    pool: "ElasticPool | None" = None


_local = _Local()


@contextmanager
def place_handed_over() -> Iterator[None]:
    """Let another thread have this one's place in its pool, while this one waits.

    :raises TooManyCalls: it is a pool's thread, and the pool may not grow any further.
    """
    pool = _local.pool
    if pool is None:
        yield
        return
    pool.give_place()
    try:
        yield
    finally:
        pool.take_place()


class ElasticPool:
    """Runs jobs on threads, and finishes them on the reactor's thread, many at a turn.

    :param base: threads that run at a time.
    :param finished: takes what is to be done on the reactor's thread.
    """

    def __init__(self, base: int, finished: ReactorQueue) -> None:
        self.base = base
        self.cap = base + 2 * max(GATE, base) * NESTING + 2 * STREAMS
        #: Where work for the reactor's thread goes.
        self.reactor = finished
        self._limits: dict[Any, Gate] = {}
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting = 0
        self._parked = 0
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._stopped = False

    def start(self) -> None:
        """Start the base threads."""
        with self._lock:
            for _ in range(self.base):
                self._start_thread()

    def submit(self, job: Job) -> None:
        """Run *job* as soon as a thread is free."""
        self._jobs.put(job)

    def limit_of(
        self, procedure: Procedure, start: Callable[[Any], None], queue: int
    ) -> "Gate | None":
        """Return what keeps to the procedure's ``concurrency``, or None; on the reactor's thread.

        It outlives a session, whose calls may run on after it is lost.
        """
        options = procedure.options
        if options.concurrency is None:
            return None
        limit = self._limits.get(procedure)
        if limit is None:
            waiting = queue if options.queue is None else options.queue
            limit = self._limits[procedure] = Gate(start, options.concurrency, waiting)
        return limit

    def forget(self, procedure: Procedure) -> None:
        """Drop the limit of a procedure that was removed."""
        self._limits.pop(procedure, None)

    def stop(self) -> None:
        """Let every thread end after the job that it runs."""
        with self._lock:
            self._stopped = True
            self._jobs.put(None)
            for _ in range(self._parked):
                self._wake_ups.put(None)
            self._parked = 0

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name="flask-wamp view", daemon=True).start()

    def _work(self) -> None:
        _local.pool = self
        jobs, finished = self._jobs, self.reactor
        while True:
            job = jobs.get()
            if job is None:
                # For the next thread: their number may still grow.
                jobs.put(None)
                break
            job.run()
            finished.put(job.finish)
            # Not to keep the job's arguments alive while waiting for the next one.
            del job
            if self._running() > self.base and not self._park():
                return
        with self._lock:
            self._threads -= 1

    def _running(self) -> int:
        return self._threads - self._waiting - self._parked

    def _park(self) -> bool:
        """Wait for a place, as a spare thread; False when there was none for long."""
        with self._lock:
            if self._running() <= self.base or self._stopped:
                return True
            self._parked += 1
        while True:
            try:
                self._wake_ups.get(timeout=SPARE_LIFE)
            except Empty:
                with self._lock:
                    if self._wake_ups.empty():
                        self._parked -= 1
                        self._threads -= 1
                        return False
            else:
                return True

    def give_place(self) -> None:
        """Let another thread have the place of this one, which is about to wait.

        :raises TooManyCalls: the pool may not grow any further.
        """
        with self._lock:
            # A place that an earlier wait has left over may be free already.
            if self._running() <= self.base:
                self._fill_place()
            self._waiting += 1

    def _fill_place(self) -> None:
        if self._parked:
            self._parked -= 1
            self._wake_ups.put(None)
        elif self._threads < self.cap:
            self._start_thread()
        else:
            raise TooManyCalls(
                f"{self._waiting} views of this process wait for answers already, and no "
                f"thread above {self.cap} is started: call less deep, or raise WAMP_THREADS"
            )

    def take_place(self) -> None:
        """Run again, after the wait, beside whoever has the place by now."""
        with self._lock:
            self._waiting -= 1


class Gate:
    """Lets a limited number of calls through; the others wait without a thread.

    Used on the reactor's thread only, so it needs no lock.

    :param start: takes a call that was let through.
    :param width: calls that are started and unfinished at a time.
    :param queue: calls that may wait; one more is refused.
    """

    def __init__(self, start: Callable[[Any], None], width: int, queue: int) -> None:
        self._start = start
        self._width = width
        self._queue = queue
        self._open = 0
        self._leaving = False
        self._waiting: deque[Any] = deque()
        #: Calls that have left and still send results, by the session that takes them.
        self.streams: Counter[int | None] = Counter()

    def admit(self, job: Any) -> bool:
        """Start *job*, or let it wait; False when too many wait already."""
        if self._open < self._width:
            self._open += 1
            self._start(job)
            return True
        if len(self._waiting) >= self._queue:
            return False
        self._waiting.append(job)
        return True

    def leave(self) -> None:
        """A job that was admitted has finished: the next ones may start."""
        self._open -= 1
        if self._leaving:
            # A job that is started below may be refused there and leave at once; that one goes on.
            return
        self._leaving = True
        try:
            while self._waiting and self._open < self._width:
                self._open += 1
                self._start(self._waiting.popleft())
        finally:
            self._leaving = False

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
