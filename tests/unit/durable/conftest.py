"""A shop whose orders are in a database, and whose events wait in its outbox."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app, g
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from flask_wamp import WAMP
from flask_wamp.call.options import Options, event_id_of
from flask_wamp.durable.databases import Database, SqlAlchemyDatabase, SqliteDatabase
from flask_wamp.durable.store import Store

ORDERS = "CREATE TABLE orders (id INTEGER PRIMARY KEY)"


class Router:
    """A link whose publishes go into a list, or raise."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.raises: Callable[[str], Exception | None] = lambda _topic: None
        self.before: Callable[[], None] = lambda: None

    def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> int:
        """Accept an event, or refuse it."""
        self.before()
        error = self.raises(topic)
        if error is not None:
            raise error
        self.events.append((topic, *args, event_id_of(options)))
        return 1

    @property
    def numbers(self) -> list[Any]:
        """What came, by the first argument."""
        return [event[1] for event in self.events]


@dataclass
class Shop:
    """An application, its database, and how it uses it.

    :ivar path: the file.
    """

    app: Flask
    wamp: WAMP
    path: Path

    def order(self, number: int, **durable: Any) -> Any:
        """Order inside the transaction of the current context, and return the event's id."""
        raise NotImplementedError

    def commit(self) -> None:
        """Commit the transaction of the current context."""
        raise NotImplementedError

    def rollback(self) -> None:
        """Roll it back."""
        raise NotImplementedError

    def database(self) -> Database:
        """Return a way of its own to the database."""
        raise NotImplementedError

    def orders(self) -> list[int]:
        """Return the orders that are there for good."""
        with sqlite3.connect(self.path) as other:
            found = [row[0] for row in other.execute("SELECT id FROM orders ORDER BY id")]
        other.close()
        return found

    def topics(self) -> list[str]:
        """Return the topics of what waits for good."""
        database = self.database()
        try:
            return [row.topic for row in Store(database).waiting(1000, 2**20)]
        finally:
            database.close()


class SqliteShop(Shop):
    """One with sqlite3, as Flask's tutorial has it."""

    def order(self, number: int, **durable: Any) -> Any:
        get_db().execute("INSERT INTO orders (id) VALUES (?)", (number,))
        return g.wampy.publish("com.shop.ordered", number, **{"durable": True, **durable})

    def commit(self) -> None:
        get_db().commit()

    def rollback(self) -> None:
        get_db().rollback()

    def database(self) -> Database:
        return SqliteDatabase(str(self.path))


def get_db() -> sqlite3.Connection:
    """Return the context's connection."""
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
    db: sqlite3.Connection = g.db
    return db


class SqlAlchemyShop(Shop):
    """One with a session of SQLAlchemy's."""

    engine: Engine

    def session(self) -> Session:
        """Return the context's session."""
        if "session" not in g:
            g.session = Session(self.engine)
        session: Session = g.session
        return session

    def order(self, number: int, **durable: Any) -> Any:
        self.session().execute(text("INSERT INTO orders (id) VALUES (:id)"), {"id": number})
        return g.wampy.publish("com.shop.ordered", number, **{"durable": True, **durable})

    def commit(self) -> None:
        self.session().commit()

    def rollback(self) -> None:
        self.session().rollback()

    def database(self) -> Database:
        return SqlAlchemyDatabase(self.engine)


@pytest.fixture
def sqlite_shop(app: Flask, wamp: WAMP, tmp_path: Path) -> SqliteShop:
    """Give a shop with sqlite3."""
    shop = SqliteShop(app, wamp, tmp_path / "shop.sqlite")
    with sqlite3.connect(shop.path) as connection:
        connection.execute(ORDERS)
    connection.close()
    app.config["DATABASE"] = str(shop.path)
    wamp.outbox(get_db)

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        if "db" in g:
            g.db.close()

    return shop


@pytest.fixture
def sqlalchemy_shop(app: Flask, wamp: WAMP, tmp_path: Path) -> Iterator[SqlAlchemyShop]:
    """Give a shop with SQLAlchemy."""
    shop = SqlAlchemyShop(app, wamp, tmp_path / "shop.sqlite")
    shop.engine = create_engine(f"sqlite:///{shop.path}")
    with shop.engine.begin() as connection:
        connection.execute(text(ORDERS))
    wamp.outbox(shop.session)

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        if "session" in g:
            g.session.close()

    yield shop
    shop.engine.dispose()


@pytest.fixture(params=["sqlite3", "SQLAlchemy"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """Give each of these shops."""
    name = "sqlite_shop" if request.param == "sqlite3" else "sqlalchemy_shop"
    found: Shop = request.getfixturevalue(name)
    return found


@pytest.fixture
def router() -> Router:
    """Give a router."""
    return Router()
