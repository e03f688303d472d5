"""Callees whose answers the test decides about."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from autobahn.wamp.types import RegisterOptions
from twisted.internet.defer import Deferred

from flask_wamp._twisted.reactor_thread import running_reactor

from .support import INVOCATION, LIMIT, YIELD, Peer, RawPeer, on_reactor


def next_of(peer: RawPeer, kind: int) -> list[Any]:
    """Return the next message that *peer* gets, which is of this *kind*."""
    message = peer.receive()
    assert message[0] == kind, message
    return message


def answers_a_call(peer: RawPeer, call: Callable[[], Any]) -> None:
    """Show that *call* reaches *peer*, as the next message that it gets, and returns its answer."""
    with ThreadPoolExecutor(1) as threads:
        outcome = threads.submit(call)
        request = next_of(peer, INVOCATION)[1]
        peer.send([YIELD, request, {}, ["answered"]])
        assert outcome.result(LIMIT) == "answered"


class Slow:
    """A procedure of an Autobahn peer that answers when the test says so.

    With *parts* it sends these first, as progressive results.

    :ivar calls: those that wait for an answer.
    """

    def __init__(self, peer: Peer, uri: str, *parts: Any) -> None:
        self._parts = parts
        self.calls: queue.Queue[Deferred[Any]] = queue.Queue()
        self.canceled = threading.Event()
        options = RegisterOptions(details_arg="details")
        on_reactor(lambda: peer.session.register(self._answer, uri, options))

    def answer(self, value: Any) -> None:
        """Answer the call that waits longest."""
        waiting = self.calls.get(timeout=LIMIT)
        running_reactor().callFromThread(waiting.callback, value)

    def fail(self, error: Exception) -> None:
        """Answer it with an error."""
        waiting = self.calls.get(timeout=LIMIT)
        running_reactor().callFromThread(waiting.errback, error)

    def _answer(self, details: Any) -> "Deferred[Any]":
        for part in self._parts:
            details.progress(part)
        waiting: Deferred[Any] = Deferred(lambda _: self.canceled.set())
        self.calls.put(waiting)
        return waiting
