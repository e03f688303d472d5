"""What several files ask of a session, a link or a serving process."""

import threading
from typing import Any

from flask import Flask

from flask_wamp._twisted.replies import Reply, StreamReply
from flask_wamp._twisted.session import NO_OPTIONS, Session
from flask_wamp.declare.declared import Procedure, Subscription
from flask_wamp.state import state_of

from .doubles import Blocked, Router, Transport, Turns

#: What the Python wampy adds to its answer 1.
WAMPYS = {"message": 1, "meta": {"procedure_name": "get_one", "session_id": 2}}


def sent(transport: Transport, kind: type[Any], turns: Turns, count: int = 1) -> list[Any]:
    """Return messages of one kind, when as many have been sent."""
    turns.run_until(lambda: len(transport.of_kind(kind)) >= count)
    return transport.of_kind(kind)


def call(session: Session, uri: str = "com.example.x", /, *args: Any, **kwargs: Any) -> Reply:
    """Return the reply to a call that was sent."""
    reply = Reply()
    session.call_for(reply, uri, list(args), kwargs, NO_OPTIONS)
    return reply


def stream(session: Session, token: str = "token") -> StreamReply:
    """Return the reply to a call for progressive results that was sent."""
    reply = StreamReply(token)
    session.call_for(reply, "com.example.x", [], {}, NO_OPTIONS)
    return reply


class Counted:
    """A view that the test holds, and that counts how many run."""

    def __init__(self) -> None:
        self.blocked = Blocked()
        self.lock = threading.Lock()
        self.running = 0
        self.most = 0
        self.ran: list[int] = []

    def __call__(self, n: int) -> int:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.ran.append(n)
        self.blocked()
        with self.lock:
            self.running -= 1
        return n


def declared(app: Flask, uri: str) -> Procedure | Subscription:
    """Return a declaration by its URI."""
    registry = state_of(app).registry
    found: list[Procedure | Subscription] = [
        *(each for each in registry.procedures if each.uri("") == uri),
        *(each for each in registry.subscriptions if each.topic == uri),
    ]
    return found[-1]


def server_of(router: Router) -> Any:
    """Return what serves the router's session."""
    return router.session.server


def fired(outcome: Any, turns: Turns) -> Any:
    """Return what a Deferred fires with."""
    fired: list[Any] = []
    outcome.addBoth(fired.append)
    turns.run_until(lambda: fired)
    return fired[0]
