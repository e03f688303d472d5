"""What a node takes over HTTP: sizes, and host names; the project's application takes 64 KiB."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .support import LIMIT, connected, wait_until
from .support import http as request

pytestmark = pytest.mark.node

MAX_BODY = 64 * 1024
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "wamp.2.json",
}


def send(node: CrossbarNode, head: str, *parts: bytes) -> tuple[int, bytes]:
    """Send a request as it stands, and return status and body of the answer."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=LIMIT) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode())
        for part in parts:
            connection.sendall(part)
        with http.client.HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status, answer.read()


def head(line: str, *headers: str, host: str = "127.0.0.1") -> str:
    """Return the head of a request."""
    return "\n".join([f"{line} HTTP/1.1", f"Host: {host}", *headers, "", ""])


def upgraded(node: CrossbarNode, host: str) -> int:
    """Ask for a WebSocket, and return the status."""
    lines = [f"{name}: {value}" for name, value in UPGRADE.items()]
    return send(node, head("GET /ws", *lines, host=host))[0]


@pytest.fixture(autouse=True)
def _serves_on(crossbar_node: CrossbarNode) -> Iterator[None]:
    """Whatever comes in, the node serves on."""
    yield
    assert request(crossbar_node.url).status == 200
    with connected(crossbar_node.ws_url) as peer:
        assert peer.call("com.example.polls.results", 1)["id"] == 1


@attempt("limits", "a body over the limit", "413, before it comes")
def test_body_is_refused_before_it_comes(crossbar_node: CrossbarNode) -> None:
    asked = head("POST /polls", f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue")
    assert send(crossbar_node, asked) == (413, b"The body of the request is too large.\n")


def test_client_that_sends_on_reads_why(crossbar_node: CrossbarNode) -> None:
    size = 8 * 1024 * 1024
    answer = send(crossbar_node, head("POST /polls", f"Content-Length: {size}"), b"x" * size)
    assert answer == (413, b"The body of the request is too large.\n")


@attempt("limits", "a body over the limit, in chunks", "413, at the limit")
def test_body_in_chunks_is_refused(crossbar_node: CrossbarNode) -> None:
    asked = head("POST /polls", "Transfer-Encoding: chunked")
    chunk = b"%x\r\n%s\r\n" % (MAX_BODY // 2, b"x" * (MAX_BODY // 2))
    answer = send(crossbar_node, asked, chunk, chunk, b"1\r\nx\r\n")
    assert answer == (413, b"The body of the request is too large.\n")


def test_body_up_to_the_limit_reaches_the_application(crossbar_node: CrossbarNode) -> None:
    body = json.dumps({"choice": "x" * (MAX_BODY - 16)}).encode()
    assert MAX_BODY - 10 < len(body) <= MAX_BODY
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    status, answer = send(crossbar_node, head("POST /polls/1/votes", *headers), body)
    assert status == 400
    assert "choice" in json.loads(answer)["error"]


@attempt("pages", "a request or a WebSocket for the host of another site (DNS rebinding)", "421")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"])
def test_host_of_another_site(crossbar_node: CrossbarNode, host: str) -> None:
    """Rebinding DNS makes a page of another site the origin of this node's."""
    refused = b"This server does not answer under that name.\n"
    assert send(crossbar_node, head("GET /", host=host)) == (421, refused)
    assert upgraded(crossbar_node, host) == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:9", "poll.localhost:8080"])
def test_host_of_this_machine(crossbar_node: CrossbarNode, host: str) -> None:
    assert send(crossbar_node, head("GET /", host=host))[0] == 200
    assert upgraded(crossbar_node, host) == 101


@attempt("pages", "no Host header, or two", "400")
def test_request_without_a_host_or_with_two(crossbar_node: CrossbarNode) -> None:
    assert send(crossbar_node, "GET / HTTP/1.0\n\n")[0] == 400
    assert send(crossbar_node, head("GET /", "Host: evil.example"))[0] == 400


def test_refused_host_is_logged_with_what_to_do(crossbar_node: CrossbarNode) -> None:
    send(crossbar_node, head("GET /", host="shop.example"))
    said = "a request for the host '"
    wait_until(lambda: said in crossbar_node.log, "the refusal is logged")


@attempt("limits", "an address of 20,000 characters", "431")
def test_long_address_is_refused(crossbar_node: CrossbarNode) -> None:
    assert send(crossbar_node, head(f"GET /{'x' * 20_000}"))[0] == 431


def test_garbage_is_no_request(crossbar_node: CrossbarNode) -> None:
    for garbage in ("\n\n\n", "GET\n\n", "GET / HTTP/1.1\nno header\n\n"):
        assert send(crossbar_node, garbage)[0] == 400
    answer: Any = send(crossbar_node, head("POST /", "Content-Length: -1"))
    assert answer[0] == 400
