"""Work across threads: to a thread that runs views, and back to the reactor's.

Views run in an elastic pool. At most ``base`` threads run at a time, which is also the fastest. A
thread that is about to wait for an answer hands its place to a spare one and takes a place of its
own back afterwards, so views that call views of the same process always find a thread. What would
make the threads grow without limit, calls from outside, passes a gate first
(:mod:`flask_wamp._twisted.serve.gates`). Calls whose generator sends results, to a caller that may
take its time, leave the gate, and have a limit of their own.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from twisted.logger import Logger

from ..errors import TooManyCalls

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
    """Work with a part on a thread of the pool and a part on the reactor's.

    :ivar began: when it began to run, of ``time.monotonic()``; None: it has not, or may take as long
        as it likes.
    """

    began: float | None

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


class ReactorQueue:
    """Runs what threads put into it on the reactor's thread, in order.

    Waking the reactor costs a system call, so whoever finds it being woken already does not.

    :param call_from_thread: the reactor's ``callFromThread``.
    :param call_later: the reactor's ``callLater``, for those who are on its thread.
    """

    _log = Logger()

    def __init__(
        self, call_from_thread: Callable[..., Any], call_later: Callable[..., Any]
    ) -> None:
        self._call_from_thread = call_from_thread
        self.call_later = call_later
        self._work: deque[Callable[[], None]] = deque()
        self._waking = False

    def put(self, work: Callable[[], None]) -> None:
        """Run *work* on the reactor's thread soon."""
        self._work.append(work)
        # Two threads may both see False here and wake twice, which is harmless. One that sees
        # True has appended before the drain that the flag announces, which takes its work along.
        if not self._waking:
            self._waking = True
            self._call_from_thread(self._drain)

    def __len__(self) -> int:
        return len(self._work)

    def _drain(self) -> None:
        self._waking = False
        for _ in range(len(self._work)):
            work = self._work.popleft()
            try:
                work()
            except Exception:  # noqa: BLE001
                # One piece of work must not keep the others, of other threads, from running.
                self._log.failure("flask-wamp: work on the reactor's thread failed")


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
        #: Submitted and not finished; of the reactor's thread, as the next two.
        self.under_way: set[Job] = set()
        #: Jobs that were submitted, all in all.
        self.submitted = 0
        #: Called after each job that has finished.
        self.watchers: list[Callable[[], None]] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting = 0
        self._parked = 0
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._stopped = False
        self._process = os.getpid()

    def start(self) -> None:
        """Start the base threads."""
        with self._lock:
            for _ in range(self.base):
                self._start_thread()

    def submit(self, job: Job) -> None:
        """Run *job* as soon as a thread is free; on the reactor's thread."""
        self.submitted += 1
        self.under_way.add(job)
        self._jobs.put(job)

    def oldest(self) -> float | None:
        """Return how many seconds the job runs that began first; on the reactor's thread.

        None where none runs.
        """
        began = [job.began for job in self.under_way]
        running = [moment for moment in began if moment is not None]
        return time.monotonic() - min(running) if running else None

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
            job.began = time.monotonic()
            job.run()
            if os.getpid() != self._process:
                # A copy, which the view has forked: what waits here is the original's to run.
                os._exit(0)
            finished.put(partial(self._finish, job))
            # Not to keep the job's arguments alive while waiting for the next one.
            del job
            if self._running() > self.base and not self._park():
                return
        with self._lock:
            self._threads -= 1

    def _finish(self, job: Job) -> None:
        self.under_way.discard(job)
        try:
            job.finish()
        finally:
            for watcher in tuple(self.watchers):
                watcher()

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
