"""Ends a process whose reactor stands still: nothing would say so, and all who call it would wait.

A thread asks the reactor for a turn, and counts its own looks, so that a process which was stopped
(SIGSTOP, a frozen container) is not taken for one that hangs when it goes on, nor one whose
machine's clock was set back: the reactor's timers go by that. A
thread needs the interpreter: where C code never lets go of it, a timer of :mod:`faulthandler`, which
needs nothing, ends the process after three times as long. Both leave the stacks of all threads in
the log. Nothing else in a worker uses that timer, of which a process has one.
"""

import faulthandler
import os
import signal
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Looks in the time that a reactor may stand still.
LOOKS = 10
#: How much longer the interpreter may be held.
HELD = 3
#: Standard error, which the node's log takes what it is sent from.
LOG = 2


class Watchdog:
    """Watches the reactor of a process from when the last of its components has started.

    :param end: ends the process; gets what is said of it.
    """

    def __init__(self, reactor: Any, end: Callable[[str], None] | None = None) -> None:
        self._reactor = reactor
        self._end = end or _end_with_stacks
        self._starting = 0
        self._limit = 0.0
        self._has_turned = False
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def starting(self) -> None:
        """A component starts: it imports its application on the reactor's thread."""
        self._starting += 1

    def started(self, limit: float) -> None:
        """It has started.

        :param limit: seconds that the reactor may stand still; 0 is any time. The shortest counts.
        """
        self._starting -= 1
        if limit:
            self._limit = min(limit, self._limit or limit)
        if self._limit and self._thread is None:
            self._stop_with_the_terminal()
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._ask()
            self._arm()
            self._thread.start()

    def over(self) -> None:
        """The process ends; others see to that."""
        self._over.set()
        faulthandler.cancel_dump_traceback_later()

    def _ask(self) -> None:
        self._has_turned = False
        self._reactor.callFromThread(self._turn)

    def _turn(self) -> None:
        self._has_turned = True

    def _watch(self) -> None:
        looks = 0
        while not self._over.wait(self._limit / LOOKS):
            self._arm()
            looks = 0 if self._has_turned or self._starting else looks + 1
            if self._has_turned:
                self._ask()
            if looks >= LOOKS:
                self._end(
                    f"the reactor has stood still for {self._limit:g} s: the process is ended"
                )
                return

    def _arm(self) -> None:
        faulthandler.dump_traceback_later(HELD * self._limit, exit=True, file=LOG)
        if self._over.is_set():
            faulthandler.cancel_dump_traceback_later()

    def _stop_with_the_terminal(self) -> None:
        """Let Ctrl-Z stop the process without the timer, which runs on meanwhile."""
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
        ):
            signal.signal(signal.SIGTSTP, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    faulthandler.cancel_dump_traceback_later()
    os.kill(os.getpid(), signal.SIGSTOP)


def _end_with_stacks(why: str) -> None:
    os.write(LOG, f"flask-wamp: {why}; its threads stand here\n".encode())
    faulthandler.dump_traceback(file=LOG)
    os._exit(1)


def end_within(seconds: float) -> None:
    """End this process with its stacks after so many seconds, whatever it does meanwhile."""
    for each in list(_watchdogs.values()):
        each.over()
    faulthandler.dump_traceback_later(seconds, exit=True, file=LOG)


_watchdogs: weakref.WeakKeyDictionary[Any, Watchdog] = weakref.WeakKeyDictionary()


def watchdog_of(reactor: Any) -> Watchdog:
    """Return what watches *reactor*."""
    found = _watchdogs.get(reactor)
    if found is None:
        found = _watchdogs[reactor] = Watchdog(reactor)
    return found
