"""``flask wamp call``, ``publish`` and ``sessions``, beside a real node, in this process."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from flask_wamp import WAMP, ApplicationError, CallResult
from flask_wamp.call.client import Client
from flask_wamp.cli import connection
from flask_wamp.cli.group import wamp as group
from flask_wamp.node import CrossbarNode, free_port

from .conftest import trusted_url
from .support import MakeApp, Peer, connected, wait_until

pytestmark = pytest.mark.node

Flasking = Callable[..., Result]


def run(app: Flask, *words: str, **extra: Any) -> Result:
    """Run ``flask wamp`` with *words*, for *app*."""
    return app.test_cli_runner().invoke(group, words, **extra)


@pytest.fixture
def flask_wamp(make_app: MakeApp) -> Flasking:
    """Give what runs ``flask wamp`` for an application with the backend's rights."""
    app, _ = make_app()
    return lambda *words, **extra: run(app, *words, **extra)


def answer(result: Result) -> Any:
    """Return the one line of JSON that was printed, and nothing else was."""
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def refused(result: Result, code: int) -> str:
    """Return the one line that says why a command has ended with *code*."""
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.removeprefix("Error: ").rstrip("\n")


# --- call


def test_call_sends_arguments_as_they_are_written(flask_wamp: Flasking) -> None:
    words = ["tea", "-3", "[1, null]", "007", "express=true", "note=two words", "-"]
    assert answer(flask_wamp("call", "com.test.everything", *words, input='{"a": 1}')) == {
        "args": ["tea", -3, [1, None], "007", {"a": 1}],
        "kwargs": {"express": True, "note": "two words"},
    }


def test_call_prints_bytes_and_takes_them_back(flask_wamp: Flasking) -> None:
    octets = answer(flask_wamp("call", "com.test.bytes"))
    assert octets.startswith("\0AAECAwQ")
    assert answer(flask_wamp("call", "com.test.echo", json.dumps([octets]))) == [octets]


def test_call_prints_several_values(make_app: MakeApp) -> None:
    app, wamp = make_app()
    wamp.callee("com.cli.several")(lambda: CallResult((1, b"x"), {"name": "größer"}))
    wamp.start(app)
    assert answer(run(app, "call", "com.cli.several")) == {
        "args": [1, "\0eA=="],
        "kwargs": {"name": "größer"},
    }


def test_call_prints_progressive_results_as_they_come(flask_wamp: Flasking) -> None:
    result = flask_wamp("call", "--stream", "com.serving.count_and_sum", "3")
    assert (result.exit_code, result.stdout) == (0, "0\n1\n2\n3\n")
    result = flask_wamp("call", "--stream", "com.test.add", "1")
    assert result.stdout == "11\n"
    result = flask_wamp("call", "--stream", "com.serving.fails_after", "2", "value_error", "--json")
    assert result.exit_code == 1
    assert result.stdout.startswith('0\n1\n{"error": "wamp.error.')


def test_call_ends_with_1_where_the_answer_is_an_error(flask_wamp: Flasking) -> None:
    words = ["call", "com.other.take", "tea", "wanted=3"]
    text = refused(flask_wamp(*words), 1)
    assert text.startswith("com.test.error.no_stock: ")
    result = flask_wamp(*words, "--json")
    assert (result.exit_code, result.stderr) == (1, f"Error: {text}\n")
    assert json.loads(result.stdout) == {
        "error": "com.test.error.no_stock",
        "args": ["tea"],
        "kwargs": {"wanted": 3},
    }


