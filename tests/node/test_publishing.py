"""Publishes with options, and publishes that wait until all has gone well."""

import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from autobahn.wamp.types import SubscribeOptions
from flask import Flask, abort, g, redirect
from flask.typing import ResponseReturnValue

from flask_wamp import ApplicationError, NotAuthorized, SetupError, event
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import LIMIT, Events, MakeApp, Peer, connected, error_of, http, start_on_reactor

pytestmark = pytest.mark.node

#: What is published after all else: events keep their order, so that nothing comes after it.
MARK = "mark"


def until_mark(events: Events) -> list[Any]:
    """Return the first argument of each event that comes before the mark."""
    values = []
    while (value := events.get().args[0]) != MARK:
        values.append(value)
    return values


# --- options


def test_publication_id_is_the_one_that_subscribers_get(anonymous: Peer, make_app: MakeApp) -> None:
    events = anonymous.subscribe("com.publishing.id")
    app, _ = make_app()
    with app.app_context():
        ids = [g.wampy.publish("com.publishing.id", number) for number in range(3)]
        ids.append(g.wampy.with_options(acknowledge=True).publish("com.publishing.id"))
    assert all(isinstance(publication, int) for publication in ids)
    assert [events.get().details.publication for _ in range(4)] == ids


def test_unacknowledged_publish_gives_no_id(anonymous: Peer, make_app: MakeApp) -> None:
    events = anonymous.subscribe("com.publishing.unacknowledged")
    app, _ = make_app()
    with app.app_context():
        fast = g.wampy.with_options(acknowledge=False)
        assert fast.publish("com.publishing.unacknowledged", 1) is None
        # The parameter goes before the option.
        assert fast.publish("com.publishing.unacknowledged", 2, acknowledge=True) is not None
    assert [events.get().args for _ in range(2)] == [(1,), (2,)]


def test_acknowledged_publish_tells_of_a_refusal_and_the_other_does_not(
    peers_node: CrossbarNode, make_app: MakeApp
) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    with app.app_context():
        topic = "com.example.polls.created"
        with pytest.raises(NotAuthorized):
            g.wampy.with_options(acknowledge=True).publish(topic, id=1)
        assert g.wampy.with_options(acknowledge=False).publish(topic, id=1) is None


