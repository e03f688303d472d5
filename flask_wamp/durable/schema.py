"""The outbox's two tables, for SQLite by itself and for SQLAlchemy's metadata.

``flask_wamp_outbox`` has an event in each row: those that wait, in the order of ``id``, and those
that were set aside, whose ``failed`` says why. ``flask_wamp_outbox_lease`` has one row, which says
whose relay sends.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData

OUTBOX = "flask_wamp_outbox"
LEASE = "flask_wamp_outbox_lease"

#: What SQLite takes for both tables; ``AUTOINCREMENT`` gives no id twice.
SQLITE_TABLES = (
    """CREATE TABLE IF NOT EXISTS flask_wamp_outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        options TEXT NOT NULL,
        created REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        failed TEXT
    )""",
    """CREATE TABLE IF NOT EXISTS flask_wamp_outbox_lease (
        name TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        beat INTEGER NOT NULL
    )""",
)

#: Bytes of a payload, for databases whose types have a length.
_MAX_PAYLOAD = 2**24 - 1


def add_tables(metadata: "MetaData") -> None:
    """Add the outbox's tables to an application's *metadata*, unless they are in it.

    They are created, and found by Alembic, with the application's own:
    ``add_tables(Base.metadata)``, ``add_tables(db.metadata)``.
    """
    from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, String, Table, Text

    if OUTBOX in metadata.tables:
        return
    Table(
        OUTBOX,
        metadata,
        # SQLite gives ids of its own to an INTEGER alone.
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("event_id", String(32), nullable=False),
        Column("topic", Text, nullable=False),
        Column("payload", LargeBinary(_MAX_PAYLOAD), nullable=False),
        Column("options", Text, nullable=False),
        Column("created", Float(53), nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("failed", Text),
        sqlite_autoincrement=True,
    )
    Table(
        LEASE,
        metadata,
        Column("name", String(32), primary_key=True),
        Column("owner", String(64), nullable=False),
        Column("beat", BigInteger, nullable=False),
    )
