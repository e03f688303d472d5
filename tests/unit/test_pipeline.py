"""A call of a route runs what HTTP runs."""

import functools
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    got_request_exception,
    jsonify,
    redirect,
    request,
    request_finished,
    request_started,
    session,
    url_for,
)
from werkzeug.exceptions import Conflict, NotFound

from flask_wamp import WAMP, ApplicationError
from flask_wamp.errors import URI_BY_STATUS

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


# --- results


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, None),
        (False, False),
        (0, 0),
        (1.5, 1.5),
        ("", ""),
        ("größe", "größe"),
        (b"\x00\xff", b"\x00\xff"),
        ({"a": b"bytes"}, {"a": b"bytes"}),
        ([1, {"a": (2,)}], [1, {"a": [2]}]),
        (OrderedDict(a=1), {"a": 1}),
        (({"a": 1}, 201), {"a": 1}),
        (({"a": 1}, HTTPStatus.CREATED), {"a": 1}),
        (({"a": b"x"}, 200), {"a": b"x"}),
        (("x", 200, {"X-A": "b"}), "x"),
        ((None, 204), None),
        (Response('{"a": 1}', mimetype="application/json"), {"a": 1}),
        (Response("text", mimetype="text/html"), "text"),
        (Response(b"\xff", mimetype="image/png"), b"\xff"),
        (Response(status=204), None),
        ((Response("text"), 201), "text"),
    ],
)
def test_pipeline_results(app: Flask, wamp: WAMP, call: Caller, value: Any, result: Any) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return value

    given = call("give")
    assert given == result
    assert type(given) is type(result)


