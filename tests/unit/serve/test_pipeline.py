"""A call of a route: its request, its arguments, and what guards it."""

import functools
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    redirect,
    request,
    request_finished,
    request_started,
    session,
    url_for,
)

from flask_wamp import WAMP, ReadOnlySession

from ..doubles import Caller, Declare, View

INVALID = "wamp.error.invalid_argument"
DENIED = "wamp.error.not_authorized"


# --- the request


def test_pipeline_request_of_a_call(view: View, call: Caller) -> None:
    @view("/polls/<int:poll>/votes", methods=["POST"])
    def vote(poll: int, choice: str) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.path,
            "endpoint": request.endpoint,
            "view_args": request.view_args,
            "json": request.get_json(),
            "host": request.host,
            "rule": request.url_rule.rule if request.url_rule else None,
        }

    assert call("vote", poll=3, choice="a") == {
        "method": "CALL",
        "path": "/polls/3/votes",
        "endpoint": "vote",
        "view_args": {"poll": 3},
        "json": {"poll": 3, "choice": "a"},
        "host": "localhost",
        "rule": "/polls/<int:poll>/votes",
    }
    assert call("vote", 4, "b")["path"] == "/polls/4/votes"
    assert call("vote", 4, "b")["json"] == {}


def test_pipeline_keyword_that_is_no_parameter_is_in_the_json_body_only(
    app: Flask, view: View, call: Caller
) -> None:
    @view("/polls", methods=["POST"])
    def create() -> Any:
        return request.get_json()["question"]

    assert call("create", question="Tea?") == "Tea?"
    assert app.test_client().post("/polls", json={"question": "Tea?"}).text == "Tea?"


def test_pipeline_keywords_that_json_cannot_hold_are_refused(view: View, call: Caller) -> None:
    @view("/polls")
    def create(picture: bytes) -> Any:
        return len(picture)

    error = call.error("create", picture=b"x")
    assert error.uri == INVALID
    assert "JSON body" in error.args[0]
    assert call("create", b"xy") == 2


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, "http://localhost/here/x"),
        (
            {"SERVER_NAME": "shop.example:8443", "PREFERRED_URL_SCHEME": "https"},
            "https://shop.example:8443/here/x",
        ),
        ({"TRUSTED_HOSTS": [".example.com", "example.net"]}, "http://example.com/here/x"),
    ],
)
def test_pipeline_host_is_the_applications_own(config: dict[str, Any], url: str) -> None:
    app = Flask("shop")
    app.config.update(config)

    @app.get("/here/<name>")
    @WAMP(app).callee
    def here(name: str) -> list[str]:
        server = [request.environ["SERVER_NAME"], request.environ["SERVER_PORT"]]
        return [url_for("here", name="x"), url_for("here", name="x", _external=True), *server]

    parts = urlsplit(url)
    server = [parts.hostname, str(parts.port or 80)]
    assert Caller(app)("here", "x") == ["/here/x", url, *server]


