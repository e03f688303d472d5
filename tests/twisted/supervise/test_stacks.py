"""Stacks of a process's threads, without those that have no work."""

import faulthandler
import tempfile
from time import monotonic

from flask_wamp._twisted import threads
from flask_wamp._twisted.supervise.stacks import Stacks
from flask_wamp._twisted.threads import ElasticPool

from ..doubles import TIMEOUT, Turns

POOL = f'  File "{threads.__file__}", line 182 in _work'


def passed(text: str, *, end: bool = True) -> list[str]:
    """Return the lines that are passed on."""
    taken: list[str] = []
    stacks = Stacks(taken.append)
    for line in text.splitlines():
        stacks.feed(line)
    if end:
        stacks.end()
    return taken


def test_threads_without_work_are_counted() -> None:
    text = f"""Fatal Python error: Segmentation fault

Thread 0x00007f365affd6c0 (most recent call first):
{POOL}
  File "/usr/lib/python3.11/threading.py", line 982 in run
  ...

Thread 0x00007f365affd6c1 [flask-wamp view] (most recent call first):
{POOL.replace("_work", "_park")}

Current thread 0x00007f3679dfb6c0 (most recent call first):
  File "/srv/shop.py", line 22 in buy
{POOL}

Extension modules: zlib (total: 1)
"""
    lines = text.splitlines()
    told = "2 threads of the pool had no work"
    assert passed(text) == [*lines[:2], *lines[10:14], told, lines[14]]


def test_other_lines_pass_as_they_are() -> None:
    text = "one\n\n  two\nThread 0x7f (most recent call first):\nthree\n" + POOL
    assert passed(text) == text.splitlines()
    assert passed("Thread 0x7f (most recent call first):") == [
        "Thread 0x7f (most recent call first):"
    ]


def test_line_behind_a_stack_is_not_lost() -> None:
    text = f"Thread 0x7f (most recent call first):\n{POOL}\nTraceback"
    assert passed(text) == ["1 threads of the pool had no work", "Traceback"]


def test_this_python_writes_stacks_as_they_are_read(turns: Turns) -> None:
    def stacks() -> list[str]:
        with tempfile.TemporaryFile("w+") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            return passed(file.read())

    pool = ElasticPool(3, turns.queue())
    pool.start()
    try:
        deadline = monotonic() + TIMEOUT
        # A thread that has just begun is elsewhere.
        while "3 threads of the pool had no work" not in (found := stacks()):
            assert monotonic() < deadline, found
        assert any(" in stacks" in line for line in found)
    finally:
        pool.stop()
