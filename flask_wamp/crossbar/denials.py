"""What the log says of those who were denied: enough to repair it, and not more than that."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..context import Access
from ..uris import MAX_LENGTH

#: Seconds in which a role is told of once for each action and URI.
SAME = 60.0
#: Lines that there are at most in so many seconds.
LINES, SECONDS = 20, 10.0
#: Denials that are remembered, the oldest of which is forgotten.
REMEMBERED = 1000
#: Characters of an authid, which strangers choose, as they do URIs.
LONGEST = 100


class Denials:
    """Logs denials, each kind once in a while.

    :ivar warn: logs a line.
    :ivar count: is told the role and action of each, where denials are counted.
    :param clock: returns seconds.
    """

    count: Callable[[str, str], None] | None = None

    def __init__(self, warn: Callable[[str], Any], clock: Callable[[], float]) -> None:
        self.warn = warn
        self._clock = clock
        self._told: OrderedDict[tuple[Any, ...], float] = OrderedDict()
        self._begin = 0.0
        self._lines = 0
        self._untold = 0

    def tell(self, access: Access, remedy: Callable[[str], str]) -> None:
        """Log that *access* was denied.

        :param remedy: returns what would allow it, given the URI as it is shown.
        """
        if self.count is not None:
            self.count(str(access.authrole), access.action)
        now = self._clock()
        shown = _short(access.uri, MAX_LENGTH)
        key = (access.authrole, access.action, shown, access.match, access.retain)
        last = self._told.get(key)
        if last is not None and now - last < SAME:
            return
        if now - self._begin >= SECONDS:
            self._begin, self._lines = now, 0
        if self._lines >= LINES:
            self._untold += 1
            return
        self._lines += 1
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        untold, self._untold = self._untold, 0
        more = f"; {untold} more were not logged" if untold else ""
        self.warn(
            f"denied: {access.authrole!r} (authid {_short(str(access.authid))!r}) may not "
            f"{_what(access)} {shown!r}: {remedy(shown)}{more}"
        )


def _what(access: Access) -> str:
    if access.action == "subscribe" and access.match != "exact":
        return f"subscribe by {_short(access.match)} to"
    if access.action == "publish":
        return "let the router retain what it publishes to" if access.retain else "publish to"
    return "subscribe to" if access.action == "subscribe" else access.action


def _short(text: str, longest: int = LONGEST) -> str:
    """Return a text of a stranger's that fits into a line."""
    text = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(char if char.isprintable() else "?" for char in text)
