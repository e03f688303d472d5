"""A connection is the process's that made it, and not of those that it forks.

A view may fork, ``multiprocessing`` does. The copy has the socket as well: where the process dies
before its copy, the router would see an open connection from which nothing comes, its callers
would wait for ever, and no other process could have its procedures.
"""

import os
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_connections: "WeakSet[Any]" = WeakSet()


def leave_at_fork(protocol: Any) -> None:
    """Let what this process forks not have the connection of *protocol*."""
    _connections.add(protocol)


def _leave() -> None:
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for protocol in list(_connections):
        # Nothing says goodbye: the connection is in use. The number stays, since the copies of
        # objects that have it would close it, whosever it was by then.
        with suppress(OSError, AttributeError):
            number = protocol.transport.fileno()
            if number >= 0:
                os.dup2(nothing, number, inheritable=False)
    os.close(nothing)
    _connections.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
