"""The relay's own connections to the application's database.

Statements have ``:name`` parameters, which the standard library's sqlite3 and SQLAlchemy's
``text()`` both take.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from ..errors import SetupError
from .schema import OUTBOX, SQLITE_TABLES, add_tables

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: Seconds to wait for a lock of SQLite's that the application has.
BUSY_TIMEOUT = 5.0

#: A statement, and its parameters, of several rows where it is a list.
Statement = tuple[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]


class Database(Protocol):
    """A way to the outbox that shares no transaction with the application; of one thread.

    :ivar name: what the log calls it, without secrets.
    """

    name: str

    def read(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in a transaction of its own."""

    def write(self, statements: Sequence[Statement]) -> int:
        """Run *statements* in one transaction, and return how many rows the last has changed."""

    def create(self) -> None:
        """Create the tables, unless they are there."""

    def close(self) -> None:
        """Let go of the connection."""


class SqliteDatabase:
    """A file of SQLite's, through the standard library; see :class:`Database`.

    :param path: the file, which is there.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def read(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._opened().execute(sql, parameters).fetchall()

    def write(self, statements: Sequence[Statement]) -> int:
        """Run *statements* in one transaction."""
        connection = self._opened()
        # At once, since a transaction that begins as a reader may not be let to write later.
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            return _run(connection, statements)

    def create(self) -> None:
        """Create the tables, unless they are there."""
        self.write([(sql, {}) for sql in SQLITE_TABLES])

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            # Read and write, but do not create: a database that has gone is none that is empty.
            uri = f"file:{quote(str(Path(self._path).absolute()))}?mode=rw"
            self._connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None
            )
        return self._connection


class SqlAlchemyDatabase:
    """What an engine of SQLAlchemy's connects to; see :class:`Database`."""

    def __init__(self, engine: "Engine") -> None:
        self.name = engine.url.render_as_string(hide_password=True)
        self._engine = engine

    def read(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        from sqlalchemy import text

        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), parameters)]

    def write(self, statements: Sequence[Statement]) -> int:
        """Run *statements* in one transaction."""
        from sqlalchemy import text

        changed = 0
        with self._engine.begin() as connection:
            for sql, parameters in statements:
                changed = connection.execute(text(sql), parameters).rowcount
        return changed

    def create(self) -> None:
        """Create the tables, unless they are there."""
        from sqlalchemy import MetaData

        metadata = MetaData()
        add_tables(metadata)
        metadata.create_all(self._engine)

    def close(self) -> None:
        """Leave the connections to the application's pool."""


class LentSqlite:
    """The application's own connection, to a database in memory; see :class:`Database`.

    :raises SetupError: it is in a transaction, which is the application's to end.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.name = ":memory:"
        if connection.in_transaction:
            raise SetupError("the database is in a transaction: commit it, or roll it back")
        self._connection = connection

    def read(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return [tuple(row) for row in self._connection.execute(sql, parameters)]

    def write(self, statements: Sequence[Statement]) -> int:
        """Run *statements* in one transaction."""
        with self._connection:
            return _run(self._connection, statements)

    def create(self) -> None:
        """Create the tables, unless they are there."""
        self.write([(sql, {}) for sql in SQLITE_TABLES])

    def close(self) -> None:
        """Leave the connection to the application."""


def _run(connection: sqlite3.Connection, statements: Sequence[Statement]) -> int:
    """Run *statements*, and return how many rows the last has changed."""
    changed = 0
    for sql, parameters in statements:
        if isinstance(parameters, Mapping):
            changed = connection.execute(sql, parameters).rowcount
        else:
            changed = connection.executemany(sql, parameters).rowcount
    return changed


def database_of(handle: Any) -> Database:
    """Return a way of its own to the database of what the application uses.

    :param handle: a ``sqlite3.Connection``, or a session or connection of SQLAlchemy's.
    :raises SetupError: it is neither, or a database in memory, which only its own connection has.
    """
    if isinstance(handle, sqlite3.Connection):
        path = path_of(handle)
        if not path:
            raise SetupError(
                "the outbox is in a database in memory, which no relay can open: use a file; "
                "in tests, client.relay() sends what is in it"
            )
        return SqliteDatabase(path)
    return SqlAlchemyDatabase(engine_of(handle))


def path_of(connection: sqlite3.Connection) -> str:
    """Return the file of a database, empty where it is in memory."""
    rows = connection.execute("PRAGMA database_list").fetchall()
    return next(str(file) for _number, name, file in map(tuple, rows) if name == "main")


def engine_of(handle: Any) -> "Engine":
    """Return the engine of a session, a scoped session or a connection of SQLAlchemy's.

    :raises SetupError: *handle* is none of these.
    """
    bind = handle.get_bind() if hasattr(handle, "get_bind") else handle
    engine = getattr(bind, "engine", None)
    if engine is None or not hasattr(engine, "begin") or not hasattr(handle, "execute"):
        raise SetupError(
            f"the outbox is a {type(handle).__module__}.{type(handle).__qualname__}: return a "
            "sqlite3.Connection or a Session of SQLAlchemy's from the function of @wamp.outbox"
        )
    found: Engine = engine
    return found


def is_missing(error: Exception) -> bool:
    """Tell whether a database has said that there is no table, which each says in its own words."""
    told = str(getattr(error, "orig", error)).lower()
    words = ("no such table", "does not exist", "doesn't exist")
    return OUTBOX in told and any(each in told for each in words)
