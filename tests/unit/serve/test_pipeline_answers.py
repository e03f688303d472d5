"""A call of a route: what its results and its errors become."""

from collections.abc import Iterator
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
from werkzeug.exceptions import Conflict

from flask_wamp import WAMP, ApplicationError

from ..doubles import Caller, View

DENIED = "wamp.error.not_authorized"
RUNTIME_ERROR = "wamp.error.runtime_error"


# --- results


def test_pipeline_streamed_response_is_read_and_closed(view: View, call: Caller) -> None:
    closed = []

    @view("/stream/<int:status>")
    def stream(status: int) -> Response:
        response = Response(iter("ab"), status, mimetype="text/plain")
        response.call_on_close(lambda: closed.append(status))
        return response

    assert call("stream", 200) == "ab"
    assert call.error("stream", 404).args == ("ab",)
    assert closed == [200, 404]


def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
    """Answer as a WSGI application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([b"a", b"b"])


def test_pipeline_result_that_is_a_stream_for_flask(view: View, call: Caller) -> None:
    values: list[Any] = [iter("ab"), wsgi]

    @view("/give")
    def give() -> Any:
        return values.pop()

    assert [call("give"), call("give")] == ["ab", "ab"]


@pytest.mark.parametrize("value", [(1, 2), (1, 2, 3), (("a", "b"), 200)])
def test_pipeline_tuple_that_flask_refuses_is_refused(view: View, call: Caller, value: Any) -> None:
    @view("/give")
    def give() -> Any:
        return value

    assert call.error("give").uri == RUNTIME_ERROR


def test_pipeline_status_of_what_only_wamp_can_carry(view: View, call: Caller) -> None:
    @view("/give/<int:status>")
    def give(status: int) -> Any:
        return {"a": b"x"}, status

    assert call("give", 200) == {"a": b"x"}
    assert call.error("give", 409).kwargs["status"] == 409


@pytest.mark.parametrize("value", [{"a": 1}, None, True, 5, 1.5])
def test_pipeline_after_request_replaces_the_response(
    app: Flask, view: View, call: Caller, value: Any
) -> None:
    @app.after_request
    def wrap(response: Response) -> Response:
        return jsonify(wrapped=response.get_json())

    @view("/x")
    def x() -> Any:
        return value

    assert call("x") == {"wrapped": value}


def test_pipeline_after_request_changes_the_result(app: Flask, view: View, call: Caller) -> None:
    @app.after_request
    def sign(response: Response) -> Response:
        response.set_data(response.get_data(as_text=True) + "!")
        return response

    @view("/x")
    def x() -> str:
        return "x"

    assert call("x") == "x!"


def test_pipeline_after_request_refuses(app: Flask, view: View, call: Caller) -> None:
    @app.after_request
    def deny(response: Response) -> Response:
        response.status_code = 403
        return response

    @view("/x/<int:known>")
    def x(known: int) -> str:
        return "too much" if known else abort(404, "no x")

    for known, text in [(1, "too much"), (0, "no x")]:
        error = call.error("x", known)
        assert (error.uri, error.args, error.kwargs["status"]) == (DENIED, (text,), 403)


def test_pipeline_after_request_that_sets_headers_leaves_the_value(
    app: Flask, view: View, call: Caller
) -> None:
    @app.after_request
    def header(response: Response) -> Response:
        response.headers["X-Frame-Options"] = "DENY"
        return response

    @view("/x")
    def x() -> Any:
        return {"a": b"bytes"}

    assert call("x") == {"a": b"bytes"}


# --- errors


def test_pipeline_view_that_redirects(view: View, call: Caller) -> None:
    @view("/x")
    def x() -> Any:
        return redirect("/done", 303)

    error = call.error("x")
    text = "the view redirects to /done: return data where request.method is 'CALL'"
    assert (error.uri, error.args) == ("wamp.error.redirect", (text,))
    assert error.kwargs == {"status": 303, "location": "/done", "description": text}


def test_pipeline_error_handler_answers(app: Flask, view: View, call: Caller) -> None:
    """With an error, or with a result."""

    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return ("no c", 404) if error.args == ("c",) else {"missing": error.args[0]}

    @view("/x/<a>")
    def x(a: str) -> Any:
        return {"b": 1}[a]

    assert call("x", "b") == 1
    assert call("x", "a") == {"missing": "a"}
    error = call.error("x", "c")
    assert error.uri == "wamp.error.not_found"
    assert error.kwargs == {"status": 404, "description": "no c"}


def test_pipeline_error_handler_of_a_blueprint(
    app: Flask, wamp: WAMP, view: View, call: Caller
) -> None:
    blueprint = Blueprint("shop", __name__)

    @blueprint.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return "missing", 410

    @blueprint.get("/in")
    @wamp.callee
    def inside() -> Any:
        raise KeyError

    @view("/out")
    def outside() -> Any:
        raise KeyError

    app.register_blueprint(blueprint)
    assert call.error("inside").kwargs["status"] == 410
    assert call.error("outside").uri == RUNTIME_ERROR


@pytest.mark.parametrize(
    ("status", "uri", "page", "more"),
    [
        (404, "wamp.error.not_found", ("<h1>Lost?</h1>", 404), {}),
        (404, "wamp.error.not_found", ({"lost": True}, 404), {"body": {"lost": True}}),
        (400, "wamp.error.invalid_argument", redirect("/help"), {}),
        (401, DENIED, redirect("/login"), {}),
    ],
)
def test_pipeline_error_page_keeps_the_error(
    app: Flask, view: View, call: Caller, status: int, uri: str, page: Any, more: dict[str, Any]
) -> None:
    """An application's pretty page is no text for a program, nor is the way to its login page."""
    app.register_error_handler(status, lambda error: page)

    @view("/x")
    def x() -> Any:
        abort(status, "because")

    error = call.error("x")
    assert error.uri == uri
    assert error.kwargs == {"status": status, "description": "because", **more}


