"""Several results and bytes, through every serializer, from peers to views and back."""

import base64
import json
import os
import queue
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError as AutobahnError
from autobahn.wamp.types import CallResult as AutobahnResult
from autobahn.wamp.types import RegisterOptions
from flask import Flask, g
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_wamp import ApplicationError, CallResult, RemoteError
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import Program
from .support import (
    LIMIT,
    SERIALIZERS,
    MakeApp,
    Peer,
    connected,
    error_of,
    missing_service,
    on_reactor,
)

pytestmark = pytest.mark.node


BYTES_PEER = Path(__file__).parent / "peers" / "wampy_bytes.cjs"
OCTETS = bytes(range(256))
#: Bytes, alone and inside of other values, some of which look like something else.
WITH_BYTES: list[Any] = [
    b"",
    b"\0",
    OCTETS,
    OCTETS * 300,
    b"text",
    [b"\xff", [b"\x00\xff", {"deep": b"\0"}]],
    {"a": b"1", "b": {"c": [b"2", "2", 2]}},
    ["\\u0000", "AAEC", "=", b"AAEC"],
]
RESULTS = [
    CallResult((1, 2)),
    CallResult((1, "two", [3]), {"four": 4}),
    CallResult((), {"only": "keywords"}),
    CallResult((b"\0\xff", {"in": [b"\1"]}), {"octets": OCTETS}),
    CallResult((None, None)),
]


@pytest.fixture(params=sorted(SERIALIZERS))
def serializer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def peer(peers_node: CrossbarNode, serializer: str) -> Iterator[Peer]:
    """Give a peer with the backend's rights that speaks *serializer*."""
    with connected(trusted_url(peers_node), serializer=serializer) as peer:
        yield peer


def as_ours(result: Any) -> Any:
    """Return an Autobahn peer's result as one of ours."""
    if isinstance(result, AutobahnResult):
        return CallResult(tuple(result.results), result.kwresults)
    return result


# --- peers call views


def test_bytes_from_a_peer_to_a_view_and_back(peer: Peer) -> None:
    for value in WITH_BYTES:
        assert peer.call("com.test.echo", value) == value
    everything = peer.call("com.test.everything", OCTETS, octets=OCTETS, deep=[{"b": OCTETS}])
    assert everything == {"args": [OCTETS], "kwargs": {"octets": OCTETS, "deep": [{"b": OCTETS}]}}
    assert peer.call("com.test.bytes") == OCTETS


