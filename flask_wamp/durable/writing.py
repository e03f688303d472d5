"""Writes a row through the application's own connection, inside the transaction that it has."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from ..errors import SetupError
from .databases import engine_of, is_missing
from .schema import OUTBOX, SQLITE_TABLES

INSERT = """
    INSERT INTO flask_wamp_outbox (event_id, topic, payload, options, created, attempts)
    VALUES (:event_id, :topic, :payload, :options, :created, 0)
"""
_CREATE = "create it with: flask wamp outbox create"


def write_row(handle: Any, row: Mapping[str, Any]) -> None:
    """Insert *row* through *handle*, a connection or session of the application's.

    Nothing is committed. What the database raises, that it is full or locked, is raised as it is.

    :raises SetupError: *handle* commits each statement by itself, or there is no table.
    """
    if isinstance(handle, sqlite3.Connection):
        _write_to_sqlite(handle, row)
    else:
        _write_with_sqlalchemy(handle, row)


def _write_to_sqlite(connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    # Python 3.12 has autocommit beside isolation_level; it is no bool where that is not used.
    commits_by_itself = (
        connection.isolation_level is None or getattr(connection, "autocommit", None) is True
    )
    if commits_by_itself and not connection.in_transaction:
        raise SetupError(
            "publish(durable=True) outside a transaction: this sqlite3 connection commits each "
            "statement by itself, so the data could be there without the event: BEGIN first"
        )
    with closing(connection.cursor()) as cursor:
        try:
            cursor.execute(INSERT, row)
        except sqlite3.OperationalError as error:
            if not is_missing(error):
                raise
            # SQLite creates tables inside the transaction as well, and a failed statement ends none.
            for sql in SQLITE_TABLES:
                cursor.execute(sql)
            cursor.execute(INSERT, row)


def _write_with_sqlalchemy(handle: Any, row: Mapping[str, Any]) -> None:
    engine = engine_of(handle)
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    if hasattr(handle, "flush"):
        # The data first: the rows that it locks then order the events of two transactions too.
        handle.flush()
    try:
        handle.execute(text(INSERT), row)
    except DBAPIError as error:
        if not is_missing(error):
            raise
        if engine.dialect.name != "sqlite":
            # The transaction is lost: most databases end it with a statement that fails.
            raise SetupError(f"there is no table {OUTBOX}: {_CREATE}") from error
        for sql in SQLITE_TABLES:
            handle.execute(text(sql))
        handle.execute(text(INSERT), row)
