"""The peers by the name of wampy: the Python client 1.1.0 and wampy.js 8 under Node.js."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, CallResult, RemoteError
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import Peer, Program, http, missing_service, wait_until

pytestmark = [pytest.mark.node, pytest.mark.wampy]

MakeApp = Callable[..., tuple[Flask, WAMP]]
PEERS = Path(__file__).parent / "peers"


class Wampy:
    """A wampy program, which takes orders one after another."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._taken: set[int] = set()

    def order(self, do: str, **details: Any) -> dict[str, Any]:
        """Give an order, and return the answer."""
        self._program.write(json.dumps({"do": do, **details}))
        return self._next(lambda told: "event" not in told)

    def call(self, uri: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Call *uri*, and return what the program says about the outcome."""
        return self.order("call", uri=uri, args=args, kwargs=kwargs)

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish to *topic*."""
        assert self.order("publish", topic=topic, args=args, kwargs=kwargs) == {"result": None}

    def event(self) -> dict[str, Any]:
        """Return the next event."""
        return self._next(lambda told: "event" in told)

    def ready(self) -> None:
        """Wait until the program has joined, registered and subscribed."""
        assert self._next(lambda told: True) == {"ready": True}

    def _next(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            for number, line in enumerate(self._program.output.splitlines(keepends=True)):
                if number in self._taken or not line.startswith("{") or not line.endswith("\n"):
                    continue
                told: dict[str, Any] = json.loads(line)
                if fits(told):
                    self._taken.add(number)
                    return told
            if self._program.process.poll() is not None:
                pytest.fail(f"the peer has ended:\n{self._program.output}")
            return None

        found = wait_until(look, "the peer says something")
        assert found is not None
        return found


@contextmanager
def python_wampy(url: str, kind: str) -> Iterator[Wampy]:
    """Run the Python wampy, as a ``peer`` or a ``service``."""
    executable = os.environ.get("WAMPY_PYTHON", "")
    if not Path(executable).is_file():
        missing_service("WAMPY_PYTHON names no Python with wampy: run `make test`")
    # Nothing of the project is on this one's path.
    env = {"PYTHONPATH": "", "WAMPY_LOGGING": "0"}
    with Program(executable, str(PEERS / "wampy_peer.py"), url, kind, env=env) as program:
        peer = Wampy(program)
        peer.ready()
        yield peer


@contextmanager
def javascript_wampy(url: str) -> Iterator[Wampy]:
    """Run wampy.js under Node.js."""
    directory = os.environ.get("WAMPY_JS", "")
    node = shutil.which("node")
    if node is None or not (Path(directory) / "package.json").is_file():
        missing_service("no Node.js, or WAMPY_JS names no wampy.js: run `make test`")
    program = str(PEERS / "wampy_peer.cjs")
    with Program(node, program, directory, url) as running:
        peer = Wampy(running)
        peer.ready()
        yield peer


@pytest.fixture(scope="module")
def python_peer(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run the Python wampy with the rights of a browser."""
    with python_wampy(peers_node.ws_url, "peer") as peer:
        yield peer


@pytest.fixture(scope="module")
def python_service(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run the Python wampy with the rights of the backend, as callee and subscriber."""
    with python_wampy(trusted_url(peers_node), "service") as peer:
        yield peer


@pytest.fixture(scope="module")
def javascript_peer(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy.js with the rights of a browser."""
    with javascript_wampy(peers_node.ws_url) as peer:
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


def test_python_publishes_to_a_consumer(python_peer: Wampy, anonymous: Peer) -> None:
    """The predecessor's scenario: ``consume`` with ``message=``."""
    told = recorded(
        anonymous, "message", lambda: python_peer.publish("com.test.topic.message", message="spam")
    )
    assert told == "spam"


def test_python_serves_rpc_of_a_view(
    peers_node: CrossbarNode, python_service: Wampy, make_app: MakeApp
) -> None:
    """The predecessor's scenario: ``g.wampy.rpc`` to another service.

    wampy 1.1.0 gives its result twice, and adds keywords of its own.
    """
    app, _ = make_app()
    with app.app_context():
        for _ in range(3):
            result = g.wampy.rpc.wampy_country("france", 1, key=2)
            assert isinstance(result, CallResult)
            assert result.args == ({"country": "FRANCE", "args": [1], "kwargs": {"key": 2}},)
            assert result.kwargs["message"] == result.args[0]
    answer = http(peers_node.url + "wampy", {"call": "wampy_country", "args": ["chad"]})
    assert answer.json["result"]["args"][0]["country"] == "CHAD"


def test_python_gets_events_of_a_view(peers_node: CrossbarNode, python_service: Wampy) -> None:
    """The predecessor's scenario: ``g.wampy.publish`` to a subscriber."""
    order = {"publish": "com.test.for_wampy", "kwargs": {"message": "hello"}}
    assert http(peers_node.url + "wampy", order).status == 200
    told = python_service.event()
    assert told == {"event": "com.test.for_wampy", "args": [], "kwargs": {"message": "hello"}}


def test_python_calls_a_view_that_calls_python(python_peer: Wampy, python_service: Wampy) -> None:
    # The view passes several results on as they came, and the peer picks its own from among them.
    told = python_peer.call("com.test.call", "wampy_country", "peru")
    assert told["result"]["country"] == "PERU"


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
