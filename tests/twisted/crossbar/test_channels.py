"""Connections that requests come in by, on a clock of the test's own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from flask_wamp._twisted.engine.channels import (
    BODY_RATE,
    BODY_SECONDS,
    HEAD_SECONDS,
    LINGER_SECONDS,
    MAX_HEADERS,
    Head,
    Refusal,
    guard_sites,
)
from flask_wamp._twisted.engine.recursion import restore_recursion_limit
from tests.attempts import attempt

MAX_BODY = 100
HEAD = b"POST / HTTP/1.1\r\nHost: shop\r\n"


class Pages(Resource):
    """Answers with the body of the request, or not at all."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)
        self.bodies: list[bytes] = []
        self.forms: list[Any] = []
        self.answers = True
        self.kept: list[Any] = []

    def render(self, request: Any) -> Any:
        self.bodies.append(request.content.read())
        self.forms.append(request.args)
        self.kept.append(request)
        return b"well" if self.answers else NOT_DONE_YET


class Wire(StringTransport):
    """A transport whose loss the channel hears of."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


class Client:
    """A client, and the channel that it has."""

    wire: Any

    def __init__(self, site: Any) -> None:
        make: Any = Wire
        self.wire = make(hostAddress=IPv4Address("TCP", "127.0.0.1", 8080))
        self.channel = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        self.channel.makeConnection(self.wire)

    def send(self, *parts: bytes) -> bytes:
        """Send, and return what has been answered since."""
        self.wire.clear()
        for part in parts:
            self.channel.dataReceived(part)
        answered: bytes = self.wire.value()
        return answered


@pytest.fixture
def judged() -> list[Head]:
    return []


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(
    judged: list[Head], pages: Pages, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Client]]:
    """Return a function that connects; the host "other" is refused."""
    from crossbar.common.twisted.web import Site

    restore_recursion_limit()
    for name in ("protocol", "requestFactory", "acceptableProtocols"):
        monkeypatch.setattr(Site, name, getattr(Site, name))

    def judge(head: Head) -> Refusal | None:
        judged.append(head)
        return Refusal("421 Misdirected Request", "no") if "other" in head.hosts else None

    guard_sites(judge, MAX_BODY)
    site: Any = Site(pages, client_timeout=30)
    site.reactor = clock
    clients: list[Client] = []

    def connect() -> Client:
        clients.append(Client(site))
        return clients[-1]

    yield connect
    for each in clients:
        each.channel.connectionLost(Failure(ConnectionDone()))
    assert clock.getDelayedCalls() == []
    assert site.acceptableProtocols() == [b"http/1.1"]


Connect = Callable[[], Client]


def test_channel_request_is_answered_and_the_next_one_too(
    client: Connect, pages: Pages, judged: list[Head]
) -> None:
    connected = client()
    for _ in range(2):
        answer = connected.send(HEAD + b"Content-Length: 100\r\n\r\n", b"x" * 100)
        assert answer.startswith(b"HTTP/1.1 200 OK")
    assert pages.bodies == [b"x" * 100] * 2
    assert judged == [Head(("shop",), 100, "127.0.0.1")] * 2


def test_channel_requests_that_come_at_once(client: Connect, pages: Pages, clock: Clock) -> None:
    """The second waits for the first, and its time has not begun."""
    connected = client()
    pages.answers = False
    connected.send((HEAD + b"Content-Length: 1\r\n\r\nx") * 2)
    assert len(pages.bodies) == 1
    clock.advance(10 * HEAD_SECONDS)
    pages.kept[0].finish()
    assert pages.bodies == [b"x", b"x"]
    clock.advance(10 * HEAD_SECONDS)
    assert not connected.wire.aborted
    assert b"408" not in connected.wire.value()


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD + b"Content-Length: 101\r\n\r\n"],
        [HEAD + b"Content-Length: 101\r\nExpect: 100-continue\r\n\r\n"],
        [HEAD + b"Content-Length: 101\r\n\r\n" + b"x" * 101],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"40\r\n" + b"x" * 64 + b"\r\n", b"25\r\n" + b"x" * 37],
    ],
    ids=["head", "expect", "whole", "chunks"],
)  # fmt: skip
def test_channel_too_large_a_body(
    client: Connect, pages: Pages, clock: Clock, parts: list[bytes]
) -> None:
    connected = client()
    answer = connected.send(*parts)
    assert answer.startswith(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert connected.send(b"x" * 10_000, b"\r\n0\r\n\r\n", HEAD + b"\r\n") == b""
    assert pages.bodies == []
    assert not connected.wire.aborted
    clock.advance(LINGER_SECONDS)
    assert connected.wire.aborted


def test_channel_chunks_up_to_the_limit(client: Connect, pages: Pages) -> None:
    chunk = b"32\r\n" + b"x" * 50 + b"\r\n"
    client().send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk, b"0\r\n\r\n")
    assert pages.bodies == [b"x" * 100]


def test_channel_refused_by_its_head(client: Connect, pages: Pages) -> None:
    connected = client()
    answer = connected.send(b"GET / HTTP/1.1\r\nHost: other\r\n\r\n" * 2)
    assert answer.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert pages.bodies == []


def test_channel_forms_are_left_to_the_application(client: Connect, pages: Pages) -> None:
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1"
    client().send(HEAD + form)
    assert (pages.bodies, pages.forms) == ([b"a=1"], [{}])


@attempt("limits", "more than 100 headers", "400")
def test_channel_too_many_headers(client: Connect, pages: Pages) -> None:
    answer = client().send(HEAD + b"X-A: b\r\n" * MAX_HEADERS + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert pages.bodies == []


def test_channel_endless_line(client: Connect, clock: Clock) -> None:
    connected = client()
    answer = connected.send(b"GET /" + b"x" * 20_000)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert connected.send(b"x" * 20_000, b"\r\n\r\n") == b""
    clock.advance(LINGER_SECONDS)
    assert connected.wire.aborted


@attempt("limits", "the head of a request, byte by byte", "408 after 20 s")
def test_channel_head_that_drips(client: Connect, clock: Clock) -> None:
    connected = client()
    for _ in range(int(HEAD_SECONDS) - 1):
        assert connected.send(b"G") == b""
        clock.advance(1)
    assert connected.wire.value() == b""
    clock.advance(1)
    assert connected.wire.value().startswith(b"HTTP/1.1 408 Request Timeout")
    clock.advance(LINGER_SECONDS)
    assert connected.wire.aborted


@attempt("limits", "a body slower than 4 KiB a second", "408")
def test_channel_body_that_drips(client: Connect, clock: Clock) -> None:
    connected = client()
    connected.send(HEAD + b"Content-Length: 100\r\n\r\n")
    for _ in range(int(BODY_SECONDS)):
        assert connected.send(b"x") == b""
        clock.advance(1)
    # What has come is worth a moment more.
    assert 0 < BODY_SECONDS / BODY_RATE < 1
    clock.advance(1)
    assert connected.wire.value().startswith(b"HTTP/1.1 408 Request Timeout")


def test_channel_body_that_comes_quickly_enough(
    client: Connect, pages: Pages, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_wamp._twisted.engine.channels.BODY_RATE", 1)
    connected = client()
    connected.send(HEAD + b"Content-Length: 100\r\n\r\n")
    for _ in range(100):
        connected.send(b"x")
        clock.advance(1)
    assert pages.bodies == [b"x" * 100]


def test_channel_that_is_idle_ends_by_the_timeout_of_the_configuration(
    client: Connect, clock: Clock
) -> None:
    connected = client()
    connected.send(HEAD + b"\r\n")
    clock.advance(29)
    assert not connected.wire.disconnecting
    clock.advance(1)
    assert connected.wire.disconnecting


def test_channel_leaves_no_timer_behind(client: Connect, clock: Clock) -> None:
    connected = client()
    connected.send(b"G")
    assert clock.getDelayedCalls()  # and the fixture sees that there are none afterwards
