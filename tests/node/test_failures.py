"""A node that is not able to serve ends, and its log names what failed."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode, free_port
from flask_wamp.node.command import crossbar_command
from flask_wamp.node.configuration import on_port
from flask_wamp.node.process import READY

from .programs import Program, python
from .support import APPS, node_config

pytestmark = [pytest.mark.node, pytest.mark.slow]

#: What a guest worker runs.
SERVE = ("-m", "flask", "--app", "flask_app.wsgi:app", "wamp", "serve")


def views_alone(name: str, socket: str) -> dict[str, Any]:
    """Return a configuration of one container, whose views connect to *socket*."""
    config = node_config(web=None, views=[f"{APPS}.sessions.{name}"])
    del config["workers"][0]
    config["workers"][0]["components"][0]["transport"]["endpoint"]["path"] = socket
    return config


def with_web(name: str, *views: str) -> dict[str, Any]:
    """Return a configuration of a router and, where there are *views*, a container."""
    config = node_config(
        web=f"{APPS}.sessions.{name}",
        views=[f"{APPS}.sessions.{name}" for name in views],
        wsgi=f"{APPS}.twin",
    )
    return on_port(config, free_port())


#: Name → what the log has to say.
CASES: Mapping[str, tuple[str, ...]] = {
    "views that fail at import": (
        "BrokenViews",
        "cannot load the Flask application 'tests.node.apps.broken:app'",
        "RuntimeError: the database of this application is gone",
    ),
    "views with a procedure that is taken": (
        "Twin: the router refused",
        "'com.test.add'",
        "procedure_already_exists",
    ),
    # Crossbar connects before it makes the session, so the words are Crossbar's.
    "views without a socket": (
        "could not connect container component to router",
        "No such file or directory",
    ),
    "a web application whose module is missing": (
        "MissingWeb",
        "cannot load the Flask application 'tests.node.apps.not_there:app'",
        "No module named 'tests.node.apps.not_there'",
    ),
    "an engine that lacks what guarding sessions needs": (
        "UnguardedWeb: the sessions of peers cannot be guarded",
        "Crossbar.io has no Dealer._remove_invoke_request",
    ),
    "a web component whose patience is no number": (
        """LoneWeb: "extra": {"join_within": 'soon'}: give seconds, as in 5""",
    ),
}


@pytest.fixture(scope="module")
def ended(
    crossbar_node: CrossbarNode, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, tuple[int, str]]:
    """Start a node for each case, a few at once, and give each one's exit code and log."""
    router = str(crossbar_node.directory / "router.sock")
    impatient = with_web("LoneWeb")
    impatient["workers"][0]["components"][0]["extra"] = {"join_within": "soon"}
    configs = [
        views_alone("BrokenViews", router),
        # The web side has a peer for each of its procedures here, and is not ready all the same.
        with_web("TwinWeb", "Views", "Twin"),
        views_alone("Views", "nowhere.sock"),
        with_web("MissingWeb"),
        with_web("UnguardedWeb"),
        impatient,
    ]

    def run(config: dict[str, Any]) -> tuple[int, str]:
        directory: Path = tmp_path_factory.mktemp("node")
        (directory / "config.json").write_text(json.dumps(config))
        with Program(crossbar_command(), "start", "--cbdir", str(directory)) as node:
            return node.wait(timeout=60), node.output

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(CASES, threads.map(run, configs), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_node_ends_and_names_what_failed(ended: Mapping[str, tuple[int, str]], case: str) -> None:
    code, log = ended[case]
    assert code > 0, log
    assert READY not in log
    for text in CASES[case]:
        assert text in log


def test_guest_that_is_refused_ends_with_a_message(crossbar_node: CrossbarNode) -> None:
    env = {"FLASK_WAMP_URL": crossbar_node.backend_url}
    with python(*SERVE, env=env) as guest:
        # It asks again for more than ten seconds.
        assert guest.wait(timeout=60) == 1
        assert guest.output.startswith("Error: cannot serve flask_app: the router refused ")
        assert guest.output.count("\n") == 1
        assert "com.example.polls.vote" in guest.output
        assert "procedure_already_exists" in guest.output
        assert "Traceback" not in guest.output


def test_guest_whose_application_fails_ends_with_a_message(crossbar_node: CrossbarNode) -> None:
    env = {"FLASK_WAMP_URL": crossbar_node.backend_url, "FLASK_WAMP_TIMEOUT": "-1"}
    with python(*SERVE, env=env) as guest:
        assert guest.wait() == 1
        assert "WAMP_TIMEOUT" in guest.output
