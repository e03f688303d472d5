"""How long a login may take, how often it may be tried, and what ends one."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import cbor2
import pytest

from flask_wamp.crossbar.guarding import LOGINS_AT_ONCE, REFUSAL
from flask_wamp.crossbar.slowing import FREE
from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port
from tests.attempts import attempt

from .conftest import trusted_url
from .sockets import peer_from, read_to_end, websocket
from .strangers import PROTOCOL_ERROR
from .support import (
    ABORT,
    APPS,
    CALL,
    ERROR,
    HELLO,
    LIMIT,
    REGISTER,
    REGISTERED,
    RESULT,
    WELCOME,
    RawPeer,
    connected,
    node_config,
    raw_peer,
)

pytestmark = [pytest.mark.node, pytest.mark.slow]

CHALLENGE, AUTHENTICATE, GOODBYE = 4, 5, 6
POLICY = 1008
NOT_AUTHORIZED = "wamp.error.not_authorized"
ROLES: dict[str, Any] = {"roles": {"caller": {}, "callee": {}}}
BY_TICKET = [HELLO, "realm1", {**ROLES, "authmethods": ["ticket"], "authid": "joe"}]
#: Seconds that a transport has to join here.
WITHIN = 3
#: Whoever has a row of tests to itself: what one tries is not held against another.
SLOWED, ELSEWHERE, MANY, ANYONE = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run a node that has logins which can be refused, and which hang."""
    config = node_config(web=f"{APPS}.sessions.LoneWeb", views=[f"{APPS}.sessions.Views"])
    router = config["workers"][0]
    router["components"][0]["extra"] = {"join_within": WITHIN}
    paths = router["transports"][0]["paths"]
    joe = {"ticket": "joe's secret", "role": "anonymous"}
    paths["ticket"] = {
        "type": "websocket",
        "auth": {"ticket": {"type": "static", "principals": {"joe": joe}}},
    }
    asked = {"type": "dynamic", "authenticator": "com.guard.login"}
    asked |= {"authenticator-realm": "realm1", "authenticator-role": "trusted"}
    paths["asked"] = {"type": "websocket", "auth": {"anonymous": asked}}
    running = CrossbarNode(config)
    running._config["workers"][0]["transports"].append({
        "type": "rawsocket",
        "id": "raw",
        "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": free_port()},
        "serializers": ["json"],
        "auth": {"anonymous": {"type": "static", "role": "anonymous"}},
    })  # fmt: skip
    with running:
        yield running


@pytest.fixture(autouse=True)
def _serves_on(node: CrossbarNode) -> Iterator[None]:
    """See that a page can join and call after each test, and nothing has failed in the node."""
    logged = len(node.log)
    yield
    with connected(node.ws_url) as peer:
        assert peer.call("com.test.add", 1, 2) == 3
    assert "Traceback" not in node.log[logged:]


def at(node: CrossbarNode, path: str, source: str = ANYONE) -> RawPeer:
    """Return a connection to a path of the node's."""
    return peer_from(source, node.url.replace("http:", "ws:") + path)


def code_of(peer: RawPeer) -> int | None:
    """Wait until the router has closed the connection, and return the code."""
    return peer.closed.result(LIMIT)[0]


# --- too late


@attempt("sessions", "a WebSocket on which no HELLO comes", "it is cut off")
def test_peer_that_says_nothing_is_cut_off(node: CrossbarNode) -> None:
    assert code_of(at(node, "ws")) == POLICY


@attempt("sessions", "a challenge that is not answered", "the connection is cut off")
def test_peer_that_does_not_answer_its_challenge_is_cut_off(node: CrossbarNode) -> None:
    peer = at(node, "ticket")
    assert peer.request(BY_TICKET) == [CHALLENGE, "ticket", {}]
    assert code_of(peer) == POLICY


