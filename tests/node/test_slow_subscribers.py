"""Handlers that are slower than their events come, against a real router."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask, g

from flask_wamp import WAMP
from flask_wamp._twisted.serve.events import event_counts
from flask_wamp._twisted.serve.overflow import EventCounts

from .support import LIMIT, MakeApp, wait_until

pytestmark = pytest.mark.node

EVENTS = 3_000


def counts_of(topic: str) -> EventCounts:
    """Return how the events of *topic* fare."""
    (counts,) = [each for each in event_counts() if each.topic == topic]
    return counts


def publish_all(app: Flask, topic: str) -> None:
    """Publish, without waiting for each, and wait for the last."""
    with app.app_context():
        unacknowledged = g.wampy.with_options(acknowledge=False)
        for number in range(EVENTS - 1):
            unacknowledged.publish(topic, number, "x" * 500)
        g.wampy.publish(topic, EVENTS - 1, "")


@pytest.fixture
def subscribed(make_app: MakeApp) -> Callable[..., Flask]:
    """Return a function that serves a handler from this process."""

    def subscribe(topic: str, handler: Callable[..., None], **options: object) -> Flask:
        app, wamp = make_app("slow", WAMP_TIMEOUT=LIMIT)
        wamp.subscribe(topic, **options)(handler)  # type: ignore[arg-type]
        WAMP.start(wamp, app)
        return app

    return subscribe


def test_slow_handler_gets_all_in_order_and_calls_go_on(
    make_app: MakeApp, subscribed: Callable[..., Flask]
) -> None:
    """By default: what has no room in memory waits on disk."""
    topic, seen, go_on = "com.slow.spill", list[int](), threading.Event()

    def handle(number: int, _text: str) -> None:
        assert go_on.wait(LIMIT)
        seen.append(number)

    app = subscribed(topic, handle, queue=100)
    publisher, _ = make_app("publisher", WAMP_TIMEOUT=LIMIT)
    publish_all(publisher, topic)
    wait_until(lambda: counts_of(topic).waiting == EVENTS - 1, "all have come")
    assert counts_of(topic).spilled >= EVENTS - 200
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
    go_on.set()
    wait_until(lambda: len(seen) == EVENTS, "all are handled")
    assert seen == list(range(EVENTS))
    assert counts_of(topic).dropped == 0


def test_slow_handler_that_blocks_and_calls_gets_all_in_order(
    make_app: MakeApp, subscribed: Callable[..., Flask]
) -> None:
    """The answers of its calls come behind events that it has not read."""
    topic, seen = "com.slow.block", list[int]()

    def handle(number: int, _text: str) -> None:
        if number % 100 == 0:
            assert g.wampy.call("com.test.add", number, 1) == number + 1
        seen.append(number)

    subscribed(topic, handle, queue=5, overflow="block")
    publisher, _ = make_app("publisher", WAMP_TIMEOUT=LIMIT)
    publish_all(publisher, topic)
    wait_until(lambda: len(seen) == EVENTS, "all are handled")
    assert seen == list(range(EVENTS))
    counts = counts_of(topic)
    assert counts.dropped == 0
    assert counts.blocked > 0
