"""When a process begins to serve, ``WAMP_SERVE``, and when it does not."""

import logging
import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_wamp import WAMP, ConfigError, SetupError
from flask_wamp.servers import gunicorn, serving, uwsgi
from flask_wamp.servers.inside import applications_in
from flask_wamp.state import State


class Begun:
    """Takes the place of what connects: the applications that have begun to serve."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.problem: Exception | None = None
        self._one_more = threading.Semaphore(0)

    def share(self, state: State) -> None:
        """Note that *state* is to be served."""
        self.names.append(state.app.name)
        self._one_more.release()
        if self.problem is not None:
            raise self.problem

    def wait(self) -> list[str]:
        """Return the names when there is one more."""
        assert self._one_more.acquire(timeout=20)
        return self.names


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    begun = Begun()
    monkeypatch.setattr(serving, "share", begun.share)
    return begun


def application(name: str = "shop", **config: Any) -> Flask:
    """Return an application that is to be served."""
    app = Flask(name)
    app.config.from_mapping(WAMP_SERVE=True, **config)
    WAMP(app)
    app.add_url_rule("/", view_func=lambda: "here")
    return app


def ask(app: Any) -> None:
    """Ask as a server does, which is none of Flask's test clients."""
    _, status, _ = run_wsgi_app(app, EnvironBuilder().get_environ())
    assert status == "200 OK"


# --- requests


def test_serving_begins_with_the_first_request(begun: Begun) -> None:
    app = application()
    for _ in range(3):
        ask(app)
    assert begun.wait() == ["shop"]


def test_serving_begins_for_each_application(begun: Begun) -> None:
    first, second = application("first"), application("second")
    ask(second)
    assert begun.wait() == ["second"]
    ask(first)
    assert begun.wait() == ["second", "first"]


def get_in_context(app: Flask) -> None:
    """Ask as a test does that looks at the request's context afterwards."""
    with app.test_client() as client:
        client.get("/")


@pytest.mark.parametrize(
    "use",
    [
        lambda app: app.test_client().get("/"),
        get_in_context,
        lambda app: app.test_cli_runner().invoke(args=["routes"]),
    ],
    ids=["client", "client as a context", "command"],
)
def test_serving_does_not_begin_in_tests_of_the_application(
    begun: Begun, use: Callable[[Flask], Any]
) -> None:
    app = application()
    before = threading.active_count()
    use(app)
    assert threading.active_count() == before
    assert begun.names == []


def test_serving_does_not_begin_with_a_call(begun: Begun) -> None:
    """One that a route answers passes through what HTTP passes through."""
    app = application()
    ask_by_call = EnvironBuilder(method="CALL").get_environ()
    run_wsgi_app(app, ask_by_call)
    assert begun.names == []


def test_serving_does_not_begin_where_the_application_is_tested(begun: Begun) -> None:
    app = application(TESTING=True)
    ask(app)
    assert begun.names == []


def test_serving_is_not_wanted_by_default(begun: Begun) -> None:
    app = Flask("shop")
    WAMP(app)
    app.add_url_rule("/", view_func=lambda: "here")
    ask(app)
    assert begun.names == []


@pytest.mark.parametrize("value", [1, "true", "yes", []])
def test_serving_value_is_checked(value: Any) -> None:
    app = Flask("shop")
    app.config["WAMP_SERVE"] = value
    with pytest.raises(ConfigError, match=r"WAMP_SERVE = .* is invalid: give True or False"):
        WAMP(app)


