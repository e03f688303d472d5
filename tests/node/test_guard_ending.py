"""How the session of a peer is ended, whatever the peer does about it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .conftest import trusted_url
from .sockets import read_to_end, text_frame, websocket
from .support import CALL, ERROR, EVENT, LIMIT, PUBLISH, RESULT, RawPeer, raw_peer, wait_until
from .transports import Transports

pytestmark = pytest.mark.node

GOODBYE = 6
ENDING, REASON = "com.guard.end", "com.guard.out"
HELLO_JSON = b'[1,"realm1",{"roles":{"caller":{},"publisher":{},"subscriber":{}}}]'


def end(service: RawPeer, session: int, *, at_once: bool = False) -> bool:
    """Have the router's process end a session, and return what it says when that has ended."""
    answer = service.request([CALL, 3, {}, ENDING, [session, REASON, at_once]])
    assert answer[:2] == [RESULT, 3]
    return bool(answer[3][0])


def are_there(service: RawPeer, session: int) -> bool:
    """Tell whether the router has the session."""
    answer = service.request([CALL, 1, {}, "wamp.session.list"])
    assert answer[0] == RESULT
    return session in answer[3][0]


@pytest.fixture
def service(peers_node: CrossbarNode) -> Iterator[RawPeer]:
    """Give a peer with the backend's rights."""
    with raw_peer(trusted_url(peers_node)) as peer:
        yield peer


class Stubborn:
    """A session over RawSocket or WebSocket that answers no GOODBYE and closes nothing."""

    def __init__(self, connection: socket.socket, *, raw: bool) -> None:
        self._connection = connection
        self._raw = raw
        self.send(HELLO_JSON)
        self.id = int(self.receive()[1])

    def send(self, payload: bytes) -> None:
        """Send a message."""
        frame = len(payload).to_bytes(4) + payload if self._raw else text_frame(payload)
        self._connection.sendall(frame)

    def receive(self) -> Any:
        """Return the next message."""
        if self._raw:
            return json.loads(self._read(int.from_bytes(self._read(4))))
        length = self._read(2)[1]
        return json.loads(self._read(length if length < 126 else int.from_bytes(self._read(2))))

    def is_cut_off(self) -> bool:
        """Wait until the connection has ended."""
        read_to_end(self._connection)
        return True

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            assert part, "the connection has ended"
            data += part
        return data


@contextmanager
def stubborn(node: CrossbarNode, transports: Transports, kind: str) -> Iterator[Stubborn]:
    """Give a session that does not go by itself."""
    if kind == "websocket":
        with websocket(node, "ws") as connection:
            yield Stubborn(connection, raw=False)
        return
    port = int(transports.urls["rs json"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(b"\x7f\xf1\0\0")
        assert connection.recv(4) == b"\x7f\xf1\0\0"
        yield Stubborn(connection, raw=True)


@attempt("engine", "a session that is killed, and ignores GOODBYE", "it is cut off after a second")
@pytest.mark.parametrize("kind", ["websocket", "rawsocket"])
@pytest.mark.parametrize("how", ["end", "kill"])
def test_goodbye_that_is_ignored_is_the_end_all_the_same(
    peers_node: CrossbarNode, transports: Transports, service: RawPeer, kind: str, how: str
) -> None:
    with stubborn(peers_node, transports, kind) as session:
        if how == "end":
            assert end(service, session.id)
        else:
            answer = service.request([CALL, 2, {}, "wamp.session.kill", [session.id]])
            assert answer[0] == RESULT
        assert session.receive()[0] == GOODBYE
        assert session.is_cut_off()
        wait_until(lambda: not are_there(service, session.id), "the session is gone")


@attempt("engine", "a session that is killed, and publishes on", "it is not heard")
def test_session_that_is_to_go_is_not_heard_any_more(
    peers_node: CrossbarNode, transports: Transports, service: RawPeer
) -> None:
    topic = "com.guard.last"
    assert service.request([32, 1, {}, topic])[0] == 33
    with stubborn(peers_node, transports, "websocket") as session:
        session.send(json.dumps([PUBLISH, 1, {}, topic, ["before"]]).encode())
        assert service.receive()[4] == ["before"]
        service.send([CALL, 2, {}, "wamp.session.kill", [session.id]])
        assert session.receive()[0] == GOODBYE
        session.send(json.dumps([PUBLISH, 2, {}, topic, ["after"]]).encode())
        assert session.is_cut_off()
    with raw_peer(peers_node.ws_url) as other:
        other.send([PUBLISH, 1, {}, topic, ["later"]])
        received = [service.receive()]
        while received[-1][0] != EVENT:
            received.append(service.receive())
        assert received[-1][4] == ["later"]


def test_session_that_answers_goodbye_is_closed(peers_node: CrossbarNode, service: RawPeer) -> None:
    peer = RawPeer(peers_node.ws_url)
    service.send([CALL, 3, {}, ENDING, [peer.join(), REASON]])
    assert peer.receive()[::2] == [GOODBYE, REASON]
    assert service.messages.empty()
    peer.send([GOODBYE, {}, "wamp.close.goodbye_and_out"])
    assert service.receive()[3] == [True]
    assert peer.closed.result(LIMIT)[0] == 1000


@pytest.mark.parametrize("kind", ["websocket", "rawsocket"])
def test_session_that_is_lost_at_once_is_told_nothing(
    peers_node: CrossbarNode, transports: Transports, service: RawPeer, kind: str
) -> None:
    with stubborn(peers_node, transports, kind) as session:
        assert end(service, session.id, at_once=True)
        assert not are_there(service, session.id)
        with pytest.raises((AssertionError, ConnectionResetError)):
            session.receive()


@attempt("engine", "killing a role of which some are leaving already", "all of it ends")
def test_killing_a_role_ends_all_of_it(
    peers_node: CrossbarNode, transports: Transports, service: RawPeer
) -> None:
    url = peers_node.url.replace("http:", "ws:") + "narrow"
    with raw_peer(url) as first, raw_peer(url) as second:
        for _ in range(2):
            # The second time finds sessions that are leaving already.
            answer = service.request([CALL, 2, {}, "wamp.session.kill_by_authrole", ["narrow"]])
            assert answer[0] in (RESULT, ERROR)
        for peer in (first, second):
            assert peer.receive()[0] == GOODBYE
            peer.closed.result(LIMIT)


def test_sessions_that_are_not_there_or_in_memory_are_not_ended(service: RawPeer) -> None:
    assert not end(service, 1)
    # Who answers this is the web component, in memory.
    answer = service.request([CALL, 4, {}, ENDING, [1, REASON]])
    assert not end(service, answer[2]["callee"])
    assert not end(service, answer[2]["callee"], at_once=True)
