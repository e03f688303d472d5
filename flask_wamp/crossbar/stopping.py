"""How a worker of the node ends: what it has to finish first, and what ends it in any case.

Crossbar.io's workers close their sessions the moment that SIGTERM comes. Here what a component wants
to finish is done before, while everything is as it was; then Crossbar.io's own handler goes on.
"""

import contextlib
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from .._twisted.serve.leaving import AFTER_THE_ROUTER
from .watchdog import end_within

#: Seconds that views which are let go of get to end, once nothing waits for them any more.
CUT_OFF = 1.0
#: Seconds from the first signal to a second Ctrl-C that is meant: a terminal, or who ends a group of
#: processes, may send the first one twice.
SAME_SIGNAL = 0.5
#: Seconds beyond the grace, after which what is to be done first is left undone.
SLACK = AFTER_THE_ROUTER + 2.0
#: Seconds for the rest of the end; then the process is ended from outside the interpreter.
LAST_RESORT = 10.0

_log = Logger(namespace="flask_wamp.crossbar.stopping")


class Ending:
    """What a process does before it ends, when SIGTERM asks it to; on the reactor's thread.

    SIGINT, which Crossbar.io's workers ignore, ends it at once where it comes meanwhile: it is the
    second Ctrl-C on the node's terminal.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        last_resort: Callable[[float], None] = end_within,
        at_once: Callable[[str], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._last_resort = last_resort
        self._at_once = at_once or cut_off
        self._first: list[tuple[float, Callable[[], Any]]] = []
        self._before: dict[int, Any] = {}
        self._since: float | None = None
        self._ended = False

    def first(self, seconds: float, work: Callable[[], Any]) -> None:
        """Do *work* before the process ends.

        :param seconds: its grace: it may take some :data:`SLACK` longer.
        :param work: returns None, or a Deferred of when it is done.
        """
        self._first.append((seconds, work))
        if not self._before and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._told)
            if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
                # A terminal that closes tells all; the controller stops the node in order.
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def begin(self) -> None:
        """Do what is to be done first, and then what SIGTERM would have done; once."""
        if self._since is not None:
            return
        self._since = time.monotonic()
        longest = max((seconds for seconds, _work in self._first), default=0.0)
        self._last_resort(longest + SLACK + LAST_RESORT)
        self._reactor.callLater(longest + SLACK, self._go_on)
        works = [maybeDeferred(work) for _seconds, work in self._first]
        for work in works:
            work.addErrback(self._failed)
        DeferredList(works).addCallback(self._go_on)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._reactor.callFromThread(self.begin)
        elif self._since is not None and time.monotonic() - self._since > SAME_SIGNAL:
            self._at_once("the node was told twice to stop: it ends with what runs")
        else:
            self._as_before(number, frame)

    def _go_on(self, _done: Any = None) -> None:
        if not self._ended:
            self._ended = True
            if not self._as_before(signal.SIGTERM, None):
                with contextlib.suppress(ReactorNotRunning):
                    self._reactor.stop()

    def _as_before(self, number: int, frame: FrameType | None) -> bool:
        handler = self._before.get(number)
        if callable(handler):
            handler(number, frame)
        return callable(handler)

    @staticmethod
    def _failed(failure: Failure) -> None:
        _log.failure("flask-wamp: the end of the process was not prepared", failure)


_endings: weakref.WeakKeyDictionary[Any, Ending] = weakref.WeakKeyDictionary()


def ending_of(reactor: Any) -> Ending:
    """Return what the process of *reactor* does before it ends."""
    found = _endings.get(reactor)
    if found is None:
        found = _endings[reactor] = Ending(reactor)
    return found


def join_beside(reactor: Any, pool: ThreadPool) -> "Deferred[None]":
    """Join the threads of *pool* beside the reactor, through which they write their responses.

    Crossbar.io joins them on the reactor's thread when the node stops; a view that ends then
    waits for the reactor, and the reactor for the view.
    """
    done: Deferred[None] = Deferred()

    def run() -> None:
        pool.stop()
        reactor.callFromThread(done.callback, None)

    threading.Thread(target=run, name="flask-wamp end", daemon=True).start()
    return done


def cut_off_later() -> None:
    """End the process where views run on: they are waited for as long as they take."""
    guard = threading.Timer(
        CUT_OFF, cut_off, ["views still run while the node stops; they are cut off"]
    )
    guard.daemon = True
    guard.start()


def cut_off(why: str) -> None:
    """End the process now."""
    os.write(2, f"flask-wamp: {why}\n".encode())
    os._exit(1)
