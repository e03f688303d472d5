"""Events that go out when a request, a call or another context has ended well."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g
from flask.testing import FlaskClient

from flask_wamp import WAMP, ApplicationError, NotConnected, OptionError, PayloadError, SetupError
from flask_wamp.call.options import Options
from flask_wamp.call.outbox import MAX_KEPT
from flask_wamp.errors import RemoteError
from flask_wamp.state import state_of

from ..doubles import Caller, RecordingLink, View


def topics(link: RecordingLink) -> list[str]:
    """Return the topics of the events that went out."""
    return [event[0] for event in link.published]


def keep(*topics: str) -> None:
    """Let the current context send events when it has ended well."""
    for topic in topics:
        g.wampy.publish_on_success(topic)


def keep_and_raise(topic: str, error: type[BaseException]) -> None:
    """Keep an event, and fail."""
    keep(topic)
    raise error("x")


# --- over HTTP


@pytest.mark.parametrize(
    ("status", "well"),
    [
        *((status, True) for status in (200, 201, 204, 302, 304, 399)),
        *((status, False) for status in (400, 404, 422, 500, 503)),
    ],
)
def test_outbox_of_a_response(
    app: Flask, http: FlaskClient, link: RecordingLink, status: int, well: bool
) -> None:
    @app.get("/<how>")
    def view(how: str) -> Any:
        keep(how)
        assert link.published == []
        return abort(status) if how == "aborts" else ("", status)

    assert http.get("/returns").status_code == status
    assert topics(link) == ["returns"] * well
    if not well:
        assert http.get("/aborts").status_code == status
        assert link.published == []


def test_outbox_sends_what_was_given(app: Flask, http: FlaskClient, link: RecordingLink) -> None:
    @app.get("/")
    def view() -> str:
        client = g.wampy.with_options(exclude_me=True, timeout=3)
        assert client.publish_on_success("sold", 1, (2,), uri="pen") is None
        g.wampy.publish_on_success(topic="bought", self=1)
        return ""

    http.get("/")
    assert link.published == [
        (
            "sold",
            [1, [2]],
            {"uri": "pen"},
            Options(timeout=3.0, exclude_me=True),
        ),
        ("bought", [], {"self": 1}, Options(timeout=10.0)),
    ]


def test_outbox_payload_is_the_one_of_the_call(
    app: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    """Whatever the view makes of its objects afterwards."""

    @app.get("/")
    def view() -> str:
        pens = {"left": [1, 2]}
        g.wampy.publish_on_success("sold", pens, pens=pens)
        pens["left"].append(3)
        pens["other"] = []
        return ""

    http.get("/")
    ((_topic, args, kwargs, _options),) = link.published
    assert (args, kwargs) == ([{"left": [1, 2]}], {"pens": {"left": [1, 2]}})


def test_outbox_keeps_the_order(app: Flask, http: FlaskClient, link: RecordingLink) -> None:
    @app.before_request
    def guard() -> None:
        keep("a")

    @app.get("/")
    def view() -> str:
        keep("b", "c")
        return ""

    @app.after_request
    def after(response: Response) -> Response:
        keep("d")
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        keep("e")

    http.get("/")
    assert topics(link) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("propagates", [True, False])
def test_outbox_of_a_request_that_fails(
    app: Flask, http: FlaskClient, link: RecordingLink, propagates: bool
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = propagates

    @app.get("/")
    def view() -> Any:
        keep("sold")
        raise KeyError("x")

    if propagates:
        with pytest.raises(KeyError):
            http.get("/")
    else:
        assert http.get("/").status_code == 500
    assert link.published == []


@pytest.mark.parametrize("status", [200, 404, 500])
def test_outbox_error_handler_has_the_last_word(
    app: Flask, http: FlaskClient, link: RecordingLink, status: int
) -> None:
    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return "missing", status

    @app.get("/")
    def view() -> Any:
        keep("sold")
        raise KeyError("x")

    assert http.get("/").status_code == status
    assert topics(link) == ["sold"] * (status == 200)


@pytest.mark.parametrize(("status", "well"), [(200, True), (403, False)])
def test_outbox_sees_what_after_request_has_made(
    app: Flask, http: FlaskClient, link: RecordingLink, status: int, well: bool
) -> None:
    blueprint = Blueprint("shop", __name__)

    @blueprint.after_request
    def decide(response: Response) -> Response:
        response.status_code = status
        return response

    @blueprint.get("/")
    def view() -> Any:
        keep("sold")
        return "", 403 if well else 200

    app.register_blueprint(blueprint)
    http.get("/")
    assert topics(link) == ["sold"] * well


def test_outbox_of_a_guard_that_answers(app: Flask, http: FlaskClient, link: RecordingLink) -> None:
    @app.before_request
    def guard() -> Any:
        keep("denied")
        return "log in", 401

    http.get("/")
    assert link.published == []


def test_outbox_goes_out_before_the_response(
    app: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    """Who has read the response finds the event sent."""
    sent = []

    def body() -> Iterator[str]:
        sent.extend(topics(link))
        yield "x"

    @app.get("/")
    def view() -> Response:
        keep("sold")
        return Response(body())

    assert http.get("/").text == "x"
    assert sent == topics(link) == ["sold"]


def test_outbox_requests_are_apart(app: Flask, http: FlaskClient, link: RecordingLink) -> None:
    @app.get("/<topic>/<int:status>")
    def view(topic: str, status: int) -> Any:
        keep(topic)
        return "", status

    http.get("/a/500")
    http.get("/b/200")
    http.get("/c/200")
    assert topics(link) == ["b", "c"]


# --- in calls


@pytest.fixture(params=["plain", "route"])
def sell(request: pytest.FixtureRequest, app: Flask, wamp: WAMP) -> Any:
    """Declare a procedure that keeps an event, and then ends as *how* says."""

    def sell(how: str) -> Any:
        keep("sold")
        if how == "error":
            raise ApplicationError("com.shop.no_stock")
        if how == "fail":
            raise KeyError("x")
        if how == "abort":
            abort(409)
        if how == "generator":
            return (n for n in range(3))
        return {
            "value": 1,
            "none": None,
            "status": ("no", 409),
            "redirect": ("", 302),
            "unfit": object(),
            "response": Response("ok"),
            "denied": Response("no", status=403),
        }[how]

    wamp.callee(sell)
    if request.param == "route":
        app.get("/sell/<how>")(sell)
    return sell


@pytest.mark.parametrize("how", ["value", "none", "response", "generator"])
def test_outbox_of_a_call_with_a_result(
    call: Caller, link: RecordingLink, sell: Any, how: str
) -> None:
    call("sell", how)
    assert topics(link) == ["sold"]


@pytest.mark.parametrize("how", ["error", "fail", "abort", "status", "redirect", "unfit", "denied"])
def test_outbox_of_a_call_with_an_error(
    call: Caller, link: RecordingLink, sell: Any, how: str
) -> None:
    call.error("sell", how)
    assert link.published == []


def test_outbox_of_a_route_over_http_as_well(
    view: View, http: FlaskClient, call: Caller, link: RecordingLink
) -> None:
    @view("/sell/<int:status>")
    def sell(status: int) -> Any:
        keep("sold")
        return "", status

    http.get("/sell/404")
    call.error("sell", 404)
    assert link.published == []
    http.get("/sell/200")
    call("sell", 200)
    assert topics(link) == ["sold", "sold"]


def test_outbox_of_a_call_whose_error_handler_makes_a_result(
    app: Flask, view: View, call: Caller, link: RecordingLink
) -> None:
    @app.errorhandler(KeyError)
    def missing(error: KeyError) -> Any:
        return "missing", error.args[0]

    @view("/sell/<int:status>")
    def sell(status: int) -> Any:
        keep(f"status{status}")
        raise KeyError(status)

    assert call("sell", 200) == "missing"
    call.error("sell", 500)
    assert topics(link) == ["status200"]


def test_outbox_of_a_call_whose_own_error_a_handler_answers(
    app: Flask, view: View, http: FlaskClient, call: Caller, link: RecordingLink
) -> None:
    """The caller gets the error, whatever page the handler made."""

    @app.errorhandler(ApplicationError)
    def page(error: ApplicationError) -> str:
        return "page"

    @view("/sell")
    def sell() -> Any:
        keep("sold")
        raise ApplicationError("com.shop.no_stock")

    assert call.error("sell").uri == "com.shop.no_stock"
    assert link.published == []
    assert http.get("/sell").text == "page"
    assert topics(link) == ["sold"]


def test_outbox_of_a_call_that_after_request_refuses(
    app: Flask, view: View, call: Caller, link: RecordingLink
) -> None:
    @app.after_request
    def deny(response: Response) -> Response:
        response.status_code = 403
        return response

    @view("/sell")
    def sell() -> str:
        keep("sold")
        return "sold"

    call.error("sell")
    assert link.published == []


def test_outbox_of_a_generator_that_fails_midway(
    wamp: WAMP, call: Caller, link: RecordingLink
) -> None:
    @wamp.callee
    def count(fail: bool) -> Iterator[int]:
        keep("begun")
        yield 1
        if fail:
            raise KeyError("x")
        keep("ended")

    call.error("count", True)
    assert link.published == []
    call.stream("count", False)
    assert topics(link) == ["begun", "ended"]


def test_outbox_of_a_handler(wamp: WAMP, call: Caller, link: RecordingLink) -> None:
    @wamp.subscribe("com.shop.sold")
    def sold(fail: bool) -> None:
        keep("counted")
        if fail:
            raise KeyError("x")

    call.deliver("com.shop.sold", True)
    assert link.published == []
    call.deliver("com.shop.sold", False)
    assert topics(link) == ["counted"]


# --- in other contexts


def test_outbox_of_an_application_context(app: Flask, link: RecordingLink) -> None:
    with app.app_context():
        keep("a", "b")
        assert link.published == []
    assert topics(link) == ["a", "b"]


@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_outbox_of_an_application_context_that_fails(
    app: Flask, link: RecordingLink, error: type[BaseException]
) -> None:
    with pytest.raises(error), app.app_context():
        keep_and_raise("a", error)
    assert link.published == []


def test_outbox_nested_contexts_are_apart(app: Flask, link: RecordingLink) -> None:
    with app.app_context():
        keep("outer")
        with app.app_context():
            keep("inner")
        assert topics(link) == ["inner"]
        with pytest.raises(KeyError), app.app_context():
            keep_and_raise("lost", KeyError)
        assert topics(link) == ["inner"]
    assert topics(link) == ["inner", "outer"]


def test_outbox_of_a_context_that_fails_around_one_that_does_not(
    app: Flask, link: RecordingLink
) -> None:
    def outer() -> None:
        keep("outer")
        with app.app_context():
            keep("inner")
        raise KeyError

    with pytest.raises(KeyError), app.app_context():
        outer()
    assert topics(link) == ["inner"]


def test_outbox_of_two_applications(app: Flask, link: RecordingLink) -> None:
    other = Flask("other")
    WAMP(other)
    other_link = RecordingLink()
    state_of(other).slot.attach(other_link)
    with app.app_context():
        keep("a")
        with other.app_context():
            keep("b")
    assert (topics(link), topics(other_link)) == (["a"], ["b"])


def test_outbox_of_a_cli_command(app: Flask, link: RecordingLink) -> None:
    @app.cli.command("sell")
    def sell() -> None:
        keep("sold")

    result = app.test_cli_runner().invoke(args=["sell"])
    assert result.exception is None
    assert topics(link) == ["sold"]


def test_outbox_outside_a_context_is_refused(app: Flask, link: RecordingLink) -> None:
    client = state_of(app).client
    with pytest.raises(SetupError, match="publish_on_success needs an application context"):
        client.publish_on_success("sold")
    assert link.published == []


# --- what is refused, and what goes wrong


def test_outbox_refuses_at_the_call(app: Flask, link: RecordingLink) -> None:
    """Not at the end, when nobody can be told."""
    with app.app_context():
        with pytest.raises(PayloadError, match=r"argument \[0\] cannot travel"):
            g.wampy.publish_on_success("sold", object())
        with pytest.raises(ValueError, match=r"g\.wampy\.publish_on_success: 'a b' is not a URI"):
            g.wampy.publish_on_success("a b")
        with pytest.raises(OptionError, match="cancel_mode is no option of publish_on_success"):
            g.wampy.with_options(cancel_mode="kill").publish_on_success("sold")
    assert link.published == []


def test_outbox_keeps_so_many_and_no_more(app: Flask, link: RecordingLink) -> None:
    assert MAX_KEPT == 10_000
    with app.app_context():
        for _ in range(MAX_KEPT):
            g.wampy.publish_on_success("sold")
        with pytest.raises(SetupError, match="10000 events wait for this context to end already"):
            g.wampy.publish_on_success("one_more")
        with app.app_context():
            g.wampy.publish_on_success("of_its_own")
    assert topics(link) == ["of_its_own", *["sold"] * MAX_KEPT]


@pytest.mark.parametrize(
    "error",
    [RemoteError.from_uri("wamp.error.not_authorized", ["not you"]), NotConnected("not there")],
)
def test_outbox_event_that_does_not_go_out_is_logged(
    app: Flask,
    http: FlaskClient,
    link: RecordingLink,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """The response is made, and the next event goes out."""
    link.answer = error

    @app.get("/")
    def view() -> str:
        keep("a", "b")
        return "made"

    assert http.get("/").text == "made"
    assert topics(link) == ["a", "b"]
    texts = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert texts == [f"The event of {topic} did not go out: {error}" for topic in "ab"]


def test_outbox_of_a_failing_link_does_not_spoil_the_result(
    wamp: WAMP, call: Caller, link: RecordingLink
) -> None:
    link.answer = NotConnected("not there")

    @wamp.callee
    def sell() -> int:
        keep("sold")
        return 5

    assert call("sell") == 5
