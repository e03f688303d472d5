"""Signals, as Flask has them; the sender of each is the application.

``session_joined`` and ``session_left`` come with ``session``, a
:class:`~flask_wamp.SessionInfo`, as soon as a session of this process can be used, and when it has
ended. ``call_started`` comes with ``invocation``, on the thread that runs the view, before any
context is pushed; ``call_finished`` with ``invocation`` and ``error`` afterwards, where ``error``
is None or the :class:`~flask_wamp.ApplicationError` that answers the call.
"""

from dataclasses import dataclass

from blinker import Namespace

_signals = Namespace()

session_joined = _signals.signal("session-joined")
session_left = _signals.signal("session-left")
call_started = _signals.signal("call-started")
call_finished = _signals.signal("call-finished")


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session of this process (WAMP spec, 4.1).

    :ivar session: the session id.
    :ivar realm: the realm that it has joined.
    :ivar authid: who it is, as the router knows it.
    :ivar authrole: its role.
    :ivar reason: why it has ended; None while it lasts.
    """

    session: int
    realm: str
    authid: str | None
    authrole: str | None
    reason: str | None = None
