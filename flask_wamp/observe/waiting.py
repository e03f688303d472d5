"""What waits in the outbox, counted on a thread: a database may hang, and who asks for metrics must not."""

import os
import threading
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass

from ..durable.databases import Database, is_missing
from ..durable.store import Store


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the outbox of an application.

    :ivar events: how many.
    :ivar oldest: for how many seconds the oldest has waited; None where none waits.
    :ivar set_aside: how many were set aside, which are not among them.
    """

    events: int = 0
    oldest: float | None = None
    set_aside: int = 0


class Counting:
    """Counts what waits, on one thread at a time."""

    def __init__(self) -> None:
        self._count: Future[Waiting] | None = None
        self._process = 0

    def begin(self, database: Database) -> "Future[Waiting]":
        """Count, unless the last time is not over yet; return where the answer will be."""
        if self._count is None or self._count.done() or self._process != os.getpid():
            self._process = os.getpid()
            self._count = Future()
            threading.Thread(
                target=_count, args=(database, self._count), name="flask-wamp outbox", daemon=True
            ).start()
        return self._count


def _count(database: Database, outcome: "Future[Waiting]") -> None:
    try:
        with closing(database):
            store = Store(database)
            outcome.set_result(Waiting(*store.count(), store.count_set_aside()))
    except Exception as error:  # noqa: BLE001
        # Databases raise errors of their own. Where nothing was ever written there is no table.
        if is_missing(error):
            outcome.set_result(Waiting())
        else:
            outcome.set_exception(error)
