"""What counting costs a call: an application with ``WAMP_METRICS`` beside the same without.

``python -m benchmarks.metrics`` starts a node and prints the figures. Rounds alternate.
"""

import copy
import json
import subprocess
import sys
from typing import Any

from flask import Flask
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import react

from flask_wamp import WAMP
from flask_wamp.crossbar import ViewsSession, WebSession
from flask_wamp.node import CrossbarNode

from .client import parallel, serial
from .rights import ROOT, join

ROUNDS = 25
#: With and without, in two containers that are alike.
URIS = {"off": "com.bench.metrics.off", "on": "com.bench.metrics.on"}


def add(a: Any, b: Any) -> Any:
    """Answer the call."""
    return a + b


def made(kind: str) -> Flask:
    """Return an application of one procedure."""
    app = Flask(f"metrics_{kind}")
    app.config["WAMP_METRICS"] = kind == "on"
    WAMP(app).callee(URIS[kind])(add)
    return app


def without_metrics() -> Flask:
    """Return the one that counts nothing."""
    return made("off")


def with_metrics() -> Flask:
    """Return the one that counts."""
    return made("on")


class Web(WebSession):
    """Waits for both."""

    application = "benchmarks.app:app"
    awaited = tuple(URIS.values())


class Off(ViewsSession):
    """Serves the one that counts nothing."""

    application = "benchmarks.metrics:without_metrics"


class On(ViewsSession):
    """Serves the one that counts."""

    application = "benchmarks.metrics:with_metrics"


def measure(socket: str) -> None:
    """Print the figures as JSON."""

    @inlineCallbacks
    def main(_reactor: Any) -> Any:
        figures: dict[str, list[float]] = {}
        session, _close = yield join(socket)
        for uri in URIS.values():
            yield parallel(session, uri, (1, 2))
        for number in range(ROUNDS):
            for kind in sorted(URIS, reverse=number % 2 == 1):
                for name, work in (("serial", serial), ("parallel", parallel)):
                    figure = yield work(session, URIS[kind], (1, 2))
                    figures.setdefault(f"{name} {kind}", []).append(figure)
        print(json.dumps(figures))

    react(main)


def main() -> None:
    """Start the node, measure, and print the table."""
    from .__main__ import node_config, print_row

    config = node_config()
    router, views = config["workers"][:2]
    router["components"][0]["classname"] = "benchmarks.metrics.Web"
    for kind in ("Off", "On"):
        worker = copy.deepcopy(views)
        worker["id"] = worker["components"][0]["id"] = f"metrics_{kind.lower()}"
        worker["components"][0]["classname"] = f"benchmarks.metrics.{kind}"
        config["workers"].append(worker)
    with CrossbarNode(config) as node:
        socket = node.backend_url.removeprefix("unix:")
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.metrics", socket],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures: dict[str, list[float]] = json.loads(done.stdout)
    for kind in URIS:
        print_row(
            f"call, serial, metrics {kind}", figures, f"serial {kind}", "serial off", "us", 1e6
        )
        print_row(
            f"call, 64 in flight, metrics {kind}",
            figures, f"parallel {kind}", "parallel off", "/s", 1,
        )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(sys.argv[1])
    else:
        main()
