"""``flask wamp health`` and ``flask wamp metrics``: what they print, and with which exit code."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, request
from werkzeug.serving import BaseWSGIServer, make_server

from flask_wamp.cli.group import wamp

TOKEN = "a-token-of-sufficient-length"
app = Flask(__name__)


@app.get("/readyz")
def readyz() -> Any:
    """Say what /readyz says."""
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


@pytest.fixture(scope="module")
def server() -> Iterator[BaseWSGIServer]:
    """Run the application."""
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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


def test_health_without_an_answer(server: BaseWSGIServer) -> None:
    done = CliRunner().invoke(wamp, ["health", "--url", "http://127.0.0.1:1/readyz"])
    assert done.exit_code == 3
    assert done.output.startswith("Error: http://127.0.0.1:1/readyz does not answer: ")
    assert done.output.count("\n") == 1


def test_health_takes_addresses_of_http_alone() -> None:
    done = CliRunner().invoke(wamp, ["health", "--url", "file:///etc/passwd"])
    assert done.exit_code == 2
    assert "give an address, as in http://127.0.0.1:8080/readyz" in done.output


def test_metrics_are_printed_for_who_has_the_token(server: BaseWSGIServer) -> None:
    done = run(server, "metrics", "/metrics", WAMP_METRICS_TOKEN=TOKEN)
    assert (done.exit_code, done.output) == (0, "flask_wamp_ready 1.0\n")
    done = run(server, "metrics", "/metrics")
    assert done.exit_code == 1
    assert done.output.endswith("answers with status 403: not for everybody\n")
    assert done.output.count("\n") == 1
