"""Questions to the application, in the router's process: who may log in, who may do something.

A stranger's handshake leads here, so there are limits for everything: threads of their own, which no
view waits for; a queue that refuses what is too much; and a deadline, after which the answer is no.
A function that takes its time, or hangs, keeps its thread, and another one takes its place, until
there are too many: a page that makes one wait must not make others wait.
"""

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from flask import Flask
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._twisted.threads import ReactorQueue
from ..login.entering import Refused, entered
from ..login.handshake import Handshake

T = TypeVar("T")

#: Seconds that an answer may take, the wait for a thread included.
DEADLINE = 3.0
#: Seconds between two looks at a function; one that runs at both has a thread to itself.
PATIENCE = 0.2
#: Threads that ask, as long as none hangs, and those that there are at most.
THREADS = 8
MOST_THREADS = 64
#: Questions that may wait for a thread.
WAITING = 2000
#: Seconds in which a defect at one place is logged once, and the places that are told apart.
SILENCE = 60.0
MOST_DEFECTS = 20


class TooLate(Exception):
    """The application has not answered in time, or too many questions wait already."""


class Access(Protocol):
    """What somebody wants to do."""

    @property
    def session(self) -> int | None:
        """Who wants to, the session's id."""


class Defects:
    """Logs what failed in the application, each place once in a while: strangers can make it fail.

    :param what: what has come of it.
    """

    _log = Logger()

    def __init__(self, what: str) -> None:
        self._what = what
        self._told: dict[str, float] = {}

    def tell(self, failure: Failure) -> None:
        """Log *failure* with its traceback, unless it was logged within the last minute."""
        moment = time.monotonic()
        self._told = {place: at for place, at in self._told.items() if moment - at < SILENCE}
        frames = traceback.extract_tb(failure.getTracebackObject())
        place = f"{failure.type} {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        if place not in self._told and len(self._told) < MOST_DEFECTS:
            self._told[place] = moment
            self._log.failure(self._what, failure)


class _Question(Generic[T]):
    """A function to be run, and who waits for its value."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.function = function
        self.answer: Deferred[T] = Deferred()
        self.deadline: Any = None
        self.look: Any = None
        self.was_running = False
        self.is_hanging = False
        self.is_late = False
        self._lock = threading.Lock()
        self._taken = False

    @property
    def is_running(self) -> bool:
        """Whether a thread has taken it."""
        return self._taken

    def take(self) -> bool:
        """Tell whether the question is still to be asked, and is not to be asked again."""
        with self._lock:
            taken, self._taken = self._taken, True
            return not taken

    def run(self) -> "T | Failure":
        """Return the value, or the failure; on a thread."""
        try:
            return self.function()
        except BaseException:  # noqa: BLE001
            # Whatever the application raises, sys.exit() included, is an answer.
            return Failure()


class Asking:
    """Asks on threads of its own; its methods are for the reactor's thread.

    :param queue: takes work for the reactor's thread.
    """

    def __init__(
        self,
        queue: ReactorQueue,
        *,
        deadline: float = DEADLINE,
        threads: int = THREADS,
        most_threads: int = MOST_THREADS,
        waiting: int = WAITING,
    ) -> None:
        self._queue = queue
        self._deadline = deadline
        self._base = threads
        self._most = most_threads
        self._limit = waiting
        self._questions: SimpleQueue[_Question[Any] | None] = SimpleQueue()
        self._threads = 0
        self._open: set[_Question[Any]] = set()
        self._hanging = 0
        self._denials = Defects("flask-wamp: denied, because what says who may has failed")

    def run(self, function: Callable[[], T]) -> "Deferred[T]":
        """Run *function* on a thread, and return a Deferred of its value.

        It fails with what the function raises, or with :class:`TooLate`.
        """
        question = _Question(function)
        if len(self._open) - self._hanging >= self._limit:
            question.answer.errback(TooLate("too many questions wait for the application"))
            return question.answer
        self._open.add(question)
        question.deadline = self._queue.call_later(self._deadline, self._give_up, question)
        question.look = self._queue.call_later(PATIENCE, self._look, question)
        self._questions.put(question)
        self._fill()
        return question.answer

    def stop(self) -> None:
        """Let every thread end after the question that it asks."""
        self._most = 0
        for _ in range(self._threads):
            self._questions.put(None)

    def ask(
        self,
        app: Flask,
        function: Callable[[Any], Any],
        access: Access,
        handshake: Handshake | None,
        *,
        guarded: bool,
    ) -> "Deferred[bool]":
        """Return whether *function* returns True for *access*; whatever else happens is a no.

        It runs in a request that is the *handshake* of who wants to, or in an application context.

        :param guarded: run the ``before_request`` functions that stand before every view.
        """

        def ask() -> bool:
            context: AbstractContextManager[Any] = nullcontext()
            if handshake is not None:
                context = entered(app, handshake, guarded=guarded)
            with app.app_context(), context:
                return app.ensure_sync(function)(access) is True

        def refuse(failure: Failure) -> bool:
            if not failure.check(Refused):
                self._denials.tell(failure)
            return False

        return self.run(ask).addErrback(refuse)

    def _fill(self) -> None:
        """Start the threads that are missing."""
        wanted = min(len(self._open) - self._hanging, self._base) + self._hanging
        while self._threads < min(wanted, self._most):
            self._threads += 1
            threading.Thread(target=self._work, name="flask-wamp login", daemon=True).start()

    def _work(self) -> None:
        while True:
            question = self._questions.get()
            if question is None:
                return
            if question.take():
                outcome = question.run()
                self._queue.put(lambda asked=question, got=outcome: self._settle(asked, got))  # type: ignore[misc]
            del question

    def _settle(self, question: _Question[Any], outcome: Any) -> None:
        self._open.discard(question)
        if question.is_hanging:
            self._hanging -= 1
            if self._threads > self._base + self._hanging:
                self._threads -= 1
                self._questions.put(None)
        if not question.is_late:
            question.deadline.cancel()
            self._look_no_more(question)
            question.answer.callback(outcome)

    def _look(self, question: _Question[Any]) -> None:
        """Let another thread take the place of one that runs as it did at the last look."""
        question.look = None
        if question.is_running and question.was_running:
            self._keep_thread(question)
        else:
            question.was_running = question.is_running
            question.look = self._queue.call_later(PATIENCE, self._look, question)

    @staticmethod
    def _look_no_more(question: _Question[Any]) -> None:
        if question.look is not None:
            question.look.cancel()

    def _keep_thread(self, question: _Question[Any]) -> None:
        if not question.is_hanging:
            question.is_hanging = True
            self._hanging += 1
            self._fill()

    def _give_up(self, question: _Question[Any]) -> None:
        question.is_late = True
        self._look_no_more(question)
        if question.take():
            self._open.discard(question)
        else:
            self._keep_thread(question)
        question.answer.errback(
            TooLate(f"the application has not answered within {self._deadline:g} s")
        )
