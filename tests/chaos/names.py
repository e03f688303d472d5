"""What the application and those who call it have in common: names, times and the database."""

import sqlite3

#: Seconds that a call may take, everywhere in these tests.
WITHIN = 5.0
ECHO, VOTE, NESTED, SLOW, HURT, WHO = (
    f"com.chaos.{name}" for name in ("echo", "vote", "nested", "slow", "hurt", "who")
)
EVENT, DURABLE, SLEEPY, FLOOD = (
    f"com.chaos.{name}" for name in ("event", "durable", "sleepy", "flood")
)
OTHER, OTHER_WHO = "com.chaos.other", "com.chaos.other_who"
#: A request to a view that calls nobody.
PAGE = "page"
ADD_DURABLE = "com.chaos.add_durable"
#: Seconds that the slow view, and the handler of SLEEPY, take.
SLOW_VIEW, SLEEPY_HANDLER = 0.5, 0.1
#: Seconds that a view holds the GIL for, without end for everyone concerned.
FOR_EVER = 3600
#: Bytes that a view takes at a time, without end, until somebody ends its process.
GULP = 8 * 2**20

SCHEMA = """
CREATE TABLE IF NOT EXISTS vote (number INTEGER NOT NULL, pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS handled (number INTEGER NOT NULL, pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS durable (place INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS hurt (pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS ballast (bytes BLOB NOT NULL);
"""


def open_database(path: str) -> sqlite3.Connection:
    """Open the database of the votes; a writer waits for another for two seconds."""
    database = sqlite3.connect(path, timeout=2.0)
    database.execute("PRAGMA journal_mode=WAL")
    return database


def name_of(error: BaseException) -> str:
    """Return the URI of a WAMP error, or the class of another."""
    uri = getattr(error, "uri", None) or getattr(error, "error", None)
    return str(uri) if isinstance(uri, str) else type(error).__name__
