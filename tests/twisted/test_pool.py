"""The elastic pool, and the gate before it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from flask_wamp import TooManyCalls
from flask_wamp._twisted import threads as pool_module
from flask_wamp._twisted.serve.gates import Gate
from flask_wamp._twisted.threads import ElasticPool, place_handed_over

from .doubles import TIMEOUT, Turns


class Work:
    """A job that runs a function, and notes that it has finished."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.value: Any = None
        self.finished_on: int | None = None
        self.began: float | None = None

    def run(self) -> None:
        """Run the function."""
        self.value = self.function()

    def finish(self) -> None:
        """Note the thread."""
        self.finished_on = threading.get_ident()


MakePool = Callable[[int], ElasticPool]


@pytest.fixture
def make_pool(turns: Turns) -> Iterator[MakePool]:
    """Return what makes started pools, which the fixture stops."""
    pools = []

    def make(base: int) -> ElasticPool:
        pool = ElasticPool(base, turns.queue())
        pool.start()
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.stop()


def view_threads() -> list[threading.Thread]:
    """Return the threads of pools that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "flask-wamp view"]


def submit(pool: ElasticPool, function: Callable[[], Any]) -> Work:
    """Return the job that runs *function* in the pool."""
    work = Work(function)
    pool.submit(work)
    return work


def all_finished(works: list[Work]) -> Callable[[], bool]:
    """Return what tells whether every job has finished."""
    return lambda: all(work.finished_on is not None for work in works)


def test_pool_runs_jobs_on_threads_and_finishes_them_on_the_reactors(
    turns: Turns, make_pool: MakePool
) -> None:
    works = [submit(make_pool(2), threading.get_ident) for _ in range(20)]
    turns.run_until(all_finished(works))
    main = threading.get_ident()
    assert {work.finished_on for work in works} == {main}
    assert main not in {work.value for work in works}


def test_pool_runs_no_more_than_base_jobs_at_a_time(turns: Turns, make_pool: MakePool) -> None:
    pool = make_pool(3)
    lock = threading.Lock()
    running = [0, 0]
    three = threading.Barrier(3, timeout=TIMEOUT)

    def job() -> None:
        with lock:
            running[0] += 1
            running[1] = max(running)
        # All three places are in use together, or this fails.
        three.wait()
        with lock:
            running[0] -= 1

    works = [submit(pool, job) for _ in range(30)]
    turns.run_until(all_finished(works))
    assert running == [0, 3]
    assert len(view_threads()) == 3


def test_pool_waiting_thread_hands_its_place_over(turns: Turns, make_pool: MakePool) -> None:
    """With one base thread, a job waits for another one that can only run meanwhile."""
    pool = make_pool(1)
    answered = threading.Event()

    def outer() -> bool:
        with place_handed_over():
            return answered.wait(TIMEOUT)

    works = [submit(pool, outer), submit(pool, answered.set)]
    turns.run_until(all_finished(works))
    assert works[0].value is True


def test_pool_busy_thread_does_not_hand_its_place_over(turns: Turns, make_pool: MakePool) -> None:
    pool = make_pool(1)
    started, end = threading.Event(), threading.Event()

    def busy() -> None:
        started.set()
        end.wait(TIMEOUT)

    works = [submit(pool, busy), submit(pool, threading.get_ident)]
    assert started.wait(TIMEOUT)
    assert len(view_threads()) == 1
    end.set()
    turns.run_until(all_finished(works))
    assert len(view_threads()) == 1


def test_pool_nested_jobs_finish_on_four_threads(turns: Turns, make_pool: MakePool) -> None:
    """Forty jobs at once, each five deep."""
    pool = make_pool(4)

    def nest(depth: int) -> int:
        if depth == 0:
            return 1
        inner = threading.Event()
        values: list[int] = []

        def job() -> None:
            values.append(nest(depth - 1))
            inner.set()

        submit(pool, job)
        with place_handed_over():
            assert inner.wait(TIMEOUT)
        return values[0] + 1

    works = [submit(pool, lambda: nest(5)) for _ in range(40)]
    turns.run_until(all_finished(works))
    assert [work.value for work in works] == [6] * 40
    assert len(view_threads()) <= pool.cap


def test_pool_that_waits_again_and_again_does_not_grow(turns: Turns, make_pool: MakePool) -> None:
    pool = make_pool(2)

    def wait_often() -> None:
        for _ in range(500):
            with place_handed_over():
                pass

    works = [submit(pool, wait_often) for _ in range(2)]
    turns.run_until(all_finished(works))
    assert len(view_threads()) <= 6


def test_pool_refuses_to_grow_above_its_cap(turns: Turns, make_pool: MakePool) -> None:
    pool = make_pool(1)
    pool.cap = 3
    waiting, go_on = threading.Semaphore(0), threading.Event()

    def wait() -> str:
        try:
            with place_handed_over():
                waiting.release()
                assert go_on.wait(TIMEOUT)
        except TooManyCalls as error:
            return str(error)
        return "waited"

    works = [submit(pool, wait) for _ in range(3)]
    for _ in range(2):
        assert waiting.acquire(timeout=TIMEOUT)
    turns.run_until(all_finished(works[2:]))
    assert "2 views of this process wait for answers already" in works[2].value
    assert "no thread above 3" in works[2].value
    assert "WAMP_THREADS" in works[2].value
    go_on.set()
    turns.run_until(all_finished(works))
    assert [work.value for work in works[:2]] == ["waited", "waited"]

    # The refusal has left no trace: a thread can wait again.
    again = submit(pool, wait)
    turns.run_until(all_finished([again]))
    assert again.value == "waited"


def test_pool_cap_leaves_room_for_the_gates() -> None:
    pool = ElasticPool(4, Turns().queue())
    assert pool.cap >= 4 + 2 * pool_module.GATE * 5
    wide = ElasticPool(100, Turns().queue())
    assert wide.cap >= 100 + 2 * 100 * 5


def test_pool_spare_threads_end(
    turns: Turns, make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SPARE_LIFE", 0.05)
    pool = make_pool(2)
    barrier = threading.Barrier(10, timeout=TIMEOUT)

    def wait() -> None:
        with place_handed_over():
            barrier.wait()

    works = [submit(pool, wait) for _ in range(10)]
    turns.run_until(all_finished(works))
    turns.run_until(lambda: len(view_threads()) == 2)
    assert pool._running() == 2

    # The pool works on, and grows again.
    works = [submit(pool, wait) for _ in range(10)]
    turns.run_until(all_finished(works))


def test_pool_spare_threads_are_used_again(turns: Turns, make_pool: MakePool) -> None:
    pool = make_pool(1)
    threads = set()
    for _ in range(20):
        answered = threading.Event()

        def wait(answered: threading.Event = answered) -> None:
            with place_handed_over():
                answered.wait(TIMEOUT)

        works = [submit(pool, wait), submit(pool, answered.set)]
        turns.run_until(all_finished(works))
        threads |= set(view_threads())
    assert len(threads) <= 3


def test_pool_stop_ends_every_thread(turns: Turns) -> None:
    """Those that have work, those that wait for it, and those that are spare."""
    pool = ElasticPool(2, turns.queue())
    pool.start()
    barrier = threading.Barrier(8, timeout=TIMEOUT)

    def wait() -> None:
        with place_handed_over():
            barrier.wait()

    works = [submit(pool, wait) for _ in range(8)]
    turns.run_until(all_finished(works))
    started, end = threading.Event(), threading.Event()

    def busy() -> None:
        started.set()
        end.wait(TIMEOUT)

    submit(pool, busy)
    assert started.wait(TIMEOUT)
    pool.stop()
    turns.run_until(lambda: len(view_threads()) == 1)
    end.set()
    turns.run_until(lambda: not view_threads())


def test_pool_thread_that_waits_after_the_stop_leaves_none_behind(turns: Turns) -> None:
    pool = ElasticPool(1, turns.queue())
    pool.start()
    started, go_on = threading.Event(), threading.Event()

    def wait_late() -> None:
        started.set()
        assert go_on.wait(TIMEOUT)
        with place_handed_over():
            pass

    work = submit(pool, wait_late)
    assert started.wait(TIMEOUT)
    pool.stop()
    go_on.set()
    turns.run_until(lambda: not view_threads())
    turns.run_until(all_finished([work]))


def test_pool_other_threads_have_no_place_to_hand_over(make_pool: MakePool) -> None:
    make_pool(1)
    with place_handed_over():
        assert len(view_threads()) == 1


# --- the gate


def jobs(count: int) -> list[Work]:
    """Return jobs."""
    return [Work(threading.get_ident) for _ in range(count)]


def test_gate_admits_up_to_its_width() -> None:
    gate = Gate(2, 10)
    one, two, three = jobs(3)
    assert [gate.admit(job) for job in (one, two, three)] == [True, True, False]
    assert gate.leave() is three
    assert gate.leave() is None


def test_gate_lets_wait_in_order_and_refuses_above() -> None:
    gate = Gate(1, 2)
    one, two, three = jobs(3)
    full = []
    for job in (one, two, three):
        full.append(gate.is_full())
        gate.admit(job)
    assert [*full, gate.is_full()] == [False, False, False, True]
    assert [gate.leave() for _ in range(3)] == [two, three, None]


def test_gate_is_open_again_when_all_have_left() -> None:
    gate = Gate(2, 0)
    for job in jobs(2):
        assert gate.admit(job)
    assert gate.is_full()
    gate.leave()
    assert not gate.is_full()
    assert gate.admit(jobs(1)[0])
    assert gate.is_full()
    gate.leave()
    gate.leave()
    for job in jobs(2):
        assert gate.admit(job)
    assert gate.is_full()


def test_gate_withdraws_what_waits_only() -> None:
    gate = Gate(1, 2)
    one, two, three = jobs(3)
    for job in (one, two, three):
        gate.admit(job)
    assert gate.withdraw(two)
    assert not gate.withdraw(two)
    assert not gate.withdraw(one)
    assert gate.leave() is three
    assert not gate.withdraw(three)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_pool_in_a_process_that_a_view_forks_ends_with_that_view(turns: Turns) -> None:
    """Its copy of what waits would run a second time, and the process would never end."""
    pool = ElasticPool(1, turns.queue())
    taken, given = os.pipe()

    def fork() -> int:
        copy = os.fork()
        if copy == 0:
            sys.exit()
        deadline = time.monotonic() + TIMEOUT
        while (ended := os.waitpid(copy, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(copy, signal.SIGKILL)
                return -os.waitpid(copy, 0)[1]
            time.sleep(0.01)
        return ended[1]

    class Forking(Work):
        """A job that survives whatever it runs, as those of views do."""

        def run(self) -> None:
            """Run the function."""
            with suppress(SystemExit):
                super().run()

    works: list[Work] = [Forking(fork), Work(lambda: os.write(given, b"x"))]
    for work in works:
        pool.submit(work)
    pool.start()
    try:
        turns.run_until(all_finished(works))
        os.close(given)
        assert works[0].value == 0
        assert os.read(taken, 10) == b"x"
    finally:
        os.close(taken)
        pool.stop()
