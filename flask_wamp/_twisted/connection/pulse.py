"""Notices a router that is still connected and does not answer any more.

A process that was stopped, a network that swallows packets and a firewall that has forgotten a
connection leave a socket open from which nothing comes. So after a while without a sign of life
the router is asked for one: over WebSocket with a ping (RFC 6455, 5.5.2), over RawSocket, whose
ping Autobahn does not have, with a call of a procedure that nobody has, since an error is a sign of
life as well, and needs no right.
"""

from collections.abc import Callable
from typing import Any

#: Of the interval: how long the answer may take.
PATIENCE = 0.5
#: Seconds by which a timer may be late before the process itself was stopped, or very busy.
LATE = 0.5
#: Seconds in which what has come meanwhile is read then.
GRACE = 1.0
#: What a RawSocket's router is asked.
PROBE = "flask_wamp.link.alive"


class Pulse:
    """Asks for signs of life, and ends what gives none; on the reactor's thread.

    A silent router is noticed after 1 to 1.5 intervals.

    :param interval: seconds without a sign of life after which one is asked for.
    :param ask: asks for one.
    :param is_reading: what comes is read; where it is not, nothing can be heard.
    :param dead: called once, when there was none.
    """

    def __init__(
        self,
        reactor: Any,
        interval: float,
        *,
        ask: Callable[[], None],
        is_reading: Callable[[], bool],
        dead: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._interval = interval
        self._ask = ask
        self._is_reading = is_reading
        self._dead = dead
        self._last = reactor.seconds()
        self._asked = False
        self._timer: Any = None
        self._wait(interval)

    def heard(self) -> None:
        """Something has come."""
        self._last = self._reactor.seconds()
        self._asked = False

    def stop(self) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._due = self._reactor.seconds() + seconds
        self._timer = self._reactor.callLater(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        if not self._is_reading():
            self.heard()
        if not self._asked:
            quiet = now - self._last
            if quiet < self._interval:
                self._wait(self._interval - quiet)
                return
            self._asked = True
            self._ask()
            self._wait(self._interval * PATIENCE)
        elif now - self._due > LATE:
            # This process was not there to hear it.
            self._wait(GRACE)
        else:
            self._dead(f"the router has given no sign of life for {now - self._last:.1f} s")
