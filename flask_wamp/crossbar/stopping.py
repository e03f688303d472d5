"""How the process that hosts the WSGI application ends."""

import os
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from .._twisted.engine.shutdown import take_thread_pools

#: Seconds that views which still run get to end, once the node stops.
SHUTDOWN_GRACE = 1.0


def let_views_respond(reactor: Any) -> None:
    """Join the WSGI threads beside the reactor, through which they write their responses.

    Crossbar.io joins them on the reactor's thread when the node stops; a view that ends then
    waits for the reactor, and the reactor for the view.
    """
    for stop in take_thread_pools(reactor):
        reactor.addSystemEventTrigger("before", "shutdown", _beside, reactor, stop)


def cut_off_later() -> None:
    """End the process where views run on: they are waited for as long as they take."""
    guard = threading.Timer(SHUTDOWN_GRACE, _end_process)
    guard.daemon = True
    guard.start()


def _beside(reactor: Any, work: Callable[[], None]) -> "Deferred[None]":
    """Do *work* on a thread of its own, since those of the pools end."""
    done: Deferred[None] = Deferred()

    def run() -> None:
        work()
        reactor.callFromThread(done.callback, None)

    threading.Thread(target=run, name="flask-wamp end", daemon=True).start()
    return done


def _end_process() -> None:
    os.write(2, b"flask-wamp: views still run while the node stops; they are cut off\n")
    os._exit(1)
