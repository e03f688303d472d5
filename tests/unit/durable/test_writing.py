"""What ``publish(durable=True)`` writes: a row in the caller's transaction, and nothing else."""

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import MetaData, create_engine, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from flask_wamp import WAMP, DeclarationError, OptionError, PayloadError, RemoteError, SetupError
from flask_wamp.durable import add_tables
from flask_wamp.durable.databases import LentSqlite, SqlAlchemyDatabase, SqliteDatabase
from flask_wamp.durable.store import Store

from .conftest import Shop, SqlAlchemyShop, SqliteShop, get_db


def test_commit_keeps_the_event_with_the_data(shop: Shop) -> None:
    with shop.app.app_context():
        event_id = shop.order(7)
        assert shop.orders() == []
        shop.commit()
    assert shop.orders() == [7]
    assert shop.topics() == ["com.shop.ordered"]
    (row,) = Store(shop.database()).waiting(10, 1000)
    assert row.event_id == event_id
    assert row.arguments() == ([7], {})


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_event_goes_with_the_transaction_that_is_not_committed(shop: Shop, end: str) -> None:
    with shop.app.app_context():
        shop.order(1)
        shop.commit()
        shop.order(2)
        if end == "rollback":
            shop.rollback()
    assert shop.orders() == [1]
    assert shop.topics() == ["com.shop.ordered"]


def test_savepoint_that_is_rolled_back_takes_its_events_along(
    sqlalchemy_shop: SqlAlchemyShop,
) -> None:
    shop = sqlalchemy_shop
    with shop.app.app_context():
        session = shop.session()
        # The driver begins no transaction for a savepoint alone (SQLAlchemy's page on SQLite).
        shop.order(1)
        with session.begin_nested() as savepoint:
            shop.order(2)
            savepoint.rollback()
        shop.order(3)
        shop.commit()
    rows = Store(shop.database()).waiting(10, 1000)
    assert [row.arguments()[0] for row in rows] == [[1], [3]]


def test_ids_differ_and_are_uuids(shop: Shop) -> None:
    with shop.app.app_context():
        ids = {shop.order(number) for number in range(20)}
        shop.commit()
    assert len(ids) == 20
    assert all(len(each) == 32 and int(each, 16) for each in ids)


def test_keyword_has_the_id_as_well(shop: Shop) -> None:
    with shop.app.app_context():
        event_id = shop.order(7, durable="event_id")
        shop.commit()
    (row,) = Store(shop.database()).waiting(10, 1000)
    assert row.arguments() == ([7], {"event_id": event_id})


@pytest.mark.parametrize("durable", ["", "two words", 1, None])
def test_keyword_that_cannot_be_is_refused(shop: Shop, durable: Any) -> None:
    with shop.app.app_context():
        with pytest.raises(OptionError, match="name of the keyword argument"):
            g.wampy.publish("com.shop.ordered", durable=durable)
        with pytest.raises(OptionError, match="name another one"):
            g.wampy.publish("com.shop.ordered", order=1, durable="order")


def test_options_travel(shop: Shop) -> None:
    given = {"eligible_authrole": ["user"], "disclose_me": True}
    with shop.app.app_context():
        g.wampy.with_options(**given).publish("com.shop.ordered", durable=True)
        shop.commit()
    (row,) = Store(shop.database()).waiting(10, 1000)
    options = row.publish_options(3.0)
    assert options.eligible_authrole == ("user",)
    assert (options.disclose_me, options.acknowledge, options.timeout) == (True, True, 3.0)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 3},
        {"acknowledge": True},
        {"exclude": [1]},
        {"eligible": [1]},
        {"exclude_me": True},
    ],
)
def test_options_that_mean_nothing_later_are_refused(shop: Shop, options: dict[str, Any]) -> None:
    with shop.app.app_context(), pytest.raises(OptionError, match="a durable event is sent later"):
        g.wampy.with_options(**options).publish("com.shop.ordered", durable=True)


@pytest.mark.parametrize("acknowledge", [True, False])
def test_acknowledge_is_refused(shop: Shop, acknowledge: bool) -> None:
    with shop.app.app_context(), pytest.raises(OptionError, match="a durable event is sent later"):
        g.wampy.publish("com.shop.ordered", acknowledge=acknowledge, durable=True)


def test_payload_that_cannot_travel_is_refused_in_the_view(shop: Shop) -> None:
    with shop.app.app_context():
        with pytest.raises(PayloadError):
            g.wampy.publish("com.shop.ordered", object(), durable=True)
        with pytest.raises(ValueError, match="is not a URI"):
            g.wampy.publish("no uri", durable=True)
        with pytest.raises(RemoteError) as raised:
            g.wampy.publish("com.shop.ordered", b"x" * 2**24, durable=True)
    assert raised.value.uri == "wamp.error.payload_size_exceeded"


def test_no_outbox_says_what_to_do(app: Flask, wamp: WAMP) -> None:
    with app.app_context(), pytest.raises(SetupError, match=r"put @wamp\.outbox on the function"):
        g.wampy.publish("com.shop.ordered", durable=True)


def test_outbox_is_declared_once(wamp: WAMP) -> None:
    assert wamp.outbox(get_db) is get_db
    wamp.outbox(get_db)
    with pytest.raises(DeclarationError, match="an application has one outbox"):
        wamp.outbox(lambda: None)


