"""What durable events cost: the row that a view writes, and the relay that sends it."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask, g

from flask_wamp import WAMP
from flask_wamp.node import CrossbarNode
from flask_wamp.state import state_of

EVENTS = 2000
TOPIC = "com.bench.topic"


def durable_rates(node: CrossbarNode, rounds: int) -> dict[str, list[float]]:
    """Return events per second, by what is done with them, of each round."""
    rates: dict[str, list[float]] = {}
    with _till(node) as (app, db):
        for _ in range(rounds):
            for name, seconds in _round(app, db):
                rates.setdefault(name, []).append(EVENTS / seconds)
    return rates


@contextmanager
def _till(node: CrossbarNode) -> Iterator[tuple[Flask, sqlite3.Connection]]:
    """Give an application of this process with a database, which is where databases are: on disk."""
    app = Flask("till")
    app.config["WAMP_URL"] = node.backend_url
    wamp = WAMP(app)
    with tempfile.TemporaryDirectory() as directory:
        with closing(sqlite3.connect(Path(directory) / "till.sqlite")) as db:
            db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
            wamp.outbox(lambda: db)
            with app.app_context():
                g.wampy.publish(TOPIC, 0)
                yield app, db
        wamp.stop(app)


def _round(app: Flask, db: sqlite3.Connection) -> Iterator[tuple[str, float]]:
    start = time.perf_counter()
    for number in range(EVENTS):
        g.wampy.publish(TOPIC, number)
    yield "acknowledged", time.perf_counter() - start

    start = time.perf_counter()
    for _ in range(EVENTS):
        db.execute("INSERT INTO orders DEFAULT VALUES")
    db.commit()
    yield "rows", time.perf_counter() - start

    start = time.perf_counter()
    for number in range(EVENTS):
        g.wampy.publish(TOPIC, number, durable=True)
    db.commit()
    yield "written", time.perf_counter() - start

    start = time.perf_counter()
    assert state_of(app).outbox.send_now() == EVENTS  # nosec B101
    yield "sent", time.perf_counter() - start