def test_pipeline_environment_is_one_of_wsgi(app: Flask, view: View, call: Caller) -> None:
    @view("/x")
    def x(*keys: str) -> dict[str, Any]:
        return {key: request.environ[key] for key in keys}

    expected = {
        "REQUEST_METHOD": "CALL",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "2",
        "wsgi.version": [1, 0],
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    assert call("x", *expected) == expected
    assert call.error("x", "wsgi.errors").uri == "wamp.error.invalid_payload"


def test_pipeline_session_of_a_service_is_empty_and_kept_so(
    app: Flask, view: View, call: Caller
) -> None:
    app.secret_key = "test"

    @view("/count")
    def count() -> Any:
        with pytest.raises(ReadOnlySession, match="no cookie can be set"):
            session["n"] = 1
        return len(session)

    assert call("count") == 0


def test_pipeline_signals_are_sent(app: Flask, view: View, call: Caller) -> None:
    """To asynchronous receivers as well."""
    pytest.importorskip("asgiref", reason="Flask runs async receivers with asgiref")
    seen = []

    async def note_start(sender: Any, **_: Any) -> None:
        seen.append("started")

    async def note_end(sender: Any, response: Response, **_: Any) -> None:
        seen.append(f"finished {response.status_code}")

    @view("/x")
    def x() -> str:
        seen.append("view")
        return "x"

    with (
        request_started.connected_to(note_start, app),
        request_finished.connected_to(note_end, app),
    ):
        call("x")
    assert seen == ["started", "view", "finished 200"]


def test_pipeline_teardown_runs_with_the_error(app: Flask, view: View, call: Caller) -> None:
    seen: list[Any] = []
    app.teardown_request(lambda error: seen.append(("request", type(error))))
    app.teardown_appcontext(lambda error: seen.append(("app", type(error))))

    @view("/x/<int:fail>")
    def x(fail: int) -> str:
        return str(1 // (1 - fail))

    call("x", 0)
    assert seen == [("request", type(None)), ("app", type(None))]
    call.error("x", 1)
    assert [scope for scope, _ in seen[2:]] == ["request", "app"]


# --- arguments and the path


def test_pipeline_arguments_that_do_not_fit(app: Flask, view: View, call: Caller) -> None:
    runs = []

    @app.before_request
    def guard() -> None:
        runs.append("guard")

    @view("/polls/<int:poll>")
    def vote(poll: int, choice: str) -> Any:
        runs.append("view")

    for args, kwargs, parameter in [
        ((), {}, "poll"),
        ((1,), {}, "choice"),
        ((1, "a"), {"choice": "b"}, "choice"),
    ]:
        error = call.error("vote", *args, **kwargs)
        assert error.uri == INVALID
        assert error.kwargs["parameter"] == parameter
    assert "takes 2 (poll, choice), got 3" in call.error("vote", 1, 2, 3).args[0]
    assert runs == []


@pytest.mark.parametrize(
    ("rule", "given", "taken", "path"),
    [
        ("/x/<int:v>", 3, 3, "/x/3"),
        ("/x/<int:v>", "3", 3, "/x/3"),
        ("/x/<int(signed=True):v>", -3, -3, "/x/-3"),
        ("/x/<float:v>", 1.5, 1.5, "/x/1.5"),
        ("/x/<float:v>", 2, 2.0, "/x/2.0"),
        ("/x/<v>", "a b?#%ö", "a b?#%ö", "/x/a b?#%ö"),
        ("/x/<v>", 5, "5", "/x/5"),
        ("/x/<path:v>", "a/b c/d", "a/b c/d", "/x/a/b c/d"),
        ("/x/<any(red, blue):v>", "red", "red", "/x/red"),
        ("/x/<uuid:v>", str(uuid.UUID(int=5)), uuid.UUID(int=5), f"/x/{uuid.UUID(int=5)}"),
        ("/x/<string(length=2):v>", "ab", "ab", "/x/ab"),
    ],
)
def test_pipeline_converters_convert(
    view: View, call: Caller, rule: str, given: Any, taken: Any, path: str
) -> None:
    seen = []

    @view(rule)
    def x(v: Any) -> str:
        seen.append(v)
        return request.path

    assert call("x", given) == path
    assert call("x", v=given) == path
    assert seen == [taken, taken]
    assert type(seen[0]) is type(taken)


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("/x/<int:v>", 1.5),
        ("/x/<int:v>", True),
        ("/x/<int:v>", "three"),
        ("/x/<int:v>", -3),
        ("/x/<int:v>", None),
        ("/x/<int:v>", [1]),
        ("/x/<int(max=9):v>", 10),
        ("/x/<float:v>", "nan"),
        ("/x/<v>", "a/b"),
        ("/x/<v>", ""),
        ("/x/<path:v>", ""),
        ("/x/<any(red, blue):v>", "green"),
        ("/x/<uuid:v>", "no uuid"),
        ("/x/<string(length=2):v>", "abc"),
    ],
)
def test_pipeline_converters_refuse(view: View, call: Caller, rule: str, given: Any) -> None:
    runs = []

    @view(rule)
    def x(v: Any) -> Any:
        runs.append(v)

    error = call.error("x", given)
    assert error.uri == INVALID
    assert error.kwargs["parameter"] == "v"
    assert f"v={given!r}" in error.args[0]
    assert runs == []


def test_pipeline_values_that_fit_no_url_are_named_in_short(view: View, call: Caller) -> None:
    @view("/x/<int:b>/<int:a>")
    def x(a: int, b: Any) -> None: ...

    error = call.error("x", 1, "y")
    assert error.args == ("no URL of this view fits a=1, b='y'",)
    assert error.kwargs["parameter"] == "a"
    assert len(call.error("x", 1, "y" * 500).args[0]) == 500