@pytest.mark.parametrize("handle", ["shop.sqlite", create_engine("sqlite://")])
def test_what_is_no_database_says_what_to_return(app: Flask, wamp: WAMP, handle: Any) -> None:
    """An engine has no transaction that the event could be a part of."""
    wamp.outbox(lambda: handle)
    with app.app_context(), pytest.raises(SetupError, match=r"return a sqlite3\.Connection or"):
        g.wampy.publish("com.shop.ordered", durable=True)


def test_flask_sqlalchemy_needs_no_declaration(sqlalchemy_shop: SqlAlchemyShop) -> None:
    """Its extension has the scoped session in ``session``, which is all that is used of it."""
    shop = sqlalchemy_shop
    wamp, app = WAMP(), Flask("other")
    wamp.init_app(app)
    session = scoped_session(sessionmaker(shop.engine))
    app.extensions["sqlalchemy"] = SimpleNamespace(session=session)
    with app.app_context():
        g.wampy.publish("com.shop.ordered", 1, durable=True)
        session.commit()
        session.remove()
    assert shop.topics() == ["com.shop.ordered"]


# --- what would lose the transaction


def test_connection_that_commits_each_statement_is_refused(app: Flask, wamp: WAMP) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        wamp.outbox(lambda: connection)
        with app.app_context():
            with pytest.raises(SetupError, match="BEGIN first"):
                g.wampy.publish("com.shop.ordered", durable=True)
            connection.execute("BEGIN")
            g.wampy.publish("com.shop.ordered", durable=True)
            connection.execute("COMMIT")
        assert len(Store(LentSqlite(connection)).waiting(10, 1000)) == 1


def test_first_event_makes_the_table_inside_the_transaction(shop: Shop) -> None:
    with shop.app.app_context():
        shop.order(1)
        shop.rollback()
        shop.order(2)
        shop.commit()
    assert shop.orders() == [2]
    assert shop.topics() == ["com.shop.ordered"]


def test_tables_are_the_same_for_both(tmp_path: Path) -> None:
    plain = SqliteDatabase(str(tmp_path / "plain.sqlite"))
    (tmp_path / "plain.sqlite").touch()
    plain.create()
    plain.close()
    engines = [create_engine(f"sqlite:///{tmp_path / name}.sqlite") for name in ("plain", "made")]
    SqlAlchemyDatabase(engines[1]).create()
    metadata = MetaData()
    add_tables(metadata)
    add_tables(metadata)
    names = [
        {
            table: sorted(
                (column["name"], column["nullable"] and column["name"] not in ("id", "name"))
                for column in inspect(engine).get_columns(table)
            )
            for table in inspect(engine).get_table_names()
        }
        for engine in engines
    ]
    assert names[0] == names[1]
    assert set(names[0]) == set(metadata.tables) == {"flask_wamp_outbox", "flask_wamp_outbox_lease"}
    for engine in engines:
        engine.dispose()


# --- a database that cannot


def test_locked_database_raises_in_the_view(sqlite_shop: SqliteShop) -> None:
    shop = sqlite_shop
    with closing(sqlite3.connect(shop.path)) as other, shop.app.app_context():
        other.execute("BEGIN IMMEDIATE")
        get_db().execute("PRAGMA busy_timeout = 1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            g.wampy.publish("com.shop.ordered", durable=True)
        other.rollback()
        shop.order(1)
        shop.commit()
    assert shop.topics() == ["com.shop.ordered"]


def test_full_disk_raises_in_the_view_and_leaves_nothing_half_written(
    sqlite_shop: SqliteShop,
) -> None:
    shop = sqlite_shop
    with shop.app.app_context():
        shop.order(1)
        shop.commit()
        pages = get_db().execute("PRAGMA page_count").fetchone()[0]
        get_db().execute(f"PRAGMA max_page_count = {pages}")
        get_db().execute("INSERT INTO orders (id) VALUES (2)")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            g.wampy.publish("com.shop.ordered", "x" * 100_000, durable=True)
        shop.rollback()
    assert shop.orders() == [1]
    assert shop.topics() == ["com.shop.ordered"]


def test_full_disk_raises_with_sqlalchemy_too(sqlalchemy_shop: SqlAlchemyShop) -> None:
    shop = sqlalchemy_shop
    with shop.app.app_context():
        shop.order(1)
        shop.commit()
        pages = shop.session().execute(text("PRAGMA page_count")).scalar_one()
        shop.session().execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(OperationalError, match="full"):
            g.wampy.publish("com.shop.ordered", "x" * 100_000, durable=True)
        shop.rollback()
    assert shop.topics() == ["com.shop.ordered"]


class Base(DeclarativeBase):
    """The tables of this test."""


class Order(Base):
    """An order."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)


def test_pending_objects_are_written_before_the_event(sqlalchemy_shop: SqlAlchemyShop) -> None:
    """So that two transactions that change the same row have their events in the same order."""
    with Session(sqlalchemy_shop.engine, autoflush=False) as session:
        app, wamp = Flask("other"), WAMP()
        wamp.init_app(app)
        wamp.outbox(lambda: session)
        with app.app_context():
            session.add(Order(id=1))
            g.wampy.publish("com.shop.ordered", durable=True)
            assert not session.new
