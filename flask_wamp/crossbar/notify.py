"""What systemd is told about a node: that it is ready, stops, and is alive (sd_notify(3)).

Crossbar.io says "ready" when its workers have started, whatever they serve. So ``flask wamp run`` keeps
the address from it, and the router's process says it, once every procedure is there. The units that
``flask wamp deploy systemd`` writes let every process of the node say it (``NotifyAccess=all``).
"""

import os
import socket
import threading
from collections.abc import MutableMapping
from typing import Any, Self

from .._twisted.engine.controller import NOTIFY_SOCKET

#: How many times in the time that systemd waits it hears that the process is alive.
BEATS = 3


class Systemd:
    """Tells systemd; where there is none, nobody.

    :param address: of its socket; "" for none.
    :param watchdog: seconds in which it has to hear of this process; 0 for none.
    """

    def __init__(self, reactor: Any, address: str = "", watchdog: float = 0.0) -> None:
        self._reactor = reactor
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = watchdog
        self._is_stopping = threading.Event()

    @classmethod
    def of(cls, reactor: Any, environ: MutableMapping[str, str] = os.environ) -> Self:
        """Return the one that the environment names, where what is started from here is not to."""
        address = environ.pop(NOTIFY_SOCKET, "")
        microseconds = environ.pop("WATCHDOG_USEC", "") if address else ""
        watchdog = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0
        return cls(reactor, address, watchdog)

    def ready(self, status: str) -> None:
        """The node is ready; from now on the reactor says that it has turns."""
        self._tell("READY=1", f"STATUS={status}")
        if self._address and self._watchdog:
            threading.Thread(target=self._beat, name="systemd watchdog", daemon=True).start()

    def status(self, status: str) -> None:
        """Say how the node is, in a line."""
        self._tell(f"STATUS={status}")

    def stopping(self) -> None:
        """The node stops; from now on systemd goes by its limit for that."""
        self._is_stopping.set()
        self._tell("STOPPING=1", "STATUS=stopping: what was accepted is finished")

    def _beat(self) -> None:
        """Let the reactor say that it has turns.

        A thread asks it to: timers of the reactor's are late where the machine's clock is set back.
        """
        while not self._is_stopping.is_set():
            self._reactor.callFromThread(self._tell, "WATCHDOG=1")
            self._is_stopping.wait(self._watchdog / BEATS)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            try:
                to.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                # It does not listen, or has enough to read: whoever missed a beat hears the next.
                return
