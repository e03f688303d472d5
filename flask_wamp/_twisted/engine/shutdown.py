"""What others want to be called when the reactor stops.

Twisted 26.10.0, ``twisted/internet/base.py``: a reactor keeps its triggers in ``_eventTriggers``, and
only who added one can take it away. Crossbar.io 26.10.1, ``crossbar/webservice/wsgi.py``, adds one
that joins the threads of its WSGI pool on the reactor's thread, through which these write their
responses. It can be left alone once Crossbar.io joins them beside it;
``tests/node/test_lifecycle.py`` has a view that ends while the node stops.
"""

from typing import Any

from twisted.python.threadpool import ThreadPool


def take_thread_pools(reactor: Any) -> list[ThreadPool]:
    """Take away what joins thread pools at a stop, and return them, to be joined in another way."""
    before = reactor._eventTriggers["shutdown"].before  # noqa: SLF001
    taken = []
    for stop, args, kwargs in list(before):
        pool = getattr(stop, "__self__", None)
        if isinstance(pool, ThreadPool):
            reactor.removeSystemEventTrigger(("shutdown", ("before", stop, args, kwargs)))
            taken.append(pool)
    return taken


def work_of(pool: ThreadPool) -> int:
    """Return how much work of a pool runs, or waits for a thread."""
    return len(pool.working) + pool.q.qsize()
