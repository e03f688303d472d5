"""Lets one relay send at a time, whatever number of processes have one.

The lease is a row that its owner changes while it sends. Nobody compares clocks: who wants the lease
watches the row on a clock of its own, and takes it when it has not changed for a while, by a change
that only one can make; at once where the owner was a process that has ended here. An owner that was stopped meanwhile finds by its own clock that it may
have lost the lease, before it sends another event.
"""

import os
import socket
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from .store import Store

#: Seconds without a change after which a lease may be taken.
EXPIRY = 3.0
#: Seconds after which an owner asks whether the lease is still its own, before it sends.
SAFE = 1.0


def new_owner() -> str:
    """Return a name for a relay of this process, which tells a person where it is."""
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{_numbers()}:{uuid4().hex[:8]}"


def has_ended(owner: str) -> bool:
    """Tell whether it is known that the process of *owner* is none any more."""
    _host, *parts = owner.rsplit(":", 3)
    if len(parts) != 3 or not parts[0].isdecimal() or not parts[1] or parts[1] != _numbers():
        return False
    try:
        os.kill(int(parts[0]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it is somebody else's
    return False


def _numbers() -> str:
    """Return what tells apart where process ids mean something else; "" where that is not known.

    A container has numbers of its own, and perhaps the name of another; so has a machine that was
    started anew.
    """
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text()
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it leads nowhere
    except OSError:
        return ""
    return sha256(f"{started}{space}".encode()).hexdigest()[:8]


def elapsed() -> float:
    """Return seconds that go on while the machine sleeps and the process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """What one relay knows of the lease; of one thread.

    :param owner: who it is, different for each relay.
    :param clock: seconds.
    :param ended: tells of an owner whether it has certainly ended.
    """

    def __init__(
        self,
        owner: str,
        clock: Callable[[], float] = elapsed,
        ended: Callable[[str], bool] = has_ended,
    ) -> None:
        self.owner = owner
        self._clock = clock
        self._ended = ended
        self._renewed: float | None = None
        self._watched: tuple[str, int] | None = None
        self._since = 0.0

    @property
    def is_held(self) -> bool:
        """Whether it was this one's when it last looked."""
        return self._renewed is not None

    def hold(self, store: Store) -> bool:
        """Take the lease, or keep it; tell whether it is this one's."""
        if self._renewed is not None:
            return self.keep(store)
        now = self._clock()
        found = store.lease()
        if found is not None and found[0] and not self._ended(found[0]):
            if found != self._watched:
                self._watched, self._since = found, now
                return False
            if now - self._since < EXPIRY:
                return False
        if store.take(found, self.owner):
            self._renewed = now
        self._watched = None
        return self.is_held

    def keep(self, store: Store) -> bool:
        """Renew the lease where that is due; tell whether it is still this one's."""
        now = self._clock()
        if self._renewed is None:
            return False
        if now - self._renewed < SAFE:
            return True
        return self.renewed(now, still=store.renew(self.owner))

    def renewed(self, now: float, *, still: bool) -> bool:
        """Note what came of a renewal that began at *now*."""
        self._renewed = now if still else None
        return still

    def now(self) -> float:
        """Return the time, on this lease's clock."""
        return self._clock()

    def release(self, store: Store) -> None:
        """Let others have it."""
        if self._renewed is not None:
            self._renewed = None
            store.release(self.owner)
