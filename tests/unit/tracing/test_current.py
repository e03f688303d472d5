"""One id from the HTTP request through calls to events, in views, handlers and responses."""

import threading
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from flask_wamp import WAMP, ConfigError, correlated, correlation_id
from flask_wamp.tracing.carrier import Carried, pack, unpack
from flask_wamp.tracing.current import kept, outgoing, sending

ID = "order-7_a.b"
MADE = r"[0-9a-f]{16}"


@pytest.fixture
def trusting(app: Flask) -> Flask:
    """Return the application, trusting whoever sends a request."""
    app.config["WAMP_TRUST_REQUEST_ID"] = True
    return app


def header(response: Any) -> str:
    """Return the id that a response names."""
    return str(response.headers["X-Request-ID"])


def is_made(text: str | None) -> bool:
    """Tell whether an id is one of ours."""
    return text is not None and len(text) == 16 and int(text, 16) >= 0


def test_current_id_outside_is_none() -> None:
    assert correlation_id() is None
    assert outgoing() is None


def test_current_id_of_a_request_is_in_its_response(app: Flask, http: FlaskClient) -> None:
    seen = []
    app.before_request(lambda: seen.append(correlation_id()))
    app.teardown_request(lambda _error: seen.append(correlation_id()))

    @app.get("/")
    def index() -> str:
        with app.app_context():
            return str(correlation_id())

    responses = [http.get("/") for _ in range(2)]
    for response in responses:
        assert is_made(response.text)
        assert header(response) == response.text
    first, second = (response.text for response in responses)
    assert first != second
    assert seen == [first, first, second, second]
    assert correlation_id() is None


def test_current_id_of_an_error_page(app: Flask, http: FlaskClient) -> None:
    assert is_made(header(http.get("/not/there")))


def test_current_id_that_a_view_has_set_stays(app: Flask, http: FlaskClient) -> None:
    app.get("/")(lambda: ("", {"X-Request-ID": "its own"}))
    assert header(http.get("/")) == "its own"


@pytest.mark.parametrize("config", [{}, {"WAMP_TRUST_REQUEST_ID": False}])
def test_current_id_of_a_stranger_is_not_taken(config: dict[str, bool]) -> None:
    app = Flask("shop")
    app.config.from_mapping(config)
    WAMP(app)
    response = app.test_client().get("/", headers={"X-Request-ID": ID})
    assert is_made(header(response))


def test_current_id_is_taken_where_it_is_trusted(trusting: Flask, http: FlaskClient) -> None:
    trusting.get("/")(lambda: str(correlation_id()))
    response = http.get("/", headers={"X-Request-ID": ID})
    assert (response.text, header(response)) == (ID, ID)


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a,b", "ä", "x" * 65, "a\tb", "<script>", "a;c=b", "a\x00"]
)
def test_current_id_that_is_none_is_not_taken(
    trusting: Flask, http: FlaskClient, text: str
) -> None:
    assert is_made(header(http.get("/", headers={"X-Request-ID": text})))


@pytest.mark.parametrize("value", ["yes", 1, "true"])
def test_current_trust_is_a_flag(value: Any) -> None:
    app = Flask("shop")
    app.config["WAMP_TRUST_REQUEST_ID"] = value
    with pytest.raises(ConfigError, match=r"WAMP_TRUST_REQUEST_ID.*give True or False"):
        WAMP(app)


def test_current_id_travels_from_the_request_to_what_it_leads_to(
    trusting: Flask, wamp: WAMP, http: FlaskClient
) -> None:
    seen: dict[str, str | None] = {}

    @trusting.get("/")
    def index() -> Any:
        seen["request"] = correlation_id()
        g.wampy.publish_on_success("com.shop.later")
        return g.wampy.call("com.shop.outer")

    @wamp.callee("com.shop.outer")
    def outer() -> Any:
        seen["outer"] = correlation_id()
        started = g.wampy.start_call("com.shop.started")
        g.wampy.publish("com.shop.sold")
        g.wampy.publish("com.shop.sold", acknowledge=False)
        assert list(g.wampy.stream("com.shop.parts")) == [1, 2]
        return started.result()

    @trusting.get("/started")
    @wamp.callee("com.shop.started")
    def started() -> str:
        seen["started, a route"] = correlation_id()
        return "done"

    @wamp.callee("com.shop.parts")
    def parts() -> Any:
        for number in (1, 2):
            seen[f"part {number}"] = correlation_id()
            yield number

    handled = []

    @wamp.consume("com.shop.sold")
    def sold() -> None:
        handled.append(correlation_id())
        g.wampy.publish("com.shop.echoed")

    @wamp.consume("com.shop.echoed")
    def echoed() -> None:
        handled.append(correlation_id())

    @wamp.consume("com.shop.later")
    def later() -> None:
        seen["later"] = correlation_id()

    with wamp.test_client():
        response = http.get("/", headers={"X-Request-ID": ID})
    assert (response.text, header(response)) == ("done", ID)
    assert set(seen.values()) == {ID}
    assert len(seen) == 6
    assert handled == [ID] * 4


