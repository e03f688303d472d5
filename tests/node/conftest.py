"""The nodes that the tests share, and the peers that talk to them."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP
from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode

from .programs import Wampy, javascript_wampy
from .relay import Relay
from .strangers import Bystanders, Stranger
from .support import (
    APPS,
    HELLO,
    REGISTER,
    REGISTERED,
    WELCOME,
    Peer,
    RawPeer,
    connected,
    node_config,
)
from .transports import Transports


@pytest.fixture(scope="session", autouse=True)
def _environment(_polls: None) -> None:
    """Start the reactor of the Autobahn peers, and keep the polls out of the checkout."""
    running_reactor()


@pytest.fixture(scope="session")
def transports(tmp_path_factory: pytest.TempPathFactory) -> Transports:
    """Give the further transports of the peers' node, and their certificates."""
    return Transports(tmp_path_factory.mktemp("transports"))


@pytest.fixture(scope="session")
def peers_node(transports: Transports) -> Iterator[CrossbarNode]:
    """Run the test applications on 4 threads each: ``apps.service``, ``.other`` and ``.serving``."""
    config = node_config(
        web=f"{APPS}.sessions.Web",
        views=[f"{APPS}.sessions.{name}" for name in ("Views", "Other", "Serving")],
    )
    env = {"FLASK_WAMP_THREADS": "4", "FLASK_WAMP_TRUST_REQUEST_ID": "true"}
    node = CrossbarNode(config, env=env)
    transports.add_to(node)
    with node:
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


@pytest.fixture
def relay(peers_node: CrossbarNode) -> Iterator[Relay]:
    """Give a relay to the peers' node."""
    relay = Relay(peers_node)
    yield relay
    relay.close()


@pytest.fixture
def silent(peers_node: CrossbarNode) -> Iterator[RawPeer]:
    """Give a callee of ``com.raw.silent`` that answers what the test lets it."""
    peer = RawPeer(trusted_url(peers_node))
    try:
        features = {"call_canceling": True, "progressive_call_results": True}
        roles = {"callee": {"features": features}}
        assert peer.request([HELLO, "realm1", {"roles": roles}])[0] == WELCOME
        assert peer.request([REGISTER, 1, {}, "com.raw.silent"])[0] == REGISTERED
        yield peer
    finally:
        peer.close()


@pytest.fixture
def stranger(peers_node: CrossbarNode) -> Iterator[Stranger]:
    """Give a stranger, with the rights of browsers."""
    found = Stranger(peers_node.ws_url)
    yield found
    found.close()


@pytest.fixture(scope="module")
def bystanders(peers_node: CrossbarNode) -> Iterator[Bystanders]:
    """Give the peers that must not notice anything."""
    found = Bystanders(peers_node)
    yield found
    found.close()


_names = (f"name {number}" for number in itertools.count())


@pytest.fixture
def name() -> str:
    """Give a name under which nothing has been recorded."""
    return next(_names)


@pytest.fixture(scope="module")
def javascript_peer(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy.js with the rights of a browser."""
    with javascript_wampy(peers_node.ws_url) as peer:
        yield peer


def trusted_url(node: CrossbarNode) -> str:
    """Return where peers join *node* over WebSocket with the backend's rights."""
    return node.url.replace("http:", "ws:") + "trusted"
