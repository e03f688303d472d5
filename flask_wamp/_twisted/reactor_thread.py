"""The reactor of a process that has none running: in a daemon thread, started once."""

import atexit
import os
import threading
from typing import Any

_lock = threading.Lock()
_reactor: Any = None
_forked = False


def running_reactor() -> Any:
    """Return the process's running reactor, started in a thread of its own where none runs."""
    global _reactor
    with _lock:
        if _reactor is None:
            _reactor = _start()
        return _reactor


def _start() -> Any:
    # Imported here, never at module level: a reactor that is there before gevent patches, or
    # before a fork, is of no use afterwards.
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    if reactor.running and not _forked:
        return reactor
    if _forked and reactor.running:
        from .engine.reactors import private_reactor

        reactor = private_reactor(type(reactor))
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


def _daemon_thread(*args: Any, **kwargs: Any) -> threading.Thread:
    return threading.Thread(*args, daemon=True, **kwargs)


def _stop(reactor: Any) -> None:
    stopped = threading.Event()
    reactor.addSystemEventTrigger("after", "shutdown", stopped.set)
    reactor.callFromThread(reactor.stop)
    stopped.wait(2.0)


def _forget() -> None:
    global _lock, _reactor, _forked
    if _reactor is not None:
        atexit.unregister(_stop)
    _lock = threading.Lock()
    _reactor = None
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
