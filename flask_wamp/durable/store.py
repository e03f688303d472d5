"""The statements of the relay and of ``flask wamp outbox``."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .databases import Database, Statement
from .events import Row

_ANY = "SELECT id FROM flask_wamp_outbox WHERE failed IS NULL ORDER BY id LIMIT 1"
_SIZES = """
    SELECT id, LENGTH(payload) FROM flask_wamp_outbox WHERE failed IS NULL ORDER BY id LIMIT :count
"""
_ROWS = """
    SELECT id, event_id, carried, topic, payload, options, attempts FROM flask_wamp_outbox
    WHERE failed IS NULL AND id >= :first AND id <= :last ORDER BY id LIMIT :count
"""
_COUNT = "SELECT COUNT(*), MIN(created) FROM flask_wamp_outbox WHERE failed IS NULL"
_COUNT_SET_ASIDE = "SELECT COUNT(*) FROM flask_wamp_outbox WHERE failed IS NOT NULL"
_DISCARD_ALL = "DELETE FROM flask_wamp_outbox WHERE failed IS NOT NULL"
_DISCARD = "DELETE FROM flask_wamp_outbox WHERE failed IS NOT NULL AND id = :id"
_DELETE = "DELETE FROM flask_wamp_outbox WHERE id = :id"
_REFUSE = "UPDATE flask_wamp_outbox SET attempts = :attempts, failed = :failed WHERE id = :id"
_SET_ASIDE = """
    SELECT id, event_id, topic, created, attempts, failed FROM flask_wamp_outbox
    WHERE failed IS NOT NULL ORDER BY id LIMIT :count
"""
_RETRY_ALL = "UPDATE flask_wamp_outbox SET attempts = 0, failed = NULL WHERE failed IS NOT NULL"
_RETRY = """
    UPDATE flask_wamp_outbox SET attempts = 0, failed = NULL WHERE failed IS NOT NULL AND id = :id
"""
_LEASE = "SELECT owner, beat FROM flask_wamp_outbox_lease WHERE name = 'relay'"
_FIRST_LEASE = """
    INSERT INTO flask_wamp_outbox_lease (name, owner, beat) SELECT 'relay', :owner, 1
    WHERE NOT EXISTS (SELECT 1 FROM flask_wamp_outbox_lease WHERE name = 'relay')
"""
_TAKE = """
    UPDATE flask_wamp_outbox_lease SET owner = :owner, beat = beat + 1
    WHERE name = 'relay' AND owner = :was AND beat = :beat
"""
_RENEW = """
    UPDATE flask_wamp_outbox_lease SET beat = beat + 1 WHERE name = 'relay' AND owner = :owner
"""
_RELEASE = """
    UPDATE flask_wamp_outbox_lease SET owner = '' WHERE name = 'relay' AND owner = :owner
"""


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that the router refuses, and what it said.

    :ivar created: seconds since the epoch.
    """

    id: int
    event_id: str
    topic: str
    created: float
    attempts: int
    reason: str


class Store:
    """The outbox of a database, as the relay sees it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def any(self) -> bool:
        """Tell whether an event waits."""
        return bool(self.database.read(_ANY, {}))

    def waiting(self, count: int, size: int) -> list[Row]:
        """Return the oldest events that wait.

        :param count: how many at most.
        :param size: bytes of their payload together, at most; one event comes in any case.
        """
        last = first = None
        for number, length in self.database.read(_SIZES, {"count": count}):
            size -= length
            if last is not None and size < 0:
                break
            first = number if first is None else first
            last = number
        if last is None:
            return []
        found = self.database.read(_ROWS, {"first": first, "last": last, "count": count})
        return [
            Row(number, event_id, carried, topic, bytes(payload), options, attempts)
            for number, event_id, carried, topic, payload, options, attempts in found
        ]

    def delete(self, ids: Sequence[int], owner: str) -> bool:
        """Delete what was sent, and renew the lease; see :meth:`renew`."""
        statements: list[Statement] = [(_DELETE, [{"id": number} for number in ids])]
        return self.database.write([*statements, (_RENEW, {"owner": owner})]) == 1

    def refuse(self, row: Row, attempts: int, reason: str | None) -> None:
        """Note that an event was not taken; with a *reason* it is set aside."""
        changes = {"id": row.id, "attempts": attempts, "failed": reason}
        self.database.write([(_REFUSE, changes)])

    def lease(self) -> tuple[str, int] | None:
        """Return whose the lease is, nobody's where that is empty, and how often it was renewed."""
        found = self.database.read(_LEASE, {})
        return (found[0][0], found[0][1]) if found else None

    def take(self, was: tuple[str, int] | None, owner: str) -> bool:
        """Take the lease where it still is what it *was*; tell whether that was so."""
        if was is None:
            return self.database.write([(_FIRST_LEASE, {"owner": owner})]) == 1
        changes = {"owner": owner, "was": was[0], "beat": was[1]}
        return self.database.write([(_TAKE, changes)]) == 1

    def renew(self, owner: str) -> bool:
        """Keep the lease; tell whether it was still the *owner's*."""
        return self.database.write([(_RENEW, {"owner": owner})]) == 1

    def release(self, owner: str) -> None:
        """Let others have the lease."""
        self.database.write([(_RELEASE, {"owner": owner})])

    def count(self) -> tuple[int, float | None]:
        """Return how many events wait, and the age of the oldest in seconds."""
        number, created = self.database.read(_COUNT, {})[0]
        return number, None if created is None else max(time.time() - created, 0.0)

    def set_aside(self, count: int) -> list[SetAside]:
        """Return the oldest events that were set aside, *count* at most."""
        return [SetAside(*row) for row in self.database.read(_SET_ASIDE, {"count": count})]

    def count_set_aside(self) -> int:
        """Return how many events were set aside."""
        number: int = self.database.read(_COUNT_SET_ASIDE, {})[0][0]
        return number

    def retry(self, ids: Sequence[int]) -> int:
        """Let events that were set aside wait again, all of them without *ids*; return how many."""
        return self._change(_RETRY_ALL, _RETRY, ids)

    def discard(self, ids: Sequence[int]) -> int:
        """Delete events that were set aside, all of them without *ids*; return how many."""
        return self._change(_DISCARD_ALL, _DISCARD, ids)

    def _change(self, all_: str, one: str, ids: Sequence[int]) -> int:
        if not ids:
            return self.database.write([(all_, {})])
        return sum(self.database.write([(one, {"id": number})]) for number in ids)
