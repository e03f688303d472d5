"""Transports and serializers: what each carries, and whom TLS lets in and keeps out."""

import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, InvalidArgument, NotConnected
from flask_wamp.connecting import open_link
from flask_wamp.state import state_of

from .programs import python
from .support import APPS, LIMIT, MakeApp, Peer, wait_until
from .transports import Transports

pytestmark = pytest.mark.node

SCRIPT = f"{APPS}.script"
ECHO = "com.test.echo"
TOPIC = "com.transports.topic"
VALUES: list[Any] = [
    None,
    True,
    -7,
    2**53,
    0.5,
    "größer ∞ 🌍",
    [1, [2, [3]]],
    {"a": {"b": [None]}},
    b"",
    bytes(range(256)),
    {"nested": [b"\x00\xff"]},
]


@pytest.fixture
def keys(transports: Transports) -> Mapping[str, Mapping[str, str]]:
    """Give the keys of TLS that each transport needs."""
    ca = {"WAMP_TLS_CA": str(transports.ca)}
    client = {**ca, "WAMP_TLS_CERT": str(transports.client)}
    return {
        "ws": {},
        "rs": {},
        "unix": {},
        "ws+unix": {},
        "wss": ca,
        "rss": ca,
        "wss client": client,
        "rss client": client,
    }


TRANSPORTS = ("ws", "rs", "unix", "ws+unix", "wss", "rss", "wss client", "rss client")


@pytest.fixture
def over(
    make_app: MakeApp, transports: Transports, keys: Mapping[str, Mapping[str, str]]
) -> Callable[..., tuple[Flask, WAMP]]:
    """Give a function that makes an application which uses a transport."""

    def over(name: str, **config: Any) -> tuple[Flask, WAMP]:
        return make_app("over", WAMP_URL=transports.urls[name], **{**keys[name], **config})

    return over


# --- each transport, each serializer


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("serializer", ["cbor", "msgpack", "json"])
def test_everything_over_each_transport(
    over: Callable[..., tuple[Flask, WAMP]], anonymous: Peer, transport: str, serializer: str
) -> None:
    """Calls out and in, publishes, events, progressive results, errors; all values as they are."""
    app, wamp = over(transport, WAMP_SERIALIZER=serializer)
    received: list[Any] = []

    @wamp.callee("com.transports.echo")
    def echo(*args: Any, **kwargs: Any) -> Any:
        return {"args": args, "kwargs": kwargs}

    @wamp.callee("com.transports.count")
    def count(to: int) -> Iterator[bytes]:
        yield from (bytes([number]) for number in range(to))

    @wamp.consume(topic=TOPIC)
    def consume(*args: Any, **kwargs: Any) -> None:
        received.append((args, kwargs))

    wamp.start(app)
    with app.app_context():
        assert [g.wampy.call(ECHO, value) for value in VALUES] == VALUES
        assert serializer_of(app) == serializer
        assert g.wampy.publish(TOPIC, *VALUES, key=VALUES)
        g.wampy.publish(TOPIC, 2, acknowledge=False)
        wait_until(lambda: len(received) == 2, "the events have come")
        assert received == [(tuple(VALUES), {"key": VALUES}), ((2,), {})]
        parts = list(g.wampy.stream("com.transports.count", 200))
        assert parts == [bytes([number]) for number in range(200)]
        with pytest.raises(InvalidArgument):
            g.wampy.call("com.test.add", "one", "too", "many")
    answer = anonymous.call("com.transports.echo", *VALUES, key=b"\x00")
    assert answer == {"args": VALUES, "kwargs": {"key": b"\x00"}}


def serializer_of(app: Flask) -> str:
    """Return the serializer of the application's session."""
    link: Any = state_of(app).slot.link
    return str(link._session._transport._serializer.SERIALIZER_ID)


@pytest.mark.parametrize(
    ("chosen", "spoken"), [(None, "cbor"), ("json", "json"), ("msgpack,cbor", "msgpack")]
)
def test_websocket_takes_the_first_that_the_router_offers(
    over: Callable[..., tuple[Flask, WAMP]], chosen: str | None, spoken: str
) -> None:
    app, _ = over("ws", WAMP_SERIALIZER=chosen)
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
    assert serializer_of(app) == spoken


def test_websocket_goes_on_to_the_next_serializer(
    make_app: MakeApp, transports: Transports
) -> None:
    app, _ = make_app(WAMP_URL=transports.urls["ws json"])
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
    assert serializer_of(app) == "json"


@pytest.mark.parametrize(
    ("transport", "reason"),
    [
        ("rs json", r"rs://.*does it offer RawSocket with 'cbor' there\?"),
        ("ws json", r"ws://.*subprotocol"),
    ],
)
def test_serializer_that_the_router_does_not_offer_is_named(
    make_app: MakeApp, transports: Transports, transport: str, reason: str
) -> None:
    app, _ = make_app(WAMP_URL=transports.urls[transport], WAMP_SERIALIZER="cbor")
    with pytest.raises(NotConnected, match=reason):
        open_link(state_of(app), LIMIT)


# --- TLS


