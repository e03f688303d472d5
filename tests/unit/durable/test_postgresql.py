"""The outbox in PostgreSQL, whose transactions overlap; where the machine has one."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from flask_wamp import WAMP, SetupError
from flask_wamp.durable.databases import SqlAlchemyDatabase
from flask_wamp.durable.lease import Lease
from flask_wamp.durable.sending import Sender
from flask_wamp.durable.store import Store
from flask_wamp.state import state_of

from .conftest import Router

LIMIT = 60
pytestmark = pytest.mark.slow

#: Who runs the server where the tests are run by root, whom it refuses.
OTHER_USER = "nobody"


def _program(name: str) -> str:
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        pytest.skip(f"no PostgreSQL here: no {name} (Debian: apt-get install postgresql)")
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """Run a server, and give the directory of its socket."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    user = {"user": OTHER_USER, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    run: dict[str, Any] = {**user, "check": True, "timeout": LIMIT, "stdout": subprocess.DEVNULL}
    # Not below pytest's directory, nor any that others cannot enter; and the name of a socket is short.
    with tempfile.TemporaryDirectory(prefix="outbox-", dir="/tmp") as name:
        directory = Path(name)
        if user:
            shutil.chown(directory, OTHER_USER)
        data = str(directory / "data")
        subprocess.run(
            [initdb, "-D", data, "-A", "trust", "-U", "till", "--no-sync"], cwd="/", **run
        )
        options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        start = [pg_ctl, "-D", data, "-w", "-l", str(directory / "log"), "-o", options, "start"]
        subprocess.run(start, cwd="/", **run)
        try:
            yield directory
        finally:
            subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], cwd="/", **run)


@pytest.fixture
def engine(server: Path) -> Iterator[Engine]:
    """Give an empty database."""
    pytest.importorskip("psycopg")
    engine = create_engine(f"postgresql+psycopg://till@/postgres?host={server}")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS flask_wamp_outbox, flask_wamp_outbox_lease"))
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: Engine) -> Store:
    """Give the outbox."""
    database = SqlAlchemyDatabase(engine)
    database.create()
    database.create()
    return Store(database)


@pytest.fixture
def till(app: Flask, wamp: WAMP, router: Router) -> Flask:
    """Give an application whose session is in ``g``."""
    wamp.outbox(lambda: g.session)
    state_of(app).slot.attach(router)  # type: ignore[arg-type]
    return app


def sender(till: Flask, store: Store, owner: str = "one") -> Sender:
    """Return a relay without a thread."""
    return Sender(state_of(till), store, Lease(owner), lambda: True)


def publish(till: Flask, session: Session, number: int) -> str:
    """Publish in the transaction of *session*."""
    with till.app_context():
        g.session = session
        event_id: str = g.wampy.publish("com.till.taken", number, b"\0\xff", durable=True)
        return event_id


def test_committed_events_are_sent_and_others_are_not(
    till: Flask, engine: Engine, store: Store, router: Router
) -> None:
    with Session(engine) as session:
        ids = [publish(till, session, number) for number in range(3)]
        session.commit()
        publish(till, session, 3)
        session.rollback()
    relay = sender(till, store)
    while relay.turn() is not None:
        pass
    assert router.events == [
        ("com.till.taken", number, b"\0\xff", event_id) for number, event_id in enumerate(ids)
    ]
    assert store.count() == (0, None)


def test_lower_id_that_is_committed_later_is_not_left_behind(
    till: Flask, engine: Engine, store: Store, router: Router
) -> None:
    relay = sender(till, store)
    with Session(engine) as slow, Session(engine) as quick:
        publish(till, slow, 1)
        publish(till, quick, 2)
        quick.commit()
        relay.turn()
        assert router.numbers == [2]
        # Written when the second one's was there already: so it is behind it.
        publish(till, quick, 3)
        slow.commit()
        quick.commit()
    relay.turn()
    assert router.numbers == [2, 1, 3]


def test_events_of_a_row_are_in_the_order_of_its_lock(
    till: Flask, engine: Engine, store: Store, router: Router
) -> None:
    """Changes first, then the publish: who comes second waits with both."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS stock"))
        connection.execute(text("CREATE TABLE stock (id INT PRIMARY KEY, count INT)"))
        connection.execute(text("INSERT INTO stock VALUES (1, 0)"))
    seen: list[int] = []

    def take() -> None:
        for _ in range(25):
            with Session(engine) as session:
                change = text("UPDATE stock SET count = count + 1 WHERE id = 1 RETURNING count")
                count = session.execute(change).scalar_one()
                publish(till, session, count)
                seen.append(count)
                session.commit()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    relay = sender(till, store)
    while any(thread.is_alive() for thread in threads) or store.any():
        relay.turn()
    for thread in threads:
        thread.join(LIMIT)
    assert router.numbers == sorted(seen) == list(range(1, 101))


def test_lease_is_one_relays(till: Flask, engine: Engine, store: Store, router: Router) -> None:
    with Session(engine) as session:
        publish(till, session, 1)
        session.commit()
    first, second = sender(till, store, "one"), sender(till, store, "two")
    assert first.turn() == 0.0
    with Session(engine) as session:
        publish(till, session, 2)
        session.commit()
    assert second.turn() is None
    first.release()
    assert second.turn() == 0.0
    assert router.numbers == [1, 2]


def test_events_are_set_aside_and_tried_again(
    till: Flask, engine: Engine, store: Store, router: Router
) -> None:
    with Session(engine) as session:
        event_id = publish(till, session, 1)
        session.commit()
    (row,) = store.waiting(10, 1)
    store.refuse(row, 5, "no")
    assert [each.event_id for each in store.set_aside(10)] == [event_id]
    assert store.retry([row.id]) == 1
    assert store.any()


def test_missing_table_says_what_to_do(till: Flask, engine: Engine) -> None:
    """The failed statement has ended the transaction, so nothing is half there."""
    with Session(engine) as session, pytest.raises(SetupError, match="flask wamp outbox create"):
        publish(till, session, 1)
