"""Who may do what on a node with the repository's configuration."""

from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode

from .support import Events, Peer, connected, error_of, http

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
