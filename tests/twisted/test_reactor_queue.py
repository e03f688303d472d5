"""Work from threads for the reactor's thread."""

import threading
from concurrent.futures import ThreadPoolExecutor

from .doubles import Turns


def test_reactor_queue_keeps_the_order_with_one_wake_up(turns: Turns) -> None:
    queue = turns.queue()
    done: list[int] = []
    for n in range(100):
        queue.put(lambda n=n: done.append(n))  # type: ignore[misc]
    assert len(queue) == 100
    assert done == []
    assert turns.wake_ups == 1
    turns.run_pending()
    assert done == list(range(100))
    assert turns.wake_ups == 1
    assert len(queue) == 0


def test_reactor_queue_work_from_within_comes_in_a_later_turn(turns: Turns) -> None:
    """So that work that begets work does not keep the reactor from everything else."""
    queue = turns.queue()
    done: list[str] = []

    def first() -> None:
        done.append("first")
        queue.put(lambda: done.append("begotten"))

    queue.put(first)
    queue.put(lambda: done.append("second"))
    turns.run_one()
    assert done == ["first", "second"]
    turns.run_one()
    assert done == ["first", "second", "begotten"]


def test_reactor_queue_failing_work_keeps_nothing_from_running(
    turns: Turns, twisted_log: list[str]
) -> None:
    queue = turns.queue()
    done: list[int] = []

    def fail() -> None:
        raise KeyError("a defect")

    queue.put(lambda: done.append(1))
    queue.put(fail)
    queue.put(lambda: done.append(2))
    turns.run_pending()
    assert done == [1, 2]
    (text,) = twisted_log
    assert "work on the reactor's thread failed" in text
    assert "a defect" in text


def test_reactor_queue_loses_nothing_from_eight_threads(turns: Turns) -> None:
    queue = turns.queue()
    barrier = threading.Barrier(8, timeout=20)
    done: list[tuple[int, int]] = []

    def hammer(thread: int) -> None:
        barrier.wait()
        for n in range(2000):
            queue.put(lambda n=n: done.append((thread, n)))  # type: ignore[misc]

    with ThreadPoolExecutor(8) as threads:
        hammering = [threads.submit(hammer, thread) for thread in range(8)]
        turns.run_until(lambda: len(done) == 16_000)
        for future in hammering:
            future.result()
    turns.run_pending()
    assert len(done) == 16_000
    for thread in range(8):
        assert [n for t, n in done if t == thread] == list(range(2000))
    assert turns.wake_ups < 16_000
