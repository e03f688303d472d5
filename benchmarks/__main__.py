"""Run every measurement against one node, and print the medians and their ratios."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from flask_wamp.node import CrossbarNode

from .durable import durable_rates
from .http_load import requests_per_second
from .servers import throughputs
from .validation import validation_costs

ROOT = Path(__file__).parent.parent
ROUNDS = 5

Figures = Mapping[str, Sequence[float]]


def node_config() -> dict[str, Any]:
    """Return the single node's configuration with the measured application in it."""
    config: dict[str, Any] = json.loads((ROOT / "crossbar_config/single_node.json").read_text())
    router, views, bare = config["workers"]
    for worker in (router, views, bare):
        worker["options"]["pythonpath"] = [str(ROOT)]
    router["components"][0]["classname"] = "benchmarks.app.Web"
    web = router["transports"][0]["paths"]["/"]
    web["module"], web["object"] = "benchmarks.app", "app"
    views["components"][0]["classname"] = "benchmarks.app.Views"
    bare["components"][0]["classname"] = "benchmarks.app.Bare"
    return config


def ratio(figures: Figures, name: str, base: str) -> float:
    """Return the median of the ratios, round by round, so that drift cancels out."""
    return median(a / b for a, b in zip(figures[name], figures[base], strict=True))


def print_row(name: str, figures: Figures, key: str, base: str, unit: str, scale: float) -> None:
    """Print a figure and its ratio to *base*."""
    print(
        f"{name:<46}{median(figures[key]) * scale:>10,.0f} {unit:<5}{ratio(figures, key, base):>8.2f}"
    )


def main() -> None:
    """Start the node, measure, and print the table."""
    with CrossbarNode(node_config()) as node:
        socket = node.backend_url.removeprefix("unix:")
        client = subprocess.run(
            [sys.executable, "-m", "benchmarks.client", socket],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        figures: dict[str, list[float]] = json.loads(client.stdout)
        for _ in range(ROUNDS):
            for path in ("/plain", "/call"):
                figures.setdefault(path, []).append(requests_per_second(node.port, path))
        durable = durable_rates(node, ROUNDS)
        under_servers = list(throughputs(node))
    bare, flask, routed = "com.bench.bare", "com.bench.flask", "com.bench.routed"
    print(f"{'':<46}{'median':>10}{'':<6}{'ratio':>8}")
    for name, uri in (
        ("bare Autobahn component", bare),
        ("Flask procedure", flask),
        ("Flask procedure that is a route", routed),
        ("Flask procedure, (a: int, b: int)", "com.bench.checked"),
        ("Flask procedure, a pydantic model", "com.bench.model"),
    ):
        print_row(f"{name}, serial", figures, f"serial {uri}", f"serial {bare}", "us", 1e6)
        print_row(f"{name}, 64 in flight", figures, f"parallel {uri}", f"parallel {bare}", "/s", 1)
    print_row("HTTP view without a call, 16 connections", figures, "/plain", "/plain", "/s", 1)
    print_row("HTTP view with one call", figures, "/call", "/plain", "/s", 1)
    acknowledged, fast = "publish acknowledged", "publish unacknowledged"
    print_row("publishes of a view, acknowledged", figures, acknowledged, acknowledged, "/s", 1)
    print_row("publishes of a view, not acknowledged", figures, fast, acknowledged, "/s", 1)
    for name, label in (
        ("acknowledged", "publishes of a process, acknowledged"),
        ("sent", "durable events, sent by the relay"),
        ("written", "durable events, written in one transaction"),
        ("rows", "rows of another table, written likewise"),
    ):
        print_row(label, durable, name, "acknowledged", "/s", 1)
    print_row("progressive results, bare component", figures, "stream bare", "stream bare", "/s", 1)
    print_row(
        "progressive results of a Flask generator", figures, "stream flask", "stream bare", "/s", 1
    )
    print_row("events into a bare subscriber", figures, "events bare", "events bare", "/s", 1)
    print_row(
        "events into one ordered Flask handler", figures, "events one", "events bare", "/s", 1
    )
    print_row(
        "events into eight, each handles all", figures, "events eight", "events bare", "/s", 1
    )
    print("HTTP view with one call under other servers; ratio: to the node's hosting beside it")
    for name, workers, theirs, hosted in under_servers:
        label = f"{name}, {workers} workers" if workers > 1 else name
        print_row(label, {"theirs": theirs, "hosted": hosted}, "theirs", "hosted", "/s", 1)
    print("cost of validation per call, without the wire")
    for name, seconds in validation_costs().items():
        print(f"{name:<46}{seconds * 1e6:>10.2f} us")
    print("other ratios: to the first row of the same kind; each the median of the rounds")


if __name__ == "__main__":
    main()
