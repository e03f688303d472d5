"""Who may do what on a node with the repository's configuration."""

import stat
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode

from .support import (
    CALL,
    ERROR,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    Events,
    Peer,
    RawPeer,
    connected,
    error_of,
    http,
    raw_peer,
)

pytestmark = pytest.mark.node

REFUSED = ("wamp.error.not_authorized", "wamp.error.authorization_failed")


def test_anonymous_may_call_subscribe_and_publish(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    assert anonymous.role == "anonymous"
    assert anonymous.call("com.test.add", 1, 2) == 3
    events = anonymous.subscribe("com.test.open")
    with connected(peers_node.ws_url) as other:
        other.publish("com.test.open", 1)
    assert events.get().args == (1,)


@pytest.mark.parametrize("uri", ["com.test.mine", "com.example.polls.mine", "mine", "wamp.mine"])
def test_anonymous_may_not_register(anonymous: Peer, uri: str) -> None:
    error = error_of(lambda: anonymous.register(uri, lambda: None))
    assert error.error in (*REFUSED, "wamp.error.invalid_uri")


@pytest.mark.parametrize(
    ("uri", "args"),
    [
        ("wamp.session.list", []),
        ("wamp.session.count", []),
        ("wamp.session.get", [1]),
        ("wamp.session.kill", [1]),
        ("wamp.session.kill_by_authrole", ["backend"]),
        ("wamp.registration.list", []),
        ("wamp.registration.lookup", ["com.test.add"]),
        ("wamp.subscription.list", []),
    ],
)
def test_anonymous_may_not_call_below_wamp(anonymous: Peer, uri: str, args: list[Any]) -> None:
    assert error_of(lambda: anonymous.call(uri, *args)).error in REFUSED
    assert anonymous.call("com.test.add", 1, 2) == 3


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("wamp.session.on_join", None),
        ("wamp.session.on_leave", None),
        ("wamp.registration.on_create", None),
        ("", "prefix"),
        ("w", "prefix"),
        ("wam", "prefix"),
        ("wamp", "prefix"),
        ("wamp.", "prefix"),
        ("wamp.session.", "prefix"),
        ("..", "wildcard"),
        ("..on_join", "wildcard"),
        (".session.", "wildcard"),
        (".session.on_join", "wildcard"),
        ("wamp..on_join", "wildcard"),
        ("wamp.session.", "wildcard"),
    ],
)
def test_anonymous_gets_no_meta_events(
    peers_node: CrossbarNode, anonymous: Peer, topic: str, match: str | None
) -> None:
    events = Events()
    refusal = None
    try:
        events = anonymous.subscribe(topic, match=match)
    except ApplicationError as error:
        refusal = error.error
    # Somebody comes and goes; the answer to a call comes after any event of that.
    with connected(peers_node.ws_url) as other:
        assert other.call("com.test.add", 1, 2) == 3
    assert anonymous.call("com.test.add", 1, 2) == 3
    assert events.waiting() == []
    assert refusal in (None, *REFUSED, "wamp.error.invalid_uri")
    if match is None:
        assert refusal in REFUSED


def test_backend_gets_meta_events(peers_node: CrossbarNode, trusted: Peer) -> None:
    """The test above would notice them."""
    events = trusted.subscribe("wamp.session.on_join")
    with connected(peers_node.ws_url) as other:
        assert events.get().args[0]["session"] == other.id


@pytest.mark.parametrize("topic", ["com.example.polls.1.results", "com.example.polls.voted"])
def test_anonymous_may_not_publish_what_the_pages_believe(anonymous: Peer, topic: str) -> None:
    events = anonymous.subscribe(topic)
    assert error_of(lambda: anonymous.publish(topic, total=1000)).error in REFUSED
    assert events.waiting() == []


def test_anonymous_may_not_publish_below_wamp(anonymous: Peer) -> None:
    assert error_of(lambda: anonymous.publish("wamp.session.on_join", 1)).error in (
        *REFUSED,
        "wamp.error.invalid_uri",
    )


def test_backend_is_who_comes_through_the_unix_socket(peers_node: CrossbarNode) -> None:
    """The views of the container are there, and may do what anonymous may not."""
    order = {"call": "com.test.call", "args": ["wamp.session.count"]}
    assert http(peers_node.url + "wampy", order).json["result"] >= 1
    order = {"call": "com.test.call", "args": ["com.test.who"]}
    assert http(peers_node.url + "wampy", order).json["result"]["authrole"] == "backend"


def test_socket_is_for_the_nodes_user_alone(
    peers_node: CrossbarNode, crossbar_node: CrossbarNode
) -> None:
    for node in (peers_node, crossbar_node):
        path = Path(node.directory) / "router.sock"
        assert path.is_socket()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(node.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example:8080", "http://evil.example", "null", "http://127.0.0.1:1", "file://"],
)
def test_origin_of_another_site_is_refused(crossbar_node: CrossbarNode, origin: str) -> None:
    with pytest.raises(ConnectionRefusedError) as raised:
        RawPeer(crossbar_node.ws_url, origin=origin)
    assert "403" in str(raised.value) or "400" in str(raised.value)


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:{}", "http://localhost:{}", "ws://127.0.0.1:{}", None],
    ids=["127.0.0.1", "localhost", "Python wampy", "none"],
)
def test_origin_of_the_page_is_accepted(crossbar_node: CrossbarNode, origin: str | None) -> None:
    peer = RawPeer(crossbar_node.ws_url, origin=origin and origin.format(crossbar_node.port))
    try:
        assert peer.join() > 0
        assert peer.request([CALL, 1, {}, "com.example.polls.results", [1]])[0] == RESULT
    finally:
        peer.close()


def test_message_over_1_mib_is_refused_and_the_node_lives(crossbar_node: CrossbarNode) -> None:
    peer = RawPeer(crossbar_node.ws_url)
    peer.join()
    peer.send([CALL, 1, {}, "com.example.polls.results", ["x" * (1 << 20)]])
    code, _reason = peer.closed.result(10)
    assert code != 1000
    assert peer.messages.empty()
    with raw_peer(crossbar_node.ws_url) as other:
        # Half of the limit passes.
        answer = other.request([CALL, 1, {}, "com.example.polls.results", ["x" * (1 << 19)]])
        assert answer[0] == ERROR
        assert other.request([SUBSCRIBE, 2, {}, "com.example.polls.created"])[0] == SUBSCRIBED
    assert http(crossbar_node.url).status == 200
