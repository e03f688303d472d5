"""``flask wamp health`` and ``flask wamp metrics``: what they print, and with which exit code."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, request
from werkzeug.serving import BaseWSGIServer, make_server

from flask_wamp.cli.group import wamp
from flask_wamp.node.certificate import make_certificate
from flask_wamp.node.configuration import TO_HTTPS

TOKEN = "a-token-of-sufficient-length"
app = Flask(__name__)
#: The host names that were asked for.
asked_for: list[str] = []


@app.get("/readyz")
def readyz() -> Any:
    """Say what /readyz says."""
    asked_for.append(request.host)
    detail = {"procedures": ["com.a\x1b[2J", "com.b"]} if "token" in request.args else {}
    missing = ["procedures"]
    return {"ready": False, "missing": missing, **({"detail": detail} if detail else {})}, 503


@app.get("/ready")
def ready() -> Any:
    """Say what it says of a node that is ready."""
    return {"ready": True, "missing": []}


@app.get("/broken")
def broken() -> Any:
    """Say something else."""
    return "<h1>Bad\nGateway</h1>", 502


@app.get("/metrics")
def metrics() -> Any:
    """Show metrics to who has the token."""
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return "not for everybody\n", 403
    return "flask_wamp_ready 1.0\n"


@contextmanager
def running(server: BaseWSGIServer) -> Iterator[BaseWSGIServer]:
    """Run a server."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[BaseWSGIServer]:
    """Run the application."""
    with running(make_server("127.0.0.1", 0, app)) as server:
        yield server


def run(server: BaseWSGIServer, command: str, path: str, *arguments: str, **env: str) -> Result:
    """Run a command."""
    url = f"http://127.0.0.1:{server.port}{path}"
    return CliRunner().invoke(wamp, [command, "--url", url, *arguments], env=env)


def test_health_of_a_node_that_is_ready(server: BaseWSGIServer) -> None:
    done = run(server, "health", "/ready")
    assert (done.exit_code, done.output) == (0, "ready\n")


def test_health_names_what_is_missing_in_one_line(server: BaseWSGIServer) -> None:
    done = run(server, "health", "/readyz")
    assert (done.exit_code, done.output) == (1, "Error: not ready: procedures\n")
    done = run(server, "health", "/readyz?token")
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert done.output.startswith("Error: not ready: procedures (com.a")
    assert done.output.endswith(", com.b)\n")


def test_health_of_something_else(server: BaseWSGIServer) -> None:
    done = run(server, "health", "/broken")
    assert done.exit_code == 1
    assert done.output.endswith("/broken answers with status 502\n")


def test_health_of_an_application_without_the_blueprint_says_how(server: BaseWSGIServer) -> None:
    done = run(server, "health", "/nothing")
    assert done.exit_code == 1
    assert "/nothing answers with status 404; app.register_blueprint(" in done.output
    assert done.output.count("\n") == 1


def test_metrics_of_an_application_without_the_blueprint_say_how(server: BaseWSGIServer) -> None:
    done = run(server, "metrics", "/nothing")
    assert done.exit_code == 1
    assert "/nothing answers with status 404; app.register_blueprint(" in done.output
    assert "<" not in done.output
    assert done.output.count("\n") == 1


def test_health_without_an_answer(server: BaseWSGIServer) -> None:
    done = CliRunner().invoke(wamp, ["health", "--url", "http://127.0.0.1:1/readyz"])
    assert done.exit_code == 3
    assert done.output.startswith("Error: http://127.0.0.1:1/readyz does not answer: ")
    assert done.output.count("\n") == 1


def test_health_takes_addresses_of_http_alone() -> None:
    done = CliRunner().invoke(wamp, ["health", "--url", "file:///etc/passwd"])
    assert done.exit_code == 2
    assert "give an address, as in http://127.0.0.1:8080/readyz" in done.output


def configured(directory: Path, port: int, *, tls: bool = False, hosts: Any = None) -> list[str]:
    """Write a node's configuration, and return the option that names it."""
    endpoint = {"type": "tcp", "interface": "0.0.0.0", "port": port}
    if tls:
        endpoint["tls"] = {"certificate": "server.crt", "key": "server.key"}
    web = {"type": "web", "endpoint": endpoint, "paths": {"/": {"type": "wsgi"}}}
    elsewhere = {
        "endpoint": {"type": "tcp", "port": 1},
        "paths": {"/": {"type": "resource", "classname": TO_HTTPS}},
    }
    components = [{"id": "web", "extra": {"hosts": hosts} if hosts else {}}]
    workers = [{"type": "router", "components": components, "transports": [elsewhere, web]}]
    path = directory / ".crossbar" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"workers": workers}))
    return ["--config", str(path)]


def test_address_is_the_one_of_the_configuration(server: BaseWSGIServer, tmp_path: Path) -> None:
    option = configured(tmp_path, server.port, hosts=[".shop.example"])
    done = CliRunner().invoke(wamp, ["health", *option])
    assert (done.exit_code, done.output) == (1, "Error: not ready: procedures\n")
    assert asked_for[-1] == f"shop.example:{server.port}"


def test_certificate_of_the_configuration_is_the_one_that_is_trusted(tmp_path: Path) -> None:
    own, other = tmp_path / "own/.crossbar", tmp_path / "other/.crossbar"
    for directory in (own, other):
        directory.mkdir(parents=True)
        make_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own / "server.crt", own / "server.key")
    with running(make_server("127.0.0.1", 0, app, ssl_context=context)) as server:
        codes = [
            CliRunner()
            .invoke(wamp, ["health", *configured(directory.parent, server.port, tls=True)])
            .exit_code
            for directory in (own, other)
        ]
    # It has answered that it is not ready; and it was not believed to be the node.
    assert codes == [1, 3]


def test_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(wamp, ["health", "--config", str(tmp_path / "config.json")])
    assert done.exit_code == 1
    assert "or the address with --url" in done.output
    assert done.output.count("\n") == 1


def test_metrics_are_printed_for_who_has_the_token(server: BaseWSGIServer) -> None:
    done = run(server, "metrics", "/metrics", WAMP_METRICS_TOKEN=TOKEN)
    assert (done.exit_code, done.output) == (0, "flask_wamp_ready 1.0\n")
    done = run(server, "metrics", "/metrics")
    assert done.exit_code == 1
    assert done.output.endswith("answers with status 403: not for everybody\n")
    assert done.output.count("\n") == 1
