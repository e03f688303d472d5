"""Very many at once, for a long time, or with very much; the memory stays level."""

import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest

from tests.attempts import attempt
from tests.node.sockets import frame, tcp, text_frame, upgrade, upgraded, websocket
from tests.node.support import CALL, ERROR, PUBLISH, REGISTER, SUBSCRIBE, http, raw_peer

from .conftest import Fort, level
from .test_cookies import alice, session_cookie

pytestmark = pytest.mark.node

_numbers = itertools.count()


@attempt(
    "limits",
    "1,000 handshakes at once, each with a cookie for the authenticator to look at",
    "all join; the memory is level",
)
def test_thousand_logins_at_once(fort: Fort) -> None:
    cookie = session_cookie(alice())

    def rounds() -> None:
        with ExitStack() as stack:
            crowd = [stack.enter_context(tcp(fort.node)) for _ in range(1000)]
            for connection in crowd:
                upgrade(connection, "ws", f"Cookie: {cookie}")
            for connection in crowd:
                upgraded(connection)
                connection.sendall(text_frame(b'[1,"realm1",{"roles":{"caller":{}}}]'))
            for connection in crowd:
                assert b'"authrole":"user"' in connection.recv(2048)

    level(fort, "1,000 logins", rounds)


@attempt(
    "engine",
    "thousands of URIs that the role may not, each another one, to fill the router's cache",
    "`wamp.error.not_authorized`; the memory is level",
)
def test_denials_of_ever_new_uris_are_not_kept(fort: Fort) -> None:
    def message(number: int) -> list[Any]:
        uri = f"com.denied.{next(_numbers)}." + "x" * 900
        return [
            [CALL, number, {}, uri],
            [SUBSCRIBE, number, {}, uri],
            [REGISTER, number, {}, uri],
            [PUBLISH, number, {"acknowledge": True}, uri],
        ][number % 4]

    def rounds() -> None:
        with raw_peer(fort.url) as peer:
            for number in range(1, 4001):
                peer.send(message(number))
            for _ in range(4000):
                answer = peer.receive()
                assert answer[0] == ERROR
                assert answer[4] == "wamp.error.not_authorized"

    level(fort, "denials", rounds)


HALF_MB = json.dumps(["x" * 500_000]).encode()


def calls() -> Iterator[bytes]:
    """Yield calls whose results are large."""
    for number in itertools.count(1):
        yield frame(0x81, b'[48,%d,{},"com.fort.gate",%s]' % (number, HALF_MB))


def pings() -> Iterator[bytes]:
    """Yield pings, each of which has to be answered."""
    return itertools.repeat(frame(0x89, b"x" * 125) * 4000)


@attempt(
    "limits",
    "large results, or pings, that are asked for and never read",
    "the connection is cut off when 32 MiB wait",
)
@pytest.mark.parametrize("sent", [calls, pytest.param(pings, marks=pytest.mark.slow)])
def test_peer_that_does_not_read(fort: Fort, sent: Any) -> None:
    router = psutil.Process(fort.router)
    before = router.memory_info().rss
    with websocket(fort.node, "ws") as connection:
        connection.sendall(text_frame(b'[1,"realm1",{"roles":{"caller":{}}}]'))
        assert b"[2," in connection.recv(4096)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for frames in itertools.islice(sent(), 2000):
                connection.sendall(frames)
    assert http(fort.node.url).status == 200
    assert router.memory_info().rss - before < 150_000_000
