"""Views with annotated arguments: over HTTP and over WAMP they take, and refuse, the same."""

import datetime as dt
import functools
import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from flask import Blueprint, Flask, Response, abort, g, request
from flask.testing import FlaskClient
from pydantic import AfterValidator, BaseModel, Field

from flask_wamp import WAMP

from ..doubles import Caller, Declare, View

INVALID = "wamp.error.invalid_argument"


class Order(BaseModel):
    """An order."""

    article: str
    quantity: int = Field(gt=0)


def show(count: int) -> str:
    """Return what it got."""
    return repr(count)


def never(count: int) -> Any:
    """Run never, since the arguments do not fit."""
    raise AssertionError


def errors_of(response: Any) -> Any:
    """Return the list of errors of a response, which is 400 and JSON."""
    assert response.status_code == 400
    assert response.mimetype == "application/json"
    assert set(response.json) == {"status", "description", "errors"}
    assert response.json["status"] == 400
    assert response.json["description"]
    return response.json["errors"]


def places(errors: Any) -> list[tuple[list[Any], str]]:
    """Return where the errors are, and of which type."""
    return [(error["loc"], error["type"]) for error in errors]


def missing(name: str) -> dict[str, Any]:
    """Return the error for an argument that is not there."""
    return {"loc": [name], "type": "missing", "msg": "Field required"}


# --- what a view gets


def test_typed_views_variables_of_the_url_are_converted(view: View, http: FlaskClient) -> None:
    @view("/<day>/<count>/<plain>")
    def show(day: dt.date, count: int, plain: Any) -> list[str]:
        return [repr(day), repr(count), repr(plain)]

    assert http.get("/2026-01-02/3/4").json == [
        "datetime.date(2026, 1, 2)",
        "3",
        "'4'",
    ]


def test_typed_views_converters_come_first(view: View, http: FlaskClient) -> None:
    @view("/<int:count>")
    def show(count: Annotated[int, Field(gt=3)]) -> str:
        return repr(count)

    assert http.get("/4").text == "4"
    assert http.get("/x").status_code == 404
    assert places(errors_of(http.get("/3"))) == [(["count"], "greater_than")]


def test_typed_views_json_body_fills_what_the_url_leaves_open(
    view: View, http: FlaskClient
) -> None:
    @view("/orders/<customer>", methods=["POST"])
    def order(customer: str, order: Order, when: dt.date | None = None) -> list[str]:
        return [customer, repr(order), repr(when)]

    body = {"customer": "mallory", "order": {"article": "pen", "quantity": "2"}, "other": 1}
    made = ["alice", "Order(article='pen', quantity=2)", "None"]
    assert http.post("/orders/alice", json=body).json == made
    response = http.post("/orders/alice", json={**body, "when": "2026-01-02"})
    assert response.json == [*made[:2], "datetime.date(2026, 1, 2)"]


def test_typed_views_default_of_the_rule_is_no_matter_of_the_body(
    app: Flask, view: View, http: FlaskClient
) -> None:
    @app.post("/list", defaults={"page": 1})
    @view("/list/<int:page>", methods=["POST"])
    def pages(page: int, size: int = 10) -> list[int]:
        return [page, size]

    assert http.post("/list", json={"page": 5, "size": 20}).json == [1, 20]
    assert http.post("/list/3").json == [3, 10]


def test_typed_views_other_keys_of_the_body_stay_there(view: View, http: FlaskClient) -> None:
    """Only what names a parameter goes from the body to the view."""

    @view("/", methods=["POST"])
    def order(count: int, note: Any = "none", **others: Any) -> list[Any]:
        return [count, note, others, request.get_json()]

    body = {"count": "1", "note": "x", "self": 2}
    assert http.post("/", json=body).json == [1, "x", {}, body]


