"""The node of ``production.json``, with a certificate to try, on ports of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask_wamp.node import CrossbarNode
from flask_wamp.node.certificate import make_certificate
from flask_wamp.node.configuration import free_port

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "crossbar_config" / "production.json"


@contextmanager
def production_node(database: Path) -> Iterator[tuple[CrossbarNode, int]]:
    """Run it, and give it with the port of plain HTTP."""
    config = json.loads(CONFIGURATION.read_text())
    for worker in config["workers"]:
        worker["options"]["pythonpath"] = [str(ROOT)]
    redirect = config["workers"][0]["transports"][1]
    redirect["endpoint"]["port"] = free_port()
    node = CrossbarNode(config, env={"FLASK_DATABASE": str(database)})
    make_certificate(node.directory)
    with node:
        yield node, redirect["endpoint"]["port"]
