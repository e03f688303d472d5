"""Events of the test client, and those of the application while it is in use."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort, g
from flask.testing import FlaskClient

from flask_wamp import (
    WAMP,
    ApplicationError,
    CallTimeout,
    NotAuthorized,
    OptionError,
    RemoteError,
    event,
    invocation,
)
from flask_wamp.testing import Publication, WampTestClient

from ..doubles import View, refusal


@pytest.fixture
def heard(wamp: WAMP) -> list[Any]:
    """Return what a handler of ``com.shop.sold`` is given."""
    heard: list[Any] = []

    @wamp.subscribe("com.shop.sold")
    def sold(*args: Any, **kwargs: Any) -> None:
        heard.append((*args, kwargs) if kwargs else args)

    return heard


def test_event_reaches_each_handler(wamp: WAMP, client: WampTestClient) -> None:
    told: list[Any] = []
    for name, topic, match in (
        ("exact", "com.shop.oslo.sold", "exact"),
        ("prefix", "com.shop", "prefix"),
        ("wildcard", "com..oslo.", "wildcard"),
        ("another", "com.shop.oslo", "exact"),
    ):

        @wamp.subscribe(topic, match=match)
        def handle(*args: Any, name: str = name, **kwargs: Any) -> None:
            told.append([name, args, kwargs, event.uri, event.parts, event.retained])

    bob = client.as_caller("bob")
    ids = [bob.publish("com.shop.oslo.sold", (1,), key=b"x") for _ in range(2)]
    uri = "com.shop.oslo.sold"
    assert told == 2 * [
        ["exact", ([1],), {"key": b"x"}, uri, (), False],
        ["prefix", ([1],), {"key": b"x"}, uri, ("oslo", "sold"), False],
        ["wildcard", ([1],), {"key": b"x"}, uri, ("shop", "sold"), False],
    ]
    assert ids[0] != ids[1]
    assert client.published == []


def test_event_says_who_has_published(wamp: WAMP, client: WampTestClient) -> None:
    told: list[Any] = []

    @wamp.subscribe("topic")
    def handle() -> None:
        told.append(
            (event.publication, event.publisher, event.publisher_authid, event.publisher_authrole)
        )
        assert not invocation

    wamp.callee("tell")(lambda: g.wampy.publish("topic"))
    wamp.topic("topic", publish="user")
    bob = client.as_caller("bob", "user")
    published = [client.publish("topic"), bob.publish("topic"), client.call("tell")]
    own = client.app_session
    assert told == [
        (published[0], client.session.session, "tester", "backend"),
        (published[1], bob.session.session, "bob", "user"),
        (published[2], own.session, own.authid, "backend"),
    ]
    (record,) = client.published
    assert record.id == published[2]


def test_each_handler_has_a_payload_of_its_own(wamp: WAMP, client: WampTestClient) -> None:
    told: list[Any] = []

    def handle(item: dict[str, Any]) -> None:
        told.append(dict(item))
        item["changed"] = True

    for _ in range(2):
        wamp.subscribe("topic")(handle)
    client.publish("topic", {"a": 1})
    assert told == [{"a": 1}, {"a": 1}]


def test_event_of_a_handler_comes_after_that_handler(wamp: WAMP, client: WampTestClient) -> None:
    """Events of one subscription are handled one after another, as at a router."""
    did: list[str] = []

    @wamp.subscribe("com.shop", match="prefix")
    def handle(number: int) -> None:
        did.append(f"begin {number}")
        if number < 3:
            g.wampy.publish("com.shop.next", number + 1)
        did.append(f"end {number}")

    client.publish("com.shop.first", 1)
    assert did == ["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]


# --- what the application publishes


def test_published_by_each_way_in(
    app: Flask, wamp: WAMP, client: WampTestClient, http: FlaskClient, heard: list[Any]
) -> None:
    def sell(article: str = "tea") -> str:
        g.wampy.publish("com.shop.sold", article, count=2)
        return article

    app.get("/sell")(sell)
    app.cli.command("sell")(sell)
    wamp.callee(sell)
    http.get("/sell")
    client.call("sell", "coffee")
    assert app.test_cli_runner().invoke(args=["sell"]).exit_code == 0
    articles = ["tea", "coffee", "tea"]
    assert client.published == [Publication("com.shop.sold", each, count=2) for each in articles]
    assert heard == [(each, {"count": 2}) for each in articles]
    assert client.published_to("com.shop.sold") == client.published
    assert client.published_to("com.shop") == []


OPTIONS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"acknowledge": False}, True),
    ({"exclude_me": True}, False),
    ({"eligible_authrole": ["backend"]}, True),
    ({"eligible_authrole": ["anonymous"]}, False),
    ({"exclude_authrole": ["backend"]}, False),
    ({"retain": True}, True),
    ({"timeout": 3}, True),
]


@pytest.mark.parametrize(("options", "gets"), OPTIONS)
def test_published_with_options(
    app: Flask, client: WampTestClient, heard: list[Any], options: dict[str, Any], gets: bool
) -> None:
    with app.app_context():
        publication = g.wampy.with_options(**options).publish("com.shop.sold", 1)
    (record,) = client.published
    expected = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    assert record.options == expected
    assert publication == (None if options.get("acknowledge") is False else record.id)
    assert heard == ([(1,)] if gets else [])


def test_published_to_others_alone(app: Flask, wamp: WAMP, heard: list[Any]) -> None:
    with wamp.test_client(deliver=False) as client:
        with app.app_context():
            g.wampy.publish("com.shop.sold", 1)
        assert client.published == [Publication("com.shop.sold", 1)]
        assert heard == []
        client.publish("com.shop.sold", 2)
    assert heard == [(2,)]


@pytest.mark.parametrize("number", [1, 1001])
@pytest.mark.parametrize("way", ["http", "call"])
def test_published_on_success_only(
    view: View,
    client: WampTestClient,
    http: FlaskClient,
    heard: list[Any],
    way: str,
    number: int,
) -> None:
    @view("/checkout/<int:number>")
    def checkout(number: int) -> dict[str, Any]:
        g.wampy.publish_on_success("com.shop.sold", number)
        assert client.published == []
        if number > 999:
            abort(409)
        return {"number": number}

    if way == "http":
        http.get(f"/checkout/{number}")
    elif number > 999:
        with pytest.raises(RemoteError, match="conflict"):
            client.call("checkout", number)
    else:
        client.call("checkout", number)
    assert client.published == ([] if number > 999 else [Publication("com.shop.sold", number)])
    assert len(heard) == len(client.published)


def test_published_with_what_cannot_travel_is_no_publication(
    app: Flask, client: WampTestClient
) -> None:
    with app.app_context(), pytest.raises(RemoteError, match="payload_size_exceeded"):
        g.wampy.publish("topic", b"x" * 2**24)
    assert client.published == []


# --- handlers that fail


def fails(number: int = 0) -> None:
    """Fail, as a handler."""
    raise ValueError(f"handler {number}")


def test_failing_handler_fails_the_publish_of_the_test_when_all_have_handled(
    wamp: WAMP, client: WampTestClient, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    wamp.subscribe("topic")(fails)
    wamp.subscribe("topic")(done.append)
    wamp.subscribe("topic")(lambda number: fails(number + 1))
    with pytest.raises(ValueError, match="handler 1") as raised:
        client.publish("topic", 1)
    assert done == [1]
    assert raised.value.__notes__ == ["A handler failed as well: ValueError: handler 2"]
    assert caplog.text.count("failed at an event of topic") == 2


def test_failing_handler_of_an_event_that_does_not_fit(wamp: WAMP, client: WampTestClient) -> None:
    wamp.subscribe("topic")(lambda a, b: None)
    with pytest.raises(ApplicationError, match="missing a required argument: 'b'"):
        client.publish("topic", 1)


def test_failing_handler_is_hidden_from_the_view_and_shown_to_the_test(
    wamp: WAMP, client: WampTestClient
) -> None:
    """In production whoever publishes never hears of it."""
    wamp.subscribe("topic")(fails)
    went_on: list[bool] = []

    @wamp.callee
    def publish() -> None:
        g.wampy.publish("topic")
        went_on.append(True)

    with pytest.raises(ValueError, match="handler 0"):
        client.call("publish")
    assert went_on == [True]


def publish_over_http(app: Flask) -> None:
    """Publish in a view, without the test client's part."""
    app.get("/publish")(lambda: {"id": g.wampy.publish("topic")})
    assert app.test_client().get("/publish").status_code == 200


