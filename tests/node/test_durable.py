"""Durable events through a router: in order, each at least once, with an id to know it by."""

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.types import PublishOptions
from flask import Flask, g

from flask_wamp import WAMP, event
from flask_wamp.durable.databases import SqliteDatabase
from flask_wamp.durable.store import Store
from flask_wamp.node import CrossbarNode

from .apps import till
from .conftest import trusted_url
from .programs import Program, Wampy
from .relay import Relay
from .support import Events, MakeApp, Peer, connected, on_reactor, wait_until

pytestmark = pytest.mark.node

TOPIC = till.TOPIC
#: How often a relay is killed, and how many orders two writers take meanwhile.
KILLS, ORDERS = 5, 1000


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the till's database."""
    path = str(tmp_path / "till.sqlite")
    till.make_database(path)
    monkeypatch.setenv("TILL_DATABASE", path)
    return path


@pytest.fixture
def serve(make_app: MakeApp) -> Callable[..., tuple[Flask, WAMP]]:
    """Give a function that serves an application with the till's outbox from this process."""

    def serve(**config: Any) -> tuple[Flask, WAMP]:
        app, wamp = make_app("till", **config)
        wamp.outbox(till.get_db)
        app.teardown_appcontext(till.close_db)
        return app, wamp

    return serve


def publish(app: Flask, *values: Any, topic: str = TOPIC, **durable: Any) -> list[str]:
    """Publish durably in one transaction, and return the ids."""
    with app.app_context():
        ids = [g.wampy.publish(topic, value, **{"durable": True, **durable}) for value in values]
        till.get_db().commit()
    return ids


def waiting(database: str) -> int:
    """Return how many events wait."""
    own = SqliteDatabase(database)
    try:
        return Store(own).count()[0]
    finally:
        own.close()


def test_event_reaches_handlers_pages_and_peers_with_its_id(
    serve: Callable[..., tuple[Flask, WAMP]],
    database: str,
    trusted: Peer,
    javascript_peer: Wampy,
) -> None:
    app, wamp = serve()
    handled = Events()

    @wamp.consume(TOPIC)
    def ordered(number: int) -> None:
        handled.put(number, event.id)

    wamp.start(app)
    events = trusted.subscribe(TOPIC)
    javascript_peer.order("subscribe", topic=TOPIC)
    (event_id,) = publish(app, 7)
    assert handled.get().args == (7, event_id)
    received = events.get()
    assert (received.args, received.details.transaction_hash) == ((7,), f"fw1;e={event_id}")
    told = javascript_peer.event()
    assert (told["args"], told["id"]) == ([7], f"fw1;e={event_id}")
    wait_until(lambda: waiting(database) == 0, "the row is gone")
    # An event that is not durable has none.
    with app.app_context():
        g.wampy.publish(TOPIC, 8)
    assert handled.get().args == (8, None)


def test_keyword_is_seen_by_peers_that_know_nothing_of_the_id(
    serve: Callable[..., tuple[Flask, WAMP]], database: str, trusted: Peer
) -> None:
    app, wamp = serve()
    wamp.start(app)
    events = trusted.subscribe(TOPIC)
    (event_id,) = publish(app, 7, durable="event_id")
    assert events.get().kwargs == {"event_id": event_id}


def test_what_is_no_id_is_none(
    serve: Callable[..., tuple[Flask, WAMP]], database: str, anonymous: Peer, trusted: Peer
) -> None:
    """Whoever may publish may put any text there."""
    app, wamp = serve()
    handled = Events()

    @wamp.consume(TOPIC)
    def ordered(_value: str) -> None:
        handled.put(event.id)

    wamp.start(app)
    id_ = "f" * 32
    for text in (id_, "fw1;e=a b", f"fw1;e={'f' * 65}", f"fw1;c=x;e={id_};t=y"):
        options = PublishOptions(acknowledge=True, transaction_hash=text)
        on_reactor(partial(trusted.session.publish, TOPIC, "x", options=options))
    assert [handled.get().args[0] for _ in range(4)] == [None, None, None, id_]


def test_rollback_sends_nothing(
    serve: Callable[..., tuple[Flask, WAMP]], database: str, trusted: Peer
) -> None:
    app, wamp = serve()
    wamp.start(app)
    events = trusted.subscribe(TOPIC)
    with app.app_context():
        g.wampy.publish(TOPIC, 1, durable=True)
        till.get_db().rollback()
    publish(app, 2)
    assert events.get().args == (2,)


def test_awaited_subscriber_gets_what_was_published_before(
    serve: Callable[..., tuple[Flask, WAMP]], database: str, trusted: Peer
) -> None:
    """And what is behind waits as well, as the order is kept."""
    app, wamp = serve(WAMP_OUTBOX_AWAITS=["com.durable.awaited"])
    wamp.start(app)
    others = trusted.subscribe(TOPIC)
    publish(app, 1)
    publish(app, 2, topic="com.durable.awaited")
    publish(app, 3)
    assert others.get().args == (1,)
    wait_until(lambda: waiting(database) == 2, "one is sent")
    events = trusted.subscribe("com.durable.awaited")
    assert events.get().args == (2,)
    assert others.get().args == (3,)


