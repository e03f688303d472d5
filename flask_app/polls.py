"""The polls: plain functions on a database connection.

What cannot be done raises the HTTP error that says why; a WAMP caller gets the same text.
"""

import sqlite3
import unicodedata
from typing import TypedDict

from werkzeug.exceptions import BadRequest, Conflict, Forbidden, NotFound

from flask_app.db import transaction

MAX_QUESTION, MAX_CHOICE = 200, 100  # characters
MIN_CHOICES, MAX_CHOICES = 2, 8


class Choice(TypedDict):
    """One choice of a poll and its votes."""

    id: int
    text: str
    votes: int


class Results(TypedDict):
    """One poll and how it stands."""

    id: int
    question: str
    closed: bool
    total: int
    choices: list[Choice]


def newest(db: sqlite3.Connection) -> int:
    """Return the id of the newest poll."""
    (poll_id,) = db.execute("SELECT max(id) FROM poll").fetchone()
    return int(poll_id)


def others(db: sqlite3.Connection, poll_id: int, limit: int = 20) -> list[sqlite3.Row]:
    """Return id and question of the most recent polls except one, newest first."""
    return db.execute(
        "SELECT id, question FROM poll WHERE id != ? ORDER BY id DESC LIMIT ?", (poll_id, limit)
    ).fetchall()


def find(db: sqlite3.Connection, poll_id: int) -> sqlite3.Row:
    """Return a poll, without its choices."""
    poll: sqlite3.Row | None = None
    if 0 < poll_id < 2**63:  # SQLite raises OverflowError for larger numbers
        poll = db.execute(
            "SELECT id, question, owner_id, closed FROM poll WHERE id = ?", (poll_id,)
        ).fetchone()
    if poll is None:
        raise NotFound(f"There is no poll {poll_id}.")
    return poll


def is_owner(db: sqlite3.Connection, poll_id: int, user_id: int) -> bool:
    """Tell whether a user has created a poll."""
    return bool(find(db, poll_id)["owner_id"] == user_id)


def results(db: sqlite3.Connection, poll_id: int) -> Results:
    """Return how a poll stands."""
    poll = find(db, poll_id)
    rows = db.execute(
        "SELECT id, text, votes FROM choice WHERE poll_id = ? ORDER BY id", (poll_id,)
    )
    choices = [Choice(id=row["id"], text=row["text"], votes=row["votes"]) for row in rows]
    total = sum(choice["votes"] for choice in choices)
    return Results(
        id=poll["id"],
        question=poll["question"],
        closed=bool(poll["closed"]),
        total=total,
        choices=choices,
    )


def vote(db: sqlite3.Connection, poll_id: int, choice: object) -> Results:
    """Count one vote, and return how the poll stands with it."""
    if not isinstance(choice, int) or isinstance(choice, bool):
        raise BadRequest("The choice has to be the number of one of the poll's choices.")
    with transaction(db):
        poll = results(db, poll_id)
        if poll["closed"]:
            raise Conflict("The poll is closed.")
        if choice not in [known["id"] for known in poll["choices"]]:
            raise BadRequest(f"Poll {poll_id} has no choice {choice}.")
        db.execute("UPDATE choice SET votes = votes + 1 WHERE id = ?", (choice,))
        return results(db, poll_id)


def close(db: sqlite3.Connection, poll_id: int, user_id: int) -> Results:
    """Take no more votes, as the owner wants it; a second time changes nothing."""
    with transaction(db):
        if not is_owner(db, poll_id, user_id):
            raise Forbidden("Only who has created the poll may close it.")
        db.execute("UPDATE poll SET closed = 1 WHERE id = ?", (poll_id,))
        return results(db, poll_id)


def create(db: sqlite3.Connection, question: object, choices: object, owner_id: int) -> Results:
    """Store a new poll of a user's, and return it."""
    title = checked_text(question, "The question", MAX_QUESTION)
    if not isinstance(choices, list) or not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
        raise BadRequest(f"A poll needs a list of {MIN_CHOICES} to {MAX_CHOICES} choices.")
    texts = [checked_text(choice, "Each choice", MAX_CHOICE) for choice in choices]
    if len({text.casefold() for text in texts}) < len(texts):
        raise BadRequest("The choices have to differ from each other.")
    with transaction(db):
        (poll_id,) = db.execute(
            "INSERT INTO poll (question, owner_id) VALUES (?, ?) RETURNING id", (title, owner_id)
        ).fetchone()
        db.executemany(
            "INSERT INTO choice (poll_id, text) VALUES (?, ?)", [(poll_id, text) for text in texts]
        )
        return results(db, poll_id)


def checked_text(value: object, name: str, limit: int) -> str:
    """Return a text without surplus white space, or raise what is wrong with it."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    # JSON can carry control characters and halves of characters, which no page can show.
    if not 1 <= len(text) <= limit or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise BadRequest(f"{name} has to be text of 1 to {limit} characters.")
    return text