@pytest.mark.parametrize(
    "body",
    [
        {"data": "[1, 2]", "content_type": "text/plain"},
        {"data": "[1, 2]", "content_type": "application/json"},
        {"data": '"x"', "content_type": "application/json"},
        {"data": "{", "content_type": "application/json"},
        {"data": "", "content_type": "application/json"},
        {"data": "\xff", "content_type": "application/json"},
        {"data": '{"count": 1}', "content_type": "text/plain"},
        {"data": {"count": "1"}},
        {"query_string": {"count": "1"}},
        {},
    ],
)
def test_typed_views_body_that_is_no_json_object_fills_nothing(
    view: View, http: FlaskClient, body: dict[str, Any]
) -> None:
    view("/", methods=["POST"])(never)
    assert errors_of(http.post("/", **body)) == [missing("count")]


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"a":' * 200_000, '{"count":' + "[" * 200_000])
def test_typed_views_body_too_deep_to_read_fills_nothing(
    view: View, http: FlaskClient, deep: str
) -> None:
    view("/", methods=["POST"])(never)
    response = http.post("/", data=deep, content_type="application/json")
    assert errors_of(response) == [missing("count")]


def test_typed_views_deep_value_in_the_body(view: View, http: FlaskClient) -> None:
    view("/", methods=["POST"])(never)
    data = '{"count":' + "[" * 500 + "]" * 500 + "}"
    response = http.post("/", data=data, content_type="application/json")
    assert places(errors_of(response)) == [(["count"], "int_type")]


# --- what is refused


def test_typed_views_all_that_does_not_fit_is_listed(view: View, http: FlaskClient) -> None:
    @view("/<count>", methods=["POST"])
    def order(count: int, order: Order, plain: Any, day: dt.date) -> Any:
        raise AssertionError

    response: Any = http.post("/x", json={"order": {"quantity": 0}})
    errors = errors_of(response)
    assert sorted(places(errors)) == [
        (["count"], "int_parsing"),
        (["day"], "missing"),
        (["order", "article"], "missing"),
        (["order", "quantity"], "greater_than"),
        (["plain"], "missing"),
    ]
    assert all(set(error) == {"loc", "type", "msg"} for error in errors)
    assert "order.quantity: Input should be greater than 0" in response.json["description"]


def test_typed_views_misfit_is_a_response_like_any_other(
    app: Flask, view: View, http: FlaskClient
) -> None:
    """An error handler sees the errors, and after_request the response."""
    seen: list[Any] = []

    @app.errorhandler(400)
    def page(error: Any) -> Any:
        seen.append(places(error.errors))
        return "page", 422

    @app.after_request
    def note(response: Response) -> Response:
        seen.append(response.status_code)
        return response

    view("/<count>")(never)
    response = http.get("/x")
    assert (response.status_code, response.text) == (422, "page")
    assert seen == [[(["count"], "int_parsing")], 422]


def test_typed_views_errors_are_the_same_over_wamp(
    view: View, http: FlaskClient, call: Caller
) -> None:
    @view("/orders/<customer>", methods=["POST"])
    def order(customer: Annotated[str, Field(min_length=3)], order: Order, count: int) -> Any:
        raise AssertionError

    body = {"order": {"quantity": 0}, "count": "x"}
    over_http: Any = http.post("/orders/al", json=body)
    error = call.error("order", customer="al", **body)
    assert error.uri == INVALID
    assert error.kwargs["errors"] == errors_of(over_http)
    assert len(error.kwargs["errors"]) == 4
    assert error.kwargs["description"] == over_http.json["description"]
    assert error.kwargs["status"] == 400


def test_typed_views_values_are_the_same_over_wamp(
    view: View, http: FlaskClient, call: Caller
) -> None:
    @view("/orders/<int:number>/<day>", methods=["POST"])
    def order(number: int, day: dt.date, order: Order) -> list[str]:
        return [repr(number), repr(day), repr(order)]

    body: dict[str, Any] = {"order": {"article": "pen", "quantity": "2"}}
    made = ["7", "datetime.date(2026, 1, 2)", "Order(article='pen', quantity=2)"]
    assert http.post("/orders/7/2026-01-02", json=body).json == made
    assert call("order", 7, "2026-01-02", **body) == made
    assert call("order", number="7", day="2026-01-02", **body) == made
    assert call("order", 7, "2026-01-02", body["order"]) == made


def test_typed_views_call_is_converted_by_the_rule_and_then_checked(
    view: View, call: Caller
) -> None:
    @view("/<int:count>")
    def show(count: Annotated[int, Field(gt=3)], other: int = 0) -> list[int]:
        return [count, other]

    assert call("show", "4") == [4, 0]
    assert call("show", 4, other="5") == [4, 5]
    assert places(call.error("show", 3).kwargs["errors"]) == [(["count"], "greater_than")]
    # What no URL can say is refused by the rule, without a list.
    error = call.error("show", "four")
    assert (error.uri, error.kwargs["parameter"]) == (INVALID, "count")
    assert "errors" not in error.kwargs


def test_typed_views_call_is_checked_once(view: View, http: FlaskClient, call: Caller) -> None:
    """Also after a request has shown that there is something to check."""
    checks: list[int] = []

    def note(value: int) -> int:
        checks.append(value)
        return value + 1

    @view("/<count>")
    def show(count: Annotated[int, AfterValidator(note)]) -> str:
        return repr(count)

    assert http.get("/1").text == "2"
    assert call("show", "5") == "6"
    assert http.get("/7").text == "8"
    assert checks == [1, 5, 7]


def test_typed_views_view_under_two_uris_is_checked_once(
    app: Flask, wamp: WAMP, http: FlaskClient, call: Caller
) -> None:
    """Converting what was converted already gives something else, or an error."""

    @app.get("/<count>")
    @wamp.callee("com.shop.a")
    @wamp.callee("com.shop.b")
    def show(count: Annotated[int, AfterValidator(lambda value: value + 1)]) -> str:
        return repr(count)

    assert http.get("/1").text == "2"
    assert call("com.shop.a", 1) == call("com.shop.b", 1) == "2"


def test_typed_views_every_endpoint_of_a_view_is_checked(
    app: Flask, wamp: WAMP, http: FlaskClient
) -> None:
    wamp.callee(show)

    app.add_url_rule("/one/<count>", endpoint="one", view_func=show)
    app.add_url_rule("/two/<count>", endpoint="two", view_func=show)
    assert http.get("/one/1").text == "1"
    assert http.get("/two/1").text == "1"
    assert http.get("/two/x").status_code == 400


# --- which views


def test_typed_views_of_a_blueprint(
    app: Flask, wamp: WAMP, http: FlaskClient, call: Caller
) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.errorhandler(400)
    def page(error: Any) -> Any:
        return f"page of {len(error.errors)}", 400

    blueprint.get("/<count>")(wamp.callee(show))
    app.register_blueprint(blueprint)
    assert http.get("/shop/3").text == "3"
    assert http.get("/shop/x").text == "page of 1"
    assert call("show", "3") == "3"


def through(function: Callable[..., Any]) -> Callable[..., Any]:
    """Note in ``g`` what passes through, as decorators do."""

    @functools.wraps(function)
    def passing(*args: Any, **kwargs: Any) -> Any:
        g.passed = [*g.get("passed", ()), *args, *kwargs.values()]
        return function(*args, **kwargs)

    return passing


@pytest.mark.parametrize("order", ["RC", "CR", "RDC", "CDR", "RCD"])
def test_typed_views_in_every_order_of_decorators(
    app: Flask, wamp: WAMP, http: FlaskClient, call: Caller, order: str
) -> None:
    """R: ``app.get``, C: ``wamp.callee``, D: another decorator; the outermost first."""
    decorators: dict[str, Declare] = {"R": app.get("/<count>"), "C": wamp.callee, "D": through}

    def show(count: int) -> Any:
        return {"count": count, "passed": g.get("passed")}

    decorated: Any = show
    for letter in reversed(order):
        decorated = decorators[letter](decorated)
    over_http: Any = http.get("/3").json
    assert over_http["count"] == 3
    # A decorator that runs gets what the view gets.
    assert over_http["passed"] in (None, [3])
    assert places(errors_of(http.get("/x"))) == [(["count"], "int_parsing")]
    assert call("show", "3")["count"] == 3
    assert call.error("show", "x").uri == INVALID


@pytest.mark.parametrize("http_first", [True, False])
def test_typed_views_async(
    app: Flask, view: View, http: FlaskClient, call: Caller, http_first: bool
) -> None:
    """Over WAMP, it stays a route, and so do its guards."""
    pytest.importorskip("asgiref", reason="Flask runs async views with asgiref")
    guarded = []

    @app.before_request
    def guard() -> None:
        guarded.append(request.method)

    @view("/<count>", methods=["POST"])
    async def show(count: int, other: int = 0) -> list[int]:
        return [count, other]

    if not http_first:
        assert call("show", "3", other="4") == [3, 4]
        assert guarded == ["CALL"]
    assert http.post("/3", json={"other": "4"}).json == [3, 4]
    assert places(errors_of(http.post("/x"))) == [(["count"], "int_parsing")]
    del guarded[:]
    assert call("show", "3", other="4") == [3, 4]
    assert guarded == ["CALL"]


def test_typed_views_that_are_no_procedures_are_untouched(
    app: Flask, view: View, http: FlaskClient
) -> None:
    @app.post("/plain/<count>")
    def plain(count: int, other: int = 0) -> list[Any]:
        return [count, other]

    @view("/typed/<count>", methods=["POST"])
    def typed(count: int) -> list[int]:
        return [count]

    given = app.view_functions["plain"]
    assert http.post("/plain/3", json={"other": 4}).json == ["3", 0]
    assert http.post("/typed/3").json == [3]
    assert app.view_functions["plain"] is given


def test_typed_views_without_annotations_are_untouched(
    app: Flask, view: View, http: FlaskClient
) -> None:
    @view("/<count>", methods=["POST"])
    def show(count: Any, other=0) -> list[Any]:  # type: ignore[no-untyped-def]
        return [count, other]

    given = app.view_functions["show"]
    assert http.post("/3", json={"other": 4}).json == ["3", 0]
    assert app.view_functions["show"] is given


def test_typed_views_without_a_request_are_checked_over_http(
    app: Flask, wamp: WAMP, http: FlaskClient, call: Caller
) -> None:
    @app.get("/<count>")
    @wamp.callee(request=False)
    def show(count: int) -> list[Any]:
        return [count, bool(request)]

    assert http.get("/3").json == [3, True]
    assert http.get("/x").status_code == 400
    assert call("show", "3") == [3, False]


def test_typed_views_declared_after_the_first_request(
    app: Flask, wamp: WAMP, http: FlaskClient
) -> None:
    app.get("/<count>")(show)
    assert http.get("/3").text == "'3'"
    wamp.callee(show)
    assert http.get("/3").text == "3"


def test_typed_views_of_two_applications() -> None:
    wamp = WAMP()
    one, two = Flask("one"), Flask("two")

    wamp.callee(show)

    for app in (one, two):
        wamp.init_app(app)
        app.get("/<count>")(show)
        assert app.test_client().get("/3").text == "3"
        assert app.test_client().get("/x").status_code == 400


def test_typed_views_many_requests_wrap_a_view_once(
    app: Flask, wamp: WAMP, view: View, http: FlaskClient
) -> None:
    view("/<count>")(show)
    http.get("/3")
    given = app.view_functions["show"]
    assert given is not show
    wamp.callee("com.shop.other")(lambda: None)
    http.get("/3")
    assert app.view_functions["show"] is given


# --- guards


def test_typed_views_guards_run_before_the_check(
    app: Flask, wamp: WAMP, view: View, http: FlaskClient, call: Caller
) -> None:
    @app.before_request
    def guard() -> None:
        abort(401)

    view("/<count>")(never)
    assert http.get("/x").status_code == 401
    assert call.error("never", "x").uri == "wamp.error.not_authorized"


def test_typed_views_guard_of_a_blueprint_runs_before_the_check(
    app: Flask, wamp: WAMP, http: FlaskClient, call: Caller
) -> None:
    blueprint = Blueprint("shop", __name__)

    @blueprint.before_request
    def guard() -> Any:
        return "log in", 401

    blueprint.get("/<count>")(wamp.callee(never))

    app.register_blueprint(blueprint)
    assert http.get("/x").status_code == 401
    assert call.error("never", "x").uri == "wamp.error.not_authorized"


def test_typed_views_preprocessor_replaces_a_variable(
    app: Flask, view: View, http: FlaskClient, call: Caller
) -> None:
    """What it has made of it is what is checked."""

    @app.url_value_preprocessor
    def load(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if values:
            values["order"] = {"article": values["order"], "quantity": 1}

    @view("/<order>")
    def show(order: Order) -> str:
        return repr(order)

    assert http.get("/pen").text == "Order(article='pen', quantity=1)"
    assert call("show", "pen") == "Order(article='pen', quantity=1)"


# --- over WAMP alone


def test_typed_views_handlers_get_what_their_annotations_say(
    wamp: WAMP, call: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    @wamp.subscribe("com.shop.sold")
    def sold(order: Order, day: dt.date | None = None) -> None:
        seen.append((order, day))

    pen = {"article": "pen", "quantity": "2"}
    call.deliver("com.shop.sold", pen, day="2026-01-02")
    call.deliver("com.shop.sold", {**pen, "quantity": 0})
    call.deliver("com.shop.sold", order=pen)
    order = Order(article="pen", quantity=2)
    assert seen == [(order, dt.date(2026, 1, 2)), (order, None)]
    (record,) = caplog.records
    assert "did not handle an event of com.shop.sold" in record.getMessage()
    assert "order.quantity: Input should be greater than 0" in record.getMessage()
    assert not record.exc_info


def test_typed_views_body_of_errors_is_json_of_any_value(view: View, http: FlaskClient) -> None:
    @view("/", methods=["POST"])
    def order(counts: dict[str, int]) -> Any:
        raise AssertionError

    data = json.dumps({"counts": {"\ud800 größe\n": "x", "k" * 5000: "y"}})
    response = http.post("/", data=data, content_type="application/json")
    errors = errors_of(response)
    assert [error["loc"][0] for error in errors] == ["counts", "counts"]
    assert len(response.data) < 3000