@pytest.mark.parametrize("methods", [["POST"], ["POST", "HEAD"]])
def test_pipeline_views_of_one_path_are_told_by_their_methods(
    app: Flask, view: View, call: Caller, methods: list[str]
) -> None:
    """Not by those that Flask answers for every view; and rules without a view are no matter."""
    app.add_url_rule("/polls", endpoint="no view", methods=["DELETE"])
    view("/polls")(polls)
    view("/polls", methods=methods)(create)
    assert (call("polls"), call("create")) == ("polls", "create")


def polls() -> Any:
    return request.endpoint


def create() -> Any:
    return request.endpoint


def test_pipeline_view_that_answers_no_method_of_its_own(view: View, call: Caller) -> None:
    view("/polls", methods=["OPTIONS"])(polls)
    assert call.error("polls").uri == INVALID


def test_pipeline_view_whose_path_is_anothers(app: Flask, view: View, call: Caller) -> None:
    app.add_url_rule("/x", view_func=lambda: "another", endpoint="another")
    runs = []

    @view("/x")
    def x() -> None:
        runs.append("x")

    error = call.error("x")
    assert error.uri == INVALID
    assert "parameter" not in error.kwargs
    assert runs == []


def test_pipeline_slash_in_a_segment_does_not_reach_another_view(
    app: Flask, view: View, call: Caller
) -> None:
    """A value that makes the path of another view is refused, and neither view runs."""
    runs = []

    @view("/files/<name>")
    def show(name: str) -> Any:
        runs.append("show")

    @app.get("/files/<name>/delete")
    def delete(name: str) -> str:
        runs.append("delete")
        return "deleted"

    assert call.error("show", "a/delete").uri == INVALID
    assert runs == []


@pytest.mark.parametrize(
    "pages", [lambda page: [request.path, page], lambda page=0: [request.path, page]]
)
def test_pipeline_defaults_of_a_rule_fill_up(
    app: Flask, wamp: WAMP, call: Caller, pages: Callable[..., Any]
) -> None:
    app.get("/list", defaults={"page": 1})(pages)
    app.get("/list/<int:page>")(wamp.callee("pages")(pages))
    assert call("pages") == call("pages", 1) == ["/list", 1]
    assert call("pages", 2) == call("pages", page=2) == ["/list/2", 2]


def test_pipeline_defaults_of_the_view_fill_up(view: View, call: Caller) -> None:
    """In the path, and beside it."""

    @view("/x/<int:page>")
    def x(page: int = 5, size: int = 10) -> list[Any]:
        return [request.path, page, size]

    assert call("x") == ["/x/5", 5, 10]
    assert call("x", 3) == ["/x/3", 3, 10]
    assert call("x", 3, size=20) == ["/x/3", 3, 20]


def test_pipeline_several_rules_for_one_view(app: Flask, view: View, call: Caller) -> None:
    @app.get("/all")
    @app.get("/by/<author>")
    @view("/by/<author>/<int:year>")
    def articles(author: str = "", year: int = 0) -> str:
        return request.path

    assert call("articles") == "/all"
    assert call("articles", "ann") == "/by/ann"
    assert call("articles", "ann", 2026) == "/by/ann/2026"
    assert call("articles", year=2026, author="ann") == "/by/ann/2026"


def test_pipeline_rules_of_different_methods_are_all_found(
    app: Flask, view: View, call: Caller
) -> None:
    @app.get("/a/<int:a>")
    @view("/b/<int:b>", methods=["POST"])
    def x(a: int = 0, b: int = 0) -> list[Any]:
        return [request.path, a, b]

    assert call("x", a=1) == ["/a/1", 1, 0]
    assert call("x", b=2) == ["/b/2", 0, 2]


def test_pipeline_view_that_takes_any_keyword(app: Flask, view: View, call: Caller) -> None:
    """Path variables reach it as HTTP hands them over: converted, and with the rule's defaults."""

    @app.get("/x", defaults={"a": 5})
    @view("/x/<int:a>")
    def x(**variables: Any) -> dict[str, Any]:
        return variables

    assert call("x", a="7", b=1) == {"a": 7, "b": 1}
    assert call("x") == {"a": 5}


def test_pipeline_url_value_preprocessor_takes_a_variable(
    app: Flask, view: View, call: Caller
) -> None:
    """A variable that is no parameter of the view is in the path, and in ``g``."""

    @app.url_value_preprocessor
    def language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.language = (values or {}).pop("lang")

    @view("/<lang>/x/<int:a>")
    def x(a: int) -> list[Any]:
        return [g.language, a, request.path]

    assert call("x", 1, lang="de") == ["de", 1, "/de/x/1"]
    error = call.error("x", 1)
    assert (error.uri, error.args) == (INVALID, ("missing a required argument: 'lang'",))
    assert error.kwargs["parameter"] == "lang"


