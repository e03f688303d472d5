"""The same application outside of Crossbar: commands, scripts, ``flask run``, gunicorn."""

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from autobahn.wamp.exception import ApplicationError
from flask import Flask, g

from flask_wamp import WAMP, NotConnected
from flask_wamp.node import CrossbarNode, free_port

from .programs import Program, python
from .support import APPS, LIMIT, Answer, MakeApp, Peer, error_of, http, wait_until

pytestmark = pytest.mark.node

SCRIPT = f"{APPS}.script"


def link(node: CrossbarNode) -> dict[str, str]:
    """Return the environment that links an application to *node*."""
    return {"FLASK_WAMP_URL": node.backend_url}


def answer_of(url: str) -> Answer:
    """Return the answer of a server that has just started."""

    def ask() -> Answer | None:
        try:
            return http(url)
        except OSError:
            return None

    answer = wait_until(ask, f"{url} answers")
    assert answer is not None
    return answer


def test_cli_command_calls(peers_node: CrossbarNode) -> None:
    with python("-m", "flask", "--app", SCRIPT, "sum", "20", "22", env=link(peers_node)) as program:
        assert program.wait() == 0
        assert program.output == "42\n"


def test_cli_command_over_websocket_calls(peers_node: CrossbarNode) -> None:
    env = {"FLASK_WAMP_URL": peers_node.ws_url}
    with python("-m", "flask", "--app", SCRIPT, "sum", "1", "2", env=env) as program:
        assert program.wait() == 0
        assert program.output == "3\n"


def test_script_calls_and_ends(peers_node: CrossbarNode) -> None:
    with python("-m", SCRIPT, "call", env=link(peers_node)) as program:
        assert program.wait() == 0
        assert program.output == "sum 7\n"


def test_script_serves_until_it_stops(peers_node: CrossbarNode, anonymous: Peer) -> None:
    with python("-m", SCRIPT, "serve", env=link(peers_node)) as program:
        program.wait_for("serving")
        assert anonymous.call("com.outside.add", 1, 2) == 3
        anonymous.publish("com.outside.topic", message="hello")
        program.wait_for("consumed hello")
        assert program.end(signal.SIGTERM) == 0
        program.wait_for("stopped")
    error = error_of(lambda: anonymous.call("com.outside.add", 1, 2))
    assert error.error == "wamp.error.no_such_procedure"


def test_fork_after_the_first_call_gives_each_its_own_connection(peers_node: CrossbarNode) -> None:
    with python("-m", SCRIPT, "fork", env=link(peers_node)) as program:
        assert program.wait() == 0
        assert sorted(program.output.splitlines()) == [
            "after 4",
            "before 1",
            "child 2",
            "parent 3",
            "the child has ended with 0",
        ]


def test_flask_run_calls(peers_node: CrossbarNode) -> None:
    port = str(free_port())
    with python(
        "-m", "flask", "--app", SCRIPT, "run", "--port", port, env=link(peers_node)
    ) as program:
        assert answer_of(f"http://127.0.0.1:{port}/sum/1/2").json == {"sum": 3}
        program.end(signal.SIGINT)
        assert "Traceback" not in program.output


@pytest.mark.parametrize("preload", [False, True])
def test_gunicorn_gthread_calls_from_every_worker(peers_node: CrossbarNode, preload: bool) -> None:
    port = free_port()
    arguments = [
        str(Path(sys.executable).parent / "gunicorn"),
        "--worker-class=gthread",
        "--workers=2",
        "--threads=4",
        f"--bind=127.0.0.1:{port}",
        "--graceful-timeout=2",
        *(["--preload"] if preload else []),
        f"{SCRIPT}:app",
    ]
    with Program(*arguments, env=link(peers_node)) as program:
        assert answer_of(f"http://127.0.0.1:{port}/sum/1/2").json == {"sum": 3}
        with ThreadPoolExecutor(16) as threads:
            urls = [f"http://127.0.0.1:{port}/sum/{number}/1" for number in range(200)]
            answers = list(threads.map(http, urls))
        assert [answer.json for answer in answers] == [{"sum": n + 1} for n in range(200)]
        assert program.end(signal.SIGTERM) == 0
        assert program.output.count("Booting worker") == 2
        assert "Traceback" not in program.output


def test_no_router_is_waited_for_and_then_says_why(make_app: MakeApp) -> None:
    port = free_port()
    app, wamp = make_app(WAMP_URL=f"ws://127.0.0.1:{port}/ws", WAMP_TIMEOUT=0.5)
    with app.app_context():
        for _ in range(2):
            with pytest.raises(NotConnected, match=rf"127\.0\.0\.1:{port}.*refused"):
                g.wampy.call("com.test.add", 1, 2)
        with pytest.raises(NotConnected, match="refused"):
            g.wampy.publish("com.test.topic.any")
    with pytest.raises(NotConnected, match=r"within 0\.2 s.*refused"):
        wamp.start(app, timeout=0.2)


