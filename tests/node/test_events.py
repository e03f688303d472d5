"""Events into handlers, and publishes out of views."""

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import g

from flask_wamp import NotAuthorized, event
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import (
    EVENT,
    LIMIT,
    PUBLISH,
    PUBLISHED,
    SUBSCRIBE,
    SUBSCRIBED,
    MakeApp,
    Peer,
    http,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node


def seen(peer: Peer, name: str, count: int) -> list[Any]:
    """Return what the service's handler *name* has recorded, once it is *count* things."""

    def recorded() -> list[Any]:
        values: list[Any] = peer.call("com.test.seen", name)
        return values if len(values) >= count else []

    return wait_until(recorded, f"{name} has {count} events")


def new_event(peer: Peer, name: str, publish: Callable[[], Any]) -> Any:
    """Return what the handler *name* records when *publish* is called."""
    before = len(peer.call("com.test.seen", name))
    publish()
    values = seen(peer, name, before + 1)
    assert len(values) == before + 1
    return values[before]


def test_payload_of_an_autobahn_peer_reaches_the_handler(anonymous: Peer) -> None:
    recorded = new_event(
        anonymous, "any", lambda: anonymous.publish("com.test.topic.any", 1, "two", key=[3])
    )
    assert recorded["args"] == [1, "two"]
    assert recorded["kwargs"] == {"key": [3]}
    assert recorded["topic"] == "com.test.topic.any"
    assert recorded["publisher"] == anonymous.id
    assert recorded["authrole"] == "anonymous"


def test_payload_with_awkward_names_reaches_the_handler(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    names = ("fun", "self", "options", "details", "error", "handler", "args", "kwargs", "message")
    keywords = {name: f"the value of {name}" for name in names}

    def publish() -> None:
        with raw_peer(peers_node.ws_url) as peer:
            answer = peer.request(
                [PUBLISH, 1, {"acknowledge": True}, "com.test.topic.any", [1], keywords]
            )
            assert answer[0] == PUBLISHED

    assert new_event(anonymous, "any", publish)["kwargs"] == keywords


def test_payload_with_awkward_names_leaves_a_view(
    peers_node: CrossbarNode, make_app: MakeApp
) -> None:
    names = ("fun", "self", "options", "error", "args", "kwargs", "uri", "timeout")
    keywords = {name: name.upper() for name in names}
    app, _ = make_app()
    with raw_peer(peers_node.ws_url) as peer, app.app_context():
        assert peer.request([SUBSCRIBE, 1, {}, "com.test.awkward"])[0] == SUBSCRIBED
        publication = g.wampy.publish("com.test.awkward", 1, **keywords)
        received = peer.receive()
    assert received[0] == EVENT
    assert received[2] == publication
    assert received[4:] == [[1], keywords]


def test_message_of_the_predecessor_reaches_the_consumer(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()

    def publish() -> None:
        with app.app_context():
            g.wampy.publish(topic="com.test.topic.message", message="x")

    assert new_event(anonymous, "message", publish) == "x"


@pytest.mark.parametrize("spoofed", [False, True])
def test_identity_of_a_publisher_is_the_routers_word(
    peers_node: CrossbarNode, anonymous: Peer, spoofed: bool
) -> None:
    options: dict[str, Any] = {"acknowledge": True}
    url, role = peers_node.ws_url, "anonymous"
    if spoofed:
        # A browser's connection would end (test_guard_messages.py); a service may be a router.
        options["forward_for"] = [{"session": 1, "authid": "root", "authrole": "admin"}]
        url, role = trusted_url(peers_node), "backend"
    published: list[Any] = []

    def publish() -> None:
        with raw_peer(url) as peer:
            published.extend(peer.request([PUBLISH, 1, options, "com.test.topic.any", [], {}]))

    recorded = new_event(anonymous, "any", publish)
    assert published[0] == PUBLISHED
    assert recorded["publication"] == published[2]
    assert recorded["authrole"] == role
    assert recorded["publisher"] != 1
    assert recorded["authid"] != "root"


def test_order_is_kept_and_subscriptions_do_not_wait_for_each_other(anonymous: Peer) -> None:
    numbers = list(range(1000))
    anonymous.publish_all("com.test.topic.slow", numbers)
    # The slow handler sits at its first event, and nobody else waits for it: not another
    # subscription, nor another handler of the same topic.
    before = len(anonymous.call("com.test.seen", "quick"))
    anonymous.publish("com.test.topic.quick", 7)
    assert seen(anonymous, "quick", before + 1)[before] == 7
    assert seen(anonymous, "slow too", 1000) == numbers
    assert anonymous.call("com.test.seen", "slow") == []
    anonymous.call("com.test.release", "slow")
    assert seen(anonymous, "slow", 1000) == numbers


def test_failing_handler_is_logged_and_the_next_event_handled(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    anonymous.publish_all("com.test.topic.failing", [0, 1, 2, 3, 4])
    assert seen(anonymous, "failing", 3) == [0, 2, 4]
    for number in (1, 3):
        peers_node.wait_for_log(f"ValueError: the handler fails at {number}", timeout=LIMIT)
    peers_node.wait_for_log("on_failing", timeout=LIMIT)


def test_event_that_does_not_fit_is_logged(peers_node: CrossbarNode, anonymous: Peer) -> None:
    anonymous.publish("com.test.topic.message", note="x")
    line = "did not handle an event of com.test.topic.message: wamp.error.invalid_argument"
    wait_until(lambda: line in peers_node.log, "the log says so")


def test_handler_calls_and_publishes(anonymous: Peer) -> None:
    events = anonymous.subscribe("com.test.topic.chained")
    anonymous.publish("com.test.topic.chain", 41)
    assert events.get().kwargs == {"total": 42}


def test_publish_from_a_wsgi_view(peers_node: CrossbarNode, anonymous: Peer) -> None:
    events = anonymous.subscribe("com.test.from_wsgi")
    order = {"publish": "com.test.from_wsgi", "args": [1], "kwargs": {"key": 2}}
    answer = http(peers_node.url + "wampy", order)
    assert answer.status == 200
    received = events.get()
    assert (received.args, received.kwargs) == ((1,), {"key": 2})
    assert received.details.publication == answer.json["result"]


def test_publish_from_a_call(anonymous: Peer) -> None:
    events = anonymous.subscribe("com.test.from_call")
    publication = anonymous.call("com.test.publish", "com.test.from_call", 1, key=2)
    received = events.get()
    assert (received.args, received.kwargs) == ((1,), {"key": 2})
    assert received.details.publication == publication


def test_publish_unacknowledged_arrives_in_order(anonymous: Peer, make_app: MakeApp) -> None:
    events = anonymous.subscribe("com.test.fast")
    assert anonymous.call("com.test.publish_unacknowledged", "com.test.fast", -1) is None
    assert events.get().args == (-1,)
    app, _ = make_app()
    with app.app_context():
        for number in range(2000):
            assert g.wampy.publish("com.test.fast", number, acknowledge=False) is None
    assert [events.get().args[0] for _ in range(2000)] == list(range(2000))


def test_publish_that_is_refused_raises(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    with app.app_context():
        with pytest.raises(NotAuthorized):
            g.wampy.publish("com.example.polls.created", id=1)
        assert g.wampy.publish("com.example.polls.created", acknowledge=False, id=1) is None
        # The session lives on.
        assert g.wampy.call("com.test.add", 1, 2) == 3


def test_publish_reaches_the_publishers_own_process(make_app: MakeApp) -> None:
    app, wamp = make_app()
    received: list[tuple[str, str | None, bool]] = []
    arrived = threading.Event()

    @wamp.consume(topic="com.test.own")
    def own(message: str) -> None:
        received.append((message, event.publisher_authrole, g.wampy is not None))
        arrived.set()

    wamp.start(app)
    with app.app_context():
        g.wampy.publish(topic="com.test.own", message="to myself")
    assert arrived.wait(LIMIT)
    assert received == [("to myself", "backend", True)]


def test_publish_too_big_for_a_subscriber_is_lost_for_that_one_alone(
    anonymous: Peer, make_app: MakeApp
) -> None:
    """The router sends a browser 1 MiB at most, a process on the Unix socket more."""
    app, wamp = make_app()
    sizes: queue.Queue[int] = queue.Queue()

    @wamp.consume(topic="com.test.big_event")
    def big(text: str) -> None:
        sizes.put(len(text))

    wamp.start(app)
    events = anonymous.subscribe("com.test.big_event")
    with app.app_context():
        for size in (1, 1 << 21, 2):
            g.wampy.publish("com.test.big_event", "x" * size)
    assert [sizes.get(timeout=LIMIT) for _ in range(3)] == [1, 1 << 21, 2]
    assert [len(events.get().args[0]) for _ in range(2)] == [1, 2]


def test_handler_that_exits_is_in_the_log_of_a_process_outside_the_node(
    make_app: MakeApp, anonymous: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    app, wamp = make_app()
    handled = []

    @wamp.subscribe("com.outside.exits")
    def exits(number: int) -> None:
        if number == 1:
            sys.exit(1)
        handled.append(number)

    wamp.start(app)
    for number in (1, 2):
        anonymous.publish("com.outside.exits", number)
    wait_until(lambda: handled == [2], "the next event is handled")
    (record,) = (record for record in caplog.records if "SystemExit" in record.getMessage())
    assert (record.name, record.levelname) == ("flask_wamp", "ERROR")
    assert "exits" in record.getMessage()
