"""Very many at once, for a long time, or with very much; the memory stays level."""

import itertools
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psutil
import pytest

from tests.attempts import attempt
from tests.node.logins import REFUSED, member
from tests.node.sockets import frame, read_to_end, tcp, text_frame, upgrade, upgraded, websocket
from tests.node.support import (
    CALL,
    ERROR,
    PUBLISH,
    REGISTER,
    RESULT,
    SUBSCRIBE,
    http,
    raw_peer,
    wait_until,
)

from .app import MOODS
from .conftest import Fort, level
from .test_cookies import alice, session_cookie
from .test_rights import DENIED, meta_procedures

pytestmark = [pytest.mark.node, pytest.mark.slow]

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
                assert answer[4] == DENIED

    level(fort, "denials", rounds)


HALF_MB = json.dumps(["x" * 500_000]).encode()


def calls() -> Iterator[bytes]:
    """Yield calls whose results are large."""
    for number in itertools.count(1):
        yield frame(0x81, b'[48,%d,{},"com.fort.gate",%s]' % (number, HALF_MB))


def pings() -> Iterator[bytes]:
    """Yield pings, each of which has to be answered."""
    return itertools.repeat(frame(0x89, b"x" * 125) * 4000)


def send_all(connection: socket.socket, frames: Iterable[bytes]) -> None:
    """Send *frames*, and read nothing."""
    for each in frames:
        connection.sendall(each)


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
            send_all(connection, itertools.islice(sent(), 2000))
    assert http(fort.node.url).status == 200
    # What was on its way comes in addition; 2,000 results would be 1 GB.
    assert router.memory_info().rss - before < 300_000_000


@attempt(
    "limits",
    "large events that are never read, by many subscribers, each of whom lets less wait than 32 MiB",
    "256 MiB wait for all together; beyond that connections are cut off",
)
def test_crowd_that_does_not_read(fort: Fort) -> None:
    router = psutil.Process(fort.router)
    before, cookie = router.memory_info().rss, fort.logged_in().cookie
    with ExitStack() as stack:
        crowd = [stack.enter_context(tcp(fort.node)) for _ in range(40)]
        for connection in crowd:
            upgrade(connection, "ws", f"Cookie: {cookie}")
            upgraded(connection)
            connection.sendall(text_frame(b'[1,"realm1",{"roles":{"subscriber":{}}}]'))
            assert b"[2," in connection.recv(4096)
            connection.sendall(text_frame(b'[32,1,{},"com.fort.talk"]'))
            assert b"[33," in connection.recv(4096)
        publisher = stack.enter_context(member(fort.url, cookie=cookie))

        def publish() -> bool:
            publisher.publish("com.fort.talk", "x" * 900_000)
            for connection in crowd:
                connection.sendall(frame(0x8A, b""))
            return False

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            wait_until(publish, "somebody is cut off")
        assert http(fort.node.url).status == 200
        # 40 times 32 MiB would be 1.3 GB.
        assert router.memory_info().rss - before < 600_000_000


@attempt(
    "limits",
    "calls with 900 kB of arguments each, to a procedure that takes its time",
    "128 MiB of them wait, those of all pages together; further ones get `wamp.error.unavailable`",
)
def test_large_calls_that_wait(fort: Fort) -> None:
    router = psutil.Process(fort.router)
    before = router.memory_info().rss
    with raw_peer(fort.url) as one, raw_peer(fort.url) as other:
        for number in range(1, 201):
            for peer in (one, other):
                peer.send([CALL, number, {}, "com.fort.doze", ["x" * 900_000]])
        for peer in (one, other):
            answer = peer.receive()
            assert answer[0] == ERROR
            assert answer[4] == "wamp.error.unavailable"
        assert fort.serves()
        # All would be 360 MB, here and with who serves them, and once more on the way there.
        assert router.memory_info().rss - before < 450_000_000
        one.drop()
        other.drop()
    with raw_peer(fort.url) as peer:
        wait_until(
            lambda: peer.request([CALL, 1, {}, "com.fort.gate", ["x" * 900_000]])[0] == RESULT,
            "there is room again",
        )


def is_served(fort: Fort) -> bool:
    """Tell whether a page loads, where it may be that nobody is let in."""
    try:
        return http(fort.node.url).status == 200
    except OSError:
        return False


@attempt(
    "limits",
    "more connections than the node takes (2,000)",
    "the others are closed; when some have gone, all are served",
)
def test_connections_have_a_limit(fort: Fort) -> None:
    with ExitStack() as stack:
        crowd = []
        for _ in range(2200):
            # Of those beyond the limit some are closed before they know that they are open.
            with suppress(ConnectionResetError):
                crowd.append(stack.enter_context(tcp(fort.node)))
        assert not is_served(fort)
        assert all(read_to_end(connection) == b"" for connection in crowd[2000:])
        for connection in crowd[:100]:
            upgrade(connection, "ws")
            upgraded(connection)
    wait_until(lambda: is_served(fort), "it serves on")


@attempt("limits", "all kinds of refusals, again and again", "the memory is level")
def test_refusals_again_and_again(fort: Fort) -> None:
    def rounds() -> None:
        for number in range(150):
            moody = next(itertools.islice(MOODS, 4 + number % 20, None))
            assert fort.refusal(cookie=f"mood={moody}") == REFUSED
            assert fort.refusal("ticket", authid="alice", ticket=f"x{number}") == REFUSED
            with raw_peer(fort.url) as peer:
                for request, uri in enumerate(meta_procedures(), 1):
                    assert peer.request([CALL, request, {}, uri])[4] == DENIED

    level(fort, "refusals", rounds)
