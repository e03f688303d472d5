"""Several routers: the next is tried when one fails, in order, and the first again after a loss."""

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from flask import Flask, g

from flask_wamp import NotConnected, connect
from flask_wamp.connecting import open_link
from flask_wamp.node import CrossbarNode
from flask_wamp.state import state_of

from .relays import Relay
from .support import LIMIT, MakeApp, Peer, discard, node_config, start_all, wait_until
from .transports import Transports

pytestmark = pytest.mark.node


@pytest.fixture
def relays(peers_node: CrossbarNode, transports: Transports) -> Iterator[list[Relay]]:
    """Give two routers that are down."""
    port = urlsplit(transports.urls["rs"]).port
    assert port is not None
    with ExitStack() as stack:
        routers = [Relay(port) for _ in range(2)]
        for router in routers:
            stack.callback(router.down)
        yield routers


def urls(relays: list[Relay]) -> str:
    """Return the routers as the configuration has them."""
    return ",".join(f"rs://127.0.0.1:{relay.port}" for relay in relays)


def connected_again(app: Flask, relay: Relay, accepted: int) -> None:
    """Wait until the application uses the router of *relay*, and can call."""
    with app.app_context():
        call = g.wampy.call

        def can_call() -> bool:
            try:
                return bool(call("com.test.add", 1, 2) == 3 and relay.accepted == accepted)
            except NotConnected:
                return False

        wait_until(can_call, "the application calls again")


def test_failover_first_router_is_not_there(make_app: MakeApp, relays: list[Relay]) -> None:
    first, second = relays
    second.up()
    app, _ = make_app(WAMP_URL=urls(relays))
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
    assert (first.accepted, second.accepted) == (0, 1)


def test_failover_none_is_there_and_each_is_named(make_app: MakeApp, relays: list[Relay]) -> None:
    app, wamp = make_app(WAMP_URL=urls(relays))
    each = r"; ".join(rf"rs://127\.0\.0\.1:{relay.port}: .*refused" for relay in relays)
    with pytest.raises(NotConnected, match=rf"^not connected to {each}; it was not sent"):
        open_link(state_of(app), LIMIT)
    # Long enough for both to be tried, on a busy machine too.
    late = rf"within 1 s: {each}; it was not sent"
    with app.app_context(), pytest.raises(NotConnected, match=late):
        g.wampy.with_options(timeout=1).call("com.test.add", 1, 2)
    with pytest.raises(NotConnected, match=rf"within 0\.2 s: {each}"):
        wamp.start(app, timeout=0.2)


def test_failover_to_the_second_and_back_while_it_serves(
    make_app: MakeApp, relays: list[Relay], anonymous: Peer
) -> None:
    first, second = relays
    first.up()
    second.up()
    app, wamp = make_app(WAMP_URL=urls(relays))
    wamp.callee("com.failover.name")(lambda: "served")
    wamp.start(app)
    assert (first.accepted, second.accepted) == (1, 0)

    first.down()
    connected_again(app, second, 1)
    assert anonymous.call("com.failover.name") == "served"

    # It stays where it is while that router is there.
    first.up()
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
    assert first.accepted == 1

    second.down()
    connected_again(app, first, 2)
    assert anonymous.call("com.failover.name") == "served"


def test_failover_ends_what_is_in_flight(
    make_app: MakeApp, relays: list[Relay], anonymous: Peer
) -> None:
    first, second = relays
    first.up()
    second.up()
    app, _ = make_app(WAMP_URL=urls(relays), WAMP_TIMEOUT=LIMIT)
    with app.app_context():
        held = g.wampy.start_call("com.test.hold", "failover")
        wait_until(lambda: "failover" in anonymous.call("com.test.held"), "the call is there")
        first.down()
        with pytest.raises(NotConnected, match="while an answer was awaited"):
            held.result()
        anonymous.call("com.test.release", "failover")
    connected_again(app, second, 1)


@pytest.mark.slow
def test_failover_between_nodes_that_stop_and_die(make_app: MakeApp) -> None:
    """The first says goodbye, the second is killed, and the first is there again."""
    first, second = (
        CrossbarNode(node_config(web=None, views=()), ready="NODE_BOOT_COMPLETE") for _ in range(2)
    )
    try:
        start_all([first, second])
        app, _ = make_app(WAMP_URL=[first.backend_url, second.backend_url])
        with app.app_context():
            meta = g.wampy.meta

            def sessions(node: CrossbarNode) -> int:
                with connect(node.backend_url) as observer:
                    return observer.meta.count_sessions(authroles=["backend"]) - 1

            def is_at(node: CrossbarNode) -> bool:
                try:
                    return meta.count_sessions(authroles=["backend"]) > 0 and sessions(node) == 1
                except NotConnected:
                    return False

            assert is_at(first)
            assert sessions(second) == 0
            assert first.stop() == 0
            wait_until(lambda: is_at(second), "the application is at the second node")
            first.start()
            wait_until(lambda: is_at(second), "the application stays there")
            second.kill()
            wait_until(lambda: is_at(first), "the application is at the first node again")
    finally:
        discard(first)
        discard(second)
