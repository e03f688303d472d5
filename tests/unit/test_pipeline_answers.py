"""A call of a route: what its results and its errors become."""

from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    got_request_exception,
    jsonify,
    redirect,
)
from werkzeug.exceptions import Conflict, NotFound

from flask_wamp import WAMP, ApplicationError
from flask_wamp.serve.statuses import URI_BY_STATUS

from .doubles import Caller

INVALID = "wamp.error.invalid_argument"
DENIED = "wamp.error.not_authorized"


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
