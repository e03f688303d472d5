"""``/healthz`` and ``/readyz``: what they say, to whom, and how often the router is asked."""

import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_wamp import WAMP, NotConnected
from flask_wamp.call.options import Options
from flask_wamp.errors import RemoteError
from flask_wamp.observe import health
from flask_wamp.observe import readiness as module
from flask_wamp.state import state_of
from tests.attempts import attempt

from ..doubles import RecordingLink

LIMIT = 30
STATUS = "flask_wamp.supervisor.views.status"


class Answer:
    """An answer that is there."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work

    def done(self) -> bool:
        return True

    def result(self, _timeout: float | None) -> Any:
        return self._work()

    def cancel(self) -> None:
        """Nothing is under way."""


class Router(RecordingLink):
    """Answers the questions that are asked of a router, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.registered = {1: "com.shop.stock", 2: "com.shop.sell", 3: "crossbar.private"}
        self.answers: dict[str, Any] = {}
        self.lists = self.gets = 0
        self.error: Exception | None = None

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        assert uri == "wamp.registration.list"
        assert options.timeout is not None
        assert options.timeout <= 1
        self.lists += 1
        if self.error is not None:
            raise self.error
        return {"exact": list(self.registered), "prefix": [], "wildcard": []}

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        return Answer(lambda: self._answer(uri, args))

    def _answer(self, uri: str, args: list[Any]) -> Any:
        if uri != "wamp.registration.get":
            return self.answers[uri]
        self.gets += 1
        if self.registered[args[0]].startswith("crossbar."):
            raise RemoteError.from_uri("wamp.error.not_authorized")
        return {"uri": self.registered[args[0]], "match": "exact"}


@pytest.fixture
def router() -> Router:
    """Return what stands in for the router."""
    return Router()