def test_pipeline_streamed_response_is_read_and_closed(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    closed = []

    def lines() -> Iterator[str]:
        yield "a"
        yield "b"

    @app.get("/stream/<int:status>")
    @wamp.callee
    def stream(status: int) -> Response:
        response = Response(lines(), status, mimetype="text/plain")
        response.call_on_close(lambda: closed.append(status))
        return response

    assert call("stream", 200) == "ab"
    assert call.error("stream", 404).args == ("ab",)
    assert closed == [200, 404]


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> dict[str, Any]:
    """Return a dict in itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a object"),
        ({"a": {1}}, "a set"),
        (2**64, "64 bits"),
        (float("nan"), "nan"),
        ("\ud800", "surrogates"),
        (cyclic(), "nested over"),
        (nested(10_000), "nested over"),
    ],
    ids=["object", "set", "int", "nan", "surrogate", "cycle", "deep"],
)
def test_pipeline_result_that_cannot_travel_names_its_type(
    app: Flask, wamp: WAMP, call: Caller, value: Any, reason: str
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return value

    error = call.error("give")
    assert error.uri == "wamp.error.invalid_payload"
    assert error.args[0].startswith("the result")
    assert reason in error.args[0]


def test_pipeline_after_request_changes_the_result(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.after_request
    def sign(response: Response) -> Response:
        response.set_data(response.get_data(as_text=True) + "!")
        return response

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        return "x"

    assert call("x") == "x!"


def test_pipeline_after_request_replaces_the_response(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.after_request
    def wrap(response: Response) -> Response:
        return jsonify(wrapped=response.get_json())

    @app.get("/x")
    @wamp.callee
    def x() -> dict[str, int]:
        return {"a": 1}

    assert call("x") == {"wrapped": {"a": 1}}


def test_pipeline_after_request_refuses(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.after_request
    def deny(response: Response) -> Response:
        response.status_code = 403
        return response

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        return "too much"

    assert call.error("x").uri == DENIED


def test_pipeline_after_request_that_sets_headers_leaves_the_value(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.after_request
    def header(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "DENY"
        return response

    @app.get("/x")
    @wamp.callee
    def x() -> Any:
        return {"a": b"bytes"}

    assert call("x") == {"a": b"bytes"}


# --- errors


@pytest.mark.parametrize("status", [*URI_BY_STATUS, 418, 500])
def test_pipeline_http_exception_becomes_an_error(
    app: Flask, wamp: WAMP, call: Caller, status: int
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        abort(status, description="because")

    error = call.error("give")
    fallback = INVALID if status < 500 else "wamp.error.runtime_error"
    assert error.uri == URI_BY_STATUS.get(status, fallback)
    assert error.kwargs == {"status": status, "description": "because"}


@pytest.mark.parametrize("status", [*URI_BY_STATUS, 418, 500])
def test_pipeline_returned_status_becomes_an_error(
    app: Flask, wamp: WAMP, call: Caller, status: int
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return {"why": "because"}, status

    error = call.error("give")
    fallback = INVALID if status < 500 else "wamp.error.runtime_error"
    assert error.uri == URI_BY_STATUS.get(status, fallback)
    assert error.kwargs["status"] == status
    assert error.kwargs["body"] == {"why": "because"}
    assert error.kwargs["description"]


def test_pipeline_view_that_redirects(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.post("/x")
    @wamp.callee
    def x() -> Any:
        return redirect("/done", 303)

    error = call.error("x")
    assert error.uri == "wamp.error.redirect"
    assert error.kwargs["status"] == 303
    assert error.kwargs["location"] == "/done"
    assert "CALL" in error.kwargs["description"]


def test_pipeline_error_handler_answers(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return f"no {error.args[0]}", 404

    @app.get("/x/<a>")
    @wamp.callee
    def x(a: str) -> Any:
        return {"b": 1}[a]

    assert call("x", "b") == 1
    error = call.error("x", "c")
    assert error.uri == "wamp.error.not_found"
    assert error.kwargs == {"status": 404, "description": "no c"}


def test_pipeline_error_handler_that_makes_a_result(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return {"missing": error.args[0]}

    @app.get("/x")
    @wamp.callee
    def x() -> Any:
        raise KeyError("a")

    assert call("x") == {"missing": "a"}


def test_pipeline_error_handler_of_a_blueprint(app: Flask, wamp: WAMP, call: Caller) -> None:
    blueprint = Blueprint("shop", __name__)

    @blueprint.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return "missing", 410

    @blueprint.get("/in")
    @wamp.callee
    def inside() -> Any:
        raise KeyError

    @app.get("/out")
    @wamp.callee
    def outside() -> Any:
        raise KeyError

    app.register_blueprint(blueprint)
    assert call.error("inside").kwargs["status"] == 410
    assert call.error("outside").uri == "wamp.error.runtime_error"


def test_pipeline_error_page_keeps_the_description(app: Flask, wamp: WAMP, call: Caller) -> None:
    """An application's pretty page for 404 is no text for a program."""

    @app.errorhandler(404)
    def page(error: NotFound) -> Any:
        return "<h1>Lost?</h1>", 404

    @app.get("/x")
    @wamp.callee
    def x() -> Any:
        abort(404, "no poll 7")

    error = call.error("x")
    assert error.uri == "wamp.error.not_found"
    assert error.kwargs == {"status": 404, "description": "no poll 7"}


def test_pipeline_error_handler_that_redirects_keeps_the_error(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    """Login extensions answer 401 with a redirect to the login page."""

    @app.errorhandler(401)
    def login(error: Exception) -> Any:
        return redirect("/login")

    @app.get("/x")
    @wamp.callee
    def x() -> Any:
        abort(401, "log in")

    error = call.error("x")
    assert error.uri == DENIED
    assert error.kwargs == {"status": 401, "description": "log in"}


def test_pipeline_declared_error_wins_over_error_handlers(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    handled = []

    @wamp.error("com.example.no_stock")
    class NoStock(Conflict):
        pass

    @app.errorhandler(Exception)
    def page(error: Exception) -> Any:
        handled.append(type(error))
        return "page", 500

    @app.get("/x/<int:kind>")
    @wamp.callee
    def x(kind: int) -> Any:
        raise NoStock("pen") if kind else ApplicationError("com.example.y", 1)

    error = call.error("x", 1)
    assert (error.uri, error.args) == ("com.example.no_stock", ("pen",))
    error = call.error("x", 0)
    assert (error.uri, error.args) == ("com.example.y", (1,))
    assert handled == [NoStock, ApplicationError]


@pytest.mark.parametrize("where", ["guard", "view", "after_request"])
def test_pipeline_any_other_error_is_generic_and_logged(
    app: Flask, wamp: WAMP, call: Caller, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []

    def note(sender: Any, exception: Any, **_: Any) -> None:
        sent.append(exception)

    def fail_in(place: str) -> None:
        if place == where:
            raise KeyError("secret")

    @app.before_request
    def before() -> None:
        fail_in("guard")

    @app.after_request
    def after(response: Response) -> Response:
        fail_in("after_request")
        return response

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        fail_in("view")
        return "x"

    with got_request_exception.connected_to(note, app):
        error = call.error("x")
    assert error.uri == "wamp.error.runtime_error"
    assert "secret" not in str(error)
    records = [record for record in caplog.records if error.kwargs["id"] in record.getMessage()]
    assert len(records) == 1
    assert [type(exception) for exception in sent] == [KeyError]


def test_pipeline_handler_of_500_runs_and_the_answer_stays_generic(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    """Its page is for people; what it does besides, cleaning up for instance, is done."""
    handled: list[Any] = []

    @app.errorhandler(500)
    def page(error: Any) -> Any:
        handled.append(error.original_exception)
        return "<h1>Sorry</h1>", 500

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        raise KeyError("secret")

    error = call.error("x")
    assert error.uri == "wamp.error.runtime_error"
    assert set(error.kwargs) == {"id"}
    assert [type(exception) for exception in handled] == [KeyError]


def test_pipeline_after_request_runs_after_a_failure(app: Flask, wamp: WAMP, call: Caller) -> None:
    """As it does for HTTP, where it may release what a guard has taken."""
    statuses = []

    @app.after_request
    def note(response: Response) -> Response:
        statuses.append(response.status_code)
        return response

    @app.get("/x/<int:known>")
    @wamp.callee
    def x(known: int) -> str:
        if known:
            abort(404)
        raise KeyError

    call.error("x", 1)
    call.error("x", 0)
    assert statuses == [404, 500]


def test_pipeline_errors_in_testing_mode_are_the_same(app: Flask, wamp: WAMP, call: Caller) -> None:
    app.testing = True

    @app.get("/x")
    @wamp.callee
    def x() -> str:
        raise KeyError

    assert call.error("x").uri == "wamp.error.runtime_error"


def test_pipeline_async_view(app: Flask, wamp: WAMP, call: Caller) -> None:
    pytest.importorskip("asgiref", reason="Flask runs async views with asgiref")

    @app.get("/x/<int:a>")
    @wamp.callee
    async def x(a: int) -> Any:
        return a

    assert call("x", 3) == 3


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
