"""Ends the session of a peer, whatever the peer does about it."""

from typing import Any

from twisted.internet.defer import Deferred, succeed

from .._twisted.engine.router_sessions import guarded_session


def end_session(
    in_memory: Any, session_id: int, reason: str, *, at_once: bool = False
) -> "Deferred[bool]":
    """End a peer's session, on the reactor's thread.

    The peer is told to leave, is heard no more, and is cut off a second later where it has not gone.

    :param in_memory: a session of a router component, which tells the router.
    :param reason: the URI that the peer reads; nothing is said with *at_once*.
    :param at_once: lose the connection now, as a network would, so that clients connect again by
        themselves.
    :returns: what fires when the session has ended: with True, or with False where there was none
        of a transport's.
    """
    session = guarded_session(in_memory, session_id)
    if session is None:
        return succeed(False)
    return session.guard.end(session, reason, at_once=at_once)
