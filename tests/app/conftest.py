"""The application over a database of its own, with a link that needs no router."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_app import create_app
from flask_wamp import NoSuchProcedure, WAMPError
from flask_wamp.call.options import Options
from flask_wamp.context import Invocation
from flask_wamp.state import state_of

ROOT = Path(__file__).parents[2]
PASSWORD = "a long enough password"
SEASONS = {"Spring": 1, "Summer": 2, "Autumn": 3, "Winter": 4}


class RecordingLink:
    """A link whose router is the test: it keeps what is sent, and answers what it was told to."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[..., Any]] = {}
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.failure: WAMPError | None = None

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Answer as the test told."""
        if self.failure is not None:
            raise self.failure
        if uri not in self.answers:
            raise NoSuchProcedure(
                "wamp.error.no_such_procedure", [f"no callee registered for procedure <{uri}>"]
            )
        return self.answers[uri](*args, **kwargs)

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Keep the event; the application publishes keyword payloads only."""
        assert args == []
        if self.failure is not None:
            raise self.failure
        self.published.append((topic, kwargs))
        return len(self.published)

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Refuse: the application does not start calls."""
        raise NotImplementedError

    def wait(self, answers: Any) -> None:
        """Refuse: the application does not start calls."""
        raise NotImplementedError

    def stream(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Refuse: the application has no streams."""
        raise NotImplementedError

    def add(self, declared: Any, timeout: float) -> None:
        """Refuse: the application adds nothing while it runs."""
        raise NotImplementedError

    def remove(self, declared: Any, timeout: float) -> None:
        """Refuse: the application removes nothing while it runs."""
        raise NotImplementedError

    def events(self, topic: str) -> list[dict[str, Any]]:
        """Return what was published to *topic*, in order."""
        return [details for published_to, details in self.published if published_to == topic]


Call = Callable[..., Any]


def caller(app: Flask) -> Call:
    """Return a function that calls a procedure of *app* as the dispatcher does."""
    state = state_of(app)
    procedures = state.registry.resolved(state.config.uri_prefix)

    def call(uri: str, *args: Any, **kwargs: Any) -> Any:
        return state.dispatcher.call(procedures[uri, "exact"], Invocation(uri), list(args), kwargs)

    return call


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the application's database will be; its directory is not there yet."""
    return tmp_path / "instance" / "polls.sqlite"


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink()


@pytest.fixture
def app(database: Path, link: RecordingLink) -> Flask:
    """Return the application as it runs, without ``TESTING``: what breaks is status 500."""
    made = create_app({"DATABASE": str(database)})
    state_of(made).slot.attach(link)
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def call(app: Flask) -> Call:
    """Call a procedure of the application: ``call("com.example.polls.vote", 1, choice=2)``."""
    return caller(app)


def log_in(client: FlaskClient, name: str = "Ann") -> FlaskClient:
    """Let a browser be one of somebody who is logged in; registered too, the first time.

    Passwords take their time, so who is logged in already is left alone.
    """
    if client.get_cookie("session") is not None:
        return client
    entered = {"name": name, "password": PASSWORD}
    if client.post("/auth/register", json=entered).status_code == 409:
        assert client.post("/auth/login", json=entered).status_code == 200
    return client


@contextmanager
def program(name: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run a program of this directory; it never outlives the block."""
    with subprocess.Popen(
        [sys.executable, "-m", f"tests.app.{name}", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
