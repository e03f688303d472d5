"""The nodes that the tests share, and the peers that talk to them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP
from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode

from .support import APPS, Peer, connected, node_config


@pytest.fixture(scope="session", autouse=True)
def _environment(_polls: None) -> None:
    """Start the reactor of the Autobahn peers, and keep the polls out of the checkout."""
    running_reactor()


@pytest.fixture(scope="session")
def peers_node() -> Iterator[CrossbarNode]:
    """Run the test applications on 4 threads each: ``apps.service``, ``.other`` and ``.serving``."""
    config = node_config(
        web=f"{APPS}.sessions.Web",
        views=[f"{APPS}.sessions.{name}" for name in ("Views", "Other", "Serving")],
    )
    with CrossbarNode(config, env={"FLASK_WAMP_THREADS": "4"}) as node:
        yield node


@pytest.fixture
def anonymous(peers_node: CrossbarNode) -> Iterator[Peer]:
    """Give a peer as browsers are."""
    with connected(peers_node.ws_url) as peer:
        yield peer


@pytest.fixture
def trusted(peers_node: CrossbarNode) -> Iterator[Peer]:
    """Give a peer with the backend's rights."""
    with connected(trusted_url(peers_node)) as peer:
        yield peer


@pytest.fixture
def make_app(peers_node: CrossbarNode) -> Iterator[Callable[..., tuple[Flask, WAMP]]]:
    """Give a function that makes applications in this process, linked to the peers' node."""
    made: list[tuple[Flask, WAMP]] = []

    def make(name: str = "outside", **config: Any) -> tuple[Flask, WAMP]:
        app = Flask(name)
        app.config.from_mapping({"WAMP_URL": peers_node.backend_url, **config})
        made.append((app, WAMP(app)))
        return made[-1]

    yield make
    for app, wamp in made:
        wamp.stop(app)


def trusted_url(node: CrossbarNode) -> str:
    """Return where peers join *node* over WebSocket with the backend's rights."""
    return node.url.replace("http:", "ws:") + "trusted"
