"""Log records as lines: with the correlation id, and safe to print whatever they contain.

``logging`` keeps what a message says as it is, so that a stranger's line break in it begins what looks
like a line of the log. Here such characters are escaped; only a traceback has further lines, which are
indented.
"""

import logging
import re
import sys
import traceback
from typing import IO

from .current import correlation_id

#: What stands in a format for ``%(correlation_id)s`` where there is no id.
NO_ID = "-"
#: Priorities of sd-daemon(3), the lowest level of logging that each is for first.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)
#: How lines with a priority are taken; 0 and 1 are worse than critical, 5 is remarkable.
_LEVELS = {
    "0": logging.CRITICAL,
    "1": logging.CRITICAL,
    "2": logging.CRITICAL,
    "3": logging.ERROR,
    "4": logging.WARNING,
    "5": logging.INFO,
    "6": logging.INFO,
    "7": logging.DEBUG,
}
_PRIORITY = re.compile(r"<([0-7])>")
_INDENT = "    "


class CorrelationFilter(logging.Filter):
    """Gives each record ``correlation_id``, for formats: ``%(correlation_id)s``; ``-`` where none is.

    On a handler it is for all loggers. It asks on the thread that logs, so before a queue.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if not hasattr(record, "correlation_id"):
            record.correlation_id = correlation_id() or NO_ID
        return True


class LineFormatter(logging.Formatter):
    """Formats a record as ``[correlation id] logger: message``, one line, and an indented traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        CorrelationFilter().filter(record)
        found = str(record.__dict__["correlation_id"])
        begin = "" if found == NO_ID else f"[{printable(found)}] "
        lines = [f"{begin}{record.name}: {printable(record.getMessage())}"]
        lines += _below(record)
        return "\n".join(lines)


class ChildFormatter(LineFormatter):
    """Formats records for a process whose standard error another one reads, line by line.

    Each line begins with its priority, ``<3>`` say, as sd-daemon(3) has it; :func:`level_of` takes it
    off again.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines, each with the priority."""
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


def log_in_lines(level: int = logging.NOTSET, stream: IO[str] | None = None) -> logging.Handler:
    """Let this process log in lines with priorities, and return the handler that does so.

    An application that configures ``logging`` by itself has its own way.

    :param level: the least level that is written, and that loggers have which have none of their own.
    :param stream: by default standard error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(ChildFormatter())
    handler.setLevel(level)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level or logging.WARNING)
    return handler


def level_of(line: str, otherwise: int = logging.INFO) -> tuple[int, str]:
    """Return level and text of a *line* that a child has written.

    :param otherwise: the level of a line without a priority.
    """
    found = _PRIORITY.match(line)
    if found is None:
        return otherwise, line
    return _LEVELS[found[1]], line[found.end() :]


def printable(text: str) -> str:
    """Return *text* with escapes for what would not be seen as it is, line breaks among it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _below(record: logging.LogRecord) -> list[str]:
    """Return the lines of the traceback, and of the stack, that come with a record."""
    text = ""
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(record.exc_info[1]))
    elif record.exc_text:
        text = record.exc_text
    if record.stack_info:
        text = f"{text.rstrip()}\n{record.stack_info}".lstrip("\n")
    return [_INDENT + printable(line) for line in text.splitlines()]
