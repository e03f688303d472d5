"""What others want to be called when the reactor stops.

Twisted 26.10.0, ``twisted/internet/base.py``: a reactor keeps its triggers in ``_eventTriggers``, and
only who added one can take it away. Crossbar.io 26.10.1, ``crossbar/webservice/wsgi.py``, adds one
that joins the threads of its WSGI pool on the reactor's thread, through which these write their
responses. It can be left alone once Crossbar.io joins them beside it;
``tests/node/test_lifecycle.py`` has a view that ends while the node stops.
"""

from collections.abc import Callable
from typing import Any

from twisted.python.threadpool import ThreadPool


def take_thread_pools(reactor: Any) -> list[Callable[[], None]]:
    """Take away what joins thread pools at a stop, and return it, to be done in another way."""
    before = reactor._eventTriggers["shutdown"].before  # noqa: SLF001
    taken = []
    for stop, args, kwargs in list(before):
        if isinstance(getattr(stop, "__self__", None), ThreadPool):
            reactor.removeSystemEventTrigger(("shutdown", ("before", stop, args, kwargs)))
            taken.append(stop)
    return taken