def test_no_router_at_the_socket_says_which(make_app: MakeApp, tmp_path: Path) -> None:
    app, _ = make_app(WAMP_URL=f"unix:{tmp_path}/router.sock", WAMP_TIMEOUT=0.5)
    with app.app_context(), pytest.raises(NotConnected, match=r"router\.sock.*No such file"):
        g.wampy.call("com.test.add", 1, 2)


def test_wrong_realm_says_so(make_app: MakeApp) -> None:
    app, _ = make_app(WAMP_REALM="nowhere", WAMP_TIMEOUT=1)
    with app.app_context(), pytest.raises(NotConnected, match="nowhere"):
        g.wampy.call("com.test.add", 1, 2)


def test_stop_raises_in_calls_in_flight(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app(WAMP_TIMEOUT=60)
    with app.app_context(), ThreadPoolExecutor(1) as threads:
        call = g.wampy.call
        held = threads.submit(lambda: call("com.test.hold", "stopped"))
        wait_until(lambda: "stopped" in anonymous.call("com.test.held"), "the call is in flight")
        wamp.stop(app)
        with pytest.raises(NotConnected, match=r"wamp\.stop"):
            held.result(5)
        # The next use connects again.
        assert g.wampy.call("com.test.add", 1, 2) == 3
        g.wampy.call("com.test.release", "stopped")
    wait_until(lambda: anonymous.call("com.test.held") == [], "the view has ended", timeout=LIMIT)


def test_two_applications_in_one_process_have_their_own(make_app: MakeApp, anonymous: Peer) -> None:
    apps = [make_app(f"app{number}", WAMP_URI_PREFIX=f"com.app{number}") for number in (1, 2)]
    for app, wamp in apps:
        name = app.name
        wamp.callee(named(name))
        wamp.start(app)
    assert anonymous.call("com.app1.name") == "app1"
    assert anonymous.call("com.app2.name") == "app2"
    apps[0][1].stop(apps[0][0])
    assert error_of(lambda: anonymous.call("com.app1.name")).error == (
        "wamp.error.no_such_procedure"
    )
    assert anonymous.call("com.app2.name") == "app2"


def named(value: str) -> Callable[[], str]:
    """Return a procedure ``name`` that returns *value*."""

    def name() -> str:
        return value

    return name


@contextlib.contextmanager
def rawsocket_port(node: CrossbarNode) -> Iterator[int]:
    """Offer the backend's Unix socket of *node* on a TCP port, to one connection."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def relay(server: socket.socket) -> None:
        near, _ = server.accept()
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(node.backend_url.removeprefix("unix:"))
            back = threading.Thread(target=copy, args=(far, near))
            back.start()
            copy(near, far)
            back.join(LIMIT)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=relay, args=(server,))
        thread.start()
        yield server.getsockname()[1]
    thread.join(LIMIT)


def test_rawsocket_over_tcp_calls_and_serves(peers_node: CrossbarNode, anonymous: Peer) -> None:
    with rawsocket_port(peers_node) as port:
        app = Flask("over_tcp")
        app.config["WAMP_URL"] = f"rs://127.0.0.1:{port}"
        wamp = WAMP(app)
        wamp.callee("com.over_tcp.name")(named("over tcp"))
        wamp.start()
        try:
            assert anonymous.call("com.over_tcp.name") == "over tcp"
            with app.app_context():
                assert g.wampy.call("com.test.add", 1, 2) == 3
        finally:
            wamp.stop()


def test_what_one_process_has_alone_stays_together(make_app: MakeApp, trusted: Peer) -> None:
    """As views that share what one process has in memory need it; whichever process ends."""
    uris = [f"com.together.{number}" for number in range(8)]
    serving = {}
    for name in ("first", "second", "third", "fourth"):
        app, wamp = make_app("together", WAMP_SERVE=True)
        for uri in uris:
            wamp.callee(uri, invoke="single")(lambda name=name: name)
        wamp.callee("com.together.all")(lambda name=name: name)
        wamp.start(app)
        serving[name] = app, wamp

    def owner() -> str | None:
        try:
            (name,) = {trusted.call(uri) for uri in uris}
        except ApplicationError:
            return None  # nobody has one of them, for now
        return str(name)

    while len(serving) > 1:
        app, wamp = serving.pop(str(wait_until(owner, "all of them are served")))
        wamp.stop(app)
    assert wait_until(owner, "the last one serves all") in serving