def refusal(make_app: MakeApp, url: str, **config: Any) -> str:
    """Return why an application is not connected."""
    app, _ = make_app(WAMP_URL=url, **config)
    with pytest.raises(NotConnected) as raised:
        open_link(state_of(app), config.get("WAMP_TIMEOUT", LIMIT))
    assert url in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("scheme", ["wss", "rss"])
def test_tls_by_name(make_app: MakeApp, transports: Transports, scheme: str) -> None:
    """The certificate has the name as well as the address."""
    url = transports.urls[scheme].replace("127.0.0.1", "localhost")
    app, _ = make_app(WAMP_URL=url, WAMP_TLS_CA=str(transports.ca))
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3


@pytest.mark.parametrize("scheme", ["wss", "rss"])
class TestRefusals:
    """A router that is not whom it says it is, and a client that is not let in."""

    def test_ca_that_nobody_named(
        self, make_app: MakeApp, transports: Transports, scheme: str
    ) -> None:
        reason = refusal(make_app, transports.urls[scheme])
        assert "the router's certificate is not trusted here: name its CA in WAMP_TLS_CA" in reason

    def test_other_ca(self, make_app: MakeApp, transports: Transports, scheme: str) -> None:
        ca = str(transports.other_ca)
        reason = refusal(make_app, transports.urls[scheme], WAMP_TLS_CA=ca)
        assert f"does not hold: its CA is not in {ca} (WAMP_TLS_CA)" in reason

    def test_other_host(self, make_app: MakeApp, transports: Transports, scheme: str) -> None:
        ca = str(transports.ca)
        reason = refusal(make_app, transports.urls[f"{scheme} elsewhere"], WAMP_TLS_CA=ca)
        assert "the router's certificate is not for the host '127.0.0.1'" in reason

    def test_client_certificate_missing(
        self, make_app: MakeApp, transports: Transports, scheme: str
    ) -> None:
        ca = str(transports.ca)
        reason = refusal(make_app, transports.urls[f"{scheme} client"], WAMP_TLS_CA=ca)
        assert "the router wants a client certificate: name one in WAMP_TLS_CERT" in reason

    def test_client_certificate_of_a_stranger(
        self, make_app: MakeApp, transports: Transports, scheme: str
    ) -> None:
        reason = refusal(
            make_app,
            transports.urls[f"{scheme} client"],
            WAMP_TLS_CA=str(transports.ca),
            WAMP_TLS_CERT=str(transports.stranger),
        )
        assert "does not know the CA that signed the client certificate of WAMP_TLS" in reason

    def test_port_of_somebody_who_speaks_no_tls(
        self, make_app: MakeApp, transports: Transports, scheme: str
    ) -> None:
        with answers_http() as port:
            url = f"{scheme}://127.0.0.1:{port}"
            reason = refusal(make_app, url, WAMP_TLS_CA=str(transports.ca))
        assert "the router does not speak TLS at that port" in reason


@contextmanager
def answers_http() -> Iterator[int]:
    """Answer one connection as a web server does that makes nothing of it."""

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        answering = threads.submit(answer, server)
        yield server.getsockname()[1]
        answering.result(LIMIT)


def test_certificate_whose_time_is_over(make_app: MakeApp, transports: Transports) -> None:
    ca = str(transports.ca)
    reason = refusal(make_app, transports.urls["wss expired"], WAMP_TLS_CA=ca)
    assert "or its time is over" in reason


@pytest.mark.parametrize("scheme", ["ws", "rs"])
def test_port_with_tls_is_not_spoken_to_without(
    make_app: MakeApp, transports: Transports, scheme: str
) -> None:
    """A RawSocket waits there for more; the call's own time is what ends that."""
    url = transports.urls[f"{scheme}s"].replace(f"{scheme}s:", f"{scheme}:")
    assert "not connected to" in refusal(make_app, url, WAMP_TIMEOUT=0.5)


def test_certificates_are_read_anew(
    over: Callable[..., tuple[Flask, WAMP]], transports: Transports, tmp_path: Path
) -> None:
    """One that was renewed counts from the next attempt on; one that is gone says so."""
    mine = tmp_path / "client.pem"
    shutil.copy(transports.stranger, mine)
    app, _ = over("rss client", WAMP_TLS_CERT=str(mine))
    with app.app_context():
        call = g.wampy.with_options(timeout=0.5).call
        with pytest.raises(NotConnected, match="does not know the CA"):
            open_link(state_of(app), LIMIT)
        mine.unlink()

        def reason() -> str:
            try:
                return str(call("com.test.add", 1, 2))
            except NotConnected as error:
                return str(error)

        wait_until(lambda: "No such file" in reason(), "the file is missed")
        shutil.copy(transports.client, mine)
        wait_until(lambda: reason() == "3", "the new certificate is taken")


def test_fork_has_a_connection_of_its_own_over_tls(transports: Transports) -> None:
    env = {
        "FLASK_WAMP_URL": transports.urls["wss"],
        "FLASK_WAMP_TLS_CA": str(transports.ca),
    }
    with python("-m", SCRIPT, "fork", env=env) as program:
        assert program.wait() == 0
        assert sorted(program.output.splitlines())[:4] == [
            "after 4",
            "before 1",
            "child 2",
            "parent 3",
        ]
