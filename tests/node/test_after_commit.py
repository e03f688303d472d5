"""The documentation's recipe for publishing what SQLAlchemy has committed, as it stands there."""

import importlib
import queue
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError as AutobahnError
from flask import Flask, abort, g, request
from sqlalchemy import Engine, ForeignKey, create_engine, select
from sqlalchemy import event as database_event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from flask_wamp.node import CrossbarNode

from .support import LIMIT, ROOT, MakeApp, Peer, forget_listeners
from .test_publishing import MARK, until_mark

pytestmark = pytest.mark.node

PACKAGE = "recipe_shop"


@pytest.fixture(scope="module", autouse=True)
def _recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the documentation's block a module, beside an application of its own."""
    text = (ROOT / "docs/howto/calling.md").read_text()
    found = re.search(r"^```python shop/events.py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    directory = tmp_path_factory.mktemp("recipe")
    package = directory / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "app.py").write_text('from flask import Flask\n\napp = Flask("shop")\n')
    (package / "events.py").write_text(found[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        yield
    forget_listeners(recipe())
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def recipe() -> Any:
    """Return the recipe."""
    return importlib.import_module(f"{PACKAGE}.events")


class Base(DeclarativeBase):
    """The tables of these tests."""


class Customer(Base):
    """Somebody who orders."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    """An order of somebody's."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[int] = mapped_column(
        ForeignKey(Customer.id, deferrable=True, initially="DEFERRED")
    )


TOPIC = "com.publishing.orders"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """Give a database with a customer, that looks at foreign keys when a transaction commits."""
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.sqlite'}")

    @database_event.listens_for(engine, "connect")
    def check_foreign_keys(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Customer(id=1))
        session.commit()
    yield engine
    engine.dispose()


def take_order(session: Session, number: int, customer: int = 1) -> None:
    """Order, and let the world know when it is sure."""
    session.add(Order(id=number, customer=customer))
    session.flush()
    recipe().publish_after_commit(session, TOPIC, number)


def orders_in(database: Engine) -> list[int]:
    """Return the orders that are there for good: a new connection sees no others."""
    database.dispose()
    with Session(database) as session:
        return list(session.scalars(select(Order.id).order_by(Order.id)))


@pytest.fixture
def books(make_app: MakeApp, database: Engine) -> Flask:
    """Give an application that keeps orders."""
    app, wamp = make_app("books")

    @app.post("/orders/<int:number>")
    @wamp.callee("com.books.order")
    def order(number: int, customer: int = 1, end: str = "commit") -> dict[str, int]:
        customer = (request.get_json() or {}).get("customer", customer)
        end = (request.get_json() or {}).get("end", end)
        with Session(database) as session:
            take_order(session, number, customer)
            if end == "abort":
                abort(409)
            if end == "rollback":
                session.rollback()
            elif end == "commit":
                session.commit()
        return {"order": number}

    wamp.start(app)
    return app


@pytest.mark.parametrize(
    ("order", "is_committed"),
    [
        ({}, True),
        ({"end": "rollback"}, False),
        ({"end": "close"}, False),
        ({"end": "abort"}, False),
        # The database refuses it, as late as at the commit.
        ({"customer": 99}, False),
    ],
)
def test_commit_publishes_and_nothing_else_does(
    books: Flask, database: Engine, anonymous: Peer, order: dict[str, Any], is_committed: bool
) -> None:
    events = anonymous.subscribe(TOPIC)
    books.test_client().post("/orders/7", json=order)
    with suppress(AutobahnError):
        anonymous.call("com.books.order", 8, **order)
    with books.app_context():
        g.wampy.publish(TOPIC, MARK)
    expected = [7, 8] if is_committed else []
    assert until_mark(events) == expected
    assert orders_in(database) == expected


def test_commit_publishes_when_the_rows_are_there(
    books: Flask, database: Engine, anonymous: Peer
) -> None:
    """Whoever gets the event finds what it speaks of."""
    found: queue.Queue[list[int]] = queue.Queue()
    events = anonymous.subscribe(TOPIC)

    def look(number: int) -> None:
        assert events.get().args == (number,)
        found.put(orders_in(database))

    with books.app_context(), Session(database) as session:
        for number in (1, 2):
            take_order(session, number)
            assert events.waiting() == []
            session.commit()
            look(number)
    assert [found.get(timeout=LIMIT) for _ in range(2)] == [[1], [1, 2]]


def test_commit_of_savepoints_publishes_what_stays(
    books: Flask, database: Engine, anonymous: Peer
) -> None:
    events = anonymous.subscribe(TOPIC)
    with books.app_context(), Session(database) as session:
        take_order(session, 1)
        with session.begin_nested():
            take_order(session, 2)
        with session.begin_nested() as outer:
            take_order(session, 3)
            with session.begin_nested():
                take_order(session, 4)
            outer.rollback()
        with suppress(IntegrityError), session.begin_nested():
            take_order(session, 5)
            take_order(session, 5)
        take_order(session, 6)
        g.wampy.publish(TOPIC, "not yet")
        session.commit()
        # What was rolled back as a whole does not go out with the next one.
        take_order(session, 7)
        session.rollback()
        take_order(session, 8)
        session.commit()
        g.wampy.publish(TOPIC, MARK)
    assert until_mark(events) == ["not yet", 1, 2, 6, 8]
    assert orders_in(database) == [1, 2, 6, 8]


def test_commit_stands_though_the_router_refuses_the_event(
    peers_node: CrossbarNode,
    database: Engine,
    make_app: MakeApp,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    with app.app_context(), Session(database) as session:
        session.add(Order(id=1, customer=1))
        recipe().publish_after_commit(session, "com.example.polls.created", id=1)
        session.commit()
    assert "committed, but com.example.polls.created was not published" in caplog.text
    assert orders_in(database) == [1]