def test_bytes_and_several_results_of_a_view(peer: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()
    received: queue.Queue[Any] = queue.Queue()

    @wamp.callee("com.payloads.results")
    def results(number: int) -> CallResult:
        return RESULTS[number]

    @wamp.callee("com.payloads.views_of_bytes")
    def views_of_bytes(value: bytes) -> dict[str, Any]:
        received.put(value)
        return {"bytearray": bytearray(value), "memoryview": [memoryview(value)]}

    @wamp.callee("com.payloads.fail")
    def fail(value: bytes) -> None:
        raise ApplicationError("com.payloads.no", value, [value], octets=value)

    wamp.start(app)
    for number, result in enumerate(RESULTS):
        assert as_ours(peer.call("com.payloads.results", number)) == result
    assert peer.call("com.payloads.views_of_bytes", OCTETS) == {
        "bytearray": OCTETS,
        "memoryview": [OCTETS],
    }
    assert received.get(timeout=LIMIT) == OCTETS
    error = error_of(lambda: peer.call("com.payloads.fail", OCTETS))
    assert error.error == "com.payloads.no"
    assert (error.args, error.kwargs) == ((OCTETS, [OCTETS]), {"octets": OCTETS})


def test_one_result_in_a_call_result_is_that_result(peer: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.payloads.one")
    def one() -> CallResult:
        return CallResult((OCTETS,))

    @wamp.callee("com.payloads.none")
    def none() -> CallResult:
        return CallResult()

    wamp.start(app)
    assert peer.call("com.payloads.one") == OCTETS
    assert peer.call("com.payloads.none") is None
    with app.app_context():
        assert g.wampy.call("com.payloads.one") == OCTETS
        assert g.wampy.call("com.payloads.none") is None


def test_several_results_as_progressive_ones(peer: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.payloads.parts")
    def parts() -> Iterator[CallResult]:
        yield from RESULTS

    wamp.start(app)
    with app.app_context():
        assert list(g.wampy.stream("com.payloads.parts")) == RESULTS
    assert peer.call("com.payloads.parts") == [
        {"args": list(result.args), "kwargs": result.kwargs} if result.kwargs else list(result.args)
        for result in RESULTS
    ]


# --- views call peers


def test_bytes_and_several_results_of_a_peer(peer: Peer, make_app: MakeApp) -> None:
    app, _ = make_app()
    arguments: queue.Queue[Any] = queue.Queue()

    def echo(*args: Any, **kwargs: Any) -> AutobahnResult:
        arguments.put((args, kwargs))
        return AutobahnResult(*args, **kwargs)

    peer.register("com.payloads.peer", echo)
    with app.app_context():
        for value in WITH_BYTES:
            assert g.wampy.call("com.payloads.peer", value) == value
            assert arguments.get(timeout=LIMIT) == ((value,), {})
        for result in RESULTS:
            assert g.wampy.call("com.payloads.peer", *result.args, **result.kwargs) == result
            assert arguments.get(timeout=LIMIT) == (result.args, result.kwargs)


def test_bytes_in_progressive_results_of_a_peer(peer: Peer, make_app: MakeApp) -> None:
    app, _ = make_app()

    def parts(details: Any) -> bytes:
        details.progress(OCTETS)
        details.progress(1, octets=OCTETS)
        return b"\0"

    options = RegisterOptions(details_arg="details")
    on_reactor(lambda: peer.session.register(parts, "com.payloads.peers_parts", options))
    with app.app_context():
        assert list(g.wampy.stream("com.payloads.peers_parts")) == [
            OCTETS,
            CallResult((1,), {"octets": OCTETS}),
            b"\0",
        ]


def test_bytes_in_errors_of_a_peer(peer: Peer, make_app: MakeApp) -> None:
    app, _ = make_app()

    def fail() -> None:
        raise AutobahnError("com.payloads.no", OCTETS, octets=OCTETS)

    peer.register("com.payloads.peers_error", fail)
    with app.app_context(), pytest.raises(RemoteError) as raised:
        g.wampy.call("com.payloads.peers_error")
    assert raised.value.args == (OCTETS,)
    assert raised.value.kwargs == {"octets": OCTETS}


# --- events


def test_bytes_in_events_both_ways(peer: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()
    received: queue.Queue[Any] = queue.Queue()

    @wamp.consume("com.payloads.to_us")
    def to_us(*args: Any, **kwargs: Any) -> None:
        received.put((args, kwargs))

    wamp.start(app)
    events = peer.subscribe("com.payloads.to_peers")
    with app.app_context():
        for value in WITH_BYTES:
            peer.publish("com.payloads.to_us", value, octets=value)
            assert received.get(timeout=LIMIT) == ((value,), {"octets": value})
            g.wampy.publish("com.payloads.to_peers", value, octets=value)
            event = events.get()
            assert (event.args, event.kwargs) == ((value,), {"octets": value})


# --- any value at all


# A text that begins with NUL is how JSON carries bytes (WAMP spec, 6.2): it does not travel.
TEXTS = st.text().filter(lambda text: not text.startswith("\0"))
#: What travels: JSON's values, within 53 bits, and bytes.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def peers(peers_node: CrossbarNode) -> Iterator[list[Peer]]:
    """Give a peer of each serializer."""
    made = [
        Peer.connect(trusted_url(peers_node), serializer=serializer) for serializer in SERIALIZERS
    ]
    yield made
    for peer in made:
        peer.close()


@given(value=VALUES)
@settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_value_comes_back_as_it_went(peers: list[Peer], value: Any) -> None:
    for peer in peers:
        assert peer.call("com.test.echo", value) == value


# --- wampy.js


@contextmanager
def javascript(url: str, serializer: str) -> Iterator[dict[str, Any]]:
    """Run wampy.js with *serializer*, and give what it has said; it serves ``com.payloads.js``."""
    directory = os.environ.get("WAMPY_JS", "")
    node = shutil.which("node")
    if node is None or not (Path(directory) / "package.json").is_file():
        missing_service("no Node.js, or WAMPY_JS names no wampy.js: run `make test`")
    with Program(node, str(BYTES_PEER), directory, url, serializer) as program:
        yield json.loads(program.wait_for('"ready":true'))


@pytest.fixture
def several(make_app: MakeApp) -> Flask:
    """Give an application whose process serves several results, with bytes among them."""
    app, wamp = make_app()

    @wamp.callee("com.payloads.several")
    def several() -> CallResult:
        return CallResult((OCTETS, "text", [b"\0"]))

    wamp.start(app)
    return app


def in_base64(value: bytes) -> dict[str, str]:
    """Return how the program describes bytes."""
    return {"bytes": base64.b64encode(value).decode()}


@pytest.mark.wampy
@pytest.mark.parametrize("name", ["cbor", "msgpack"])
def test_bytes_of_javascript_in_binary(peers_node: CrossbarNode, several: Flask, name: str) -> None:
    """A Uint8Array, which browsers have for bytes, is CBOR's tag 64 for wampy.js (RFC 8746)."""
    with javascript(trusted_url(peers_node), name) as told:
        assert told["view"] == in_base64(OCTETS)
        assert told["echo"] == [in_base64(b"\x00\xff\x80\x01"), "text"]
        assert told["several"] == [in_base64(OCTETS), "text", [in_base64(b"\0")]]
        with several.app_context():
            assert g.wampy.call("com.payloads.js", OCTETS) == CallResult(
                (OCTETS, [OCTETS]), {"octets": OCTETS, "is": in_base64(OCTETS)}
            )


@pytest.mark.wampy
def test_bytes_of_javascript_in_json_are_its_texts(
    peers_node: CrossbarNode, several: Flask
) -> None:
    """wampy.js 8.0.2 knows JSON, and not how WAMP puts bytes into it (spec, 6.2): NUL, base64."""
    with javascript(trusted_url(peers_node), "json") as told:
        text = "\0" + base64.b64encode(OCTETS).decode()
        assert told["view"] == text
        # Its own bytes go out as what JavaScript makes of a Buffer.
        assert told["echo"] == [{"type": "Buffer", "data": [0, 255, 128, 1]}, "text"]
        assert told["several"] == [text, "text", ["\0AA=="]]
        with several.app_context():
            # What it passes on untouched is whole; it takes it for a text.
            assert g.wampy.call("com.payloads.js", OCTETS) == CallResult(
                (OCTETS, [OCTETS]), {"octets": OCTETS, "is": OCTETS}
            )
