"""An application whose orders, and the events of them, are in a file of SQLite's."""

import os
import sqlite3

from flask import Flask, g

from flask_wamp import WAMP

TOPIC = "com.durable.orders"

app = Flask(__name__)
app.config.from_prefixed_env()
wamp = WAMP(app)


@wamp.outbox
def get_db() -> sqlite3.Connection:
    """Return the context's connection, as Flask's tutorial has it."""
    if "db" not in g:
        g.db = sqlite3.connect(os.environ["TILL_DATABASE"], timeout=30)
    db: sqlite3.Connection = g.db
    return db


@app.teardown_appcontext
def close_db(_error: BaseException | None) -> None:
    """Close it."""
    if "db" in g:
        g.pop("db").close()


def take_order(writer: int, number: int, *, commit: bool = True) -> str:
    """Order in a transaction, and return the event's id."""
    with app.app_context():
        db = get_db()
        db.execute("INSERT INTO orders (writer, number) VALUES (?, ?)", (writer, number))
        event_id: str = g.wampy.publish(TOPIC, writer, number, durable=True)
        if commit:
            db.commit()
        return event_id


def make_database(path: str) -> None:
    """Make the table of the orders."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, writer INT, number INT)")
    db.close()
