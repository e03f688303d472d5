"""The log of a guest of a node, written as Crossbar.io's own workers write theirs: with levels.

What other guests write is logged line by line as ``info``, which a node does not show by default: no error
of theirs. Who begins with a certain word is read as the workers are, one JSON object for each record.
"""

import array
import fcntl
import io
import json
import logging
import os
import stat
import sys
import termios
import threading
import time

from .lines import LineFormatter, printable

#: The word, and what ends each record; ``crossbar._logging`` has them.
AWARE = "CROSSBAR_RICH_LOGGING_ENABLE=True"
SEPARATOR = "\x1e"
#: The variable that tells the guests of a node its level.
LEVEL_OF_NODE = "WAMP_NODE_LOGLEVEL"
#: What Crossbar.io calls its levels, in numbers of ``logging``.
LEVELS = {
    "none": logging.CRITICAL + 1,
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}
#: Seconds that the node has to read the word.
READ_WITHIN = 5.0

_ERROR = 2


def log_as_guest() -> None:
    """Let this process log as a worker of its node; to be called before it writes anything."""
    records = Records()
    _wait_until_read(_ERROR)
    handler = GuestHandler(records)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LEVELS.get(os.environ.get(LEVEL_OF_NODE, ""), logging.INFO))
    sys.stdout = Lines(records, "info", 1)
    sys.stderr = Lines(records, "warn", _ERROR)


class Records:
    """Writes records to standard error; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stream = open(_ERROR, "w", encoding="ascii", closefd=False)  # noqa: SIM115
        self._put(AWARE)

    def write(self, level: str, name: str, text: str) -> None:
        """Write a record, whose *text* has no line breaks but its own."""
        escaped = text.replace("{", "{{").replace("}", "}}")
        self._put(json.dumps({"level": level, "namespace": name, "text": escaped}) + SEPARATOR)

    def _put(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()


class GuestHandler(logging.Handler):
    """Hands records of ``logging`` on."""

    def __init__(self, records: Records) -> None:
        super().__init__()
        self._records = records
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            names = (name for name in ("critical", "error", "warn", "info") if _is(record, name))
            self._records.write(next(names, "debug"), record.name, self.format(record))
        except Exception:  # noqa: BLE001
            # As handlers do: what cannot be logged must not be the end of a view.
            self.handleError(record)


class Lines(io.TextIOBase):
    """A standard stream whose lines are records."""

    def __init__(self, records: Records, level: str, descriptor: int) -> None:
        self._records = records
        self._level = level
        self._descriptor = descriptor
        self._rest = ""

    def fileno(self) -> int:
        """Return the descriptor, for what writes past this object."""
        return self._descriptor

    def writable(self) -> bool:
        """Be written to."""
        return True

    def write(self, text: str) -> int:
        """Take a piece of text."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(None, lines):
            self._records.write(self._level, "output", printable(line.expandtabs()))
        return len(text)


def _is(record: logging.LogRecord, name: str) -> bool:
    return record.levelno >= LEVELS[name]


def _wait_until_read(descriptor: int) -> None:
    """Wait until the node has read the word, which is one only where it comes alone and first."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return
    deadline = time.monotonic() + READ_WITHIN
    left = array.array("i", [1])
    while left[0] and time.monotonic() < deadline:
        fcntl.ioctl(descriptor, termios.FIONREAD, left)
        time.sleep(0.001)
