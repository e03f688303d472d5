"""One trace through the processes of a node, with the node's log at the level that was asked for."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import free_port

from .programs import Program, python
from .support import LIMIT, http, node_config, wait_until

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


def start(directory: Path, port: int) -> Program:
    """Start the node with its usual level, ``warn``."""
    config = str(directory / "node" / "config.json")
    return python("-m", "flask_wamp.node", "--config", config, "--port", str(port))


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