@attempt(
    "login",
    "an authenticator that hangs",
    "the connection is cut off, and a late answer lets nobody in",
)
def test_peer_whose_authenticator_hangs_is_cut_off_and_not_let_in_later(node: CrossbarNode) -> None:
    with raw_peer(trusted_url(node)) as authenticator:
        assert authenticator.request([REGISTER, 1, {}, "com.guard.login"])[0] == REGISTERED
        peer = at(node, "asked")
        peer.send([HELLO, "realm1", ROLES])
        invocation = authenticator.receive()
        session = invocation[4][2]["session"]
        assert code_of(peer) == POLICY
        authenticator.send([70, invocation[1], {}, ["anonymous"]])
        answer = authenticator.request([CALL, 2, {}, "wamp.session.list"])
        assert answer[0] == RESULT
        assert session not in answer[3][0]
        assert peer.messages.empty()


@pytest.mark.slow
@attempt(
    "sessions", "a connection that stays after GOODBYE", "it is cut off, unless it joins again"
)
def test_peer_that_has_left_may_join_again_and_not_stay_for_nothing(node: CrossbarNode) -> None:
    peer = at(node, "ws")
    first = peer.join()
    assert peer.request([GOODBYE, {}, "wamp.close.normal"])[0] == GOODBYE
    assert peer.join() != first
    assert peer.request([CALL, 1, {}, "com.test.add", [1, 1]])[3] == [2]
    assert peer.request([GOODBYE, {}, "wamp.close.normal"])[0] == GOODBYE
    assert code_of(peer) == POLICY


def test_session_that_has_joined_stays(node: CrossbarNode) -> None:
    peer, silent = at(node, "ws"), at(node, "ws")
    peer.join()
    # The one that has opened its connection later is cut off meanwhile.
    assert code_of(silent) == POLICY
    assert peer.request([CALL, 1, {}, "com.test.add", [1, 1]])[3] == [2]
    peer.close()


@attempt("sessions", "a RawSocket that shakes no hands, or sends half a message", "it is cut off")
@pytest.mark.parametrize(
    "sent",
    [b"", b"\x7f", b"\x7f\xf1\0", b"\x7f\xf1\0\0", b"\x7f\xf1\0\0\0\xff\xff\xff[1,"],
    ids=["nothing", "a byte", "three bytes", "a handshake", "a message without end"],
)
def test_raw_socket_that_does_not_join_is_cut_off(node: CrossbarNode, sent: bytes) -> None:
    port = node._config["workers"][0]["transports"][-1]["endpoint"]["port"]
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(sent)
        assert read_to_end(connection) in (b"", b"\x7f\xf1\0\0")


@pytest.mark.slow
def test_service_may_take_its_time(node: CrossbarNode) -> None:
    """A container connects, and imports its application before it says anything."""
    with socket.socket(socket.AF_UNIX) as service:
        service.settimeout(LIMIT)
        service.connect(str(node.directory / "router.sock"))
        assert code_of(at(node, "ws")) == POLICY
        service.sendall(b"\x7f\xf3\0\0")
        assert service.recv(4) == b"\x7f\xf3\0\0"
        assert code_of(at(node, "ws")) == POLICY
        hello = cbor2.dumps([HELLO, "realm1", ROLES])
        service.sendall(len(hello).to_bytes(4) + hello)
        length = int.from_bytes(service.recv(4))
        assert cbor2.loads(service.recv(length))[0] == WELCOME


@attempt("sessions", "a peer that ignores the close", "it is dropped")
def test_peer_that_ignores_the_close_is_dropped(node: CrossbarNode) -> None:
    with websocket(node, "ws") as connection:
        frame = read_to_end(connection)
        # A close frame with the code, which this peer never answers.
        assert frame[0] == 0x88
        assert int.from_bytes(frame[2:4]) == POLICY


# --- out of order


@attempt("sessions", "CALL, AUTHENTICATE, GOODBYE and others before joining", "the connection ends")
@pytest.mark.parametrize(
    "message",
    [
        [AUTHENTICATE, "joe's secret", {}],
        [CALL, 1, {}, "com.test.add", [1, 1]],
        [GOODBYE, {}, "wamp.close.normal"],
        [WELCOME, 1, {"roles": {"broker": {}}}],
        [CHALLENGE, "ticket", {}],
    ],
    ids=lambda message: str(message[0]),
)
@pytest.mark.parametrize("first", [True, False])
def test_message_before_joining_ends_the_connection(
    node: CrossbarNode, message: list[Any], first: bool
) -> None:
    peer = at(node, "ticket")
    if not first:
        if message[0] == AUTHENTICATE:
            message = BY_TICKET
        assert peer.request(BY_TICKET)[0] == CHALLENGE
    peer.send(message)
    assert code_of(peer) == PROTOCOL_ERROR


