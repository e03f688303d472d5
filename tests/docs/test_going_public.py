"""The page about going public: its commands, its application, and what a proxy makes of a request."""

import http.client
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port
from tests.attempts import attempt
from tests.node.support import LIMIT

from .tables import ROOT, is_there, rows_of

pytestmark = [pytest.mark.node, pytest.mark.slow]

PAGE = (ROOT / "docs/howto/going-public.md").read_text()
BLOCKS = re.findall(r"^```(\w+) (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
WSGI = "\n\n".join(text for _language, name, text in BLOCKS if name == "wsgi.py")
HOST = "shop.example"
SECRETS = {"FLASK_SECRET_KEY": "a key of this test alone"}
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "wamp.2.json",
}


def block(name: str, language: str = "") -> str:
    """Return the text of the one block of that name."""
    (text,) = (each[2] for each in BLOCKS if each[1] == name and language in ("", each[0]))
    return str(text)


def run(command: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command of the page."""
    words = shlex.split(command)
    if words[0] == "flask":
        words[:1] = [sys.executable, "-m", "flask"]
    elif words[0] == "python":
        words[0] = sys.executable
    return subprocess.run(
        words, cwd=directory, env={**os.environ, **SECRETS, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3 * LIMIT
    )  # fmt: skip


def project(directory: Path) -> Path:
    """Write the application of the page."""
    (directory / "wsgi.py").write_text(WSGI)
    return directory


def started(config: dict[str, Any], shop: Path, **env: str) -> CrossbarNode:
    """Return a node, which has yet to be started, of a configuration in the project's directory."""
    path = shop / ".crossbar" / "test.json"
    path.write_text(json.dumps(config))
    return CrossbarNode(path, env={**SECRETS, **env, "PYTHONPATH": str(ROOT)})


def test_every_block_is_known_here() -> None:
    assert [(language, name) for language, name, _text in BLOCKS] == [
        ("console", "production"),
        ("python", "wsgi.py"),
        ("python", "wsgi.py"),
        ("console", "proxied"),
        ("json", "proxied"),
        ("python", "wsgi.py"),
        ("nginx", "nginx.conf"),
        ("caddyfile", "Caddyfile"),
        ("yaml", "traefik.yaml"),
    ]


def test_table_names_tests_that_are_there() -> None:
    rows = [row for row in rows_of("howto/going-public.md") if "::" in row[2]]
    assert len(rows) == 10
    assert all(is_there(row[2]) for row in rows)


# --- the node with TLS


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do what the page says."""
    directory = project(tmp_path_factory.mktemp("public"))
    for line in block("production").splitlines()[:2]:
        done = run(line.removeprefix("$ "), directory)
        assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def public(shop: Path) -> Iterator[CrossbarNode]:
    """Run the node of the page, on other ports."""
    config = json.loads((shop / ".crossbar/config.json").read_text())
    config["workers"][0]["transports"][1]["endpoint"]["port"] = free_port()
    node = started(config, shop)
    for name in ("server.crt", "server.key"):
        shutil.copy(shop / ".crossbar" / name, node.directory / name)
    with node:
        yield node


def secure(node: CrossbarNode) -> HTTPSConnection:
    """Connect as one who trusts the certificate, and has looked up the name."""
    context = ssl.create_default_context(cafile=str(node.directory / "server.crt"))
    connection = HTTPSConnection(HOST, node.port, context=context, timeout=LIMIT)
    plain = socket.create_connection(("127.0.0.1", node.port), timeout=LIMIT)
    connection.sock = context.wrap_socket(plain, server_hostname=HOST)
    return connection


def answer(
    connection: HTTPConnection, path: str, headers: dict[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    """Return the answer to a GET, and its body."""
    connection.request("GET", path, headers=headers)
    found = connection.getresponse()
    body = b"" if found.status == 101 else found.read()
    connection.close()
    return found, body


def test_check_finds_nothing(shop: Path) -> None:
    (command,) = block("production").splitlines()[2:]
    done = run(f"{command.removeprefix('$ ')} --json", shop)
    # Other tests may have the ports of the preset.
    assert [each for each in json.loads(done.stdout) if each["rule"] != "port-taken"] == []


def test_page_has_its_headers_and_a_cookie_for_tls_alone(public: CrossbarNode) -> None:
    found, body = answer(secure(public), "/visits", {})
    assert (found.status, body.strip()) == (200, b"1")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in found.headers["Set-Cookie"]
    assert found.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "frame-ancestors 'none'" in found.headers["Content-Security-Policy"]
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://shop.example", 101),
        ("https://shop.example:{port}", 101),
        ("https://evil.example", 400),
        ("http://shop.example", 400),
        ("https://shop.example:1", 400),
        ("null", 400),
    ],
)
def test_pages_of_the_site_connect_and_no_others(
    public: CrossbarNode, origin: str, status: int
) -> None:
    headers = {**UPGRADE, "Origin": origin.format(port=public.port)}
    assert answer(secure(public), "/ws", headers)[0].status == status


def test_other_names_are_not_answered(public: CrossbarNode) -> None:
    for host in ("evil.example", "localhost", "127.0.0.1"):
        assert answer(secure(public), "/visits", {"Host": host})[0].status == 421


# --- behind a proxy


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrossbarNode]:
    """Run the node of the page that is behind one proxy."""
    directory = project(tmp_path_factory.mktemp("proxied"))
    with (directory / "wsgi.py").open("a") as file:
        file.write(
            '\n\n@app.get("/seen")\ndef seen():\n'
            "    return [request.remote_addr, request.scheme, request.host]\n"
        )
    (command,) = block("proxied", "console").splitlines()
    assert run(command.removeprefix("$ "), directory).returncode == 0
    config = json.loads((directory / ".crossbar/config.json").read_text())
    transport = config["workers"][0]["transports"][0]
    transport["paths"]["ws"]["options"].update(json.loads(block("proxied", "json")))
    with started(config, directory, FLASK_PROXIES="1") as node:
        yield node


def sent_by_nginx(**sent: str) -> dict[str, str]:
    """Return the headers that the page's nginx sends for a request of 203.0.113.9 with *sent*."""
    before = sent.get("X-Forwarded-For")
    variables = {
        "host": HOST,
        "scheme": "https",
        "proxy_add_x_forwarded_for": f"{before}, 203.0.113.9" if before else "203.0.113.9",
        "http_upgrade": sent.get("Upgrade", ""),
        "connection_upgrade": "upgrade" if sent.get("Upgrade") else "",
    }
    location = block("nginx.conf").partition("location / {")[2].partition("}")[0]
    set_there = {
        name: variables[variable]
        for name, variable in re.findall(r"proxy_set_header (\S+) +\$(\w+);", location)
    }
    assert {*set_there} >= {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
    return {name: value for name, value in {**sent, **set_there}.items() if value}


@attempt(
    "pages",
    "`X-Forwarded-For` of a client, before a proxy",
    "the proxy's word counts, and not the client's",
)
@pytest.mark.parametrize(
    "sent", [{}, {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Host": "evil.example"}]
)
def test_proxy_is_believed_and_its_client_is_not(
    proxied: CrossbarNode, sent: dict[str, str]
) -> None:
    connection = HTTPConnection("127.0.0.1", proxied.port, timeout=LIMIT)
    found, body = answer(connection, "/seen", sent_by_nginx(**sent))
    assert (found.status, json.loads(body)) == (200, ["203.0.113.9", "https", HOST])


@pytest.mark.parametrize(("origin", "status"), [(HOST, 101), ("evil.example", 400)])
def test_websocket_comes_through_the_proxy(proxied: CrossbarNode, origin: str, status: int) -> None:
    headers = sent_by_nginx(**UPGRADE, Origin=f"https://{origin}")
    connection = HTTPConnection("127.0.0.1", proxied.port, timeout=LIMIT)
    assert answer(connection, "/ws", headers)[0].status == status


def test_proxies_lead_to_where_the_node_listens() -> None:
    for name in ("nginx.conf", "Caddyfile", "traefik.yaml"):
        assert "127.0.0.1:8080" in block(name)
        assert HOST in block(name)
