"""Log records as lines: with the id, and one line for whatever a message contains."""

import io
import logging
import logging.config
from collections.abc import Iterator

import pytest

from flask_wamp import correlated
from flask_wamp.tracing.lines import (
    ChildFormatter,
    CorrelationFilter,
    LineFormatter,
    level_of,
    log_in_lines,
    printable,
)


def record(message: str, level: int = logging.INFO, *, error: bool = False) -> logging.LogRecord:
    """Return a record of the logger ``shop``, with a traceback where there is an *error*."""
    exc_info = None
    if error:
        try:
            raise LookupError("no\x1b[31m tea\nforged: line")
        except LookupError as raised:
            exc_info = (type(raised), raised, raised.__traceback__)
    return logging.LogRecord("shop", level, __file__, 1, message, (), exc_info)


def test_lines_name_the_logger_and_the_id() -> None:
    assert LineFormatter().format(record("sold")) == "shop: sold"
    with correlated("job-7"):
        assert LineFormatter().format(record("sold")) == "[job-7] shop: sold"


def test_lines_are_one_whatever_the_message_is() -> None:
    line = LineFormatter().format(record("a\nb\r\x1b[31m\u2028größer 🌍"))
    assert line == "shop: a\\nb\\r\\x1b[31m\\u2028größer 🌍"
    assert printable("plain") == "plain"


def test_lines_below_are_the_traceback_indented() -> None:
    first, *below = LineFormatter().format(record("failed", error=True)).split("\n")
    assert first == "shop: failed"
    assert below[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in below)
    assert below[-2:] == ["    LookupError: no\\x1b[31m tea", "    forged: line"]


@pytest.mark.parametrize(
    ("level", "priority", "taken"),
    [
        (logging.CRITICAL + 5, 2, logging.CRITICAL),
        (logging.ERROR, 3, logging.ERROR),
        (logging.WARNING, 4, logging.WARNING),
        (logging.INFO + 5, 6, logging.INFO),
        (logging.DEBUG, 7, logging.DEBUG),
        (1, 7, logging.DEBUG),
        (0, 7, logging.DEBUG),
    ],
)
def test_lines_of_a_child_have_their_priority(level: int, priority: int, taken: int) -> None:
    lines = ChildFormatter().format(record("failed", level, error=True)).split("\n")
    assert lines[0] == f"<{priority}>shop: failed"
    assert {level_of(line)[0] for line in lines} == {taken}
    assert level_of(lines[0]) == (taken, "shop: failed")


@pytest.mark.parametrize("line", ["", "plain", "<8>x", "<x>", "< 3>x", " <3>x", "<33>x"])
def test_lines_without_a_priority_are_as_they_are(line: str) -> None:
    assert level_of(line) == (logging.INFO, line)
    assert level_of(line, logging.WARNING) == (logging.WARNING, line)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Return the root logger, which is left as it was."""
    found = logging.getLogger()
    level, handlers = found.level, list(found.handlers)
    yield found
    found.setLevel(level)
    found.handlers[:] = handlers


def test_lines_are_what_a_child_logs(root: logging.Logger) -> None:
    stream = io.StringIO()
    log_in_lines(logging.INFO, stream)
    log = logging.getLogger("shop.lines")
    with correlated("job-7"):
        log.debug("not shown")
        log.info("sold %d", 7)
        log.error("line\nbreak")
    assert stream.getvalue() == (
        "<6>[job-7] shop.lines: sold 7\n<3>[job-7] shop.lines: line\\nbreak\n"
    )


def test_lines_filter_is_for_configurations(root: logging.Logger) -> None:
    stream = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"id": {"()": "flask_wamp.tracing.lines.CorrelationFilter"}},
            "formatters": {"line": {"format": "%(correlation_id)s %(message)s"}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "filters": ["id"],
                    "formatter": "line",
                }
            },
            "loggers": {"shop.configured": {"handlers": ["out"], "level": "INFO"}},
        }
    )
    log = logging.getLogger("shop.configured")
    log.info("one")
    with correlated("job-7"):
        log.info("two")
    assert stream.getvalue() == "- one\njob-7 two\n"
    log.handlers.clear()


def test_lines_filter_keeps_the_id_that_is_there() -> None:
    found = record("sold")
    found.__dict__["correlation_id"] = "of the producer"
    with correlated("job-7"):
        assert CorrelationFilter().filter(found)
    assert found.__dict__["correlation_id"] == "of the producer"
