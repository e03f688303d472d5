"""The database: a schema that many may create at once, and transactions that are all or nothing."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.exceptions import BadRequest

from flask_app import db, polls


def test_schema_is_made_once(database: Path) -> None:
    with closing(db.connect(database)) as first:
        polls.vote(first, 1, 2)
    with closing(db.connect(database)) as second:
        assert polls.results(second, 1)["total"] == 1
        assert polls.newest(second) == 1


def test_schema_is_made_once_by_many_at_once(tmp_path: Path) -> None:
    """Again and again, for the race to be met; with processes see test_processes.py."""
    barrier = threading.Barrier(8)

    def open_new(database: Path) -> int:
        barrier.wait()
        with closing(db.connect(database)) as connection:
            return polls.vote(connection, 1, 1)["total"]

    with ThreadPoolExecutor(8) as threads:
        for number in range(30):
            totals = threads.map(open_new, [tmp_path / f"{number}.sqlite"] * 8)
            assert sorted(totals) == list(range(1, 9))


def test_switch_to_write_ahead_logging_waits_for_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own patience does not cover this one statement."""
    database = tmp_path / "polls.sqlite"
    waits = []
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def release_meanwhile(seconds: float) -> None:
            waits.append(seconds)
            other.execute("ROLLBACK")

        with monkeypatch.context() as patch:
            patch.setattr("flask_app.db.time.sleep", release_meanwhile)
            with closing(db.connect(database)) as connection:
                assert polls.newest(connection) == 1
                assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert len(waits) == 1


def test_writers_do_not_block_readers(database: Path) -> None:
    with (
        closing(db.connect(database)) as writer,
        closing(db.connect(database)) as reader,
    ):
        assert writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        with db.transaction(writer):
            writer.execute("UPDATE choice SET votes = 5 WHERE id = 1")
            assert polls.results(reader, 1)["total"] == 0
        assert polls.results(reader, 1)["total"] == 5


def test_transaction_that_fails_leaves_nothing(database: Path) -> None:
    with closing(db.connect(database)) as connection:

        def fail() -> None:
            with db.transaction(connection):
                connection.execute("UPDATE choice SET votes = 5 WHERE id = 1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert not connection.in_transaction
        assert polls.results(connection, 1)["total"] == 0


def test_refused_vote_gives_the_lock_back(database: Path) -> None:
    with closing(db.connect(database)) as one, closing(db.connect(database)) as other:
        with pytest.raises(BadRequest):
            polls.vote(one, 1, 99)
        other.execute("PRAGMA busy_timeout = 0")
        assert polls.vote(other, 1, 1)["total"] == 1


def test_connection_lives_as_long_as_the_context(app: Flask) -> None:
    with app.app_context():
        connection = db.connection()
        assert db.connection() is connection

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
