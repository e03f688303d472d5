"""What the router, and whoever serves, hold of the calls of pages until these are answered.

A call to a slow procedure costs the memory of its arguments for as long as it waits, and pages may
let thousands wait. So there is a limit for the large ones of all pages together; small ones are
limited by their number.
"""

from typing import Any

from .._twisted.engine.readers import attach

#: Bytes of a call that do not count.
SMALL = 16 * 1024
#: Bytes that the calls of all pages together may hold.
MAX_HELD = 128 * 1024 * 1024
#: Bytes that each value in a list or dict costs beside those that have travelled, about.
PART = 64


class Held:
    """Counts what calls hold; on the reactor's thread.

    :ivar bytes: of those that are not forgotten yet.
    """

    def __init__(self) -> None:
        self.bytes = 0

    def admits(self, call: Any, octets: int) -> bool:
        """Tell whether there is room for a call, which counts until it is forgotten everywhere.

        :param octets: bytes that have travelled.
        """
        if octets <= SMALL:
            return True
        size = octets + PART * _parts([call.args, call.kwargs])
        if self.bytes + size > MAX_HELD:
            return False
        attach(call, _Count(self, size))
        return True


class _Count:
    """Is there for as long as anybody has the call."""

    def __init__(self, held: Held, size: int) -> None:
        held.bytes += size
        self._held, self._size = held, size

    def __del__(self) -> None:
        self._held.bytes -= self._size


def _parts(value: Any) -> int:
    """Return how many values there are in *value*, however deep."""
    waiting, count = [value], 0
    while waiting:
        part = waiting.pop()
        count += len(part)
        inner = part.values() if type(part) is dict else part
        waiting += [each for each in inner if type(each) in (list, dict)]
    return count
