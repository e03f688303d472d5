"""The configuration for production, seen by a client with TLS of Python's own."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection

import pytest

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt
from tests.production import production_node

from .support import LIMIT

pytestmark = [pytest.mark.node, pytest.mark.slow]

Node = tuple[CrossbarNode, int]


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run the node, and give it with the port of plain HTTP."""
    with production_node(tmp_path_factory.mktemp("production") / "polls.sqlite") as node:
        yield node


@pytest.fixture
def trusting(production: Node) -> ssl.SSLContext:
    """Return what trusts the node's certificate, and checks its names."""
    context = ssl.create_default_context(cafile=str(production[0].directory / "server.crt"))
    assert context.check_hostname
    return context


def answer(
    connection: HTTPConnection, path: str = "/", method: str = "GET", **headers: str
) -> http.client.HTTPResponse:
    """Return the answer to a request; its body is read."""
    connection.request(method, path, headers=headers)
    found = connection.getresponse()
    found.read()
    connection.close()
    return found


def test_page_comes_by_https_with_its_headers(production: Node, trusting: ssl.SSLContext) -> None:
    node, _port = production
    secure = HTTPSConnection("localhost", node.port, context=trusting, timeout=LIMIT)
    found = answer(secure)
    assert found.status == 200
    assert found.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in found.headers["Content-Security-Policy"]
    assert f" is ready at https://localhost:{node.port}/ http://localhost:" in node.log


def test_only_what_is_safe_is_spoken(production: Node, trusting: ssl.SSLContext) -> None:
    node, _port = production
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", node.port), timeout=LIMIT) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == "TLSv1.3"
        assert secure.selected_alpn_protocol() == "http/1.1"


@attempt("pages", "TLS 1.2 and older", "the handshake fails")
def test_older_tls_is_refused(production: Node, trusting: ssl.SSLContext) -> None:
    node, _port = production
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("localhost", node.port), timeout=LIMIT) as plain,
        pytest.raises(ssl.SSLError),
    ):
        trusting.wrap_socket(plain, server_hostname="localhost")


def test_host_that_the_configuration_does_not_name(
    production: Node, trusting: ssl.SSLContext
) -> None:
    node, port = production
    for host in ("evil.example", "127.0.0.1"):
        secure = HTTPSConnection("localhost", node.port, context=trusting, timeout=LIMIT)
        assert answer(secure, Host=host).status == 421
        plain = HTTPConnection("localhost", port, timeout=LIMIT)
        assert answer(plain, Host=host).status == 421


@attempt("pages", "plain HTTP, where there is TLS", "308 to HTTPS")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_leads_to_https(production: Node, method: str) -> None:
    node, port = production
    found = answer(HTTPConnection("localhost", port, timeout=LIMIT), "/polls/1?a=b", method)
    assert found.status == 308
    assert found.headers["Location"] == f"https://localhost:{node.port}/polls/1?a=b"


@attempt(
    "login",
    "reading the node's key or socket as another user of the machine",
    "the directory and its files are closed",
)
def test_key_is_its_owners_alone(production: Node) -> None:
    node, _port = production
    assert (node.directory / "server.key").stat().st_mode & 0o077 == 0
    assert node.directory.stat().st_mode & 0o077 == 0
