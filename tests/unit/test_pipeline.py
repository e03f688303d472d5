"""A call of a route: its request, its arguments, and what guards it."""

import functools
import uuid
from collections.abc import Callable
from typing import Any

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

from flask_wamp import WAMP

from .doubles import Caller

INVALID = "wamp.error.invalid_argument"
DENIED = "wamp.error.not_authorized"


# --- the request


def test_pipeline_request_of_a_call(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.post("/polls/<int:poll>/votes")
    @wamp.callee
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
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.post("/polls")
    @wamp.callee
    def create() -> Any:
        return request.get_json()["question"]

    assert call("create", question="Tea?") == "Tea?"
    assert app.test_client().post("/polls", json={"question": "Tea?"}).text == "Tea?"


def test_pipeline_keywords_that_json_cannot_hold_are_refused(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.post("/polls")
    @wamp.callee
    def create(picture: bytes) -> Any:
        return len(picture)

    error = call.error("create", picture=b"x")
    assert error.uri == INVALID
    assert "JSON body" in error.args[0]
    assert call("create", b"xy") == 2


def test_pipeline_url_for_works(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/here/<name>")
    @wamp.callee
    def here(name: str) -> list[str]:
        return [url_for("here", name="x"), url_for("here", name="x", _external=True)]

    assert call("here", "a") == ["/here/x", "http://localhost/here/x"]


def test_pipeline_host_is_the_applications_own() -> None:
    app = Flask("shop")
    app.config.update(SERVER_NAME="shop.example:8443", PREFERRED_URL_SCHEME="https")
    wamp = WAMP(app)

    @app.get("/here")
    @wamp.callee
    def here() -> str:
        return request.url

    assert Caller(app)("here") == "https://shop.example:8443/here"


def test_pipeline_host_is_a_trusted_one() -> None:
    app = Flask("shop")
    app.config["TRUSTED_HOSTS"] = [".example.com", "example.net"]
    wamp = WAMP(app)

    @app.get("/here")
    @wamp.callee
    def here() -> str:
        return request.host

    assert Caller(app)("here") == "example.com"


def test_pipeline_session_is_empty_and_usable(app: Flask, wamp: WAMP, call: Caller) -> None:
    app.secret_key = "test"

    @app.get("/count")
    @wamp.callee
    def count() -> Any:
        session["n"] = session.get("n", 0) + 1
        return int(session["n"])

    assert [call("count"), call("count")] == [1, 1]


def test_pipeline_signals_are_sent(app: Flask, wamp: WAMP, call: Caller) -> None:
    seen = []

    def note_start(sender: Any, **_: Any) -> None:
        seen.append("started")

    def note_end(sender: Any, response: Response, **_: Any) -> None:
        seen.append(f"finished {response.status_code}")

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        seen.append("view")
        return "x"

    with (
        request_started.connected_to(note_start, app),
        request_finished.connected_to(note_end, app),
    ):
        call("x")
    assert seen == ["started", "view", "finished 200"]


def test_pipeline_teardown_runs_with_the_error(app: Flask, wamp: WAMP, call: Caller) -> None:
    seen: list[Any] = []
    app.teardown_request(lambda error: seen.append(("request", type(error))))
    app.teardown_appcontext(lambda error: seen.append(("app", type(error))))

    @app.get("/x/<int:fail>")
    @wamp.callee
    def x(fail: int) -> str:
        return str(1 // (1 - fail))

    call("x", 0)
    assert seen == [("request", type(None)), ("app", type(None))]
    call.error("x", 1)
    assert [scope for scope, _ in seen[2:]] == ["request", "app"]


# --- arguments and the path


def test_pipeline_arguments_that_do_not_fit(app: Flask, wamp: WAMP, call: Caller) -> None:
    runs = []

    @app.before_request
    def guard() -> None:
        runs.append("guard")

    @app.post("/polls/<int:poll>")
    @wamp.callee
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


def test_pipeline_type_error_inside_is_no_misfit(app: Flask, wamp: WAMP, call: Caller) -> None:
    runs = []

    @app.get("/x/<a>")
    @wamp.callee
    def x(a: str) -> str:
        runs.append(a)
        raise TypeError("x() missing 1 required positional argument: 'a'")

    assert call.error("x", "1").uri == "wamp.error.runtime_error"
    assert runs == ["1"]


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
    app: Flask, wamp: WAMP, call: Caller, rule: str, given: Any, taken: Any, path: str
) -> None:
    seen = []

    @app.get(rule)
    @wamp.callee
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
def test_pipeline_converters_refuse(
    app: Flask, wamp: WAMP, call: Caller, rule: str, given: Any
) -> None:
    runs = []

    @app.get(rule)
    @wamp.callee
    def x(v: Any) -> Any:
        runs.append(v)

    error = call.error("x", given)
    assert error.uri == INVALID
    assert error.kwargs["parameter"] == "v"
    assert f"v={given!r}" in error.args[0]
    assert runs == []


def test_pipeline_slash_in_a_segment_does_not_reach_another_view(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    """A value that makes the path of another view is refused, and neither view runs."""
    runs = []

    @app.get("/files/<name>")
    @wamp.callee
    def show(name: str) -> Any:
        runs.append("show")

    @app.get("/files/<name>/delete")
    def delete(name: str) -> str:
        runs.append("delete")
        return "deleted"

    assert call.error("show", "a/delete").uri == INVALID
    assert runs == []


def test_pipeline_route_with_default_values(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/list", defaults={"page": 1})
    @app.get("/list/<int:page>")
    @wamp.callee
    def pages(page: int = 0) -> list[Any]:
        return [request.path, page]

    assert call("pages") == ["/list", 1]
    assert call("pages", 1) == ["/list", 1]
    assert call("pages", 2) == ["/list/2", 2]


def test_pipeline_defaults_of_the_function_beside_the_path(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.get("/x/<a>")
    @wamp.callee
    def x(a: str, b: int = 5) -> list[Any]:
        return [a, b]

    assert call("x", "1") == ["1", 5]
    assert call("x", "1", b=6) == ["1", 6]


def test_pipeline_several_rules_for_one_view(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/all")
    @app.get("/by/<author>")
    @app.get("/by/<author>/<int:year>")
    @wamp.callee
    def articles(author: str = "", year: int = 0) -> str:
        return request.path

    assert call("articles") == "/all"
    assert call("articles", "ann") == "/by/ann"
    assert call("articles", "ann", 2026) == "/by/ann/2026"
    assert call("articles", year=2026, author="ann") == "/by/ann/2026"


def test_pipeline_view_that_takes_any_keyword(app: Flask, wamp: WAMP, call: Caller) -> None:
    """Path variables reach it as HTTP hands them over: converted."""

    @app.get("/x/<int:a>")
    @wamp.callee
    def x(**variables: Any) -> dict[str, Any]:
        return variables

    assert call("x", a="7", b=1) == {"a": 7, "b": 1}


def test_pipeline_url_value_preprocessor_takes_a_variable(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    """A variable that is no parameter of the view is in the path, and in ``g``."""

    @app.url_value_preprocessor
    def language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.language = (values or {}).pop("lang")

    @app.get("/<lang>/x/<int:a>")
    @wamp.callee
    def x(a: int) -> list[Any]:
        return [g.language, a, request.path]

    assert call("x", 1, lang="de") == ["de", 1, "/de/x/1"]
    error = call.error("x", 1)
    assert error.uri == INVALID
    assert error.kwargs["parameter"] == "lang"


def test_pipeline_url_value_preprocessor_replaces_a_variable(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.url_value_preprocessor
    def load(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values:
            values["poll"] = {"id": values["poll"]}

    @app.get("/polls/<int:poll>")
    @wamp.callee
    def poll(poll: Any) -> Any:
        return poll

    assert call("poll", 3) == {"id": 3}


def test_pipeline_defaults_of_a_rule_fill_up(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/x", defaults={"page": 1})
    @app.get("/x/<int:page>")
    @wamp.callee
    def x(page: int) -> dict[str, Any]:
        return {"page": page, "path": request.path}

    assert call("x") == {"page": 1, "path": "/x"}
    assert call("x", 3) == {"page": 3, "path": "/x/3"}
    assert call("x", page=3) == {"page": 3, "path": "/x/3"}


def test_pipeline_defaults_of_the_view_fill_up(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/x/<int:page>")
    @wamp.callee
    def x(page: int = 5) -> dict[str, Any]:
        return {"page": page, "path": request.path}

    assert call("x") == {"page": 5, "path": "/x/5"}
    assert call("x", 3) == {"page": 3, "path": "/x/3"}


def test_pipeline_rules_of_different_methods_are_all_found(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.get("/a/<int:a>")
    @app.post("/b/<int:b>")
    @wamp.callee
    def x(a: int = 0, b: int = 0) -> dict[str, Any]:
        return {"a": a, "b": b, "path": request.path}

    assert call("x", a=1) == {"a": 1, "b": 0, "path": "/a/1"}
    assert call("x", b=2) == {"a": 0, "b": 2, "path": "/b/2"}


# --- guards


def test_pipeline_guard_of_the_application_that_answers(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    runs = []

    @app.before_request
    def guard() -> Any:
        return ("log in first", 401)

    @app.get("/secret")
    @wamp.callee
    def secret() -> str:
        runs.append(1)
        return "secret"

    error = call.error("secret")
    assert error.uri == DENIED
    assert error.kwargs == {"status": 401, "description": "log in first"}
    assert runs == []
    assert app.test_client().get("/secret").status_code == 401


def test_pipeline_guard_that_aborts(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.before_request
    def guard() -> None:
        abort(403, "not for you")

    @app.get("/secret")
    @wamp.callee
    def secret() -> str:
        return "secret"

    error = call.error("secret")
    assert error.uri == DENIED
    assert error.kwargs == {"status": 403, "description": "not for you"}


def test_pipeline_guard_that_redirects_denies(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.before_request
    def guard() -> Any:
        return redirect("/login")

    @app.get("/secret")
    @wamp.callee
    def secret() -> str:
        return "secret"

    error = call.error("secret")
    assert error.uri == DENIED
    assert error.kwargs == {"status": 302, "location": "/login"}


def test_pipeline_guard_that_answers_for_the_view(app: Flask, wamp: WAMP, call: Caller) -> None:
    """A cache, for instance."""

    @app.before_request
    def cached() -> Any:
        return {"cached": True}

    @app.get("/x")
    @wamp.callee
    def x() -> dict[str, Any]:
        return {"cached": False}

    assert call("x") == {"cached": True}


def test_pipeline_guard_of_a_blueprint_guards_its_views_only(
    app: Flask, wamp: WAMP, call: Caller
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

    @app.get("/open")
    @wamp.callee
    def open_() -> str:
        return "open"

    app.register_blueprint(blueprint)
    assert call.error("secret").uri == DENIED
    assert call.error("secret", token="x").uri == DENIED
    assert call("secret", token="t") == "/admin/secret"
    assert call("open_") == "open"


def test_pipeline_without_request_there_is_no_guard(app: Flask, wamp: WAMP, call: Caller) -> None:
    runs = []

    @app.before_request
    def guard() -> None:
        runs.append("guard")
        abort(401)

    @app.get("/x/<a>")
    @wamp.callee(request=False)
    def x(a: object) -> list[Any]:
        return [a, bool(request)]

    assert call("x", 5) == [5, False]
    assert runs == []
    assert app.test_client().get("/x/5").status_code == 401


def test_pipeline_procedure_that_is_no_route_has_no_guard(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.before_request
    def guard() -> None:
        abort(401)

    @wamp.callee
    def x() -> bool:
        return bool(request)

    assert call("x") is False


def login_required(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse callers without a token, as such decorators do."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if request.get_json(silent=True) != {"token": "t"}:
            abort(401)
        return function(*args, **kwargs)

    return guarded


def route_guard_callee(app: Flask, wamp: WAMP) -> Any:
    @app.get("/secret")
    @login_required
    @wamp.callee
    def secret() -> str:
        return "secret"

    return secret


def callee_guard_route(app: Flask, wamp: WAMP) -> Any:
    @wamp.callee
    @login_required
    @app.get("/secret")
    def secret() -> str:
        return "secret"

    return secret


def route_callee_guard(app: Flask, wamp: WAMP) -> Any:
    @app.get("/secret")
    @wamp.callee
    @login_required
    def secret() -> str:
        return "secret"

    return secret


def callee_route_guard(app: Flask, wamp: WAMP) -> Any:
    @wamp.callee
    @app.get("/secret")
    @login_required
    def secret() -> str:
        return "secret"

    return secret


def guard_outermost_of_both(app: Flask, wamp: WAMP) -> Any:
    @login_required
    @login_required
    @wamp.callee
    def secret() -> str:
        return "secret"

    app.add_url_rule("/secret", view_func=secret)
    return secret


@pytest.mark.parametrize(
    "declare",
    [
        route_guard_callee,
        callee_guard_route,
        route_callee_guard,
        callee_route_guard,
        guard_outermost_of_both,
    ],
)
def test_pipeline_decorator_guards_in_every_order(
    app: Flask, wamp: WAMP, call: Caller, declare: Callable[[Flask, WAMP], Any]
) -> None:
    declare(app, wamp)
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
