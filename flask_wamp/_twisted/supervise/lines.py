"""The output of a process, line by line, with a length that no process decides."""

import re
from collections.abc import Callable

#: Bytes of a line; the rest of a longer one is dropped.
LONGEST_LINE = 8192
#: How a line says how grave it is, as to systemd (sd-daemon(3)).
_PRIORITY = re.compile(r"<([0-7])>")
_LEVELS = ("critical", "critical", "critical", "error", "warn", "info", "info", "debug")


class Lines:
    """Cuts what comes in pieces into lines.

    :param take: gets each line, without its end.
    :param longest: bytes of a line.
    """

    def __init__(self, take: Callable[[str], None], longest: int = LONGEST_LINE) -> None:
        self._take = take
        self._longest = longest
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._end_line(self._rest + line)
            self._rest = b""
        self._rest += rest
        if len(self._rest) > self._longest:
            self._give(self._rest[: self._longest], " ...")
            self._skipping, self._rest = True, b""

    def end(self) -> None:
        """Take what is there as the last line: nothing follows."""
        if self._rest:
            self._end_line(self._rest)
            self._rest = b""

    def _end_line(self, line: bytes) -> None:
        cut = len(line) > self._longest
        self._give(line[: self._longest], " ..." if cut else "")
        self._skipping = False

    def _give(self, line: bytes, dots: str) -> None:
        if not self._skipping:
            self._take(line.decode("utf-8", "replace").rstrip("\r") + dots)


def level_of(line: str, default: str) -> tuple[str, str]:
    """Return how grave a line says that it is, and the line without that."""
    found = _PRIORITY.match(line)
    if found is None:
        return default, line
    return _LEVELS[int(found[1])], line[found.end() :]
