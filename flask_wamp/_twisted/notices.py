"""Tells an application that a session has joined or left, away from the reactor's thread."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from blinker import Signal
from twisted.internet.defer import Deferred

from ..declare.declared import describe
from ..signals import SessionInfo, session_joined, session_left
from ..state import State
from .session import Session


class Notices:
    """Runs ``@wamp.on_join`` and ``@wamp.on_leave`` functions, in order, on a thread of their own.

    ``joined`` and ``left`` run on the reactor's thread.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._info: SessionInfo | None = None
        self._waiting: deque[tuple[Signal, list[Callable[..., Any]], SessionInfo]] = deque()
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._without_thread = False

    def joined(self, session: Session, realm: str) -> None:
        """A session can be used; the second time does nothing."""
        number = session.session_id or 0
        if self._info is not None and self._info.session == number:
            return
        self._info = SessionInfo(number, realm, session.authid, session.authrole)
        self._tell(session_joined, self._state.registry.on_join, self._info)

    def left(self, reason: str) -> None:
        """The session has ended; the second time does nothing."""
        info, self._info = self._info, None
        if info is not None:
            ended = SessionInfo(info.session, info.realm, info.authid, info.authrole, reason)
            self._tell(session_left, self._state.registry.on_leave, ended)

    def wait(self, timeout: float) -> None:
        """Wait until all has been told; on any thread but the reactor's."""
        if self._without_thread:
            self._without_thread = False
            self._work()
        self._idle.wait(timeout)

    def finished(self, reactor: Any, timeout: float) -> "Deferred[None] | None":
        """Return what fires when all has been told, or *timeout* is over; None where it has."""
        if self._idle.is_set():
            return None
        told: Deferred[None] = Deferred()

        def wait() -> None:
            self.wait(timeout)
            reactor.callFromThread(told.callback, None)

        # A thread of its own: the reactor's pool may be stopped before it is served.
        threading.Thread(target=wait, name="flask-wamp last notices", daemon=True).start()
        return told

    def _tell(self, signal: Signal, functions: list[Callable[..., Any]], info: SessionInfo) -> None:
        if not functions and not signal.receivers:
            return
        with self._lock:
            self._waiting.append((signal, functions, info))
            if not self._idle.is_set():
                return
            self._idle.clear()
        try:
            threading.Thread(target=self._work, name="flask-wamp notices", daemon=True).start()
        except RuntimeError:
            # From Python 3.12 on no thread starts while the interpreter ends: who waits does it.
            self._without_thread = True

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._idle.set()
                    return
                signal, functions, info = self._waiting.popleft()
            for function in functions:
                self._run(function, info)
            self._send(signal, info)

    def _run(self, function: Callable[..., Any], info: SessionInfo) -> None:
        app = self._state.app
        try:
            with app.app_context():
                app.ensure_sync(function)(info)
        except BaseException:
            # There is nobody to tell but the log, and the next function is to run; sys.exit()
            # ends nothing here.
            app.logger.exception("%s failed", describe(function))

    def _send(self, signal: Signal, info: SessionInfo) -> None:
        app = self._state.app
        try:
            signal.send(app, session=info)
        except BaseException:
            # As above.
            app.logger.exception("a receiver of %r failed", signal)
