"""The SQLite database: one connection for each application context, opened on first use."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import current_app, g

BUSY_SECONDS = 30.0  # how long a writer waits for the writers in front of it

#: What takes a database from each version to the next; the first makes its tables.
MIGRATIONS = (
    (
        "CREATE TABLE poll (id INTEGER PRIMARY KEY, question TEXT NOT NULL)",
        """CREATE TABLE choice (
            id INTEGER PRIMARY KEY, poll_id INTEGER NOT NULL REFERENCES poll (id),
            text TEXT NOT NULL, votes INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX choice_poll_id ON choice (poll_id)",
        # A first start has something to vote on.
        "INSERT INTO poll (id, question) VALUES (1, 'Which season do you like best?')",
        """INSERT INTO choice (poll_id, text)
            VALUES (1, 'Spring'), (1, 'Summer'), (1, 'Autumn'), (1, 'Winter')""",
        "PRAGMA user_version = 1",
    ),
    (
        # AUTOINCREMENT: no id is given out again, to whom the cookie of somebody before would belong.
        """CREATE TABLE user (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
            password TEXT NOT NULL
        )""",
        # Polls from before belong to nobody.
        "ALTER TABLE poll ADD COLUMN owner_id INTEGER REFERENCES user (id)",
        "ALTER TABLE poll ADD COLUMN closed INTEGER NOT NULL DEFAULT 0",
        "PRAGMA user_version = 2",
    ),
)


def connection() -> sqlite3.Connection:
    """Return the connection of the current application context."""
    if "db" not in g:
        g.db = connect(Path(current_app.config["DATABASE"]))
    opened: sqlite3.Connection = g.db
    return opened


def close(_error: BaseException | None = None) -> None:
    """Close the connection of the current application context, if it has one."""
    if "db" in g:
        g.pop("db").close()


def connect(path: Path) -> sqlite3.Connection:
    """Open the database at ``path``, and create what is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # isolation_level=None: the module begins no transactions of its own, transaction() does.
    opened = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    opened.row_factory = sqlite3.Row
    if version(opened) < len(MIGRATIONS):
        use_wal(opened)
        with transaction(opened):
            for statements in MIGRATIONS[version(opened) :]:  # another process may have been faster
                for statement in statements:
                    opened.execute(statement)
    return opened


def version(opened: sqlite3.Connection) -> int:
    """Return how far the tables have come; 0 is none."""
    (number,) = opened.execute("PRAGMA user_version").fetchone()
    return int(number)


def use_wal(opened: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, with which readers need not wait for writers."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            opened.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            # SQLite itself does not wait when two processes switch at the same moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def transaction(opened: sqlite3.Connection) -> Iterator[None]:
    """Commit all that the block does, or nothing of it.

    ``IMMEDIATE`` waits for the write lock at the beginning.  A transaction that reads first and
    writes later would fail if another process wrote in between.
    """
    opened.execute("BEGIN IMMEDIATE")
    with opened:
        yield