def test_pipeline_declared_error_wins_over_error_handlers(
    app: Flask, wamp: WAMP, view: View, call: Caller
) -> None:
    handled = []

    @wamp.error("com.example.no_stock")
    class NoStock(Conflict):
        pass

    @app.errorhandler(Exception)
    def page(error: Exception) -> Any:
        handled.append(type(error))
        return "page", 500

    @view("/x/<int:kind>")
    def x(kind: int) -> Any:
        raise NoStock("pen") if kind else ApplicationError("com.example.y", 1)

    error = call.error("x", 1)
    assert (error.uri, error.args) == ("com.example.no_stock", ("pen",))
    error = call.error("x", 0)
    assert (error.uri, error.args) == ("com.example.y", (1,))
    assert handled == [NoStock, ApplicationError]


@pytest.mark.parametrize("where", ["guard", "view", "after_request"])
def test_pipeline_any_other_error_is_generic_and_logged(
    app: Flask, view: View, call: Caller, where: str, caplog: pytest.LogCaptureFixture
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

    @view("/x")
    def x() -> str:
        fail_in("view")
        return "x"

    with got_request_exception.connected_to(note, app):
        error = call.error("x")
    assert error.uri == RUNTIME_ERROR
    assert "secret" not in str(error)
    records = [record for record in caplog.records if error.kwargs["id"] in record.getMessage()]
    assert len(records) == 1
    assert [type(exception) for exception in sent] == [KeyError]


def test_pipeline_handler_of_500_runs_and_the_answer_stays_generic(
    app: Flask, view: View, call: Caller
) -> None:
    """Its page is for people; what it does besides, cleaning up for instance, is done."""
    handled: list[Any] = []

    @app.errorhandler(500)
    def page(error: Any) -> Any:
        handled.append(error.original_exception)
        return "<h1>Sorry</h1>", 500

    @view("/x")
    def x() -> str:
        raise KeyError("secret")

    error = call.error("x")
    assert error.uri == RUNTIME_ERROR
    assert set(error.kwargs) == {"id"}
    assert [type(exception) for exception in handled] == [KeyError]


def test_pipeline_after_request_runs_after_a_failure(app: Flask, view: View, call: Caller) -> None:
    """As it does for HTTP, where it may release what a guard has taken."""
    statuses = []

    @app.after_request
    def note(response: Response) -> Response:
        statuses.append(response.status_code)
        return response

    @view("/x/<int:known>")
    def x(known: int) -> str:
        if known:
            abort(404)
        raise KeyError

    call.error("x", 1)
    call.error("x", 0)
    assert statuses == [404, 500]


def test_pipeline_errors_in_testing_mode_are_the_same(app: Flask, view: View, call: Caller) -> None:
    app.testing = True

    @view("/x")
    def x() -> str:
        raise KeyError

    assert call.error("x").uri == RUNTIME_ERROR
