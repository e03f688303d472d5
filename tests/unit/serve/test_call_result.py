"""Views that return a ``CallResult``: JSON over HTTP, several values over WAMP."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, make_response
from flask.views import MethodView

from flask_wamp import WAMP, CallResult

from ..doubles import Caller

RESULT: Any = CallResult((1, "two", [3]), {"four": {"five": None}})
JSON = {"args": [1, "two", [3]], "kwargs": {"four": {"five": None}}}


@pytest.mark.parametrize(
    ("value", "status", "json"),
    [
        (RESULT, 200, JSON),
        (CallResult(), 200, {"args": [], "kwargs": {}}),
        (CallResult((1, 2)), 200, {"args": [1, 2], "kwargs": {}}),
        (
            CallResult((date(2026, 1, 2),), {"price": Decimal("1.50"), "more": CallResult((1,))}),
            200,
            {
                "args": ["Fri, 02 Jan 2026 00:00:00 GMT"],
                "kwargs": {"price": "1.50", "more": {"args": [1], "kwargs": {}}},
            },
        ),
        ((RESULT, 201), 201, JSON),
        ((RESULT, "202 ACCEPTED"), 202, JSON),
        ((RESULT, 409), 409, JSON),
        ({"result": RESULT}, 200, {"result": JSON}),
        (([RESULT], 201), 201, [JSON]),
    ],
)
def test_call_result_over_http(
    app: Flask, wamp: WAMP, value: Any, status: int, json: dict[str, Any]
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return value

    answer = app.test_client().get("/give")
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.json == json


@pytest.mark.parametrize(
    ("value", "status"), [((RESULT, 201, {"X-A": "b"}), 201), ((RESULT, [("X-A", "b")]), 200)]
)
def test_call_result_with_headers(
    app: Flask, wamp: WAMP, call: Caller, value: Any, status: int
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return value

    answer = app.test_client().get("/give")
    assert (answer.status_code, answer.headers["X-A"]) == (status, "b")
    assert answer.json == JSON
    assert call("give") == RESULT


def test_call_result_over_http_and_wamp(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.get("/split/<int:number>")
    @wamp.callee
    def split(number: int) -> Any:
        # Its annotation is checked, so another function stands before it over HTTP.
        return CallResult((number, number + 1), {"left": number - 1})

    assert app.test_client().get("/split/5").json == {"args": [5, 6], "kwargs": {"left": 4}}
    assert call("split", 5) == CallResult((5, 6), {"left": 4})


def test_call_result_with_bytes_is_for_wamp_alone(app: Flask, wamp: WAMP, call: Caller) -> None:
    """As for a dict with bytes in it: JSON has none."""

    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return CallResult((b"\xff", 1))

    assert call("give") == CallResult((b"\xff", 1))
    assert app.test_client().get("/give").status_code == 500
    app.testing = True
    with pytest.raises(TypeError, match="bytes is not JSON serializable"):
        app.test_client().get("/give")


def test_call_result_is_what_after_request_sees(app: Flask, wamp: WAMP, call: Caller) -> None:
    seen: list[Any] = []

    @app.after_request
    def look(response: Response) -> Response:
        seen.append(response.json)
        return response

    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return RESULT

    assert app.test_client().get("/give").json == JSON
    assert call("give") == RESULT
    assert seen == [JSON, JSON]


def test_call_result_with_an_error_status_is_the_error_s_body(
    app: Flask, wamp: WAMP, call: Caller
) -> None:
    @app.get("/give")
    @wamp.callee
    def give() -> Any:
        return RESULT, 409

    assert call.error("give").kwargs["body"] == JSON


# --- wherever Flask makes a response


def of_a_function(app: Flask) -> None:
    """Declare a view."""
    app.get("/")(lambda: RESULT)


def of_a_coroutine(app: Flask) -> None:
    """Declare an asynchronous view."""

    async def give() -> Any:
        return RESULT

    app.get("/")(give)


def of_a_blueprint(app: Flask) -> None:
    """Declare a blueprint's view."""
    blueprint = Blueprint("results", "results")
    blueprint.get("/")(lambda: RESULT)
    app.register_blueprint(blueprint)


def of_a_class(app: Flask) -> None:
    """Declare a view that is a class."""

    class Results(MethodView):
        def get(self) -> Any:
            return RESULT

    app.add_url_rule("/", view_func=Results.as_view("results"))


def of_a_guard(app: Flask) -> None:
    """Let a guard answer."""
    app.before_request(lambda: RESULT)


def of_an_error_handler(app: Flask) -> None:
    """Let an error handler answer."""
    app.errorhandler(404)(lambda _error: (RESULT, 200))
    app.get("/")(lambda: abort(404))


def of_a_helper(app: Flask) -> None:
    """Make the response in the view."""
    app.get("/")(lambda: make_response(RESULT))


@pytest.mark.parametrize(
    "declare",
    [
        of_a_function,
        of_a_coroutine,
        of_a_blueprint,
        of_a_class,
        of_a_guard,
        of_an_error_handler,
        of_a_helper,
    ],
)
@pytest.mark.usefixtures("wamp")
def test_call_result_of_any_view(app: Flask, declare: Callable[[Flask], None]) -> None:
    declare(app)
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.json) == (200, JSON)


def test_call_result_of_a_subclass_of_flask() -> None:
    class Shop(Flask):
        def make_response(self, rv: Any) -> Any:
            if rv is None:
                return self.response_class(status=204)
            response = super().make_response(rv)
            response.headers["X-Shop"] = "1"
            return response

    app = Shop("shop")
    WAMP(app)
    app.get("/give")(lambda: RESULT)

    @app.get("/nothing")
    def nothing() -> Any:
        return None

    client = app.test_client()
    answer = client.get("/give")
    assert (answer.json, answer.headers["X-Shop"]) == (JSON, "1")
    assert client.get("/nothing").status_code == 204
