"""Peers that do not read what they are sent, which the router's process would keep for them.

A page that asks for large results, or sends pings, and reads nothing, costs the router all that it
is answered with, until its own ping goes unanswered. Who reads too slowly for the events that come
is no better off then. Services are what others have set up, and a handler with ``overflow="block"``
lets the router keep its events on purpose, so they may let more wait; but not without end, which
would be the end of the router, and so of everybody. One that is cut off connects again.

Many pages that each let less wait are as bad as one. So there is a limit for all of them together;
beyond it those go for whom most waits.
"""

from collections.abc import Callable
from typing import Any

from .._twisted.engine.router_sessions import GuardedSession

#: Bytes that the router holds for a peer at the most.
MAX_UNSENT = 32 * 1024 * 1024
#: The same for a service's session.
MAX_UNSENT_OF_SERVICE = 256 * 1024 * 1024
#: The same for all sessions together that are no services'.
MAX_UNSENT_TOGETHER = 256 * 1024 * 1024
#: Seconds between two looks at what peers have yet to read.
LOOK = 0.5


def too_much(most: int) -> str:
    """Return what the log says of more than *most* bytes."""
    return f"more than {most >> 20} MiB wait"


class Unread:
    """Looks at each peer from time to time, as long as there are any; on the reactor's thread.

    :param cut_off: called with a peer for whom too much waits, and what that is.
    """

    def __init__(self, reactor: Any, cut_off: Callable[[GuardedSession, str], None]) -> None:
        self._reactor = reactor
        self._cut_off = cut_off
        self._peers: set[GuardedSession] = set()
        self._timer: Any = None

    def opened(self, peer: GuardedSession) -> None:
        """Look at *peer* from now on."""
        self._peers.add(peer)
        if self._timer is None:
            self._timer = self._reactor.callLater(LOOK, self._look)

    def closed(self, peer: GuardedSession) -> None:
        """Forget *peer*."""
        self._peers.discard(peer)
        if not self._peers and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._reactor.callLater(LOOK, self._look)
        waiting = {peer: peer.unsent() for peer in self._peers}
        together = 0
        for peer in sorted(waiting, key=waiting.__getitem__):
            is_service = peer.guarded.service
            most = MAX_UNSENT_OF_SERVICE if is_service else MAX_UNSENT
            together += 0 if is_service else waiting[peer]
            if waiting[peer] > most:
                self._cut_off(peer, too_much(most))
            elif together > MAX_UNSENT_TOGETHER and not is_service:
                self._cut_off(peer, f"{too_much(MAX_UNSENT_TOGETHER)} for all pages together")
