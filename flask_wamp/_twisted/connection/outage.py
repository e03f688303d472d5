"""What the log says of a router that is away: one line at the loss, one a minute, one at the end."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger("flask_wamp")

#: Seconds between two lines.
PAUSE = 60.0


class Outage:
    """Logs how long there has been no session; on the reactor's thread.

    :ivar expected: how reasons of a loss begin that is no surprise here.
    :param seconds: the time, in seconds.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.expected: tuple[str, ...] = ()
        self._seconds = seconds
        self._began: float | None = seconds()
        self._said = self._began
        self._was_connected = False

    def over(self, url: str) -> None:
        """There is a session with the router at *url*."""
        if self._was_connected and self._began is not None:
            log.warning("connected to %s again, after %.1f s", url, self._seconds() - self._began)
        else:
            log.info("connected to %s", url)
        self._began = None
        self._was_connected = True

    def goes_on(self, lost: Sequence[Any]) -> None:
        """A session has ended, or a round of attempts has failed, as *lost* says of each.

        The first round of a process is not worth a line: whoever waits for it is told.
        """
        now = self._seconds()
        if self._began is None:
            self._began = self._said = now
            if lost[-1].reason.startswith(self.expected):
                log.info("the connection to %s has ended: %s", *lost[-1])
            else:
                log.warning("the connection to %s was lost: %s", *lost[-1])
        elif now - self._said >= PAUSE:
            self._said = now
            why = "; ".join(map(str, lost))
            log.warning("no connection for %.0f s, trying on: %s", now - self._began, why)


def not_within(seconds: float, urls: str, absent: str) -> str:
    """Say that none of the routers at *urls* was reached in time; *absent* says why, of each."""
    why = absent.removeprefix("not connected to ").removeprefix(f"{urls}: ")
    return f"not connected to {urls} within {seconds:g} s: {why}"
