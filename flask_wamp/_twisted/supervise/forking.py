"""Starts serving processes through a fork server, and by themselves where there is none.

Importing what every serving process needs takes most of its start: over half a second of a
processor, which is two while others are busy. A fork server has done that; see ``fork_server``.
"""

import ctypes
import os
from typing import Any

from twisted.internet.defer import Deferred, succeed

from .fork_orders import Order, Server
from .processes import ChildProcess
from .settings import ChildSettings
from .watched import Log, Watched

#: Seconds until the next fork server is started after an end: the first, and the most.
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
#: Seconds between two looks for processes that were left to this one, and have ended.
STRAY_INTERVAL = 10.0
#: prctl(2): descendants whose parent has ended belong to this process.
PR_SET_CHILD_SUBREAPER = 36


def adopt_descendants() -> bool:
    """Let descendants of this process whose parent ends be its children; tells whether they are."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


class Forker:
    """Keeps a fork server, and has processes forked by it.

    :ivar users: how many supervisors it is for.
    :ivar is_over: there is no fork server, and will be none.
    :param application: what it imports besides, ``module:object``; empty is nothing.
    """

    def __init__(self, reactor: Any, log: Log, application: str = "") -> None:
        self._reactor = reactor
        self._log = log
        self._application = application
        self._server: Server | None = None
        self._delay = FIRST_DELAY
        self._renewed: list[Deferred[None]] = []
        self._stray = 0
        self.users = 0
        self.is_over = not adopt_descendants()
        if not self.is_over:
            self._begin()
            self._look_for_strays()

    def launch(self, settings: ChildSettings, watcher: Watched) -> ChildProcess:
        """Start a serving process.

        :raises OSError: there can be none.
        """
        process = ChildProcess(self._reactor, watcher)
        if self._server is None:
            process.spawn(settings)
        else:
            self._server.order(settings, process)
        return process

    def renew(self) -> "Deferred[None]":
        """Use another fork server from now on, which has the modules as they are on the disk now.

        :returns: fires when it can fork, or could not start.
        """
        if self.is_over:
            return succeed(None)
        if self._server is not None:
            self._server.close()
        renewed: Deferred[None] = Deferred()
        # Somebody else may wait for the one before, which says nothing any more.
        self._renewed.append(renewed)
        self._begin()
        return renewed

    def leave(self) -> None:
        """End the fork server, where nobody uses it any more: nothing is launched then."""
        self.users -= 1
        if self.users <= 0 and not self.is_over:
            self.is_over = True
            if self._server is not None:
                self._server.close()
                self._server = None

    def _begin(self) -> None:
        if self.is_over:
            return
        self._server = None
        try:
            self._server = Server(
                self._reactor,
                self._log,
                self._application,
                ready=self._tell_renewed,
                over=self._server_has_ended,
            )
        except OSError as error:
            self._log("warn", f"there is no fork server: {error}")
            self._tell_renewed()

    def _server_has_ended(self, server: Server, how: str, orders: list[Order]) -> None:
        """Start by themselves what it has not forked, and start another server."""
        if server is self._server and not self.is_over:
            self._server = None
            self._log("warn", f"the fork server {how}; processes start without it meanwhile")
            self._reactor.callLater(self._delay, self._begin)
            self._delay = min(2 * self._delay, LONGEST_DELAY)
            self._tell_renewed()
        for settings, process in orders:
            if self.is_over:
                process.not_started("the supervisor stops")
                continue
            try:
                process.spawn(settings)
            except OSError as error:
                process.not_started(str(error))

    def _tell_renewed(self) -> None:
        waiting, self._renewed = self._renewed, []
        for renewed in waiting:
            renewed.callback(None)

    def _look_for_strays(self) -> None:
        """Let what was started by a child, and has outlived it, go when it has ended.

        It is somebody else's to ask how; only what nobody has asked for from one look to the next.
        """
        if self.is_over:
            return
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            found = None
        pid = found.si_pid if found is not None else 0
        if pid and pid == self._stray:
            os.waitpid(pid, os.WNOHANG)
        self._stray = pid
        self._reactor.callLater(STRAY_INTERVAL, self._look_for_strays)