def test_call_prints_an_errors_text_in_one_line_that_no_terminal_obeys(make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.cli.fail")
    def fail() -> None:
        raise ApplicationError("com.cli.error", "two\nlines \x1b[2J")

    wamp.start(app)
    assert refused(run(app, "call", "com.cli.fail"), 1) == "com.cli.error: two lines \\x1b[2J"
    result = run(app, "call", "com.cli.fail", "--json")
    assert "\x1b" not in result.output
    assert json.loads(result.stdout)["args"] == ["two\nlines \x1b[2J"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["call"], "Missing argument 'URI'. See 'wamp call --help'."),
        (["call", "com..x"], "'com..x' is not a URI"),
        (["call", "com.x", "--timout", "3"], "Did you mean '--timeout'?"),
        (["call", "com.x", "--timeout", "0"], "give a number of seconds above 0"),
        (["call", "com.x", "--timeout", "x"], "'x' is not a valid float"),
        (["call", "com.x", "--url", "http://x"], "--url 'http://x' is invalid: unknown scheme"),
        (["call", "com.x", "--realm", "a b"], "--realm 'a b' is invalid"),
        (["call", "com.x", "a=1", "a=2"], "'a' is given twice"),
        (["call", "com.x", "@missing"], "No such file"),
        (["call", "com.test.echo", str(2**64)], "an int of more than 64 bits"),
        (["call", "com.test.echo", '"\\u0000-"'], "begins with NUL"),
        (["publish", "com.x", "topic=1"], "'topic' cannot be a keyword"),
        (["cal", "com.x"], "Did you mean 'call'?"),
    ],
)
def test_wrong_usage_ends_with_2(flask_wamp: Flasking, words: list[str], said: str) -> None:
    assert said in refused(flask_wamp(*words), 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "ws://127.0.0.1:{port}/ws"], "is the node running? Name another router"),
        (["--url", "unix:/nowhere/router.sock"], "No such file"),
        (["--realm", "nowhere"], 'no realm "nowhere"'),
    ],
)
def test_no_session_ends_with_3(flask_wamp: Flasking, words: list[str], said: str) -> None:
    words = [word.format(port=free_port()) for word in words]
    for command in (["call", "com.x"], ["publish", "com.x"], ["sessions"], ["subscribe", "com.x"]):
        text = refused(flask_wamp(*command, *words), 3)
        assert text.startswith("not connected to ")
        assert said in text


def test_no_session_names_the_node_of_this_directory(
    flask_wamp: Flasking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".crossbar").mkdir()
    (tmp_path / ".crossbar/router.sock").touch()
    monkeypatch.chdir(tmp_path)
    text = refused(flask_wamp("call", "com.x", "--url", f"ws://127.0.0.1:{free_port()}/ws"), 3)
    assert text.endswith("Name another router with --url, as in --url unix:.crossbar/router.sock")
    text = refused(flask_wamp("call", "com.x", "--url", "unix:.crossbar/router.sock"), 3)
    assert text.endswith("Name another router with --url")