def test_exclude_me_leaves_the_own_process_out(anonymous: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()
    own: queue.Queue[str] = queue.Queue()

    @wamp.consume("com.publishing.own")
    def on_event(text: str) -> None:
        own.put(text)

    wamp.start(app)
    others = anonymous.subscribe("com.publishing.own")
    with app.app_context():
        g.wampy.with_options(exclude_me=True).publish("com.publishing.own", "for others")
        g.wampy.with_options(exclude_me=False).publish("com.publishing.own", "for all")
        g.wampy.publish("com.publishing.own", "for all as well")
    assert [own.get(timeout=LIMIT) for _ in range(2)] == ["for all", "for all as well"]
    assert [others.get().args[0] for _ in range(3)] == ["for others", "for all", "for all as well"]


class Audience:
    """Subscribers of two roles: ``alice`` and ``bob`` are anonymous, ``backend`` is not."""

    topic = "com.publishing.chosen"

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self.sessions = {name: peer.id for name, peer in peers.items()}
        self.authids = {name: peer.session.welcome.authid for name, peer in peers.items()}
        self.roles = {name: peer.role for name, peer in peers.items()}
        self._events = {name: peer.subscribe(self.topic) for name, peer in peers.items()}

    def got(self) -> set[str]:
        """Return who has got an event before the mark."""
        return {name for name, events in self._events.items() if until_mark(events)}


@pytest.fixture(scope="module")
def audience(peers_node: CrossbarNode) -> Iterator[Audience]:
    urls = {
        "alice": peers_node.ws_url,
        "bob": peers_node.ws_url,
        "backend": trusted_url(peers_node),
    }
    with ExitStack() as stack:
        peers = {name: stack.enter_context(connected(url)) for name, url in urls.items()}
        yield Audience(peers)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (lambda a: {}, {"alice", "bob", "backend"}),
        (lambda a: {"exclude": []}, {"alice", "bob", "backend"}),
        (lambda a: {"exclude": [a.sessions["alice"]]}, {"bob", "backend"}),
        (lambda a: {"exclude": (a.sessions["alice"], a.sessions["backend"])}, {"bob"}),
        (lambda a: {"exclude": [7]}, {"alice", "bob", "backend"}),
        (lambda a: {"exclude_authid": [a.authids["bob"]]}, {"alice", "backend"}),
        (lambda a: {"exclude_authrole": [a.roles["alice"]]}, {"backend"}),
        (lambda a: {"exclude_authrole": ["backend", "nobody"]}, {"alice", "bob"}),
        (lambda a: {"eligible": [a.sessions["alice"]]}, {"alice"}),
        (lambda a: {"eligible": {a.sessions["bob"], a.sessions["backend"]}}, {"bob", "backend"}),
        (lambda a: {"eligible": [7]}, set()),
        (lambda a: {"eligible_authid": [a.authids["backend"]]}, {"backend"}),
        (lambda a: {"eligible_authid": ["nobody"]}, set()),
        (lambda a: {"eligible_authrole": ["anonymous"]}, {"alice", "bob"}),
        (lambda a: {"eligible_authrole": ["backend"]}, {"backend"}),
        (
            lambda a: {"eligible_authrole": ["anonymous"], "exclude": [a.sessions["alice"]]},
            {"bob"},
        ),
        (
            lambda a: {"eligible": [a.sessions["alice"]], "eligible_authrole": ["backend"]},
            set(),
        ),
    ],
)
def test_receivers_are_those_that_the_options_choose(
    audience: Audience,
    make_app: MakeApp,
    options: Callable[[Audience], dict[str, Any]],
    expected: set[str],
) -> None:
    app, _ = make_app()
    with app.app_context():
        g.wampy.with_options(**options(audience)).publish(audience.topic, "chosen")
        g.wampy.publish(audience.topic, MARK)
    assert audience.got() == expected


