"""Durable events under the test client."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, NotAuthorized, SetupError, event
from flask_wamp.durable.databases import LentSqlite
from flask_wamp.durable.store import Store
from flask_wamp.testing import Publication, WampTestClient


@pytest.fixture
def db(wamp: WAMP) -> Iterator[sqlite3.Connection]:
    """Give the application's database, in memory."""
    with closing(sqlite3.connect(":memory:")) as connection:
        wamp.outbox(lambda: connection)
        yield connection


@pytest.fixture
def client(app: Flask, wamp: WAMP) -> Iterator[WampTestClient]:
    """Give a test client."""
    with wamp.test_client(app) as client:
        yield client


def test_durable_event_is_published_when_it_is_relayed(
    app: Flask, wamp: WAMP, db: sqlite3.Connection, client: WampTestClient
) -> None:
    seen: list[Any] = []

    @wamp.consume("com.shop.ordered")
    def ordered(number: int) -> None:
        seen.append((number, event.id))

    with app.app_context():
        event_id = g.wampy.publish("com.shop.ordered", 7, durable=True)
        db.commit()
    assert client.published == seen == []
    assert client.relay() == 1
    assert client.published == [Publication("com.shop.ordered", 7)]
    assert client.published[0].event_id == event_id
    assert seen == [(7, event_id)]
    assert client.relay() == 0


def test_durable_event_of_a_rollback_is_never_published(
    app: Flask, db: sqlite3.Connection, client: WampTestClient
) -> None:
    with app.app_context():
        g.wampy.publish("com.shop.ordered", 7, durable=True)
        db.rollback()
    assert client.relay() == 0
    assert client.published == []


def test_relay_refuses_an_open_transaction(
    app: Flask, db: sqlite3.Connection, client: WampTestClient
) -> None:
    with app.app_context():
        g.wampy.publish("com.shop.ordered", 7, durable=True)
    with pytest.raises(SetupError, match="in a transaction"):
        client.relay()


def test_relay_waits_for_the_router(
    app: Flask, db: sqlite3.Connection, client: WampTestClient
) -> None:
    with app.app_context():
        g.wampy.publish("com.shop.ordered", 7, durable=True)
        db.commit()
    client.disconnect()
    assert client.relay() == 0
    client.reconnect()
    assert client.relay() == 1


def test_relay_sets_refused_events_aside(
    app: Flask, db: sqlite3.Connection, client: WampTestClient
) -> None:
    client.refuse("com.shop.secret", NotAuthorized)
    with app.app_context():
        g.wampy.publish("com.shop.secret", 7, durable=True)
        g.wampy.publish("com.shop.ordered", 8, durable=True)
        db.commit()
    assert client.relay() == 1
    assert client.published == [Publication("com.shop.ordered", 8)]
    (aside,) = Store(LentSqlite(db)).set_aside(10)
    assert aside.topic == "com.shop.secret"


def test_relay_shows_what_handlers_raise(
    app: Flask, wamp: WAMP, db: sqlite3.Connection, client: WampTestClient
) -> None:
    app.testing = True

    @wamp.consume("com.shop.ordered")
    def ordered(number: int) -> None:
        raise ZeroDivisionError(number)

    with app.app_context():
        g.wampy.publish("com.shop.ordered", 7, durable=True)
        db.commit()
    with pytest.raises(ZeroDivisionError):
        client.relay()


def test_handlers_may_publish_durably_themselves(
    app: Flask, wamp: WAMP, db: sqlite3.Connection, client: WampTestClient
) -> None:
    @wamp.consume("com.shop.ordered")
    def ordered(number: int) -> None:
        g.wampy.publish("com.shop.mail", number, durable=True)
        db.commit()

    with app.app_context():
        g.wampy.publish("com.shop.ordered", 7, durable=True)
        db.commit()
    assert client.relay() == 2
    assert client.published_to("com.shop.mail") == [Publication("com.shop.mail", 7)]
