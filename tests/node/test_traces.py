"""One trace through the processes of a node, with the node's log at the level that was asked for."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import free_port

from .programs import Program, python
from .support import LIMIT, ROOT, http, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

APPLICATION = "tests.node.apps.traced:app"
CHAIN = [
    ("GET /", "INTERNAL"),
    ("com.traced.buy", "CLIENT"),
    ("com.traced.buy", "SERVER"),
    ("send com.traced.sold", "PRODUCER"),
    ("process com.traced.sold", "CONSUMER"),
    ("stock", "INTERNAL"),
]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory with a node of the traced application in it, whose path is short."""
    made = Path(tempfile.mkdtemp(prefix="traces-"))
    config = node_config(
        web="flask_wamp.crossbar.WebSession",
        views=["flask_wamp.crossbar.ViewsSession"],
        wsgi="tests.node.apps.traced",
    )
    router, container = config["workers"]
    for component in (*router["components"], *container["components"]):
        component["extra"] = {**component.get("extra", {}), "application": APPLICATION}
    (made / "node").mkdir()
    (made / "node" / "config.json").write_text(json.dumps(config))
    yield made
    shutil.rmtree(made)


def start(directory: Path, port: int, level: str = "warn") -> Program:
    """Start the node, by default with its usual level."""
    config = str(directory / "node" / "config.json")
    options = ("--port", str(port), "--loglevel", level)
    return python("-m", "flask_wamp.node", "--config", config, *options)


def test_traces_and_logs_of_a_node(directory: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with start(directory, port) as node:
        node.wait_for("is ready at", timeout=4 * LIMIT)
        assert http(url).body == b"bought"

        def chain() -> list[dict[str, Any]]:
            found = http(f"{url}spans").json + http(f"{url}spans/of/views").json
            return [span for span in found if (span["name"], span["kind"]) in CHAIN]

        wait_until(lambda: len(chain()) == len(CHAIN), "every span")
        spans = chain()
        for text in ("page: warning", "view: warning", "handler: error"):
            node.wait_for(text)
        said = node.output
        assert node.end() in (0, 1)
    ordered = sorted(spans, key=lambda span: CHAIN.index((span["name"], span["kind"])))
    assert len({span["trace"] for span in ordered}) == 1
    assert [span["parent"] for span in ordered] == [None, *(span["span"] for span in ordered[:-1])]
    lines = re.findall(r"\[(\w+) +\d+\] (\[\w+\]) (tests\.node\.apps\.traced: .*)", said)
    (correlation,) = {found for _, found, _ in lines}
    assert re.fullmatch(r"\[[0-9a-f]{16}\]", correlation)
    logger = "tests.node.apps.traced"
    # Each process's in their order; between the two there is none.
    assert sorted(((process, text) for process, _, text in lines), key=lambda line: line[0]) == [
        ("Container", f"{logger}: view: warning"),
        ("Container", f"{logger}: handler: error"),
        ("Router", f"{logger}: page: warning"),
    ]


def supervised(config: dict[str, Any]) -> None:
    """Let the container supervise a process."""
    config["workers"][1]["components"][0]["extra"]["processes"] = 1


def guest(config: dict[str, Any]) -> None:
    """Let a guest serve, as the preset has it."""
    serve = ("-m", "flask", "--app", APPLICATION, "wamp", "serve", "--guest")
    config["workers"][1] = {
        "type": "guest",
        "id": "views",
        "executable": "python",
        "arguments": [*serve, "--url", "unix:router.sock", "--processes", "1"],
        "options": {"workdir": ".", "env": {"inherit": True, "vars": {"PYTHONPATH": str(ROOT)}}},
    }


@pytest.mark.parametrize("level", ["warn", "info"])
@pytest.mark.parametrize("serve", [supervised, guest])
def test_levels_of_what_processes_log_are_the_nodes(
    directory: Path, serve: Callable[[dict[str, Any]], None], level: str
) -> None:
    path = directory / "node" / "config.json"
    config = json.loads(path.read_text())
    serve(config)
    path.write_text(json.dumps(config))
    port = free_port()
    with start(directory, port, level) as node:
        node.wait_for("is ready at", timeout=4 * LIMIT)
        assert http(f"http://127.0.0.1:{port}/").body == b"bought"
        node.wait_for("handler: error")
        said = node.output
        assert node.end() in (0, 1)
    found = re.findall(r"\[[0-9a-f]{16}\] tests\.node\.apps\.traced: (\w+: \w+)", said)
    quiet, loud = ["page: warning", "view: warning", "handler: error"], ["page: info", "view: info"]
    assert sorted(found) == sorted(quiet if level == "warn" else quiet + loud)
    assert ("handles the events" in said) is (level == "info")
