"""The servers: how each is started, in which environment, and what is to be expected of it."""

import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Self

from flask_wamp.node import CrossbarNode, free_port
from tests.node.programs import Program
from tests.node.support import LIMIT, Answer, http, missing_service, wait_until

HERE = Path(__file__).parent
APP = "tests.servers.app:app"
#: The prefix of the URIs of the application that the node hosts.
HOSTED = "com.node"

#: Where a server is installed: the variable that names the environment's Python.
SERVERS = "SERVERS_PYTHON"
EVENTLET = "EVENTLET_PYTHON"
#: What is in a command for the tests alone: addresses, their paths, and how it ends.
OWN = (
    r" --no-control-socket| --graceful-timeout=2| --die-on-term| -W ignore",
    r" --port 8000| --(bind|listen)=\S+| --http-socket \S+| 8000$",
    r"tests\.servers\.|\S+/starts/",
)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A server and how it is started.

    :ivar command: returns the arguments for a port; the first one is a program of the environment.
    :ivar environment: the variable that names the environment's Python.
    :ivar workers: processes that answer HTTP.
    :ivar begins: a process serves before it is asked over HTTP.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environment: str = SERVERS
    workers: int = 1
    begins: bool = True

    def shown(self) -> str:
        """Return the command as the page about servers has it, without what only tests need."""
        shown = " ".join(self.command(8000))
        for own in OWN:
            shown = re.sub(own, "", shown)
        return shown


def gunicorn(*options: str) -> Callable[[int], Sequence[str]]:
    """Return what starts gunicorn with *options*."""

    def command(port: int) -> Sequence[str]:
        # A control socket of the user's own would be the same for all.
        common = ("--no-control-socket", "--graceful-timeout=2", f"--bind=127.0.0.1:{port}")
        return ("gunicorn", *common, *options, APP)

    return command


def script(name: str) -> Callable[[int], Sequence[str]]:
    """Return what starts one of the scripts here."""
    return lambda port: ("python", "-W", "ignore", str(HERE / "starts" / name), str(port))


def flask_run(*options: str) -> Callable[[int], Sequence[str]]:
    """Return what starts Flask's own server."""
    app = ("python", "-m", "flask", "--app", "tests.servers.app", "run")
    return lambda port: (*app, "--port", str(port), *options)


def uwsgi(*options: str) -> Callable[[int], Sequence[str]]:
    """Return what starts uWSGI with *options*."""
    common = ("--module", APP, "--die-on-term", "--need-app")
    return lambda port: ("uwsgi", "--http-socket", f"127.0.0.1:{port}", *common, *options)


def uvicorn(wrapped: str) -> Callable[[int], Sequence[str]]:
    """Return what starts uvicorn with the application in a wrapper."""
    return lambda port: ("uvicorn", "--port", str(port), f"tests.servers.wrapped:{wrapped}")


ALL = {
    server.name: server
    for server in (
        Server("flask run", flask_run()),
        Server("flask run --debug", flask_run("--debug")),
        Server("gunicorn, sync", gunicorn("-w2"), workers=2),
        Server("gunicorn, gthread", gunicorn("-w2", "-kgthread", "--threads=4"), workers=2),
        Server(
            "gunicorn, gthread, --preload",
            gunicorn("-w2", "-kgthread", "--threads=4", "--preload"),
            workers=2,
        ),
        Server("gunicorn, gevent", gunicorn("-w2", "-kgevent"), workers=2),
        Server("gunicorn, gevent, --preload", gunicorn("-w2", "-kgevent", "--preload"), workers=2),
        Server(
            "gunicorn 25.3, eventlet",
            gunicorn("-w2", "-keventlet"),
            environment=EVENTLET,
            workers=2,
        ),
        Server("uWSGI", uwsgi("--threads=4", "--master", "--processes=2"), workers=2),
        Server("uWSGI, lazy-apps", uwsgi("--threads=4", "--master", "--lazy-apps"), begins=False),
        Server("uWSGI without a master", uwsgi("--threads=4"), begins=False),
        Server(
            "uWSGI, gevent",
            uwsgi("--master", "--gevent=200", "--gevent-monkey-patch"),
            begins=False,
        ),
        Server("gevent.pywsgi", script("with_gevent.py"), begins=False),
        Server("eventlet.wsgi", script("with_eventlet.py"), environment=EVENTLET, begins=False),
        Server(
            "waitress",
            lambda port: ("waitress-serve", f"--listen=127.0.0.1:{port}", APP),
            begins=False,
        ),
        Server("cheroot", lambda port: ("cheroot", f"--bind=127.0.0.1:{port}", APP), begins=False),
        Server("uvicorn, a2wsgi", uvicorn("asgi"), begins=False),
    )
}


def _ask_kept(connection: HTTPConnection, path: str) -> HTTPResponse:
    """Ask over a connection that the server may have closed, as uWSGI does without a word."""
    try:
        connection.request("GET", path)
        return connection.getresponse()
    except ConnectionError:
        connection.close()
        connection.request("GET", path)
        return connection.getresponse()


@dataclass
class Running:
    """A server that runs, and its application over HTTP and WAMP."""

    server: Server
    prefix: str
    port: int
    program: Program | None = None
    asked: bool = field(default=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.program is not None:
            self.program.kill()

    def uri(self, name: str) -> str:
        """Return a URI of the application."""
        return f"{self.prefix}.{name}"

    def get(self, path: str) -> Answer:
        """Ask over HTTP."""
        return http(f"http://127.0.0.1:{self.port}{path}")

    def post(self, path: str) -> Answer:
        """Send something over HTTP."""
        return http(f"http://127.0.0.1:{self.port}{path}", {})

    def get_all(self, paths: Sequence[str]) -> list[Answer]:
        """Ask for one after another over one connection, where the server keeps it open."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        answers = []
        try:
            for path in paths:
                response = _ask_kept(connection, path)
                answers.append(Answer(response.status, response.read()))
        finally:
            connection.close()
        return answers

    def wait(self) -> None:
        """Wait until the server answers; its first request, where it needs that to serve."""

        def ask() -> bool:
            if self.program is not None and self.program.process.poll() is not None:
                raise AssertionError(f"the server has ended:\n{self.program.output}")
            try:
                return self.get("/quick").status == 200
            except OSError:
                return False

        if not self.asked:
            wait_until(ask, f"{self.server.name} answers", timeout=60)
            self.asked = True


def environment(variable: str) -> str:
    """Return the Python of the environment that a variable names."""
    executable = os.environ.get(variable, "")
    if not Path(executable).is_file():
        missing_service(f"{variable} names no Python: run `make test-servers`")
    return executable


def start(
    server: Server,
    node: CrossbarNode,
    *,
    app: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Running:
    """Start a server whose application serves through *node*, and do not wait for it.

    :param app: another application than the tests'.
    """
    port = free_port()
    prefix = f"com.server{next(_numbers)}"
    first, *rest = server.command(port)
    arguments = [app if app and each == APP else each for each in rest]
    variables = {
        "FLASK_WAMP_URL": node.backend_url,
        "FLASK_WAMP_URI_PREFIX": prefix,
        "FLASK_WAMP_SERVE": "true",
        **(env or {}),
    }
    program = Program(
        str(Path(environment(server.environment)).parent / first),
        *arguments,
        env=variables,
    )
    return Running(server, prefix, port, program)
