"""``flask wamp serve``: a process that serves an application from anywhere."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from flask_wamp.node import CrossbarNode

from .programs import Program, python
from .support import LIMIT, Peer, error_of, wait_until

pytestmark = pytest.mark.node

#: An application that knows nothing of the node, and reads no environment.
APP = """
from flask import Flask
from flask_wamp import WAMP

app = Flask("shop")
wamp = WAMP(app)
prices = {}

@wamp.callee("com.command.price")
def price(article):
    return prices.get(article, 3)

@wamp.callee("com.command.articles")
def articles():
    return sorted(prices)

@wamp.consume("com.command.priced")
def priced(article, price):
    prices[article] = price
"""

Serve = Callable[..., Program]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a directory with the application in it, where flask finds it."""
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def serve(project: Path, *arguments: str, **env: str) -> Program:
    """Start ``flask wamp serve`` in a directory."""
    return python("-m", "flask", "wamp", "serve", *arguments, cwd=project, env=env)


def is_served(peer: Peer, uri: str) -> bool:
    """Tell whether somebody has registered *uri*."""
    return peer.call("wamp.registration.lookup", uri) is not None


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_serve_says_so_serves_and_ends_with_0(
    peers_node: CrossbarNode, project: Path, trusted: Peer, sig: signal.Signals
) -> None:
    # The option for one, the environment for the other.
    url = peers_node.backend_url
    given = {"WAMP_URL": url} if sig is signal.SIGTERM else {}
    arguments = () if given else ("--url", url)
    with serve(project, *arguments, **given) as program:
        said = program.wait_for("shop serves")
        assert said == f"flask-wamp: shop serves 2 procedures and 1 subscription at {url}"
        assert trusted.call("com.command.price", "tea") == 3
        trusted.publish("com.command.priced", "tea", 5)
        wait_until(lambda: trusted.call("com.command.price", "tea") == 5, "the event is handled")
        assert program.end(sig) == 0
        assert program.output.count("\n") == 1
    assert not is_served(trusted, "com.command.price")


def test_serve_that_is_refused_names_who_has_the_procedure(
    peers_node: CrossbarNode, project: Path
) -> None:
    with serve(project, "--url", peers_node.backend_url) as first:
        first.wait_for("shop serves")
        with serve(project, "--url", peers_node.backend_url, "--patience", "0.3") as second:
            assert second.wait() == 1
            assert second.output.startswith("Error: cannot serve shop: the router refused ")
            assert "com.command.price" in second.output
            assert second.output.count("\n") == 1
        assert first.end() == 0


def test_serve_has_only_the_rights_of_its_role(peers_node: CrossbarNode, project: Path) -> None:
    with serve(project, "--url", peers_node.ws_url) as program:
        assert program.wait() == 1
        assert "not_authorized" in program.output
        assert "--url unix:.crossbar/router.sock" in program.output
        assert program.output.count("\n") == 1


@pytest.mark.parametrize(
    ("app", "arguments", "said"),
    [
        (APP, ["--url", "unix:no.sock", "--timeout", "0.5"], "not connected to unix:no.sock"),
        (APP, ["--url", "http://localhost"], "WAMP_URL = 'http://localhost' is invalid"),
        (APP, ["--url", "unix:no.sock", "--realm", "two words"], "WAMP_REALM = 'two words'"),
        ("from flask import Flask\napp = Flask('x')", ["--url", "unix:x"], "no WAMP extension"),
        ("import nonsense", [], "No module named 'nonsense'"),
        ("1 / 0", [], "ZeroDivisionError: division by zero"),
    ],
    ids=["no router", "no address", "no realm", "no extension", "import", "exception"],
)
def test_serve_that_cannot_says_why_in_one_line(
    tmp_path: Path, app: str, arguments: list[str], said: str
) -> None:
    (tmp_path / "app.py").write_text(app)
    with serve(tmp_path, *arguments) as program:
        assert program.wait() == 1
        assert program.output.startswith("Error: ")
        assert said in program.output
        assert program.output.count("\n") == 1


def test_serve_ends_while_it_waits_for_a_router(project: Path) -> None:
    app = project / "app.py"
    app.write_text(APP + 'print("imported", flush=True)\n')
    with serve(project, "--url", "unix:no.sock", "--timeout", str(10 * LIMIT)) as program:
        program.wait_for("imported")
        assert program.end() == 0


def test_serve_names_the_join_in_a_realm_that_is_not_there(
    peers_node: CrossbarNode, project: Path, trusted: Peer
) -> None:
    url = peers_node.backend_url
    with serve(project, "--url", url, "--realm", "elsewhere", "--timeout", "2") as program:
        assert program.wait() == 1
        assert "no_such_realm" in program.output or "elsewhere" in program.output
    error = error_of(lambda: trusted.call("com.command.price", "tea"))
    assert error.error == "wamp.error.no_such_procedure"