@attempt(
    "login",
    "a second HELLO while the first is looked at",
    "the connection ends, and nobody is let in",
)
def test_second_hello_while_an_answer_is_due_ends_the_connection(node: CrossbarNode) -> None:
    with raw_peer(trusted_url(node)) as authenticator:
        assert authenticator.request([REGISTER, 1, {}, "com.guard.login"])[0] == REGISTERED
        peer = at(node, "asked")
        peer.send([HELLO, "realm1", ROLES])
        invocation = authenticator.receive()
        peer.send([HELLO, "realm1", ROLES])
        assert code_of(peer) == PROTOCOL_ERROR
        authenticator.send([70, invocation[1], {}, ["anonymous"]])
        assert peer.messages.empty()


def test_abort_of_a_peer_closes_the_connection(node: CrossbarNode) -> None:
    peer = at(node, "ticket")
    assert peer.request(BY_TICKET)[0] == CHALLENGE
    peer.send([ABORT, {}, "wamp.error.cannot_authenticate"])
    assert code_of(peer) == 1000


@attempt("limits", "a HELLO with long texts or very many parts", "the connection ends")
@pytest.mark.parametrize(
    "details",
    [
        {"authid": "x" * 20_000},
        {"authrole": "x" * 20_000},
        {"authmethods": ["anonymous"] * 300},
        {"authextra": {"x": "y" * 20_000}},
        {"authextra": {str(number): number for number in range(300)}},
        {"authextra": {"x": [[0] * 150, [0] * 150]}},
    ],
    ids=["authid", "authrole", "authmethods", "a long text", "many keys", "long lists"],
)
def test_hello_that_says_too_much_ends_the_connection(node: CrossbarNode, details: Any) -> None:
    peer = at(node, "ws")
    peer.send([HELLO, "realm1", {**ROLES, **details}])
    assert code_of(peer) == PROTOCOL_ERROR


@attempt("limits", "a ticket of 20,000 characters", "the connection ends")
def test_ticket_that_is_too_long_ends_the_connection(node: CrossbarNode) -> None:
    peer = at(node, "ticket")
    assert peer.request(BY_TICKET)[0] == CHALLENGE
    peer.send([AUTHENTICATE, "x" * 20_000, {}])
    assert code_of(peer) == PROTOCOL_ERROR


@attempt("engine", "a HELLO that says where its transport comes from", "the router's word stands")
def test_transport_is_the_routers_word(node: CrossbarNode) -> None:
    claims = {"transport": {"peer": "tcp4:6.6.6.6:6"}, "x_cb_peer": "me"}
    with raw_peer(trusted_url(node)) as service:
        peer = at(node, "narrow")
        welcome = peer.request([HELLO, "realm1", {**ROLES, "authextra": claims}])
        extra = welcome[2]["authextra"]
        assert ANYONE in extra["x_cb_peer"]
        assert "transport" not in extra
        details = service.request([CALL, 1, {}, "wamp.session.get", [welcome[1]]])[3][0]
        assert ANYONE in details["transport"]["peer"]
        peer.close()


# --- refused


@attempt(
    "login",
    "a wrong ticket, an unknown name, another method, another realm",
    "one refusal for all, and the connection closes",
)
@pytest.mark.parametrize(
    ("details", "answer"),
    [
        ({"authid": "joe"}, "a guess"),
        ({"authid": "nobody"}, None),
        ({}, None),
        ({"authid": "joe", "realm": "nowhere"}, "joe's secret"),
        ({"authmethods": ["scram"], "authid": "joe"}, None),
        ({"authmethods": ["there is none"], "authid": "joe"}, None),
    ],
    ids=["a guess", "unknown", "nameless", "no such realm", "another method", "no method"],
)
def test_refusals_are_the_same_whatever_the_reason_and_close(
    node: CrossbarNode, details: dict[str, Any], answer: str | None
) -> None:
    all_details = {**ROLES, "authmethods": ["ticket"], **details}
    peer = at(node, "ticket", ELSEWHERE)
    got = peer.request([HELLO, all_details.pop("realm", "realm1"), all_details])
    if got[0] == CHALLENGE:
        got = peer.request([AUTHENTICATE, answer, {}])
    assert got == [ABORT, {"message": REFUSAL}, NOT_AUTHORIZED]
    assert code_of(peer) == POLICY
    assert "a guess" not in node.log