def test_current_id_begins_with_a_call_that_brings_none(wamp: WAMP) -> None:
    seen = []

    @wamp.callee("com.shop.outer")
    def outer() -> None:
        seen.append(correlation_id())
        g.wampy.call("com.shop.inner")

    @wamp.callee("com.shop.inner")
    def inner() -> None:
        seen.append(correlation_id())

    with wamp.test_client() as client:
        client.call("com.shop.outer")
        client.call("com.shop.outer")
    assert is_made(seen[0])
    assert is_made(seen[2])
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert correlation_id() is None


def test_current_id_of_a_call_is_not_kept_by_one_that_fails(wamp: WAMP) -> None:
    @wamp.callee("com.shop.fail")
    def fail() -> None:
        raise SystemExit

    @wamp.consume("com.shop.fail")
    def handle() -> None:
        raise LookupError

    with wamp.test_client(propagate=False) as client:
        with pytest.raises(Exception, match="SystemExit"):
            client.call("com.shop.fail")
        client.publish("com.shop.fail")
    assert correlation_id() is None


def test_current_id_that_a_script_has_chosen(app: Flask, wamp: WAMP) -> None:
    seen = []
    wamp.callee("com.shop.add")(lambda: seen.append(correlation_id()))
    with wamp.test_client(), app.app_context():
        with correlated("job-7") as given:
            g.wampy.call("com.shop.add")
            with correlated() as inner:
                g.wampy.call("com.shop.add")
            g.wampy.call("com.shop.add")
        assert correlation_id() is None
    assert is_made(inner)
    assert seen == [given, inner, given] == ["job-7", inner, "job-7"]


def test_current_id_chosen_within_a_request_is_the_innermost(app: Flask, http: FlaskClient) -> None:
    @app.get("/")
    def index() -> list[str | None]:
        before = correlation_id()
        with correlated("job-7"):
            within = correlation_id()
            with app.test_request_context():
                another = correlation_id()
        return [before, within, another, correlation_id()]

    before, within, another, after = http.get("/").get_json()
    assert (before, within) == (after, "job-7")
    assert len({before, within, another}) == 3


@pytest.mark.parametrize("text", ["", "a b", "x" * 65])
def test_current_id_that_a_script_cannot_choose(text: str) -> None:
    with pytest.raises(ValueError, match="give 1 to 64 letters"), correlated(text):
        pass


def test_current_id_reaches_a_thread_in_a_copy_of_the_context() -> None:
    seen = []

    def note() -> None:
        seen.append(correlation_id())

    with correlated("job-7"):
        copied = copy_context()
        for target in (note, lambda: copied.run(note)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [None, "job-7"]


def test_current_kept_now_is_sent_later() -> None:
    with correlated("job-7"):
        written = kept()
    assert written == Carried(correlation="job-7")
    with correlated("relay"), sending(written._replace(event_id="e1")):
        assert unpack(outgoing()) == Carried(event_id="e1", correlation="job-7")
    with correlated("relay"), sending(Carried()):
        assert outgoing() is None
    with correlated("relay"), sending(written):
        assert unpack(outgoing(event_id="e2")) == Carried(event_id="e2", correlation="job-7")
    with correlated("relay"):
        assert unpack(outgoing(event_id="e2")) == Carried(event_id="e2", correlation="relay")


def test_current_stream_is_sent_beside_the_id() -> None:
    assert outgoing("s1") == pack(stream="s1")
    with correlated("job-7"):
        assert outgoing("s1") == pack(stream="s1", correlation="job-7")


def test_current_traceparent_is_passed_on_without_a_tracer(app: Flask, wamp: WAMP) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = []

    @wamp.callee("com.shop.outer")
    def outer() -> None:
        seen.append(unpack(outgoing()).traceparent)

    with wamp.test_client() as client, sending(Carried(traceparent=parent)):
        client.call("com.shop.outer")
    assert seen == [parent]
