"""A node that is not able to serve ends, and its log names what failed."""

import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode, NodeError
from flask_wamp.node.process import READY

from .support import APPS, discard, node_config, python

pytestmark = pytest.mark.node


def without_socket() -> dict[str, Any]:
    """Return a configuration whose views connect to a Unix socket that is not there."""
    config = node_config(web=f"{APPS}.sessions.LoneWeb", views=[f"{APPS}.sessions.Views"])
    transport = config["workers"][1]["components"][0]["transport"]
    transport["endpoint"]["path"] = "nowhere.sock"
    return config


def broken_node(web: str, *views: str, wsgi: str = f"{APPS}.service") -> dict[str, Any]:
    """Return a configuration with these components."""
    return node_config(
        web=f"{APPS}.sessions.{web}",
        views=[f"{APPS}.sessions.{name}" for name in views],
        wsgi=wsgi,
    )


#: Name → configuration, and what the log has to say.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "views that fail at import": (
        broken_node("LoneWeb", "BrokenViews"),
        [
            "BrokenViews",
            "cannot load the Flask application 'tests.node.apps.broken:app'",
            "RuntimeError: the database of this application is gone",
        ],
    ),
    "views with a procedure that is taken": (
        broken_node("TwinWeb", "Views", "Twin", wsgi=f"{APPS}.twin"),
        ["Twin: the router refused", "'com.test.add'", "procedure_already_exists"],
    ),
    # Crossbar connects before it makes the session, so the words are Crossbar's.
    "views without a socket": (
        without_socket(),
        ["could not connect container component to router", "No such file or directory"],
    ),
    "a web application whose module is missing": (
        broken_node("MissingWeb"),
        [
            "MissingWeb",
            "cannot load the Flask application 'tests.node.apps.not_there:app'",
            "No module named 'tests.node.apps.not_there'",
        ],
    ),
}


@dataclass(frozen=True)
class Ended:
    """How a node ended; *code* is None where it did not."""

    code: int | None
    log: str


def run(config: dict[str, Any]) -> Ended:
    """Start a node, and return how it ended."""
    node = CrossbarNode(config, timeout=60)
    try:
        with contextlib.suppress(NodeError):
            node.start()
        assert node.process is not None
        # What start() gave up on it has killed.
        code = node.process.poll()
        return Ended(None if code == -signal.SIGKILL else code, node.log)
    finally:
        discard(node)


@pytest.fixture(scope="module")
def ended() -> dict[str, Ended]:
    """Start all nodes, a few at once, and give how each ended."""
    with ThreadPoolExecutor(3) as threads:
        outcomes = threads.map(run, [config for config, _ in CASES.values()])
        return dict(zip(CASES, outcomes, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_node_ends_and_names_what_failed(ended: dict[str, Ended], case: str) -> None:
    outcome = ended[case]
    assert READY not in outcome.log
    assert outcome.code is not None, outcome.log
    assert outcome.code > 0, outcome.log
    for text in CASES[case][1]:
        assert text in outcome.log


def test_guest_that_is_refused_ends_with_a_message(crossbar_node: CrossbarNode) -> None:
    env = {"FLASK_WAMP_URL": crossbar_node.backend_url}
    with python("-m", "component.guest", env=env) as guest:
        assert guest.wait() == 1
        assert "flask-wamp: the guest cannot serve flask_app" in guest.output
        assert "com.example.polls.vote" in guest.output
        assert "procedure_already_exists" in guest.output
        assert "Traceback" not in guest.output


def test_guest_whose_application_fails_ends_with_a_message(crossbar_node: CrossbarNode) -> None:
    env = {"FLASK_WAMP_URL": crossbar_node.backend_url, "FLASK_WAMP_TIMEOUT": "-1"}
    with python("-m", "component.guest", env=env) as guest:
        assert guest.wait() == 1
        assert "WAMP_TIMEOUT" in guest.output
