"""The reactor of a process that has none running: in a daemon thread, started once."""

import atexit
import os
import sys
import threading
from typing import Any

from ..errors import SetupError
from .engine.green import patched_by, waits_for_all, wake_one_by_one

_locks: dict[int, threading.Lock] = {}
_reactor: Any = None
_forked = False
#: The process whose reactor it is: uWSGI forks without telling Python.
_process = 0


def running_reactor() -> Any:
    """Return the process's running reactor, started in a thread of its own where none runs.

    :raises SetupError: no such thread would run beside the others.
    """
    global _reactor, _process
    process = os.getpid()
    # Made at the first use, as the lock of a slot is.
    with _locks.setdefault(process, threading.Lock()):
        if _reactor is not None and _process != process:
            _forget_reactor()
        if _reactor is None:
            _reactor = _start()
            _process = process
        return _reactor


def _start() -> Any:
    refuse_without_threads()
    # Imported here, never at module level: a reactor that is there before gevent patches, or
    # before a fork, is of no use afterwards.
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    green = patched_by()
    if green and waits_for_all(reactor):
        raise SetupError(
            f"Twisted's reactor was imported before {green} patched this process, and would stop "
            f"its green threads: patch first, or import what imports the reactor later"
        )
    if reactor.running and not _forked:
        return reactor
    if _forked and reactor.running:
        from .engine.reactors import private_reactor

        reactor = private_reactor(type(reactor))
    if green == "eventlet":
        wake_one_by_one(reactor)
    # Name resolution runs in Twisted's pool, whose threads would keep the interpreter from
    # ending.
    reactor.getThreadPool().threadFactory = _daemon_thread
    started = threading.Event()
    reactor.callWhenRunning(started.set)
    threading.Thread(
        target=reactor.run,
        kwargs={"installSignalHandlers": False},
        name="flask-wamp reactor",
        daemon=True,
    ).start()
    started.wait()
    atexit.register(_stop, reactor)
    return reactor


def refuse_without_threads() -> None:
    """Refuse to wait for a thread that uWSGI would never run.

    :raises SetupError: it was started without threads.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", None)
    if options is not None and not {"enable-threads", "threads", "gevent"} & options.keys():
        raise SetupError(
            "uWSGI runs no threads here, and the connection to the router needs one: start it "
            "with --enable-threads, or with --threads"
        )


def _daemon_thread(*args: Any, **kwargs: Any) -> threading.Thread:
    return threading.Thread(*args, daemon=True, **kwargs)


def _stop(reactor: Any) -> None:
    stopped = threading.Event()
    reactor.addSystemEventTrigger("after", "shutdown", stopped.set)
    reactor.callFromThread(reactor.stop)
    stopped.wait(2.0)


def _forget() -> None:
    _locks.clear()
    _forget_reactor()


def _forget_reactor() -> None:
    """Have none, in the child of a fork."""
    global _reactor, _forked
    if _reactor is not None:
        atexit.unregister(_stop)
    _reactor = None
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
