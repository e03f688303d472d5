"""When the processes of a server begin to serve, and when one of them ends."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode, free_port
from tests.docs.tables import ROOT, files_of
from tests.node.programs import Program
from tests.node.support import Peer, error_of, wait_until

from .programs import ALL, APP, SERVERS, Running, Server, environment, gunicorn, start
from .test_matrix import handlers_of, processes, served

pytestmark = [pytest.mark.servers, pytest.mark.node]

NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
#: What an application looks like whose last line cannot be run.
INCOMPLETE = """
import os
from flask import Flask, abort
from flask_wamp import WAMP

app = Flask("incomplete")
app.config.from_prefixed_env()
wamp = WAMP(app)

@app.get("/quick")
def quick():
    return "quick"

@app.get("/secret")
@wamp.callee
def secret():
    return os.getpid()

{last}

@app.before_request
def guard():
    if "/secret" in __import__("flask").request.path:
        abort(403)
"""


def said(running: Running) -> str:
    """Return what the server has said."""
    assert running.program is not None
    return running.program.output


def test_workers_another_one_takes_over(node: CrossbarNode, callee: Peer, peer: Peer) -> None:
    """Events and what is ``single``, when their process is killed; and gunicorn's new one serves."""
    with start(ALL["gunicorn, gthread"], node) as running:
        served(peer, running)
        wait_until(lambda: len(processes(peer, running)) == 2, "both serve")
        before = processes(peer, running)
        ((_, handler),) = handlers_of(peer, running, 1)
        os.kill(handler, signal.SIGKILL)
        ((_, successor),) = handlers_of(peer, running, 1)
        assert successor != handler
        wait_until(
            lambda: len(processes(peer, running) - {handler}) == 2, "the new worker serves as well"
        )
        assert processes(peer, running) != before

        alone = peer.call(running.uri("alone"))
        os.kill(alone, signal.SIGKILL)

        def another() -> bool:
            try:
                return bool(peer.call(running.uri("alone")) != alone)
            except ApplicationError:
                return False

        wait_until(another, "another process has what one has alone")


@pytest.mark.parametrize("name", ["gunicorn, gthread", "gunicorn, gthread, --preload"])
def test_workers_of_a_reloaded_gunicorn_serve(node: CrossbarNode, peer: Peer, name: str) -> None:
    with start(ALL[name], node) as running:
        assert running.program is not None
        served(peer, running)
        wait_until(lambda: len(processes(peer, running)) == 2, "both serve")
        before = processes(peer, running)
        running.program.process.send_signal(signal.SIGHUP)

        def renewed() -> bool:
            try:
                return len(processes(peer, running) - before) == 2
            except ApplicationError:
                return False

        wait_until(renewed, "the new workers serve")


def test_workers_whose_role_may_not_register_answer_http(node: CrossbarNode, callee: Peer) -> None:
    """The log has the remedy, once for each, and no worker ends."""
    with start(ALL["gunicorn, gthread"], node, env={"FLASK_WAMP_URL": node.ws_url}) as running:
        assert running.program is not None
        running.wait()
        running.program.wait_for("let the role 'anonymous' register these")
        assert running.get("/call/4").json == {"answer": 8}
        wait_until(lambda: said(running).count("let the role") == 2, "both have said so")
        refusals = [line for line in said(running).splitlines() if "let the role" in line]
        assert all(running.uri("process") in line for line in refusals)
        assert all("flask_wamp.subscriber." in line for line in refusals)
        assert said(running).count("Booting worker") == 2
        assert "Traceback" not in said(running)


def test_workers_without_a_router_answer_http_and_serve_later(
    node: CrossbarNode, peer: Peer, tmp_path: Path
) -> None:
    later = tmp_path / "later.sock"
    # A call waits so long for a router.
    env = {"FLASK_WAMP_URL": f"unix:{later}", "FLASK_WAMP_TIMEOUT": "2"}
    with start(ALL["gunicorn, gthread"], node, env=env) as running:
        running.wait()
        answer = running.get("/call/4")
        assert (answer.status, answer.json["error"]) == (503, "NotConnected")
        later.symlink_to(node.backend_url.removeprefix("unix:"))
        served(peer, running)


def test_workers_that_only_call_serve_nothing(node: CrossbarNode, callee: Peer, peer: Peer) -> None:
    """Without ``WAMP_SERVE``."""
    with start(ALL["gunicorn, gthread"], node, env={"FLASK_WAMP_SERVE": "false"}) as running:
        running.wait()
        assert running.get("/call/4").json == {"answer": 8}
        error = error_of(lambda: peer.call(running.uri("process")))
        assert error.error == NO_SUCH_PROCEDURE