@pytest.fixture
def app(router: Router, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an application of two procedures, whose reports are not kept."""
    monkeypatch.setattr(module, "KEPT", 0.0)
    return made(router)


def made(router: Router, config: dict[str, Any] | None = None, **options: Any) -> Flask:
    """Return an application with the blueprint."""
    app = Flask("shop")
    app.config.from_mapping(config or {})
    wamp = WAMP(app)
    wamp.callee("com.shop.stock")(lambda: 1)
    wamp.callee("com.shop.sell")(lambda: 1)
    state_of(app).slot.attach(router)
    app.register_blueprint(health(**options))
    return app


def keeping(router: Router, connection: Callable[[], sqlite3.Connection]) -> Flask:
    """Return an application with the blueprint and an outbox."""
    app = Flask("shop")
    wamp = WAMP(app)
    wamp.outbox(connection)
    state_of(app).slot.attach(router)
    app.register_blueprint(health())
    return app


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    """Return what asks from this machine."""
    return app.test_client()


def ask(http: FlaskClient, **how: Any) -> tuple[int, Any]:
    """Return status and answer of /readyz."""
    answer = http.get("/readyz", **how)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json


def test_process_that_answers_is_alive(http: FlaskClient, router: Router) -> None:
    router.error = NotConnected("away")
    answer = http.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"alive": True})
    assert router.lists == 0


def test_node_is_ready_when_every_procedure_is_registered(
    http: FlaskClient, router: Router
) -> None:
    assert ask(http) == (200, {"ready": True, "missing": [], "detail": {}})
    del router.registered[2]
    missing = {"ready": False, "missing": ["procedures"]}
    assert ask(http) == (503, {**missing, "detail": {"procedures": ["com.shop.sell"]}})
    router.registered[4] = "com.shop.sell"
    assert ask(http)[0] == 200
    # What an id stands for is asked once: four registrations, four questions.
    assert router.gets == 4


def test_awaited_procedures_are_awaited(router: Router) -> None:
    http = made(router, awaited=["com.bank.pay"]).test_client()
    assert ask(http)[1]["detail"] == {"procedures": ["com.bank.pay"]}


def test_what_the_process_of_the_node_knows_is_said(app: Flask, http: FlaskClient) -> None:
    known = state_of(app).health
    known.missing = ["com.other.awaited"]
    assert ask(http)[1]["detail"] == {"procedures": ["com.other.awaited"]}
    known.missing, known.stopping = [], True
    assert ask(http) == (
        503,
        {"ready": False, "missing": ["node"], "detail": {"node": ["it is stopping"]}},
    )


def test_node_that_stops_says_so_to_other_processes(http: FlaskClient, router: Router) -> None:
    router.registered[5] = module.NODE_STOPPING
    router.answers[module.NODE_STOPPING] = False
    assert ask(http)[0] == 200
    router.answers[module.NODE_STOPPING] = True
    assert ask(http)[1]["missing"] == ["node"]


def test_router_that_is_away_is_missing(http: FlaskClient, router: Router) -> None:
    router.error = NotConnected("not connected to unix:router.sock")
    status, answer = ask(http)
    assert (status, answer["missing"]) == (503, ["router"])
    assert answer["detail"]["router"] == ["not connected to unix:router.sock"]


def test_role_that_may_not_ask_is_told_the_remedy(http: FlaskClient, router: Router) -> None:
    """A node that nobody knows anything of is not called ready."""
    router.error = RemoteError.from_uri("wamp.error.not_authorized")
    status, answer = ask(http)
    assert (status, answer["missing"]) == (503, ["router"])
    assert "let the role of this process call wamp.registration.*" in answer["detail"]["router"][0]


def slot(number: int, *, ready: bool) -> dict[str, Any]:
    """Return what a supervisor tells of a process."""
    return {"slot": number, "ready": ready, "restarts": 1, "generation": 3, "pid": 7}


def test_serving_process_that_is_not_there_is_missing(http: FlaskClient, router: Router) -> None:
    router.registered[6] = STATUS
    router.answers[STATUS] = {"slots": [slot(0, ready=True), slot(1, ready=True)]}
    assert ask(http)[0] == 200
    router.answers[STATUS] = {"slots": [slot(0, ready=True), slot(1, ready=False)]}
    assert ask(http)[1]["detail"] == {
        "processes": ["views: 1 of 2 processes do not serve (slot 1)"]
    }
    router.answers[STATUS] = "what?"
    assert ask(http)[1]["missing"] == ["processes"]


def test_durable_events_that_wait_for_long_are_missing(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 0.0)
    connection = sqlite3.connect(tmp_path / "shop.sqlite")
    app = keeping(router, lambda: connection)
    http = app.test_client()
    with closing(connection), app.app_context():
        assert ask(http)[0] == 200
        # An outbox that nobody has ever used is none that is stuck.
        g.wampy.publish("com.shop.sold", 1, durable=True)
        connection.commit()
        assert ask(http)[0] == 200
        connection.execute("UPDATE flask_wamp_outbox SET created = created - 3600")
        connection.commit()
        status, answer = ask(http)
        assert (status, answer["missing"]) == (503, ["outbox"])
        assert re.fullmatch(
            r"1 events wait, the oldest for 36\d\d s", answer["detail"]["outbox"][0]
        )
    # Its file is there, and is no database.
    (tmp_path / "shop.sqlite").write_bytes(b"?" * 4096)
    connection = sqlite3.connect(tmp_path / "shop.sqlite")
    with closing(connection):
        assert ask(http)[1]["missing"] == ["outbox"]


def test_database_that_hangs_costs_no_more_than_a_look(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 0.0)
    connection = sqlite3.connect(tmp_path / "shop.sqlite")
    http = keeping(router, lambda: connection).test_client()
    with closing(connection), closing(sqlite3.connect(tmp_path / "shop.sqlite")) as other:
        other.execute("BEGIN EXCLUSIVE")
        before = {thread.ident for thread in threading.enumerate()}
        for _ in range(2):
            begun = time.monotonic()
            answer = ask(http)[1]
            assert time.monotonic() - begun < 2 * module.LIMIT + 1
            assert answer["detail"] == {"outbox": ["its database does not answer"]}
        assert len({thread.ident for thread in threading.enumerate()} - before) == 1
        other.rollback()
        deadline = time.monotonic() + LIMIT
        while ask(http)[0] != 200:
            assert time.monotonic() < deadline


# --- to whom


@pytest.mark.parametrize(
    ("how", "sees"),
    [
        ({}, True),
        ({"environ_base": {"REMOTE_ADDR": "::1"}}, True),
        ({"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}, False),
        ({"environ_base": {"REMOTE_ADDR": ""}}, False),
        # A proxy on this machine asks for somebody else.
        ({"headers": {"X-Forwarded-For": "192.0.2.7"}}, False),
        ({"headers": {"X-Forwarded-For": "127.0.0.1"}}, False),
        ({"headers": {"Forwarded": "for=192.0.2.7"}}, False),
        ({"headers": {"X-Real-IP": "192.0.2.7"}}, False),
    ],
)
def test_strangers_are_told_no_names(
    http: FlaskClient, router: Router, how: dict[str, Any], sees: bool
) -> None:
    del router.registered[2]
    status, answer = ask(http, **how)
    assert (status, answer["missing"]) == (503, ["procedures"])
    assert ("com.shop.sell" in str(answer)) is sees


def test_visitor_behind_a_trusted_proxy_is_who_the_proxy_says(
    app: Flask, http: FlaskClient
) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    assert "detail" not in ask(http, headers={"X-Forwarded-For": "192.0.2.7"})[1]
    assert "detail" in ask(http, headers={"X-Forwarded-For": "127.0.0.1"})[1]
    assert "detail" in ask(http)[1]


@attempt(
    "pages",
    "reading what `/readyz` and `/metrics` tell this machine alone, through a proxy that is believed "
    "about other headers",
    "no detail, 403",
)
@pytest.mark.parametrize("told", ["192.0.2.7", "127.0.0.1, 192.0.2.7", "192.0.2.7, 127.0.0.1"])
def test_visitor_behind_a_proxy_that_is_trusted_for_other_headers(
    app: Flask, http: FlaskClient, told: str
) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=0)  # type: ignore[method-assign]
    assert "detail" not in ask(http, headers={"X-Forwarded-For": told})[1]
    assert "detail" not in ask(http, headers={"X-Real-IP": "192.0.2.7"})[1]


def test_token_opens_the_detail_and_its_lack_closes_it(router: Router) -> None:
    token = "a-token-of-sufficient-length"
    http = made(router, {"WAMP_METRICS_TOKEN": token}).test_client()
    far = {"REMOTE_ADDR": "192.0.2.7"}
    assert "detail" in ask(http, headers={"Authorization": f"Bearer {token}"}, environ_base=far)[1]
    for sent in ("", "Bearer", f"Bearer {token}x", f"Basic {token}", "Bearer é", token):
        assert "detail" not in ask(http, headers={"Authorization": sent})[1], sent


def test_detail_may_be_for_everybody_or_nobody(router: Router) -> None:
    far = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert "detail" in ask(made(router, detail="everybody").test_client(), **far)[1]
    assert "detail" not in ask(made(router, detail="nobody").test_client())[1]
    with pytest.raises(ValueError, match="give 'local', 'everybody' or 'nobody'"):
        health(detail="all")  # type: ignore[arg-type]


# --- how often


def test_strangers_cannot_make_the_router_work(router: Router) -> None:
    http = made(router).test_client()
    for _ in range(50):
        assert ask(http)[0] == 200
    assert router.lists < 10  # 1, unless this machine takes a second for some of these


def test_one_looks_and_the_others_do_not_wait(
    app: Flask, http: FlaskClient, router: Router
) -> None:
    assert ask(http)[0] == 200
    begun, go_on = threading.Event(), threading.Event()
    answer = router.call

    def call(uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        begun.set()
        assert go_on.wait(30)
        return answer(uri, args, kwargs, options)

    router.call = call  # type: ignore[method-assign]
    looking = threading.Thread(target=lambda: ask(app.test_client()))
    looking.start()
    assert begun.wait(30)
    assert [ask(http)[0] for _ in range(3)] == [200, 200, 200]
    go_on.set()
    looking.join()
