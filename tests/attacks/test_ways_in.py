"""What the node listens on, and what comes in there that is no page."""

import socket
from typing import Any

import psutil
import pytest

from flask_wamp.crossbar.complaints import LINES
from tests.attempts import attempt
from tests.node.sockets import read_to_end, tcp
from tests.node.strangers import PROTOCOL_ERROR, TOO_BIG, colliding
from tests.node.support import (
    ABORT,
    CALL,
    HELLO,
    LIMIT,
    RAW_SERIALIZERS,
    SUBSCRIBE,
    RawPeer,
    http,
    on_reactor,
)

from .conftest import Fort

pytestmark = pytest.mark.node

ROLES: dict[str, object] = {"roles": {"caller": {}, "callee": {}}}


@attempt(
    "login",
    "the backend's rights over TCP",
    "there is no way in: what gives them listens on a file that its owner alone may open",
)
def test_backend_is_reached_over_no_network(fort: Fort) -> None:
    process = fort.node.process
    assert process is not None
    controller = psutil.Process(process.pid)
    listening = {
        each.laddr.port
        for one in (controller, *controller.children(recursive=True))
        for each in one.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert listening == {fort.node.port}
    assert fort.node.directory.stat().st_mode & 0o077 == 0
    for path in ("/", "/backend", "/router.sock", "/trusted"):
        with pytest.raises(ConnectionRefusedError):
            RawPeer(fort.url.removesuffix("/ws") + path)


@attempt("login", "RawSocket, or WAMP without WebSocket, on the page's port", "400, and the end")
@pytest.mark.parametrize(
    "sent",
    [b"\x7f\xf1\0\0", b"\x7f\xf3\0\0\0\0\0\x10", b'[1,"realm1",{}]\r\n\r\n', b"\x16\x03\x01\0\xff"],
    ids=["json", "cbor", "a HELLO", "TLS"],
)
def test_raw_socket_is_not_spoken_on_the_pages_port(fort: Fort, sent: bytes) -> None:
    with tcp(fort.node) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = read_to_end(connection)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


@attempt(
    "login",
    "authmethods that the node does not offer, and realms that there are not",
    "`wamp.error.not_authorized`, one text for all",
)
@pytest.mark.parametrize(
    ("realm", "details"),
    [
        ("realm1", {"authmethods": ["tls"]}),
        ("realm1", {"authmethods": ["cookie"]}),
        ("realm1", {"authmethods": ["anonymous-proxy"], "authid": "root", "authrole": "backend"}),
        ("realm1", {"authmethods": ["cryptosign-proxy"], "authid": "root", "authrole": "backend"}),
        ("realm1", {"authmethods": ["wampcra", "scram", "cryptosign"], "authid": "root"}),
        ("realm1", {"authmethods": ["x"]}),
        ("realm2", {}),
        ("crossbar", {}),
        ("com.crossbar", {"authmethods": ["anonymous"]}),
    ],
)
def test_other_ways_to_log_in(fort: Fort, realm: str, details: dict[str, object]) -> None:
    peer = RawPeer(fort.url)
    answer = peer.request([HELLO, realm, {**ROLES, **details}])
    assert answer[0] == ABORT
    assert answer[1:] == [{"message": "the login was refused"}, "wamp.error.not_authorized"]
    peer.drop()


@attempt("limits", "a message that never ends, in a thousand parts", "the connection ends at 1 MiB")
@pytest.mark.parametrize("joined", [False, True])
def test_message_without_end(fort: Fort, joined: bool) -> None:
    peer = RawPeer(fort.url)
    if joined:
        peer.join()
    on_reactor(peer._protocol.beginMessage)
    for _ in range(1000):
        if peer.closed.done():
            break
        on_reactor(lambda: peer._protocol.sendMessageFrame(b"x" * 65_536))
    assert peer.closed.result(LIMIT)[0] == TOO_BIG


@attempt("limits", "a message of 1 MiB and a byte", "the connection ends")
def test_message_that_is_too_long(fort: Fort) -> None:
    peer = RawPeer(fort.url)
    peer.join()
    peer.send_bytes(b" " * (1024 * 1024 + 1))
    assert peer.closed.result(LIMIT)[0] == TOO_BIG


@attempt(
    "limits",
    "a HELLO in CBOR with 40,000 keys that have all one hash, which take minutes",
    "the connection ends at once; nobody waits",
)
def test_keys_of_one_hash(fort: Fort) -> None:
    peer = RawPeer(fort.url, serializer="cbor")
    peer.send_bytes(b"\x83\x01\x66realm1" + colliding(40_000))
    assert http(fort.node.url).status == 200
    assert peer.closed.result(LIMIT)[0] == PROTOCOL_ERROR


#: What looks like a line of the log.
FORGED = "\n2026-01-01T00:00:00+0000 [Router 1] flask-wamp: forged"


@attempt(
    "sessions",
    "messages that cannot be read, with what looks like lines of the log in them",
    "the connection ends; there are five lines in a minute, and nobody else wrote one",
)
@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_messages_that_cannot_be_read_write_no_log(fort: Fort, serializer: str) -> None:
    since = len(fort.node.log)
    first: list[list[Any]] = [
        [HELLO, f"realm{FORGED}", ROLES],
        [HELLO, "realm1", {**ROLES, "authid": FORGED}],
        [HELLO, "realm1", {**ROLES, "authrole": f"\u00e9{FORGED}" * 10}],
        [HELLO, "realm1", {"roles": {FORGED: {}}}],
        [ABORT, {}, FORGED],
    ]
    later: list[list[Any]] = [
        [CALL, 1, {}, FORGED],
        [SUBSCRIBE, 1, {"match": FORGED}, "com.fort.news"],
        [CALL, 1, {"timeout": FORGED}, "com.fort.gate"],
    ]
    for message in (first + later) * 2:
        peer = RawPeer(fort.url, serializer=serializer)
        if message in later:
            peer.join()
        peer.send(message)
        assert peer.closed.result(LIMIT)[0] == PROTOCOL_ERROR
    told = fort.node.log[since:]
    assert "Traceback" not in told
    assert "forged" not in told
    assert told.count("a connection was cut off") <= LINES
