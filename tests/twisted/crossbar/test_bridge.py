"""Python's logging, as Crossbar.io's log gets it."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import txaio
from crossbar._logging import cb_logging_aware, make_JSON_observer, record_separator
from flask import Flask
from flask.logging import default_handler
from twisted.logger import globalLogPublisher

from flask_wamp import correlated
from flask_wamp.crossbar.bridge import BridgeHandler, bridge_logging, leave_to_bridge
from flask_wamp.tracing.guests import AWARE, SEPARATOR


class NodeLog:
    """What a worker writes to its controller."""

    def __init__(self) -> None:
        self.file = io.StringIO()

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a logger."""
        events = [json.loads(text) for text in self.file.getvalue().split(record_separator)[:-1]]
        return [event for event in events if event["namespace"] == name]

    def lines(self, name: str) -> list[tuple[str, str]]:
        """Return levels and texts of a logger."""
        return [(event["level"], event["text"]) for event in self.of(name)]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Return the root logger, without handlers and with its default level; left as it was."""
    found = logging.getLogger()
    level, handlers = found.level, list(found.handlers)
    found.handlers.clear()
    found.setLevel(logging.WARNING)
    yield found
    found.setLevel(level)
    found.handlers[:] = handlers


@pytest.fixture(params=["info"])
def node_log(request: pytest.FixtureRequest, root: logging.Logger) -> Iterator[NodeLog]:
    """Bridge as a worker does whose node has this level."""
    log = NodeLog()
    observer = make_JSON_observer(log.file)
    level = txaio.get_global_log_level()
    txaio.set_global_log_level(request.param)
    globalLogPublisher.addObserver(observer)
    bridge_logging()
    yield log
    globalLogPublisher.removeObserver(observer)
    txaio.set_global_log_level(level)


def log_at_all_levels(log: logging.Logger) -> None:
    """Log one message of each level, named so."""
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)(name)


@pytest.mark.parametrize(
    ("node_log", "shown"),
    [
        ("error", ["error", "critical"]),
        ("warn", ["warn", "error", "critical"]),
        ("info", ["info", "warn", "error", "critical"]),
        ("debug", ["debug", "info", "warn", "error", "critical"]),
    ],
    indirect=["node_log"],
)
def test_bridge_shows_what_the_level_of_the_node_says(node_log: NodeLog, shown: list[str]) -> None:
    log_at_all_levels(logging.getLogger("shop.bridge"))
    assert [level for level, _ in node_log.lines("shop.bridge")] == shown


@pytest.mark.parametrize("node_log", ["warn"], indirect=True)
def test_bridge_shows_less_of_who_says_less(node_log: NodeLog) -> None:
    quiet, loud = logging.getLogger("shop.quiet"), logging.getLogger("shop.loud")
    quiet.setLevel("ERROR")
    loud.setLevel("DEBUG")
    log_at_all_levels(quiet)
    log_at_all_levels(loud)
    assert [level for level, _ in node_log.lines("shop.quiet")] == ["error", "critical"]
    assert [level for level, _ in node_log.lines("shop.loud")] == ["warn", "error", "critical"]


def test_bridge_names_logger_and_id(node_log: NodeLog) -> None:
    log = logging.getLogger("shop.bridge")
    log.info("sold %s", {"a": 1})
    with correlated("job-7"):
        log.info("sold {braces} {}")
    assert node_log.lines("shop.bridge") == [
        ("info", "shop.bridge: sold {{'a': 1}}"),
        ("info", "[job-7] shop.bridge: sold {{braces}} {{}}"),
    ]


def test_bridge_makes_one_event_of_a_traceback(node_log: NodeLog) -> None:
    try:
        raise LookupError("no tea")
    except LookupError:
        logging.getLogger("shop.bridge").exception("failed\nforged")
    ((level, text),) = node_log.lines("shop.bridge")
    first, *below = text.split("\n")
    assert (level, first) == ("error", "shop.bridge: failed\\nforged")
    assert below[0] == "    Traceback (most recent call last):"
    assert below[-1] == "    LookupError: no tea"


def test_bridge_survives_what_cannot_be_formatted(
    node_log: NodeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log = logging.getLogger("shop.bridge")
    log.info("%d", "seven")
    log.info("next")
    assert [text for _, text in node_log.lines("shop.bridge")] == ["shop.bridge: next"]


def test_bridge_has_what_an_application_logs_once(node_log: NodeLog) -> None:
    app = Flask("shop_bridged")
    app.logger.warning("low")
    leave_to_bridge(app)
    app.logger.warning("lower")
    assert app.logger.handlers == []
    assert [text for _, text in node_log.lines("shop_bridged")] == [
        "shop_bridged: low",
        "shop_bridged: lower",
    ]


def test_bridge_has_what_an_application_logs_that_came_before_it(root: logging.Logger) -> None:
    # Those of pytest, which come with each phase of a test.
    root.handlers.clear()
    app = Flask("shop_before")
    assert app.logger.handlers == [default_handler]
    leave_to_bridge(app)
    assert app.logger.handlers == [default_handler]
    bridge_logging()
    leave_to_bridge(app)
    assert app.logger.handlers == []


def test_bridge_leaves_a_configuration_alone(root: logging.Logger) -> None:
    other = logging.NullHandler()
    root.handlers[:] = [other]
    bridge_logging()
    assert (root.handlers, root.level) == ([other], logging.WARNING)


def test_bridge_goes_where_an_application_configures_the_root(node_log: NodeLog) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"null": {"class": "logging.NullHandler"}},
            "root": {"handlers": ["null"], "level": "ERROR"},
        }
    )
    assert not any(isinstance(each, BridgeHandler) for each in logging.getLogger().handlers)


def test_guest_says_what_a_worker_says() -> None:
    assert (cb_logging_aware, record_separator) == (AWARE, SEPARATOR)
