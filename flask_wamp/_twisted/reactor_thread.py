"""The reactor of a process that has none running: in a daemon thread, started once."""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..errors import NotConnected, SetupError
from .engine.green import patched_by, waits_for_all, wake_one_by_one

#: Seconds that the reactor may take to stop, when the process ends.
STOP_TIMEOUT = 1.0

_locks: dict[int, threading.Lock] = {}
_reactor: Any = None
_forked = False
_ended = False
_last_works: list[Callable[[], None]] = []
#: The process whose reactor it is: uWSGI forks without telling Python.
_process = 0


def running_reactor() -> Any:
    """Return the process's running reactor, started in a thread of its own where none runs.

    :raises NotConnected: the process ends, and the reactor has stopped.
    :raises SetupError: no such thread would run beside the others.
    """
    global _reactor, _process
    process = os.getpid()
    # Made at the first use, as the lock of a slot is.
    with _locks.setdefault(process, threading.Lock()):
        if (_reactor is not None or _ended) and _process != process:
            _forget_reactor()
        if _ended:
            text = "the process ends: nothing can be sent any more"
            raise NotConnected(text, may_have_run=False)
        if _reactor is None:
            _reactor = _start()
            _process = process
        return _reactor


def before_exit(work: Callable[[], None]) -> None:
    """Let *work* be done when the process ends, on the thread that ends it, by a running reactor.

    Once, however often it is asked for.
    """
    if work not in _last_works:
        _last_works.append(work)


def _start() -> Any:
    refuse_without_threads()
    # Imported here, never at module level: a reactor that is there before gevent patches, or
    # before a fork, is of no use afterwards.
    from twisted.internet import reactor as global_reactor

    from .logs import use_python_logging

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
    use_python_logging()
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
    # What it has started ends without what atexit has. Where it is not loaded, it has not.
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:
        multiprocessing.Finalize(None, _stop, args=(reactor,), exitpriority=100)
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
    """Do what was asked for, and stop the reactor; the second time does nothing."""
    global _ended
    if reactor is not _reactor or _ended or not reactor.running:
        return
    # A second Ctrl-C ends the wait, and nothing else.
    with suppress(KeyboardInterrupt):
        for work in _last_works:
            work()
        _ended = True
        stopped = threading.Event()
        reactor.addSystemEventTrigger("after", "shutdown", stopped.set)
        reactor.callFromThread(reactor.stop)
        stopped.wait(STOP_TIMEOUT)
    _ended = True


def _forget() -> None:
    _locks.clear()
    _forget_reactor()


def _forget_reactor() -> None:
    """Have none, in the child of a fork."""
    global _reactor, _forked, _ended
    if _reactor is not None:
        atexit.unregister(_stop)
    _reactor = None
    _forked = True
    _ended = False
    _last_works.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
