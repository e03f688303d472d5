"""The output of a process, line by line, with a length that no process decides."""

import logging
from collections.abc import Callable

from ...tracing.lines import level_of, printable

#: Bytes of a line; the rest of a longer one is dropped.
LONGEST_LINE = 8192
#: The levels of ``logging`` as Twisted's loggers call them.
_NAMES = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


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


def log_line(log: Callable[[str, str], None], line: str, otherwise: int, begin: str = "") -> str:
    """Log a line that a process has written, as grave as it says that it is; return it without that.

    :param otherwise: the level of a line that says nothing.
    :param begin: what stands before it in the log.
    """
    level, text = level_of(line, otherwise)
    # Tabs are harmless; what moves a terminal's cursor is not.
    text = "\t".join(map(printable, text.split("\t")))
    log(_NAMES[level], begin + text)
    return text
