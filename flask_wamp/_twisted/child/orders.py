"""What a supervisor tells its serving process, and that it has gone."""

import os
import threading
from collections.abc import Callable

#: The exit code of a process that was left alone.
LEFT_ALONE = 1
_MOST = 4096


def take_orders(descriptor: int, take: Callable[[str], None]) -> None:
    """Give each line that comes through *descriptor* to *take*, on a thread of its own.

    At the end of it the supervisor has gone, and this process ends at once: another one may serve
    what it serves already.
    """

    def read() -> None:
        rest = b""
        while data := os.read(descriptor, _MOST):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                take(line.decode(errors="replace").strip())
        os._exit(LEFT_ALONE)

    threading.Thread(target=read, name="flask-wamp orders", daemon=True).start()
