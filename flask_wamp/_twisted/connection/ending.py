"""The end of the process: its connections say goodbye first, behind what was published."""

import os
import time
import weakref
from typing import Protocol

from ..reactor_thread import before_exit

#: Seconds that the end of the process waits for its connections to end.
EXIT_TIMEOUT = 2.0
#: Seconds that ``@wamp.on_leave`` functions get then.
LEAVE_GRACE = 1.0


class Ended(Protocol):
    """What is awaited."""

    def wait(self, timeout: float) -> bool:
        """Wait *timeout* seconds at most."""


class Ends(Protocol):
    """A connection that ends with the process."""

    def end(self) -> Ended:
        """Begin to end, and return what is set when that is done."""

    def finish_notices(self, timeout: float) -> None:
        """Wait until the application has been told."""


_connections: "weakref.WeakKeyDictionary[Ends, int]" = weakref.WeakKeyDictionary()


def end_with_process(connection: Ends) -> None:
    """End *connection* when this process ends."""
    _connections[connection] = os.getpid()
    before_exit(_end_all)


def end_by_itself(connection: Ends) -> None:
    """Leave the end of *connection* to who ends it."""
    _connections.pop(connection, None)


def ends_with_process(connection: Ends) -> bool:
    """Tell whether *connection* is one of this process, which nobody has ended."""
    # A server may fork without telling Python, and leave its child what is its own.
    return _connections.get(connection) == os.getpid()


def _end_all() -> None:
    """End every connection of this process, on the thread that ends the process."""
    connections = [each for each in _connections if ends_with_process(each)]
    # Those that are released after this would wake threads that end with the process.
    _connections.clear()
    ends = [each.end() for each in connections]
    deadline = time.monotonic() + EXIT_TIMEOUT
    for end in ends:
        end.wait(max(0.0, deadline - time.monotonic()))
    deadline = time.monotonic() + LEAVE_GRACE
    for each in connections:
        each.finish_notices(max(0.0, deadline - time.monotonic()))
