"""The node that all servers talk to, the servers, and the table of what they can."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode
from tests.node.conftest import trusted_url
from tests.node.support import Peer, connected, node_config, on_reactor

from .programs import ALL, HOSTED, Running, Server, start


@pytest.fixture(scope="session")
def node() -> Iterator[CrossbarNode]:
    """Run the node, which hosts the application as well."""
    running_reactor()
    sessions = "tests.servers.sessions"
    config = node_config(
        web=f"{sessions}.Web", views=[f"{sessions}.Views"], wsgi="tests.servers.app"
    )
    env = {"FLASK_WAMP_URI_PREFIX": HOSTED, "FLASK_WAMP_SERVE": "true"}
    with CrossbarNode(config, env=env) as node:
        yield node


@pytest.fixture(scope="session")
def servers(node: CrossbarNode) -> Iterator[dict[str, Running]]:
    """Run every server at once, and the node's own hosting."""
    hosting = Server("the node", lambda port: ())
    with ExitStack() as stack:
        yield {
            hosting.name: Running(hosting, HOSTED, node.port),
            **{name: stack.enter_context(start(server, node)) for name, server in ALL.items()},
        }


class Callee(Peer):
    """What the application calls: it doubles numbers, and holds on to others until it is told."""

    held: dict[int, "Deferred[int]"]

    def serve(self) -> None:
        """Register both procedures."""
        self.held = {}
        self.register("com.peer.double", lambda number: 2 * number)
        self.register("com.peer.hold", self._hold)

    def _hold(self, number: int) -> "Deferred[int]":
        self.held[number] = Deferred()
        return self.held[number]

    def release(self) -> None:
        """Answer what is held."""

        def answer() -> list[Any]:
            for number, held in self.held.items():
                held.callback(2 * number)
            return []

        on_reactor(answer)


@pytest.fixture
def callee(node: CrossbarNode) -> Iterator[Callee]:
    """Give the peer that the applications call."""
    peer = Callee.connect(trusted_url(node))
    try:
        peer.serve()
        yield peer
    finally:
        peer.close()


@pytest.fixture
def peer(node: CrossbarNode) -> Iterator[Peer]:
    """Give a peer that calls the applications, with a browser's rights."""
    with connected(node.ws_url) as peer:
        yield peer


COLUMNS = ("calls_out", "publishes", "serves", "concurrent_calls", "survives_a_router_restart")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each server has shown."""
    shown: dict[str, dict[str, str]] = {}
    for outcome, word in (("passed", "yes"), ("failed", "NO"), ("skipped", "-")):
        for report in terminalreporter.stats.get(outcome, []):
            _, _, test = report.nodeid.partition("::test_matrix_")
            column, _, server = test.rstrip("]").partition("[")
            if column in COLUMNS and report.when in ("call", "setup"):
                shown.setdefault(server, {})[column] = word
    if not shown:
        return
    terminalreporter.section("servers")
    titles = [column.replace("_", " ") for column in COLUMNS]
    terminalreporter.line(f"{'':<30}" + "  ".join(titles))
    for server, cells in shown.items():
        row = [
            f"{cells.get(name, ''):<{len(title)}}"
            for name, title in zip(COLUMNS, titles, strict=True)
        ]
        terminalreporter.line(f"{server:<30}" + "  ".join(row))
