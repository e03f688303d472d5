"""The thread that sends, and a database that is not there, or fails."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from flask_wamp import WAMP, NotConnected
from flask_wamp.durable.store import Store
from flask_wamp.state import State, state_of

from .conftest import Router, Shop, SqliteShop

LIMIT = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def state(app: Flask, wamp: WAMP, router: Router) -> Iterator[State]:
    """Give what the extension keeps, with a router, and end the relay."""
    state = state_of(app)
    state.slot.attach(router)  # type: ignore[arg-type]
    yield state
    state.outbox.end()


def order(shop: Shop, number: int) -> None:
    """Commit an order."""
    with shop.app.app_context():
        shop.order(number)
        shop.commit()


def test_commit_is_sent_while_the_relay_runs(shop: Shop, state: State, router: Router) -> None:
    order(shop, 1)
    state.outbox.begin()
    until(lambda: router.numbers == [1])
    order(shop, 2)
    until(lambda: router.numbers == [1, 2])


def test_commit_of_this_process_is_sent_before_the_poll(
    sqlite_shop: SqliteShop, wamp: WAMP, router: Router
) -> None:
    app = Flask("impatient")
    app.config.from_mapping(WAMP_OUTBOX_POLL=3600, DATABASE=str(sqlite_shop.path))
    wamp.init_app(app)
    state = state_of(app)
    state.slot.attach(router)  # type: ignore[arg-type]
    state.outbox.begin()
    try:
        sqlite_shop.app = app
        order(sqlite_shop, 1)
        until(lambda: router.numbers == [1])
    finally:
        state.outbox.end()


def test_end_leaves_no_thread_and_the_lease_to_others(
    shop: Shop, state: State, router: Router
) -> None:
    order(shop, 1)
    state.outbox.begin()
    state.outbox.begin()
    until(lambda: router.numbers)
    shop.wamp.stop(shop.app)
    assert not [each for each in threading.enumerate() if "outbox" in each.name]
    order(shop, 2)
    lease = Store(shop.database()).lease()
    assert lease is not None
    assert lease[0] == ""
    assert router.numbers == [1]
    state.outbox.begin()
    until(lambda: router.numbers == [1, 2])


def test_held_relay_sends_nothing_and_leaves_it_to_others(
    shop: Shop, state: State, router: Router
) -> None:
    state.outbox.begin()
    order(shop, 1)
    until(lambda: router.numbers == [1])
    state.outbox.hold()
    order(shop, 2)

    def is_free() -> bool:
        lease = Store(shop.database()).lease()
        return lease is not None and lease[0] == ""

    until(is_free)
    assert router.numbers == [1]
    state.outbox.begin()
    until(lambda: router.numbers == [1, 2])


def test_application_without_outbox_has_no_relay(state: State) -> None:
    state.outbox.begin()
    assert state.outbox.relay is None


def test_table_may_come_later(
    shop: Shop, state: State, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "flask_wamp"):
        state.outbox.begin()
        until(lambda: "create it with: flask wamp outbox create" in caplog.text)
        order(shop, 1)
        until(lambda: router.numbers == [1])
    assert caplog.text.count("no durable events are sent") == 1


def test_failing_function_is_asked_again(
    app: Flask, wamp: WAMP, state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    @wamp.outbox
    def database() -> sqlite3.Connection:
        calls.append(1)
        raise ValueError("the password is secret\nand this as well")

    with caplog.at_level(logging.WARNING, "flask_wamp"):
        state.outbox.begin()
        until(lambda: len(calls) > 2)
    assert caplog.text.count("no durable events are sent: ValueError: the password is secret") == 1
    assert "as well" not in caplog.text


def test_database_that_has_gone_is_not_made_anew(
    sqlite_shop: SqliteShop, state: State, router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    order(sqlite_shop, 1)
    database = sqlite_shop.database()
    sqlite_shop.path.unlink()
    with pytest.raises(sqlite3.OperationalError):
        database.read("SELECT 1", {})
    assert not sqlite_shop.path.exists()


def test_locked_database_delays(shop: Shop, state: State, router: Router) -> None:
    order(shop, 1)
    with closing(sqlite3.connect(shop.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        state.outbox.begin()
        assert router.numbers == []
        other.rollback()
    until(lambda: router.numbers == [1])


def test_router_may_come_later(shop: Shop, state: State, router: Router) -> None:
    asked: list[str] = []

    def absent(topic: str) -> Exception | None:
        asked.append(topic)
        return NotConnected("no router") if len(asked) < 4 else None

    router.raises = absent
    order(shop, 1)
    order(shop, 2)
    state.outbox.begin()
    until(lambda: router.numbers == [1, 2])
    assert len(asked) == 5
