"""Very many at once, for a long time, or with very much; the memory stays level."""

import itertools
from contextlib import ExitStack
from typing import Any

import pytest

from tests.attempts import attempt
from tests.node.sockets import tcp, text_frame, upgrade, upgraded
from tests.node.support import CALL, ERROR, PUBLISH, REGISTER, SUBSCRIBE, raw_peer

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
