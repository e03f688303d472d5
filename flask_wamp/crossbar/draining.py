"""The router's process before it ends: nothing new comes in, and what was accepted is finished.

What the node has accepted, a call or a request, may itself call procedures of any of its processes. So
the router is the one that waits, while all others serve on (:mod:`flask_wamp._twisted.serve.leaving`)
until it has gone.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .._twisted.serve.leaving import SYSTEM_SHUTDOWN
from ..errors import UNAVAILABLE

#: Seconds between two looks at what runs.
LOOK = 0.02
#: Looks in a row that find nothing: what a thread has handed over comes at the reactor's next turn.
IDLE_LOOKS = 2
#: Seconds that peers get to read what they were sent.
FLUSH = 1.0

TEXT = "the node stops"
CUT_SHORT = "the node stops before the call was answered; its view may have run"

_log = Logger(namespace="flask_wamp.crossbar.draining")


class Work(Protocol):
    """What a router's process has accepted, and how it is told to accept no more."""

    def close(self) -> None:
        """Let nothing new in."""

    def calls(self) -> int:
        """Return how many calls await their answers."""

    def requests(self) -> int:
        """Return how many HTTP requests are not answered."""

    def unsent(self) -> bool:
        """Tell whether anything is on its way to a peer."""

    def answer_calls(self, uri: str, text: str) -> int:
        """Answer the calls that wait with an error, and return how many there were."""

    def say_goodbye(self, reason: str, text: str) -> None:
        """Tell this machine's services that the router goes."""


class Draining:
    """Waits until what was accepted is finished, for a while; on the reactor's thread.

    :param grace: seconds that calls and requests get.
    """

    def __init__(self, work: Work, reactor: Any, grace: float) -> None:
        self._work = work
        self._reactor = reactor
        self._grace = grace
        self._done: Deferred[None] = Deferred()
        self._idle_looks = 0
        self._until = 0.0

    def begin(self) -> "Deferred[None]":
        """Close, and return what fires when everything is finished, or the time is over."""
        self._until = self._reactor.seconds() + self._grace
        self._work.close()
        calls, requests = self._work.calls(), self._work.requests()
        if calls or requests:
            _log.warn(
                "flask-wamp: the node stops; {calls} calls and {requests} requests have up to "
                "{grace:g} s to end",
                calls=calls,
                requests=requests,
                grace=self._grace,
            )
        self._look(lambda: not (self._work.calls() or self._work.requests()), self._finished)
        return self._done

    def _finished(self, *, in_time: bool) -> None:
        if not in_time:
            requests = self._work.requests()
            calls = self._work.answer_calls(UNAVAILABLE, CUT_SHORT)
            _log.error(
                "flask-wamp: the node stops, and after {grace:g} s {calls} calls were answered with an "
                "error, and {requests} requests are let go of",
                grace=self._grace,
                calls=calls,
                requests=requests,
            )
        self._work.say_goodbye(SYSTEM_SHUTDOWN, TEXT)
        self._idle_looks = 0
        self._until = self._reactor.seconds() + FLUSH
        self._look(lambda: not self._work.unsent(), self._flushed)

    def _flushed(self, *, in_time: bool) -> None:
        self._done.callback(None)

    def _look(self, is_idle: Callable[[], bool], then: Callable[..., None]) -> None:
        self._idle_looks = self._idle_looks + 1 if is_idle() else 0
        if self._idle_looks >= IDLE_LOOKS:
            then(in_time=True)
        elif self._reactor.seconds() >= self._until:
            then(in_time=False)
        else:
            self._reactor.callLater(LOOK, self._look, is_idle, then)
