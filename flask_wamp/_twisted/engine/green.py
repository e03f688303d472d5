"""The reactor in a process whose threads gevent or eventlet has made green.

Twisted 26.10.0, ``twisted/internet/_signals.py``: a thread wakes the reactor by a byte in a pipe. Where
eventlet has patched ``os.write``, one green thread may still be in there while the next one begins,
and eventlet refuses that: "Second simultaneous write on fileno". And a reactor that was imported
before the patches, from ``twisted/internet/epollreactor.py``, waits in a call that stops every green
thread of the process. Neither knows of green threads; ``tests/servers/test_green.py`` has both.
"""

import sys
import threading
from typing import Any


def patched_by() -> str | None:
    """Return what has made this process's threads green, or None."""
    gevent = sys.modules.get("gevent.monkey")
    if gevent is not None and gevent.is_module_patched("threading"):
        return "gevent"
    eventlet = sys.modules.get("eventlet.patcher")
    if eventlet is not None and eventlet.is_monkey_patched("thread"):
        return "eventlet"
    return None


def waits_for_all(reactor: Any) -> bool:
    """Tell whether *reactor* stops the green threads while it waits."""
    return type(reactor).__module__ == "twisted.internet.epollreactor"


def wake_one_by_one(reactor: Any) -> None:
    """Let one green thread at a time wake *reactor*."""
    lock = threading.Lock()
    call_from_thread = reactor.callFromThread

    def call_alone(*args: Any, **kwargs: Any) -> None:
        with lock:
            call_from_thread(*args, **kwargs)

    reactor.callFromThread = call_alone
