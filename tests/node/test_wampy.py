"""The peers by the name of wampy: the Python client 1.1.0 and wampy.js 8 under Node.js."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import g

from flask_wamp import CallResult, RemoteError
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import WAYS, Wampy, javascript_wampy, python_wampy
from .support import MakeApp, Peer, http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.wampy]


@pytest.fixture(scope="module")
def python_peer(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run the Python wampy with the rights of a browser."""
    with python_wampy(f"{peers_node.ws_url.removesuffix('ws')}unasked", "peer") as peer:
        yield peer


@pytest.fixture(scope="module")
def python_service(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run the Python wampy with the rights of the backend, as callee and subscriber."""
    with python_wampy(trusted_url(peers_node), "service") as peer:
        yield peer


@pytest.fixture(scope="module")
def javascript_service(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy.js with the rights of the backend."""
    with javascript_wampy(trusted_url(peers_node)) as peer:
        assert peer.order("register", uri="com.peer.js") == {"result": None}
        yield peer


def recorded(peer: Peer, name: str, publish: Callable[[], None]) -> Any:
    """Return what the service's handler *name* records when *publish* is called."""
    before = len(peer.call("com.test.seen", name))
    publish()

    def values() -> list[Any]:
        return list(peer.call("com.test.seen", name)[before:])

    return wait_until(values, f"{name} has an event")[0]


# --- Python wampy


def test_python_calls_a_view_that_is_a_route(peers_node: CrossbarNode, python_peer: Wampy) -> None:
    """The predecessor's first scenario: callee and route on one view."""
    assert python_peer.call("com.test.route", 1, b=2) == {"result": {"sum": 3, "method": "CALL"}}
    assert http(peers_node.url + "add/1?b=2").json == {"sum": 3, "method": "GET"}


def test_python_calls_again_and_again(python_peer: Wampy) -> None:
    """The predecessor's registrations were gone after the first request."""
    for number in range(50):
        assert python_peer.call("com.test.echo", number) == {"result": number}


def test_python_rpc_calls_by_name(python_peer: Wampy, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee
    def get_foo(counter: int) -> str:
        return f"foo {counter}"

    wamp.start(app)
    assert python_peer.order("rpc", uri="get_foo", args=[3]) == {"result": "foo 3"}


def test_python_gets_errors_with_their_uri(python_peer: Wampy) -> None:
    told = python_peer.call("com.test.take", "tea", wanted=2)
    assert told == {"error": "com.test.error.no_stock", "args": ["tea"]}
    assert python_peer.call("com.test.add")["error"] == "wamp.error.invalid_argument"
    assert python_peer.call("com.test.add", 1, 1) == {"result": 2}


def test_python_takes_the_message_of_several_values(python_peer: Wampy, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.here.several")
    def several() -> CallResult:
        return CallResult((1, 2), {"message": "taken", "more": 3})

    wamp.start(app)
    assert python_peer.call("com.here.several") == {"result": "taken"}


def test_python_publishes_to_a_consumer(python_peer: Wampy, anonymous: Peer) -> None:
    """The predecessor's scenario: ``consume`` with ``message=``."""
    told = recorded(
        anonymous, "message", lambda: python_peer.publish("com.test.topic.message", message="spam")
    )
    assert told == "spam"


def test_python_publishes_a_message_and_no_more(python_peer: Wampy, anonymous: Peer) -> None:
    """The ``meta`` that wampy's subscribers get is their own side's: it does not travel."""
    events = anonymous.subscribe("com.test.of_wampy")
    python_peer.publish("com.test.of_wampy", message={"spam": [1]})
    event = events.get()
    assert (event.args, event.kwargs) == ((), {"message": {"spam": [1]}})


@pytest.mark.parametrize("way", WAYS)
def test_python_serves_calls(python_service: Wampy, make_app: MakeApp, way: str) -> None:
    """The predecessor's scenario: ``g.wampy.rpc`` to another service.

    wampy gives its value twice, and adds keywords of its own; the value is what a caller gets.
    """
    app, _ = make_app()
    with app.app_context():
        for _ in range(3):
            value = WAYS[way](g.wampy, "wampy_country", "france", 1, key=2)
            assert value == {"country": "FRANCE", "args": [1], "kwargs": {"key": 2}}


def test_python_serves_calls_of_the_node_s_views(
    peers_node: CrossbarNode, python_service: Wampy, trusted: Peer
) -> None:
    value = {"country": "CHAD", "args": [], "kwargs": {}}
    answer = http(peers_node.url + "wampy", {"call": "wampy_country", "args": ["chad"]})
    assert answer.json == {"result": value}
    assert trusted.call("com.test.call", "wampy_country", "chad") == value


def test_python_answers_with_keywords_of_its_own(
    python_service: Wampy, trusted: Peer, make_app: MakeApp
) -> None:
    """What the rule for its answers is made of; another wampy's may differ."""
    result = trusted.call("wampy_country", "mali")
    assert result.kwresults.pop("meta").keys() == {"procedure_name", "session_id"}
    assert result.kwresults == {"message": {"country": "MALI", "args": [], "kwargs": {}}}
    assert result.results == (result.kwresults["message"],)


def test_python_refuses_calls(python_service: Wampy, make_app: MakeApp) -> None:
    """Its errors have the name of the procedure, and it answers a second time, with a result."""
    app, _ = make_app()
    with app.app_context():
        for _ in range(3):
            with pytest.raises(RemoteError) as raised:
                g.wampy.rpc.wampy_refuse("no")
            assert raised.value.uri == "wampy_refuse"
            assert raised.value.kwargs["exc_type"] == "ValueError"
            assert raised.value.kwargs["message"] == "no"
            assert g.wampy.rpc.wampy_country("oman")["country"] == "OMAN"


def test_python_gets_events_of_a_view(peers_node: CrossbarNode, python_service: Wampy) -> None:
    """The predecessor's scenario: ``g.wampy.publish`` to a subscriber."""
    order = {"publish": "com.test.for_wampy", "kwargs": {"message": "hello"}}
    assert http(peers_node.url + "wampy", order).status == 200
    told = python_service.event()
    assert told == {"event": "com.test.for_wampy", "args": [], "kwargs": {"message": "hello"}}


def test_python_calls_a_view_that_calls_python(python_peer: Wampy, python_service: Wampy) -> None:
    told = python_peer.call("com.test.call", "wampy_country", "peru")
    assert told["result"]["country"] == "PERU"


@pytest.mark.slow
def test_python_ends_where_it_is_asked_for_a_sign_of_life(peers_node: CrossbarNode) -> None:
    """It takes the payload of a ping for text. Where this fails, it may be a peer on any path."""
    with python_wampy(peers_node.ws_url, "peer") as peer:
        wait_until(lambda: "'Ping' object has no attribute" in peer.said, "a ping has ended it")


# --- wampy.js


def test_javascript_calls_a_view(javascript_peer: Wampy) -> None:
    assert javascript_peer.call("com.test.route", 1, b=2)["result"] == {"sum": 3, "method": "CALL"}
    assert javascript_peer.call("com.test.add", 1, b=2)["result"] == 3
    types = javascript_peer.call("com.test.types")["result"]
    assert types["decimal"] == "1.50"
    assert types["text"] == "größer ∞ 🌍"
    assert types["dataclass"] == {"x": 1, "y": 2}


def test_javascript_gets_errors_with_their_uri(javascript_peer: Wampy) -> None:
    told = javascript_peer.call("com.test.take", "tea", wanted=2)
    assert told["error"] == "com.test.error.no_stock"
    assert (told["args"], told["kwargs"]) == (["tea"], {"wanted": 2})
    told = javascript_peer.call("com.test.add")
    assert told["error"] == "wamp.error.invalid_argument"
    assert told["kwargs"]["parameter"] == "a"


def test_javascript_publishes_to_a_handler(javascript_peer: Wampy, anonymous: Peer) -> None:
    told = recorded(
        anonymous, "any", lambda: javascript_peer.publish("com.test.topic.any", 1, "x", key=[2])
    )
    assert (told["args"], told["kwargs"]) == ([1, "x"], {"key": [2]})
    assert told["authrole"] == "anonymous"
    told = recorded(
        anonymous,
        "message",
        lambda: javascript_peer.publish("com.test.topic.message", message="spam"),
    )
    assert told == "spam"


def test_javascript_gets_events_of_a_view(peers_node: CrossbarNode, javascript_peer: Wampy) -> None:
    assert javascript_peer.order("subscribe", topic="com.test.for_js") == {"result": None}
    order = {"publish": "com.test.for_js", "args": [1], "kwargs": {"message": "hello"}}
    assert http(peers_node.url + "wampy", order).status == 200
    told = javascript_peer.event()
    assert told == {"event": "com.test.for_js", "args": [1], "kwargs": {"message": "hello"}}


def test_javascript_may_not_register_as_anonymous(javascript_peer: Wampy) -> None:
    told = javascript_peer.order("register", uri="com.peer.mine")
    assert told["error"] == "wamp.error.not_authorized"


def test_javascript_serves_calls_of_a_view(
    peers_node: CrossbarNode, javascript_service: Wampy, make_app: MakeApp
) -> None:
    order = {"call": "com.peer.js", "args": [1, [2]], "kwargs": {"key": "ü"}}
    answer = http(peers_node.url + "wampy", order)
    assert answer.json == {"result": {"args": [1, [2]], "kwargs": {"key": "ü"}}}
    app, _ = make_app()
    with app.app_context(), pytest.raises(RemoteError) as raised:
        g.wampy.call("com.peer.js", refuse=True)
    assert raised.value.uri == "com.peer.refused"
    assert raised.value.args == ("no",)
    assert raised.value.kwargs == {"why": "asked"}