def test_receivers_of_an_unacknowledged_publish_are_chosen_too(
    audience: Audience, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context():
        backend = g.wampy.with_options(eligible_authrole=["backend"], acknowledge=False)
        assert backend.publish(audience.topic, "chosen") is None
        g.wampy.publish(audience.topic, MARK)
    assert audience.got() == {"backend"}


def retained_events(peer: Peer, topic: str) -> Events:
    """Subscribe to *topic* and to what is kept of it.

    Crossbar.io 26.10 leaves some of these requests without an answer, though it sends the event.
    """
    events = Events()
    options = SubscribeOptions(details_arg="details", get_retained=True)
    start_on_reactor(lambda: peer.session.subscribe(events.put, topic, options))
    return events


def test_retained_event_waits_for_an_autobahn_subscriber(
    anonymous: Peer, trusted: Peer, make_app: MakeApp
) -> None:
    topic = "com.publishing.retained"
    app, _ = make_app()
    with app.app_context():
        g.wampy.with_options(retain=True).publish(topic, "first")
        publication = g.wampy.with_options(retain=True).publish(topic, "second")
        g.wampy.publish(topic, "not kept")
        events = retained_events(anonymous, topic)
        kept = events.get()
        assert (kept.args, kept.details.retained) == (("second",), True)
        assert kept.details.publication != 0
        # Who does not ask for it gets what comes next only.
        plain = trusted.subscribe(topic)
        live = g.wampy.publish(topic, "live")
        assert plain.get().args == ("live",)
        received = events.get()
        assert (received.args, received.details.retained) == (("live",), None)
        assert received.details.publication == live
        assert publication != live


def test_retained_event_waits_for_a_handler_of_ours(make_app: MakeApp) -> None:
    topic = "com.publishing.retained_for_ours"
    publisher, _ = make_app("publisher")
    with publisher.app_context():
        g.wampy.with_options(retain=True).publish(topic, "kept")
    app, wamp = make_app()
    received: queue.Queue[tuple[str, bool]] = queue.Queue()

    @wamp.consume(topic, get_retained=True)
    def on_event(text: str) -> None:
        received.put((text, event.retained))

    wamp.start(app)
    assert received.get(timeout=LIMIT) == ("kept", True)
    with publisher.app_context():
        g.wampy.publish(topic, "live")
    assert received.get(timeout=LIMIT) == ("live", False)


# --- publish_on_success


@pytest.mark.parametrize(
    ("end", "status", "goes_out"),
    [
        ({}, 200, True),
        ({"status": 201}, 201, True),
        ({"status": 399}, 399, True),
        ({"status": 400}, 400, False),
        ({"status": 503}, 503, False),
        ({"abort": 404}, 404, False),
        ({"abort": 500}, 500, False),
    ],
)
def test_success_of_a_hosted_view_over_http(
    peers_node: CrossbarNode, anonymous: Peer, end: dict[str, int], status: int, goes_out: bool
) -> None:
    topic = "com.publishing.hosted"
    events = anonymous.subscribe(topic)
    answer = http(peers_node.url + "on_success", {"topic": topic, "count": 3, **end})
    assert answer.status == status
    with connected(peers_node.ws_url) as other:
        other.publish(topic, MARK)
    assert until_mark(events) == ([0, 1, 2] if goes_out else [])


@pytest.mark.parametrize(
    ("end", "uri"),
    [
        ({}, None),
        ({"status": 201}, None),
        ({"status": 302}, "wamp.error.redirect"),
        ({"status": 409}, "wamp.error.conflict"),
        ({"abort": 404}, "wamp.error.not_found"),
    ],
)
def test_success_of_a_hosted_view_over_wamp(
    peers_node: CrossbarNode, anonymous: Peer, end: dict[str, int], uri: str | None
) -> None:
    topic = "com.publishing.hosted_wamp"
    events = anonymous.subscribe(topic)

    def call() -> Any:
        return anonymous.call("com.test.on_success", topic=topic, count=3, **end)

    if uri is None:
        assert call() == {}
    else:
        assert error_of(call).error == uri
    with connected(peers_node.ws_url) as other:
        other.publish(topic, MARK)
    assert until_mark(events) == ([0, 1, 2] if uri is None else [])


class Tea(Exception):
    """Something that a view may raise."""


@pytest.fixture
def shop(make_app: MakeApp) -> Flask:
    """Give an application whose views publish on success, and end in various ways."""
    app, wamp = make_app("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(Tea, lambda _: ("never mind", 200))

    def order(end: str) -> ResponseReturnValue:
        g.wampy.publish_on_success("com.publishing.shop", end)
        if end == "redirect":
            return redirect("/elsewhere")
        if end == "abort":
            abort(418)
        if end == "tea":
            raise Tea
        if end == "defect":
            raise ValueError(end)
        if end == "application error":
            raise ApplicationError("com.shop.closed", "closed")
        return {"status": end}, 409 if end == "conflict" else 200

    app.get("/order/<end>")(order)
    # Without a request, when called over WAMP.
    wamp.callee("com.shop.order", request=False)(order)

    @wamp.consume("com.shop.ordered")
    def on_ordered(end: str) -> None:
        order(end)

    wamp.start(app)
    return app


@pytest.mark.parametrize(
    ("end", "status", "goes_out"),
    [
        ("well", 200, True),
        ("redirect", 302, True),
        ("conflict", 409, False),
        ("abort", 418, False),
        ("defect", 500, False),
        ("application error", 500, False),
        # An error handler has made a success of it.
        ("tea", 200, True),
    ],
)
def test_success_over_http_is_a_response_below_400(
    shop: Flask, anonymous: Peer, end: str, status: int, goes_out: bool
) -> None:
    events = anonymous.subscribe("com.publishing.shop")
    assert shop.test_client().get(f"/order/{end}").status_code == status
    with shop.app_context():
        g.wampy.publish("com.publishing.shop", MARK)
    assert until_mark(events) == ([end] if goes_out else [])


@pytest.mark.parametrize(
    ("end", "goes_out"),
    [
        ("well", True),
        ("conflict", False),
        ("abort", False),
        ("tea", False),
        ("defect", False),
        ("application error", False),
    ],
)
def test_success_over_wamp_is_a_result(
    shop: Flask, anonymous: Peer, end: str, goes_out: bool
) -> None:
    events = anonymous.subscribe("com.publishing.shop")
    if goes_out:
        assert anonymous.call("com.shop.order", end) == {"status": end}
    else:
        error_of(lambda: anonymous.call("com.shop.order", end))
    with shop.app_context():
        g.wampy.publish("com.publishing.shop", MARK)
    assert until_mark(events) == ([end] if goes_out else [])


def test_success_of_a_handler_is_an_end_without_exception(shop: Flask, anonymous: Peer) -> None:
    events = anonymous.subscribe("com.publishing.shop")
    with shop.app_context():
        for end in ("one", "defect", "abort", "two"):
            g.wampy.publish("com.shop.ordered", end)
    assert [events.get().args[0] for _ in range(2)] == ["one", "two"]


def test_success_of_a_script_is_the_end_of_its_context(anonymous: Peer, make_app: MakeApp) -> None:
    events = anonymous.subscribe("com.publishing.script")
    app, _ = make_app()
    with suppress(ZeroDivisionError), app.app_context():
        g.wampy.publish_on_success("com.publishing.script", "lost")
        raise ZeroDivisionError
    with app.app_context():
        kept = [1]
        g.wampy.publish_on_success("com.publishing.script", "second", kept, key={"a": 1})
        kept.append(2)
        g.wampy.publish("com.publishing.script", "first")
        g.wampy.publish_on_success("com.publishing.script", "third")
        assert events.get().args == ("first",)
        assert events.waiting() == []
    second, third = events.get(), events.get()
    # As it was when it was given.
    assert (second.args, second.kwargs) == (("second", [1]), {"key": {"a": 1}})
    assert third.args == ("third",)


def test_success_keeps_many_in_order_and_heeds_options(
    anonymous: Peer, trusted: Peer, make_app: MakeApp
) -> None:
    everybody = anonymous.subscribe("com.publishing.many")
    backend = trusted.subscribe("com.publishing.many")
    app, _ = make_app()
    with app.app_context():
        fast = g.wampy.with_options(acknowledge=False)
        for number in range(500):
            fast.publish_on_success("com.publishing.many", number)
        chosen = g.wampy.with_options(eligible_authrole=["backend"])
        chosen.publish_on_success("com.publishing.many", "backend only")
        g.wampy.publish_on_success("com.publishing.many", MARK)
    assert until_mark(everybody) == list(range(500))
    assert until_mark(backend) == [*range(500), "backend only"]


def test_success_with_a_refused_event_is_logged_and_the_others_go_out(
    peers_node: CrossbarNode,
    anonymous: Peer,
    make_app: MakeApp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = anonymous.subscribe("com.publishing.refused")
    app, _ = make_app(WAMP_URL=peers_node.ws_url)

    @app.get("/")
    def view() -> str:
        g.wampy.publish_on_success("com.example.polls.created", id=1)
        g.wampy.publish_on_success("com.publishing.refused", "and on")
        return "fine"

    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (200, "fine")
    assert events.get().args == ("and on",)
    assert "The event of com.example.polls.created did not go out" in caplog.text
    assert "not_authorized" in caplog.text


def test_success_needs_a_context(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        client = g.wampy
    with pytest.raises(SetupError, match="application context"):
        client.publish_on_success("com.publishing.nowhere")