def test_router_away_and_back_keeps_the_order(
    serve: Callable[..., tuple[Flask, WAMP]], database: str, trusted: Peer, relay: Relay
) -> None:
    app, wamp = serve(WAMP_URL=relay.url)
    wamp.start(app)
    events = trusted.subscribe(TOPIC)
    publish(app, *range(10))
    wait_until(lambda: waiting(database) == 0, "all is sent")
    relay.close()
    for number in range(10, 20):
        publish(app, number)
    assert waiting(database) == 10
    relay.listen()
    publish(app, 20)
    wait_until(lambda: waiting(database) == 0, "all is sent")
    # What the router has accepted may be on its way to this subscriber still.
    received: list[Any] = []
    _take_until(events, received, 21)
    assert first_of_each(received) == list(range(21))


def first_of_each(received: list[Any]) -> list[Any]:
    """Return the first argument of events, each where it came first."""
    seen: dict[str, Any] = {}
    for each in received:
        value = each.args[0] if len(each.args) == 1 else each.args
        assert seen.setdefault(each.details.transaction_hash, value) == value
    return list(seen.values())


def test_refused_event_is_set_aside(
    serve: Callable[..., tuple[Flask, WAMP]], peers_node: CrossbarNode, database: str, trusted: Peer
) -> None:
    app, _ = serve(WAMP_URL=peers_node.ws_url)
    # A browser's role may not publish there.
    events = trusted.subscribe(TOPIC)
    with app.app_context():
        refused = g.wampy.publish("com.example.polls.created", 1, durable=True)
        g.wampy.publish(TOPIC, 2, durable=True)
        till.get_db().commit()
    app.extensions["wamp"].outbox.begin()
    assert events.get().args == (2,)
    own = SqliteDatabase(database)
    (aside,) = Store(own).set_aside(10)
    own.close()
    assert aside.event_id == refused
    assert "not_authorized" in aside.reason


# --- processes


def relaying(node: CrossbarNode, database: str) -> Program:
    """Start a process that sends what is committed."""
    return Program(
        *(sys.executable, "-m", "flask", "--app", "tests.node.apps.till:app"),
        *("wamp", "outbox", "run", "--url", node.backend_url),
        env={"TILL_DATABASE": database, "FLASK_WAMP_OUTBOX_POLL": "0.1"},
    )


@pytest.fixture
def relays() -> Iterator[ExitStack]:
    """Give what ends processes."""
    with ExitStack() as stack:
        yield stack


def test_process_that_relays_ends_with_a_signal_and_leaves_the_lease(
    peers_node: CrossbarNode, database: str, trusted: Peer, relays: ExitStack
) -> None:
    events = trusted.subscribe(TOPIC)
    event_id = till.take_order(1, 1)
    program = relays.enter_context(relaying(peers_node, database))
    assert events.get().details.transaction_hash == f"fw1;e={event_id}"
    assert program.end() == 0
    own = SqliteDatabase(database)
    assert Store(own).lease() is not None
    assert (Store(own).lease() or ("?",))[0] == ""
    own.close()


@pytest.mark.slow
def test_kills_lose_nothing_and_keep_the_order(
    peers_node: CrossbarNode, database: str, relays: ExitStack
) -> None:
    """Two relays at a time, one of which is killed again and again, whatever it does just then."""
    consumer = relays.enter_context(connected(trusted_url(peers_node)))
    events = consumer.subscribe(TOPIC)
    programs = [relays.enter_context(relaying(peers_node, database)) for _ in range(2)]
    taken: list[str] = []
    dropped: list[str] = []
    writers = [
        threading.Thread(target=_write, args=(number, taken, dropped), daemon=True)
        for number in range(2)
    ]
    for writer in writers:
        writer.start()
    received: list[Any] = []
    for kill in range(1, KILLS + 1):
        _take_until(events, received, kill * ORDERS // (KILLS + 2))
        killed = _sender(database, programs)
        killed.kill()
        programs.remove(killed)
        programs.append(relays.enter_context(relaying(peers_node, database)))
    for writer in writers:
        writer.join(120)
    wait_until(lambda: waiting(database) == 0, "all is sent", timeout=120)
    _take_until(events, received, ORDERS)
    ids = [each.details.transaction_hash.removeprefix("fw1;e=") for each in received]
    firsts = list(dict.fromkeys(ids))
    with sqlite3.connect(database) as db:
        orders = db.execute("SELECT writer, number FROM orders ORDER BY id").fetchall()
    db.close()
    # Every order's event, in the order of the commits, and no other's.
    by_id = dict(zip(ids, (each.args for each in received), strict=True))
    assert [by_id[event_id] for event_id in firsts] == orders
    assert set(firsts) == set(taken)
    assert not set(firsts).intersection(dropped)
    assert len(orders) == ORDERS


def _write(writer: int, taken: list[str], dropped: list[str]) -> None:
    for number in range(ORDERS // 2):
        if number % 10 == 0:
            dropped.append(till.take_order(writer, -number, commit=False))
        taken.append(till.take_order(writer, number))


def _take_until(events: Events, received: list[Any], count: int) -> None:
    """Take events until *count* different ones have come."""

    def enough() -> bool:
        received.extend(events.waiting())
        return len({each.details.transaction_hash for each in received}) >= count

    wait_until(enough, f"{count} events", timeout=120)


def _sender(database: str, programs: list[Program]) -> Program:
    """Return the process that sends: the lease is one's that was killed until another has taken it."""

    def find() -> Program | None:
        own = SqliteDatabase(database)
        (owner, _beat) = Store(own).lease() or ("", 0)
        own.close()
        return next((each for each in programs if f":{each.process.pid}:" in owner), None)

    found = wait_until(find, "one of them sends", timeout=120)
    assert found is not None
    return found