def test_failing_handler_that_no_call_of_the_test_has_shown(app: Flask, wamp: WAMP) -> None:
    wamp.subscribe("topic")(fails)

    def pass_but_for_a_handler() -> None:
        with wamp.test_client() as client:
            client.publish("other")
            publish_over_http(app)

    with pytest.raises(ValueError, match="handler 0") as raised:
        pass_but_for_a_handler()
    assert "no call of the test client showed it" in raised.value.__notes__[0]
    # Not once more with the next.
    client = wamp.test_client()

    def fail_of_itself() -> None:
        with client:
            app.test_client().get("/publish")
            raise KeyError("of the test")

    with pytest.raises(KeyError) as own:
        fail_of_itself()
    assert own.value.__notes__ == ["A handler failed as well: ValueError: handler 0"]
    with client:
        pass


def test_failing_handler_is_logged_where_nothing_propagates(
    app: Flask, wamp: WAMP, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    wamp.subscribe("topic")(fails)
    with wamp.test_client() as client:
        client.publish("topic")
        publish_over_http(app)
    messages = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(messages) == 2


# --- retained events


def retained(app: Flask, topic: str) -> None:
    """Publish an event that is kept."""
    with app.app_context():
        g.wampy.with_options(retain=True).publish(topic, "kept")


@pytest.mark.parametrize(
    ("declare", "gets"),
    [
        (lambda wamp, handle: wamp.add_subscription(handle, "topic", get_retained=True), True),
        (lambda wamp, handle: wamp.add_subscription(handle, "topic"), False),
        (lambda wamp, handle: wamp.add_subscription(handle, "other", get_retained=True), False),
    ],
)
def test_retained_event_reaches_who_comes_later_and_asks(
    app: Flask,
    wamp: WAMP,
    client: WampTestClient,
    declare: Callable[[WAMP, Callable[..., None]], Any],
    gets: bool,
) -> None:
    told: list[Any] = []
    retained(app, "topic")
    declare(wamp, lambda text: told.append((text, event.retained, event.publisher_authrole)))
    assert told == ([("kept", True, "backend")] if gets else [])


def test_retained_event_comes_again_with_a_new_session(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    told: list[bool] = []
    wamp.subscribe("topic", get_retained=True)(lambda text: told.append(event.retained))
    retained(app, "topic")
    client.reconnect()
    assert told == [False, True]


# --- publishes that the router refuses


@pytest.mark.parametrize(
    ("raises", "kind"),
    [
        (NotAuthorized, NotAuthorized),
        (CallTimeout("no acknowledgment"), CallTimeout),
        (RemoteError("com.x", [1]), RemoteError),
    ],
)
def test_refused_publish_raises_and_reaches_nobody(
    app: Flask, client: WampTestClient, heard: list[Any], raises: Any, kind: type[Exception]
) -> None:
    client.refuse("com.shop.", raises=raises, match="prefix")
    with app.app_context():
        with pytest.raises(kind):
            g.wampy.publish("com.shop.sold", 1)
        assert g.wampy.publish("com.shop.sold", 1, acknowledge=False) is None
        g.wampy.publish("com.other", 1)
    assert client.published == [Publication("com.other", 1)]
    assert heard == []
    # It is the application's that are refused.
    client.publish("com.shop.sold", 2)
    assert heard == [(2,)]


def test_refused_publish_is_that_of_a_role_without_rights(
    app: Flask, client: WampTestClient
) -> None:
    client.refuse("com.shop.sold")
    with app.app_context(), pytest.raises(NotAuthorized):
        g.wampy.publish("com.shop.sold")


def test_refusal_that_cannot_be_is_refused(client: WampTestClient) -> None:
    for args, text in (
        (("a..b",), "client.refuse('a..b'): a URI is made of"),
        (("topic", ValueError), "no call is answered so"),
        (("topic", "no"), "give an exception"),
    ):
        assert text in refusal(OptionError, client.refuse, *args)


def test_handlers_that_go_round_in_circles_are_stopped(wamp: WAMP, client: WampTestClient) -> None:
    rounds: list[int] = []

    @wamp.subscribe("com.shop.ping")
    def ping(number: int) -> None:
        rounds.append(number)
        g.wampy.publish("com.shop.ping", number + 1)

    with pytest.raises(
        RecursionError, match=r"over 10000 others, .*ping': do handlers publish in a circle"
    ):
        client.publish("com.shop.ping", 0)
    assert rounds == list(range(10_000))


def test_as_many_events_as_there_are_handlers_are_no_circle(
    wamp: WAMP, client: WampTestClient
) -> None:
    heard: list[int] = []
    for _ in range(120):
        wamp.subscribe("com.shop.sold")(heard.append)
    for number in range(90):
        client.publish("com.shop.sold", number)
    assert len(heard) == 10_800
