"""Event history in memory: what was published while the client is in use."""

from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, RemoteError
from flask_wamp.testing import WampTestClient


@pytest.fixture
def published(app: Flask, client: WampTestClient) -> None:
    """Publish to several topics, as the application and as others."""
    client.publish("com.shop.sales", 1, (2,))
    with app.app_context():
        g.wampy.publish("com.shop.sales", 2, key={3: 4})
        g.wampy.with_options(exclude_me=True).publish("com.shop.sales.big", 3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(1, [2]), (2,)]),
        ({"limit": 1}, [(2,)]),
        ({"match": "prefix"}, [(1, [2]), (2,), (3,)]),
        ({"match": "prefix", "limit": 2}, [(2,), (3,)]),
    ],
)
def test_history_has_what_was_published(
    app: Flask, published: None, options: dict[str, Any], expected: list[Any]
) -> None:
    with app.app_context():
        kept = g.wampy.history("com.shop.sales", **options)
    assert [each.args for each in kept] == expected


def test_history_says_who_has_published_what(
    app: Flask, published: None, client: WampTestClient
) -> None:
    with app.app_context():
        first, second = g.wampy.history("com.shop.sales")
        assert g.wampy.history("com.shop.other") == []
    assert (first.publisher, first.publisher_authid) == (client.session.session, "tester")
    assert second.publisher_authrole == "backend"
    assert second.kwargs == {"key": {"3": 4}}
    assert second.publication == client.published[0].id
    assert first.timestamp <= second.timestamp


def test_history_of_each_client_is_its_own(app: Flask, wamp: WAMP, published: None) -> None:
    with wamp.test_client(), app.app_context():
        assert g.wampy.history("com.shop.sales") == []


def test_history_may_be_stubbed(app: Flask, client: WampTestClient) -> None:
    client.stub("wamp.subscription.lookup", returns=None)
    client.publish("com.shop.sales")
    with app.app_context():
        assert g.wampy.history("com.shop.sales") == []


def test_history_by_the_routers_own_procedures(app: Flask, published: None) -> None:
    with app.app_context():
        subscription = g.wampy.call("wamp.subscription.lookup", "com.shop.sales")
        assert len(g.wampy.call("wamp.subscription.get_events", subscription)) == 2
        with pytest.raises(RemoteError, match="no_such_subscription"):
            g.wampy.call("wamp.subscription.get_events", 4711)