@pytest.mark.parametrize("named", [True, False])
def test_router_of_the_environment_is_for_applications_that_name_none(
    peers_node: CrossbarNode, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    nowhere = f"ws://127.0.0.1:{free_port()}/ws"
    urls = [nowhere, peers_node.backend_url]
    app = Flask("shop")
    if named:
        app.config["CROSSBAR_URL"] = urls.pop()
    WAMP(app)
    monkeypatch.setenv("FLASK_WAMP_URL", urls.pop())
    assert answer(run(app, "call", "com.test.add", "20", "b=22")) == 42


def test_router_that_says_nothing_ends_with_3(
    flask_wamp: Flasking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LEAST_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/ws"
        text = refused(flask_wamp("call", "com.x", "--timeout", "0.2", "--url", url), 3)
    assert text.startswith(f"not connected to {url} within 0.2 s: ")
    assert "is the node running? Name another router with --url" in text


def test_no_answer_in_time_ends_with_4(flask_wamp: Flasking, trusted: Peer, name: str) -> None:
    text = refused(flask_wamp("call", "com.test.hold", name, "--timeout", "0.5"), 4)
    late = "the call of 'com.test.hold' was not answered within 0.5 s"
    assert text == f"{late}; it was sent, and may have been carried out"
    trusted.call("com.test.release", name)


def test_call_suggests_what_is_spelled_alike(
    peers_node: CrossbarNode, make_app: MakeApp, flask_wamp: Flasking
) -> None:
    # The router knows it, and this role may ask.
    text = refused(flask_wamp("call", "com.test.evrything"), 1)
    assert text.endswith("; did you mean com.test.everything?")
    assert "did you mean" not in refused(flask_wamp("call", "org.nothing.like_it"), 1)
    # This one may not, and the application declares some.
    app, wamp = make_app(WAMP_URL=peers_node.ws_url, WAMP_URI_PREFIX="com.cli")
    wamp.callee(price)
    assert "did you mean" not in refused(run(app, "call", "com.test.evrything"), 1)
    assert refused(run(app, "call", "com.cli.prise"), 1).endswith("; did you mean com.cli.price?")
    assert "declares it, and no process serves it" in refused(run(app, "call", "com.cli.price"), 1)
    # One that a procedure has called in vain is not the one that was asked for.
    text = refused(flask_wamp("call", "com.test.call", "com.test.evrything"), 1)
    assert "did you mean" not in text


def price() -> int:
    """Return a price."""
    return 4


def test_traceback_is_shown_when_asked_for(flask_wamp: Flasking) -> None:
    words = ["call", "com.test.fail"]
    assert "Traceback" not in flask_wamp(*words).stderr
    result = flask_wamp("--traceback", *words)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "RemoteError: wamp.error.runtime_error" in result.stderr


def test_no_application_is_needed(
    peers_node: CrossbarNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Flask looks for applications in the directory.
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*options: str, **env: str) -> Result:
        words = ["call", "com.test.add", "1", "2", *options]
        return CliRunner().invoke(group, words, obj=ScriptInfo(), env=env)

    assert answer(call("--url", peers_node.ws_url)) == 3
    assert answer(call(FLASK_WAMP_URL=peers_node.backend_url)) == 3
    assert refused(call(), 2).startswith("There is no Flask application here to say which router:")
    Path("wsgi.py").write_text("import not_there\n")
    text = refused(call("--url", peers_node.ws_url), 1)
    assert "ModuleNotFoundError: No module named 'not_there'" in text


# --- publish


def test_publish_prints_the_publication(flask_wamp: Flasking, anonymous: Peer) -> None:
    events = anonymous.subscribe("com.cli.sold")
    words = ["publish", "com.cli.sold", "tea", "-3", "price=4.5"]
    result = flask_wamp(*words)
    event = events.get()
    assert (event.args, event.kwargs) == (("tea", -3), {"price": 4.5})
    assert (result.exit_code, result.stdout) == (0, f"{event.details.publication}\n")
    result = flask_wamp(*words, "--json", "--exclude-me")
    assert json.loads(result.stdout) == {"publication": events.get().details.publication}


def test_publish_without_acknowledgment_goes_out(flask_wamp: Flasking, anonymous: Peer) -> None:
    events = anonymous.subscribe("com.cli.unacknowledged")
    result = flask_wamp("publish", "--no-acknowledge", "com.cli.unacknowledged", "1")
    assert (result.exit_code, result.output) == (0, "")
    assert events.get().args == (1,)
    result = flask_wamp("publish", "--no-acknowledge", "com.cli.unacknowledged", "2", "--json")
    assert json.loads(result.stdout) == {"publication": None}
    assert events.get().args == (2,)


def test_publish_lets_the_router_keep_an_event(flask_wamp: Flasking) -> None:
    result = flask_wamp("publish", "--retain", "com.cli.kept", "opens=8")
    assert result.exit_code == 0
    result = flask_wamp(
        "subscribe", "--retained", "--json", "--count", "1", "--timeout", "10", "com.cli.kept"
    )
    assert result.exit_code == 0
    event = json.loads(result.stdout)
    assert (event["retained"], event["kwargs"]) == (True, {"opens": 8})


def test_publish_that_is_refused_ends_with_1(make_app: MakeApp, peers_node: CrossbarNode) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    text = refused(run(app, "publish", "com.example.polls.voted"), 1)
    assert text.startswith("wamp.error.not_authorized: ")
    assert text.endswith("; what would allow it stands in the log of the node")
    result = run(app, "publish", "com.example.polls.voted", "--json")
    assert json.loads(result.stdout)["error"] == "wamp.error.not_authorized"


def test_publish_calls_nothing(flask_wamp: Flasking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node logs what its roles may not, and whoever looks for it was not to find another denial."""
    called: list[str] = []
    call = Client.call

    def noted(self: Client, uri: str, *args: Any, **kwargs: Any) -> Any:
        called.append(uri)
        return call(self, uri, *args, **kwargs)

    monkeypatch.setattr(Client, "call", noted)
    assert flask_wamp("publish", "com.cli.sold").exit_code == 0
    assert called == []
    assert flask_wamp("call", "com.test.who").exit_code == 0
    assert called == ["com.test.who"]


# --- subscribe: what needs no process of its own; see test_commands.py


def test_subscribe_ends_with_4_where_events_are_missing(flask_wamp: Flasking) -> None:
    words = ["subscribe", "com.cli.nothing", "--timeout", "0.1"]
    result = flask_wamp(*words, "--count", "2")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr.splitlines()[-1] == "Error: 0 of 2 events came within 0.1 s"
    # Without a number to reach, the seconds are how long it is to last.
    assert flask_wamp(*words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["com..x"], "'com..x' cannot be subscribed to: a URI is made of"),
        (["com.x", "--match", "wildcard"], "a wildcard pattern has an empty component"),
        (["wamp.session.", "--match", "prefix"], "belong to the protocol"),
        (["com.x", "--match", "pattern"], "'pattern' is not one of 'exact', 'prefix', 'wildcard'"),
        (["com.x", "--count", "0"], "0 is not in the range"),
    ],
)
def test_subscribe_refuses_what_is_no_topic(
    flask_wamp: Flasking, words: list[str], said: str
) -> None:
    assert said in refused(flask_wamp("subscribe", *words), 2)


def test_subscribe_that_is_refused_ends_with_1(make_app: MakeApp, peers_node: CrossbarNode) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    text = refused(run(app, "subscribe", "wamp.session.on_join"), 1)
    assert text.startswith("the router refused the subscription to 'wamp.session.on_join': wamp.")
    assert "not_authorized" in text
    assert text.endswith("; what would allow it stands in the log of the node")


# --- shell: see test_commands.py


def test_shell_is_ipython_where_that_is_installed(
    flask_wamp: Flasking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by hand with the real one."""
    started: list[Any] = []

    def start_ipython(argv: list[str], user_ns: dict[str, Any]) -> None:
        started.append((argv, sorted(user_ns), user_ns["wampy"].call("com.test.add", 1)))

    module = ModuleType("IPython")
    vars(module)["start_ipython"] = start_ipython
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert flask_wamp("shell").exit_code == 0
    assert started == [([], ["app", "g", "wampy"], 11)]


# --- sessions


def test_sessions_are_listed_without_their_headers(
    peers_node: CrossbarNode, flask_wamp: Flasking
) -> None:
    with connected(peers_node.ws_url) as page, connected(trusted_url(peers_node)) as service:
        found = {each["session"]: each for each in answer(flask_wamp("sessions", "--json"))}
        for peer, role in ((page, "anonymous"), (service, "backend")):
            shown = dict(found[peer.id])
            assert shown.pop("peer").startswith("tcp4:127.0.0.1:")
            assert shown == {
                "session": peer.id,
                "authid": peer.session.welcome.authid,
                "authrole": role,
                "authmethod": "anonymous",
                "transport": "websocket/json",
            }
        result = flask_wamp("sessions")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line for line in lines if line[0] == str(page.id)] == [
        [str(value) for value in found[page.id].values()]
    ]
    # The in-memory session of the router's process has no method and no peer.
    assert all(len(line) == 6 for line in lines)
    assert "rawsocket/cbor" in result.stdout
    assert "native" in result.stdout


def test_sessions_are_not_for_browsers(
    make_app: MakeApp, peers_node: CrossbarNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node that runs in the checkout would be named.
    monkeypatch.chdir(tmp_path)
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    text = refused(run(app, "sessions"), 1)
    assert text.startswith("wamp.error.not_authorized: ")
    assert text.endswith("; ask over the node's socket for the backend, --url unix:PATH")
    assert answer(run(app, "sessions", "--json", "--url", peers_node.backend_url))


def test_commands_leave_no_session_behind(flask_wamp: Flasking, trusted: Peer) -> None:
    before = set(trusted.call("wamp.session.list"))
    flask_wamp("call", "com.test.add", "1")
    flask_wamp("call", "com.test.fail")
    flask_wamp("subscribe", "com.cli.nothing", "--timeout", "0.01")
    wait_until(lambda: set(trusted.call("wamp.session.list")) <= before, "the sessions are gone")