@pytest.mark.parametrize(
    ("problem", "has_traceback"), [(SetupError("no threads"), False), (ValueError("x"), True)]
)
def test_serving_failure_is_logged_and_http_answers(
    begun: Begun, caplog: pytest.LogCaptureFixture, problem: Exception, has_traceback: bool
) -> None:
    begun.problem = problem
    app = application()
    ask(app)
    begun.wait()
    for thread in threading.enumerate():
        if thread.name == "flask-wamp serving":
            thread.join(20)
    (record,) = [each for each in caplog.records if each.name == "flask_wamp"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("shop is not served over WAMP")
    assert bool(record.exc_info) == has_traceback
    ask(app)


def test_serving_does_not_begin_again_in_the_child_of_a_fork(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Werkzeug's server can fork for each request."""
    app = application()
    ask(app)
    begun.wait()
    monkeypatch.setattr("os.getpid", lambda: -1)
    ask(app)
    app.extensions["wamp.serving"].begin()
    assert begun.names == ["shop"]


# --- no Flask application


class Quart:
    """Has what WAMP needs, and is none."""

    name = "quart"
    extensions: dict[str, Any]
    config: dict[str, Any]


@pytest.mark.parametrize("app", [Quart(), "shop:app", Flask])
def test_serving_what_is_no_flask_application_is_refused(app: Any) -> None:
    with pytest.raises(SetupError, match="is not a Flask application, which is what"):
        WAMP(app)


# --- what a server has in its hands


def test_serving_finds_applications_in_middleware() -> None:
    first, second, third = Flask("first"), Flask("second"), Flask("third")
    third.wsgi_app = ProxyFix(third.wsgi_app)  # type: ignore[method-assign]
    behind = DispatcherMiddleware(ProxyFix(first), {"/second": second.wsgi_app})
    third.wsgi_app = DispatcherMiddleware(third.wsgi_app, {"/": behind})  # type: ignore[method-assign]
    assert {app.name for app in applications_in(third)} == {"first", "second", "third"}


def test_serving_finds_no_applications_elsewhere() -> None:
    """An application that exists, and is not what the server answers with."""
    unfinished = Flask("unfinished")

    def error_page(environ: Any, start_response: Any) -> Any:
        raise RuntimeError(unfinished.name)

    assert applications_in(error_page) == []
    assert applications_in(None) == []


# --- Werkzeug


def test_serving_begins_when_the_development_server_runs(begun: Begun) -> None:
    app, other = application(), application("other")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    assert begun.names == []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        assert begun.wait() == ["shop"]
        assert other.extensions["wamp.serving"] is not None
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def test_serving_watches_the_development_server_once() -> None:
    application()
    watched = BaseWSGIServer.serve_forever
    application()
    assert BaseWSGIServer.serve_forever is watched


# --- gunicorn


class Application(BaseApplication):
    """Loads as gunicorn's own application does.

    :ivar load_app: makes the application.
    """

    def __init__(self, load_app: Callable[[], Any], **settings: Any) -> None:
        self._load_app = load_app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._load_app()


@pytest.mark.parametrize("preload", [False, True])
def test_serving_begins_in_gunicorn_s_workers(begun: Begun, preload: bool) -> None:
    calls: list[Any] = []
    loading = Application(application, preload_app=preload, post_worker_init=calls.append)
    worker = SimpleNamespace(wsgi=loading.wsgi())
    assert begun.names == []
    loading.cfg.post_worker_init(worker)
    assert begun.wait() == ["shop"]
    assert calls == [worker]


def test_serving_begins_in_the_workers_of_a_reloaded_gunicorn(begun: Begun) -> None:
    """Its settings are new, and its application the old one."""
    loading = Application(application, preload_app=True)
    worker = SimpleNamespace(wsgi=loading.wsgi())
    for _ in range(2):
        loading.reload()
    loading.cfg.post_worker_init(worker)
    assert begun.wait() == ["shop"]


def test_serving_hooks_gunicorn_once_for_all_of_its_applications(begun: Begun) -> None:
    loading = Application(lambda: DispatcherMiddleware(application(), {"/b": application("b")}))
    worker = SimpleNamespace(wsgi=loading.wsgi())
    hook: Any = loading.cfg.post_worker_init
    hook(worker)
    begun.wait()
    begun.wait()
    assert sorted(begun.names) == ["b", "shop"]
    assert not isinstance(hook._configured, type(hook))


def test_serving_is_gunicorn_s_configuration_too(begun: Begun) -> None:
    """``--config python:flask_wamp.servers.gunicorn`` names it, and it is not called twice."""
    known = Config().settings
    assert [name for name in vars(gunicorn) if name in known] == ["post_worker_init"]
    loading = Application(application, post_worker_init=gunicorn.post_worker_init)
    worker = SimpleNamespace(wsgi=loading.wsgi())
    assert loading.cfg.post_worker_init is gunicorn.post_worker_init
    loading.cfg.post_worker_init(worker)
    assert begun.wait() == ["shop"]


# --- uWSGI


class Master(ModuleType):
    """What uWSGI has for Python; *worker* is the number of the process, 0 of the master."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, master: int = 1) -> None:
        super().__init__("uwsgi")
        self.forked: list[Callable[[], None]] = []
        self.worker = 0
        self.opt: dict[str, Any] = {"enable-threads": True}
        self.masterpid = lambda: master
        self.worker_id = lambda: self.worker
        decorators: Any = ModuleType("uwsgidecorators")
        decorators.postfork = self.forked.append
        monkeypatch.setitem(sys.modules, "uwsgi", self)
        monkeypatch.setitem(sys.modules, "uwsgidecorators", decorators)

    def fork(self, worker: int) -> None:
        """Do what uWSGI does in a process that it has forked."""
        self.worker = worker
        for function in self.forked:
            function()


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> str:
    """Stand in for the import of the application's module."""
    monkeypatch.setattr(uwsgi, "_modules_being_imported", lambda: ["shop_module"])
    monkeypatch.setitem(sys.modules, "shop_module", ModuleType("shop_module"))
    return "shop_module"


def test_serving_begins_in_uwsgi_s_workers(
    begun: Begun, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = Master(monkeypatch)
    app = application()
    # A spooler or a mule.
    master.fork(0)
    assert begun.names == []
    master.fork(2)
    assert begun.wait() == ["shop"]
    assert app.name == "shop"


def test_serving_does_not_begin_where_uwsgi_could_not_import_the_application(
    begun: Begun, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = Master(monkeypatch)
    app = application()
    monkeypatch.delitem(sys.modules, imported)
    master.fork(1)
    assert begun.names == []
    ask(app)
    assert begun.wait() == ["shop"]


@pytest.mark.parametrize(
    ("process", "worker", "options"),
    [(0, 0, {"threads": b"4"}), (1, 1, {"threads": b"4"}), (1, 0, {"gevent": b"9"})],
    ids=["no master", "lazy-apps", "gevent"],
)
def test_serving_begins_with_a_request_where_uwsgi_s_worker_imports(
    begun: Begun,
    imported: str,
    monkeypatch: pytest.MonkeyPatch,
    process: int,
    worker: int,
    options: dict[str, Any],
) -> None:
    """Or patches itself after it was forked, as with gevent."""
    master = Master(monkeypatch, master=process)
    master.worker, master.opt = worker, options
    app = application()
    assert master.forked == []
    ask(app)
    assert begun.wait() == ["shop"]
    assert app.name == "shop"


def test_serving_begins_with_a_request_where_uwsgi_has_no_decorators(
    begun: Begun, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its module is missing, or refuses to be imported."""
    Master(monkeypatch)
    monkeypatch.setitem(sys.modules, "uwsgidecorators", None)
    app = application()
    ask(app)
    assert begun.wait() == ["shop"]


def test_serving_is_refused_where_uwsgi_runs_no_threads(
    begun: Begun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Master(monkeypatch).opt = {"master": True}
    app = application()
    ask(app)
    assert begun.names == []
    assert "is not served over WAMP: uWSGI runs no threads here" in caplog.text
    assert "--enable-threads" in caplog.text
