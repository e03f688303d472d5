"""What is valid no more: logins that have ended, and tickets that were used; on disk.

A cookie that somebody kept is signed for weeks, so logging out has to outlive the node. The file is in
the node's directory, for the node's user alone; several processes may use it. Its methods are for
threads, and wait for the disk.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: The file in the node's directory.
FILE: Final = "flask-wamp-logins.sqlite3"
#: Seconds that a revocation is kept beyond the life of what it revokes, for clocks that differ.
MARGIN: Final = 86_400
#: Seconds between two looks for rows that are not needed any more.
TIDYING: Final = 3600
#: Revocations that are remembered in memory alone, because they could not be written.
MOST_UNWRITTEN: Final = 10_000
#: Seconds to wait for another process that writes.
BUSY: Final = 2.0
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS logins (login TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS authids
    (authid TEXT PRIMARY KEY, before INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tickets (number TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logins_until ON logins (until);
CREATE INDEX IF NOT EXISTS authids_until ON authids (until);
CREATE INDEX IF NOT EXISTS tickets_until ON tickets (until);
"""


def now() -> int:
    """Return the time, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Revocations:
    """Remembers what was revoked.

    :param directory: the node's; None keeps everything in memory.
    :param life: seconds that a login lives, or a ticket, whichever is longer.
    """

    def __init__(self, directory: str | None, life: float) -> None:
        self._life = int((life + MARGIN) * 1000)
        self._lock = threading.Lock()
        self._tidied = 0
        self._unwritten: dict[tuple[str, str | None], int] = {}
        path = ":memory:" if directory is None else str(Path(directory) / FILE)
        if directory is not None:
            # Before SQLite makes it, and with it those that it puts beside it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            Path(path).chmod(0o600)
        self._connection = sqlite3.connect(
            path, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        if directory is not None:
            self._connection.execute("PRAGMA journal_mode = WAL")
        # What was revoked is to be on the disk when whoever logs out is told so.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)

    def revoke_login(self, login: str) -> None:
        """Remember that a login has ended.

        :raises sqlite3.Error: it could not be written; this process remembers it all the same.
        """
        with self._or_in_memory("login", login, now()), self._writing() as connection:
            connection.execute(
                "INSERT INTO logins VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until",
                (login, now() + self._life),
            )

    def revoke_authid(self, authid: str, before: int) -> None:
        """Remember that all logins and tickets of *authid* made up to *before* have ended.

        :raises sqlite3.Error: as of :meth:`revoke_login`.
        """
        with self._or_in_memory("authid", authid, before), self._writing() as connection:
            connection.execute(
                "INSERT INTO authids VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                "before = max(before, excluded.before), until = excluded.until",
                (authid, before, now() + self._life),
            )

    def is_revoked(self, authid: str, made: int, login: str | None = None) -> bool:
        """Tell whether a login or ticket of *authid* that was *made* then has ended.

        A login that was revoked and is tried again is remembered for longer: somebody keeps it alive.
        """
        if (
            self._unwritten.get(("authid", authid), -1) >= made
            or ("login", login) in self._unwritten
        ):
            return True
        with self._lock:
            found = self._connection.execute(
                "SELECT 1 FROM authids WHERE authid = ? AND before >= ?", (authid, made)
            ).fetchone()
            if found is None and login is not None:
                found = self._connection.execute(
                    "SELECT 1 FROM logins WHERE login = ?", (login,)
                ).fetchone()
        if found is not None and login is not None:
            self.revoke_login(login)
        return found is not None

    def use(self, number: str, expires: int) -> bool:
        """Use the ticket of that *number* up; False where it was used before."""
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO tickets VALUES (?, ?) ON CONFLICT DO NOTHING",
                (number, expires + MARGIN * 1000),
            )
            return cursor.rowcount == 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _or_in_memory(self, kind: str, name: str, before: int) -> Iterator[None]:
        """Remember a revocation that cannot be written until this process ends."""
        try:
            yield
        except sqlite3.Error:
            if len(self._unwritten) < MOST_UNWRITTEN:
                self._unwritten[kind, name] = max(before, self._unwritten.get((kind, name), 0))
            raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._tidy(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Where the disk is full SQLite may have done that itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Drop what has lost its meaning."""
        moment = now()
        if moment - self._tidied < TIDYING * 1000:
            return
        self._tidied = moment
        for table in ("logins", "authids", "tickets"):
            connection.execute(f"DELETE FROM {table} WHERE until < ?", (moment,))  # noqa: S608 # nosec B608
