"""The session of an application, lost and had again, in memory."""

from typing import Any

import pytest
from flask import Flask, current_app, g

from flask_wamp import (
    WAMP,
    NoSuchProcedure,
    NotConnected,
    SessionInfo,
    session_joined,
    session_left,
)
from flask_wamp.testing import Publication, WampTestClient


def test_lost_session_raises_not_connected(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    heard: list[int] = []
    wamp.callee("add")(lambda a: a)
    wamp.subscribe("topic")(heard.append)
    client.stub("com.other.price", returns=1)
    client.disconnect("the router is away")
    with app.app_context():
        for use in (
            lambda: g.wampy.call("add", 1),
            lambda: g.wampy.call("com.other.price"),
            lambda: g.wampy.call("not.stubbed"),
            lambda: g.wampy.start_call("add", 1).result(),
            lambda: list(g.wampy.stream("add", 1)),
            lambda: g.wampy.publish("topic", 1),
            lambda: g.wampy.with_options(acknowledge=False).publish("topic", 1),
            lambda: g.wampy.meta.count_sessions(authroles=["backend"]),
            lambda: wamp.add_procedure(print, "late"),
        ):
            with pytest.raises(NotConnected, match="the router is away"):
                use()
    # Nobody reaches the application either.
    with pytest.raises(NoSuchProcedure):
        client.call("add", 1)
    client.publish("topic", 1)
    assert (client.calls, client.published, heard) == ([], [], [])
    client.reconnect()
    assert client.call("add", 1) == 1
    client.publish("topic", 2)
    with app.app_context():
        assert g.wampy.call("com.other.price") == 1
    assert heard == [2]


def test_lost_session_drops_events_that_wait_for_success(
    app: Flask, client: WampTestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        g.wampy.publish_on_success("topic", 1)
        client.disconnect()
    assert client.published == []
    assert "The event of topic did not go out" in caplog.text


def test_lost_session_is_lost_once(wamp: WAMP, client: WampTestClient) -> None:
    told: list[str | None] = []
    wamp.on_leave(lambda session: told.append(session.reason))
    client.disconnect("first")
    client.disconnect("second")
    assert told == ["first"]


def test_watchers_are_told_of_the_loss_and_of_the_new_session(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    told: list[Any] = []

    @wamp.on_leave
    def left(session: SessionInfo) -> None:
        told.append(("left", current_app.name, session))

    @wamp.on_join
    async def joined(session: SessionInfo) -> None:
        g.wampy.publish("com.shop.online", session.session)
        told.append(("joined", current_app.name, session))

    def signalled(sender: Flask, *, session: SessionInfo) -> None:
        told.append(("signal", sender.name, session))

    before = client.app_session
    assert told == []
    with session_joined.connected_to(signalled, app), session_left.connected_to(signalled, app):
        client.reconnect()
    after = client.app_session
    gone = SessionInfo(before.session, "realm1", before.authid, "backend", told[0][2].reason)
    assert "lost" in str(gone.reason)
    assert told == [
        ("left", "shop", gone),
        ("signal", "shop", gone),
        ("joined", "shop", after),
        ("signal", "shop", after),
    ]
    assert after.session != before.session
    assert client.published == [Publication("com.shop.online", after.session)]


def test_watcher_that_fails_fails_the_test(wamp: WAMP, client: WampTestClient) -> None:
    @wamp.on_join
    def joined(session: SessionInfo) -> None:
        raise KeyError("watcher")

    with pytest.raises(KeyError, match="watcher"):
        client.reconnect()
