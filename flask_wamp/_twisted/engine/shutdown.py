"""What others want to be called when the reactor stops, and what they say of it.

Twisted 26.10.0, ``twisted/internet/base.py``: a reactor keeps its triggers in ``_eventTriggers``, and
only who added one can take it away. Crossbar.io 26.10.1, ``crossbar/webservice/wsgi.py``, adds one
that joins the threads of its WSGI pool on the reactor's thread, through which these write their
responses. It can be left alone once Crossbar.io joins them beside it;
``tests/node/test_lifecycle.py`` has a view that ends while the node stops.

Where a worker's reactor is stopped in another way than by its controller, Crossbar.io complains at length:
``crossbar/worker/main.py`` of the connection to the controller, and ``crossbar/worker/router.py``,
``publish_stopped``, with a traceback, that it cannot tell it of its components. Its loggers can be left as they
are once it does not; ``tests/node/test_starting.py`` reads the log of a node that refuses its settings.
"""

from typing import Any

import txaio
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


def say_no_more() -> None:
    """Let Crossbar.io say nothing of the end of this process, whose reason has been logged."""
    txaio.set_global_log_level("critical")