def test_pipeline_url_value_preprocessor_replaces_a_variable(
    app: Flask, view: View, call: Caller
) -> None:
    @app.url_value_preprocessor
    def load(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values:
            values["poll"] = {"id": values["poll"]}

    @view("/polls/<int:poll>")
    def poll(poll: Any) -> Any:
        return poll

    assert call("poll", 3) == {"id": 3}


# --- guards


@pytest.mark.parametrize(
    ("guard", "keywords"),
    [
        (lambda: ("log in first", 401), {"status": 401, "description": "log in first"}),
        (lambda: abort(403, "not for you"), {"status": 403, "description": "not for you"}),
        (lambda: redirect("/login"), {"status": 302, "location": "/login"}),
        # An error handler redirects for it.
        (lambda: dict[str, str]()["user"], {"status": 302, "location": "/login"}),
    ],
)
def test_pipeline_guard_denies(
    app: Flask, view: View, call: Caller, guard: Callable[[], Any], keywords: dict[str, Any]
) -> None:
    app.before_request(guard)
    app.register_error_handler(KeyError, lambda _error: redirect("/login"))
    runs = []

    @view("/secret")
    def secret() -> str:
        runs.append("view")
        return "secret"

    error = call.error("secret")
    assert (error.uri, error.args) == (DENIED, (keywords.get("description", "a guard redirects"),))
    assert error.kwargs == keywords
    assert app.test_client().get("/secret").status_code == keywords["status"]
    assert runs == []


def test_pipeline_guard_that_answers_for_the_view(app: Flask, view: View, call: Caller) -> None:
    """A cache, for instance."""
    app.before_request(lambda: {"cached": True})

    @view("/x")
    def x() -> dict[str, Any]:
        return {"cached": False}

    assert call("x") == {"cached": True}


def test_pipeline_guard_of_a_blueprint_guards_its_views_only(
    app: Flask, wamp: WAMP, view: View, call: Caller
) -> None:
    blueprint = Blueprint("admin", __name__, url_prefix="/admin")

    @blueprint.before_request
    def guard() -> None:
        if request.get_json().get("token") != "t":
            abort(401)

    @blueprint.get("/secret")
    @wamp.callee
    def secret() -> str:
        return request.path

    @view("/open")
    def open_() -> str:
        return "open"

    app.register_blueprint(blueprint)
    assert call.error("secret").uri == DENIED
    assert call.error("secret", token="x").uri == DENIED
    assert call("secret", token="t") == "/admin/secret"
    assert call("open_") == "open"


def test_pipeline_what_is_called_without_request_has_no_guard(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    """A route that is declared so, and what is no route."""
    app.before_request(lambda: abort(401))

    @app.get("/x/<a>")
    @wamp.callee(request=False)
    def x(a: object) -> list[Any]:
        return [a, bool(request)]

    wamp.callee("no_route")(lambda: bool(request))
    assert call("x", 5) == [5, False]
    assert call("no_route") is False
    assert app.test_client().get("/x/5").status_code == 401


def login_required(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse callers without a token, as such decorators do."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.get_json(silent=True) != {"token": "t"}:
            abort(401)
        return function(*args, **kwargs)

    return guarded


@pytest.mark.parametrize("order", ["RGC", "CGR", "RCG", "CRG", "RGGC"])
def test_pipeline_decorator_guards_in_every_order(
    app: Flask, wamp: WAMP, call: Caller, order: str
) -> None:
    """R: ``app.get``, C: ``wamp.callee``, G: the guard; the outermost first."""
    decorators: dict[str, Declare] = {
        "R": app.get("/secret"),
        "C": wamp.callee,
        "G": login_required,
    }

    def secret() -> str:
        return "secret"

    view: Any = secret
    for letter in reversed(order):
        view = decorators[letter](view)
    assert call.error("secret").uri == DENIED
    assert call.error("secret", token="x").uri == DENIED
    assert call("secret", token="t") == "secret"


def test_pipeline_decorators_between_keep_their_order(app: Flask, wamp: WAMP, call: Caller) -> None:
    order = []

    def marked(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def mark(*args: Any, **kwargs: Any) -> Any:
                order.append(name)
                return function(*args, **kwargs)

            return mark

        return decorate

    @app.get("/x")
    @marked("outside")
    @wamp.callee
    @marked("inside")
    def x() -> str:
        return "x"

    call("x")
    assert order == ["outside", "inside"]