@attempt("login", "an authenticator that fails", "the same refusal; its text is not told")
def test_error_of_an_authenticator_is_not_told(node: CrossbarNode) -> None:
    with raw_peer(trusted_url(node)) as authenticator:
        assert authenticator.request([REGISTER, 1, {}, "com.guard.login"])[0] == REGISTERED
        peer = at(node, "asked", MANY)
        peer.send([HELLO, "realm1", ROLES])
        request = authenticator.receive()[1]
        authenticator.send([ERROR, 68, request, {}, "com.shop.broken", ["/etc/passwords"]])
        assert peer.receive() == [ABORT, {"message": REFUSAL}, NOT_AUTHORIZED]
        assert code_of(peer) == POLICY


def guess(node: CrossbarNode, source: str) -> float:
    """Let a guess be refused, and return the seconds that this took."""
    began = time.monotonic()
    peer = at(node, "ticket", source)
    assert peer.request(BY_TICKET)[0] == CHALLENGE
    assert peer.request([AUTHENTICATE, "a guess", {}])[0] == ABORT
    took = time.monotonic() - began
    peer.closed.result(LIMIT)
    return took


@pytest.mark.slow
@attempt(
    "login",
    "guessing tickets",
    "each answer takes longer; others, and the pages of the same address, do not wait",
)
def test_guessing_is_slowed_down_for_those_who_guess(node: CrossbarNode) -> None:
    for _ in range(FREE + 1):
        guess(node, SLOWED)
    assert [guess(node, SLOWED) >= seconds for seconds in (0.5, 1, 2)] == [True] * 3
    # The next answer takes 4 s, longer than a transport has to join; the others do not wait for it.
    late = at(node, "ticket", SLOWED)
    late.send(BY_TICKET)
    page = at(node, "ws", SLOWED)
    page.join()
    other = at(node, "ticket", ELSEWHERE)
    assert other.request(BY_TICKET)[0] == CHALLENGE
    assert other.request([AUTHENTICATE, "joe's secret", {}])[0] == WELCOME
    assert late.messages.empty()
    assert late.receive()[0] == CHALLENGE
    # Who has waited for the first answer does not wait for the second again.
    late.send([AUTHENTICATE, "joe's secret", {}])
    assert late.receive()[0] == WELCOME
    for peer in (late, page, other):
        peer.close()


@attempt(
    "limits",
    "very many logins of one address at a time",
    "20 at a time; the others wait for their turn",
)
def test_logins_of_an_address_wait_for_one_another(node: CrossbarNode) -> None:
    peers = [at(node, "ticket", MANY) for _ in range(LOGINS_AT_ONCE + 2)]
    inside, waiting = peers[:LOGINS_AT_ONCE], peers[LOGINS_AT_ONCE:]
    # One after another: who says HELLO first on different connections is not heard first.
    for peer in inside:
        assert peer.request(BY_TICKET)[0] == CHALLENGE
    waiting[0].send(BY_TICKET)
    elsewhere = at(node, "ticket", ELSEWHERE)
    assert elsewhere.request(BY_TICKET)[0] == CHALLENGE
    waiting[1].send(BY_TICKET)
    assert all(peer.messages.empty() for peer in waiting)
    assert inside[0].request([AUTHENTICATE, "joe's secret", {}])[0] == WELCOME
    assert waiting[0].receive()[0] == CHALLENGE
    inside[1].close()
    assert waiting[1].receive()[0] == CHALLENGE
    for peer in (*peers, elsewhere):
        peer.close()
