"""``flask_wamp.connect``: a client for code that has no application."""

import time

import pytest

from flask_wamp import NoSuchProcedure, NotConnected, SetupError, connect
from flask_wamp.node import CrossbarNode, free_port

from .support import LIMIT, Events, Peer, wait_until
from .transports import Transports

pytestmark = pytest.mark.node


def test_connect_gives_what_g_wampy_is(peers_node: CrossbarNode, anonymous: Peer) -> None:
    events = anonymous.subscribe("com.connect.topic")
    with connect(peers_node.backend_url, uri_prefix="com.test") as wampy:
        assert wampy.call("com.test.add", 1, 2) == 3
        assert wampy.rpc.add(3, b=4) == 7
        assert wampy.rpc.com.test.echo(b"\x00") == b"\x00"
        assert wampy.gather([wampy.start_call("com.test.add", n, 1) for n in range(3)]) == [1, 2, 3]
        assert list(wampy.stream("com.test.add", 1, 2)) == [3]
        publication = wampy.publish("com.connect.topic", 1, key=2)
        assert events.get().details.publication == publication
        assert wampy.with_options(timeout=LIMIT).call("com.test.add", 1, 2) == 3
        assert wampy.meta.count_sessions(authroles=["backend"]) >= 1
        with pytest.raises(NoSuchProcedure):
            wampy.call("com.connect.nobody")
        with pytest.raises(SetupError, match="application context"):
            wampy.publish_on_success("com.connect.topic")


def test_connect_leaves_no_session_behind(peers_node: CrossbarNode) -> None:
    """Nor a thread or a socket: that every test is held to."""
    with connect(peers_node.backend_url) as observer:
        before = set(observer.meta.sessions())
        connection = connect(peers_node.ws_url)
        for _ in range(2):
            with connection as wampy:
                assert wampy.call("com.test.add", 1, 2) == 3
                # Those of other tests may go meanwhile.
                assert len(set(observer.meta.sessions()) - before) == 1
                with pytest.raises(SetupError, match="entered already"), connection:
                    pass
        wait_until(lambda: set(observer.meta.sessions()) <= before, "the session is gone")
    for use in (
        lambda: wampy.call("com.test.add", 1),
        lambda: wampy.publish("com.connect.topic"),
        lambda: wampy.publish("com.connect.topic", acknowledge=False),
        lambda: wampy.start_call("com.test.add", 1).result(),
    ):
        with pytest.raises(NotConnected, match=r"closed by the end of flask_wamp\.connect\(\)"):
            use()


def test_connect_sends_what_was_published_last(peers_node: CrossbarNode, anonymous: Peer) -> None:
    events: Events = anonymous.subscribe("com.connect.last")
    with connect(peers_node.backend_url) as wampy:
        for number in range(500):
            wampy.publish("com.connect.last", number, acknowledge=False)
    assert [events.get().args for _ in range(500)] == [(number,) for number in range(500)]


def test_connect_without_a_router_says_so_at_once() -> None:
    urls = [f"ws://127.0.0.1:{free_port()}/ws" for _ in range(2)]
    started = time.monotonic()
    with pytest.raises(NotConnected) as caught, connect(urls, timeout=LIMIT):
        pytest.fail("there is no router")
    assert time.monotonic() - started < LIMIT / 2
    assert all(url in str(caught.value) for url in urls)


def test_connect_to_a_realm_that_is_not_there_says_so(peers_node: CrossbarNode) -> None:
    with pytest.raises(NotConnected, match="nowhere"), connect(peers_node.backend_url, "nowhere"):
        pytest.fail("there is no such realm")


def test_connect_keeps_its_time(transports: Transports) -> None:
    """A RawSocket that waits for more than it gets there."""
    url = transports.urls["rss"].replace("rss:", "rs:")
    with pytest.raises(NotConnected, match=r"within 0\.3 s"), connect(url, timeout=0.3):
        pytest.fail("nobody answers there")


def test_connect_with_a_serializer_and_tls(transports: Transports) -> None:
    with connect(
        transports.urls["rss client"],
        serializer="msgpack",
        tls_ca=transports.ca,
        tls_cert=transports.client,
    ) as wampy:
        assert wampy.call("com.test.echo", b"\x00\xff") == b"\x00\xff"