@pytest.fixture
def shop(node: CrossbarNode, tmp_path: Path) -> Path:
    """Return a directory with the files of the page about servers, and the socket of its node."""
    for name, text in files_of("howto/servers.md").items():
        (tmp_path / name).write_text(text)
    (tmp_path / "behind.py").write_text(
        "from werkzeug.middleware.proxy_fix import ProxyFix\n"
        "from app import app\n"
        "wsgi = ProxyFix(app)\n"
    )
    (tmp_path / ".crossbar").mkdir()
    socket = node.backend_url.removeprefix("unix:")
    (tmp_path / ".crossbar/router.sock").symlink_to(socket)
    return tmp_path


def wait_for_label(peer: Peer) -> None:
    """Wait until the shop answers."""

    def ask() -> bool:
        try:
            return bool(peer.call("com.shop.label", 7) == {"order": 7})
        except ApplicationError:
            return False

    wait_until(ask, "the shop is served")


@pytest.mark.parametrize("app", ["app:app", "behind:wsgi"])
@pytest.mark.parametrize("config", ["gunicorn.conf.py", "python:flask_wamp.servers.gunicorn"])
def test_workers_whose_hook_is_written_down(
    node: CrossbarNode, peer: Peer, shop: Path, config: str, app: str
) -> None:
    """With middleware around the application, and without."""
    server = Server("gunicorn", gunicorn(f"--config={config}", "-w1", f"--chdir={shop}"))
    if config.endswith(".py"):
        server = Server("gunicorn", gunicorn(f"--config={shop}/{config}", f"--chdir={shop}"))
    with start(server, node, app=app):
        wait_for_label(peer)


def test_workers_of_a_server_with_a_hook_of_its_own(peer: Peer, shop: Path) -> None:
    code = "import hook, threading; hook.worker_has_started(); threading.Event().wait()"
    env = {"PYTHONPATH": str(ROOT)}
    with Program(environment(SERVERS), "-c", code, env=env, cwd=shop):
        wait_for_label(peer)


def test_workers_of_uwsgi_without_threads_say_so(node: CrossbarNode) -> None:
    without = Server(
        "uWSGI",
        lambda port: (
            *("uwsgi", "--http-socket", f"127.0.0.1:{port}", "--module", APP),
            *("--master", "--die-on-term"),
        ),
    )
    with start(without, node) as running:
        running.wait()
        answer = running.get("/call/4")
        assert (answer.status, answer.json["error"]) == (503, "SetupError")
        assert "--enable-threads" in answer.json["text"]
        assert "is not served over WAMP: uWSGI runs no threads" in said(running)


@pytest.mark.parametrize("name", ["uWSGI", "gunicorn, gthread, --preload"])
def test_workers_of_a_master_that_has_called_have_their_own_connection(
    node: CrossbarNode, callee: Peer, peer: Peer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "early.py").write_text(
        "from flask import g\n"
        "from tests.servers.app import app\n"
        "with app.app_context():\n"
        "    print('early', g.wampy.call('com.peer.double', 21), flush=True)\n"
    )
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with start(ALL[name], node, app="early:app", env=env) as running:
        served(peer, running)
        wait_until(lambda: len(processes(peer, running)) == 2, "both serve")
        assert said(running).count("early 42") == 1
        assert running.get("/call/4").json == {"answer": 8}


@pytest.mark.parametrize(
    ("name", "last"),
    [("gunicorn, gthread", "import incomplete_syntax"), ("uWSGI", "raise RuntimeError('half')")],
)
def test_workers_with_an_incomplete_application_serve_nothing(
    node: CrossbarNode, peer: Peer, tmp_path: Path, name: str, last: str
) -> None:
    """Its server goes on without it; a view that lacks its guard must not be open."""
    (tmp_path / "incomplete.py").write_text(INCOMPLETE.format(last=last))
    (tmp_path / "incomplete_syntax.py").write_text("def broken(:\n")
    command = {
        "gunicorn, gthread": gunicorn("--reload"),
        "uWSGI": lambda port: (
            *("uwsgi", "--http-socket", f"127.0.0.1:{port}", "--module", APP),
            *("--master", "--enable-threads", "--die-on-term"),
        ),
    }[name]
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with start(Server(name, command), node, app="incomplete:app", env=env) as running:
        wait_until(lambda: answers(running) == 500, "the server shows an error")
        stays_unserved(peer, running)


