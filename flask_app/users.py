"""The users: plain functions on a database connection, like those of the polls."""

import sqlite3
import unicodedata

from werkzeug.exceptions import BadRequest, Conflict
from werkzeug.security import check_password_hash, generate_password_hash

from flask_app.db import transaction
from flask_app.polls import checked_text

MAX_NAME = 40
MIN_PASSWORD, MAX_PASSWORD = 8, 200

#: What a password is compared with where there is no such user, so that it takes as long.
NOBODY = generate_password_hash("nobody")


def register(db: sqlite3.Connection, name: object, password: object) -> sqlite3.Row:
    """Store a new user, and return id and name."""
    shown = checked_text(name, "The name", MAX_NAME)
    if not isinstance(password, str) or not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadRequest(
            f"The password has to be text of {MIN_PASSWORD} to {MAX_PASSWORD} characters."
        )
    hashed = generate_password_hash(password)  # takes its time, so not while others wait to write
    try:
        with transaction(db):
            stored: sqlite3.Row = db.execute(
                "INSERT INTO user (name, key, password) VALUES (?, ?, ?) RETURNING id, name",
                (shown, key_of(shown), hashed),
            ).fetchone()
            return stored
    except sqlite3.IntegrityError:
        raise Conflict(f"Somebody has the name {shown} already.") from None


def check(db: sqlite3.Connection, name: object, password: object) -> sqlite3.Row | None:
    """Return id and name of the user whose password it is."""
    if not isinstance(name, str) or not isinstance(password, str):
        return None
    key = key_of(" ".join(name.split()))
    user: sqlite3.Row | None = None
    if len(key) <= 4 * MAX_NAME and key.isprintable():
        user = db.execute("SELECT id, name, password FROM user WHERE key = ?", (key,)).fetchone()
    stored = NOBODY if user is None else user["password"]
    is_right = check_password_hash(stored, password[:MAX_PASSWORD])
    return user if is_right else None


def find(db: sqlite3.Connection, user_id: object) -> sqlite3.Row | None:
    """Return id and name of a user; None where there is none of that id any more."""
    if not isinstance(user_id, int) or not 0 < user_id < 2**63:  # what SQLite can take
        return None
    user: sqlite3.Row | None = db.execute(
        "SELECT id, name FROM user WHERE id = ?", (user_id,)
    ).fetchone()
    return user


def key_of(name: str) -> str:
    """Return what no two names share: those that look alike are one."""
    return unicodedata.normalize("NFKC", name).casefold()