def test_workers_of_the_reloader_with_an_incomplete_application_serve_nothing(
    node: CrossbarNode, peer: Peer, tmp_path: Path
) -> None:
    module = tmp_path / "incomplete.py"
    module.write_text(INCOMPLETE.format(last=""))
    server = Server(
        "flask run",
        lambda port: (
            *("python", "-m", "flask", "--app", "incomplete", "run", "--debug"),
            *("--port", str(port)),
        ),
    )
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with start(server, node, env=env) as running:
        running.wait()
        wait_until(
            lambda: refusal(peer, running) == "wamp.error.not_authorized",
            "it is served",
            timeout=60,
        )
        module.write_text(INCOMPLETE.format(last="raise RuntimeError('half')"))
        wait_until(lambda: answers(running) == 500, "the reloader shows an error", timeout=60)
        stays_unserved(peer, running)
        module.write_text(INCOMPLETE.format(last="wamp.callee('com.mended')(lambda: 1)"))
        wait_until(lambda: answers(running) == 200, "it is whole again", timeout=60)
        wait_until(
            lambda: refusal(peer, running) == "wamp.error.not_authorized",
            "served again",
            timeout=60,
        )


def answers(running: Running) -> int:
    """Return the status of the answer, 0 for none."""
    try:
        return running.get("/quick").status
    except (OSError, HTTPException):
        return 0


def refusal(peer: Peer, running: Running) -> str:
    """Return the error that answers a call of the guarded view."""
    return str(error_of(lambda: peer.call(running.uri("secret"))).error)


def stays_unserved(peer: Peer, running: Running) -> None:
    """Look for a session of the application for as long as a start takes."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert refusal(peer, running) == NO_SUCH_PROCEDURE


COMMANDS = {
    "flask routes": ("-m", "flask", "--app", "tests.servers.app", "routes"),
    "flask shell": ("-m", "flask", "--app", "tests.servers.app", "shell"),
    "import": ("-c", "import tests.servers.app"),
    "gunicorn --check-config": ("-m", "gunicorn", "--check-config", APP),
    "test client": (
        "-c",
        "from tests.servers.app import app; print(app.test_client().get('/quick').status)",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_workers_are_no_processes_that_merely_import_the_application(name: str) -> None:
    """Where one of them had begun, Twisted would be loaded, and a thread be there."""
    python = environment(SERVERS)
    code = (
        "import runpy, sys, threading, atexit\n"
        "def look():\n"
        "    names = [t.name for t in threading.enumerate() if 'flask-wamp' in t.name]\n"
        "    print('found', names, 'twisted.internet.reactor' in sys.modules)\n"
        "atexit.register(look)\n"
    )
    arguments = COMMANDS[name]
    if arguments[0] == "-c":
        code += arguments[1]
    else:
        code += f"sys.argv = {list(arguments[1:])!r}\n"
        code += f"runpy.run_module({arguments[1]!r}, run_name='__main__', alter_sys=True)\n"
    env = {
        "FLASK_WAMP_URL": f"rs://127.0.0.1:{free_port()}",
        "FLASK_WAMP_URI_PREFIX": "com.imports",
        "FLASK_WAMP_SERVE": "true",
    }
    with Program(python, "-c", code, env=env) as running:
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.wait()
        assert "found [] False" in running.output


def test_workers_of_quart_are_refused() -> None:
    """Its applications are none of Flask's; the text says so."""
    code = (
        "from quart import Quart; from flask_wamp import SetupError, WAMP\n"
        "try: WAMP(Quart('shop'))\n"
        "except SetupError as error: print(error)\n"
    )
    with Program(environment(SERVERS), "-c", code) as program:
        assert program.wait() == 0, program.output
        assert program.output.startswith("quart.app.Quart is not a Flask application")


def test_workers_under_asgiref_fail_whether_they_call_or_not(
    node: CrossbarNode, tmp_path: Path
) -> None:
    """When this one fails, asgiref 3.13 is mended, and may go into the table."""
    (tmp_path / "by_asgiref.py").write_text(
        "from asgiref.wsgi import WsgiToAsgi\n"
        "from flask import Flask\n"
        "app = Flask('plain')\n"
        "app.add_url_rule('/quick', view_func=lambda: 'quick')\n"
        "asgi = WsgiToAsgi(app)\n"
    )
    server = Server("asgiref", lambda port: ("uvicorn", "--port", str(port), "by_asgiref:asgi"))
    with start(server, node, env={"PYTHONPATH": str(tmp_path)}) as running:
        running.wait()
        with ThreadPoolExecutor(8) as threads:
            answers = threads.map(lambda _: running.get_all(["/quick"] * 100), range(8))
            statuses = [answer.status for some in answers for answer in some]
        assert 500 in statuses
        assert "CurrentThreadExecutor already quit or is broken" in said(running)
