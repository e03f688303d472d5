"""Sends what waits in the outbox, the oldest first, and deletes what the router has accepted."""

import logging
import random
from collections.abc import Callable
from typing import Protocol

from ..call.link import Link
from ..config import WampConfig
from ..errors import (
    CallTimeout,
    NotAuthorized,
    NotConnected,
    OptionError,
    PayloadError,
    RemoteError,
)
from .events import Row
from .lease import Lease
from .store import Store

log = logging.getLogger("flask_wamp")

#: Returns the subscriptions that a topic matches (WAMP spec, 11.3.6.2).
MATCH = "wamp.subscription.match"
#: Events, and bytes of payload, that are in memory at a time.
BATCH, BATCH_SIZE = 100, 4 * 2**20
#: Seconds after which what was sent is deleted: what a crash sends again is no older.
FLUSH = 0.1
#: Refusals after which an event is set aside, and losses of the session, or of the answer, with the
#: event on its way: one that a router hangs up on must not stop the others for ever.
REFUSALS, LOSSES = 5, 20
#: Seconds for which a denial is final at once, when an event was set aside for one: rights that are
#: not there by then are missing, and any number of events may need them.
DENIED = 60.0
#: Seconds before an event is sent again: at first, and at most where it was refused, and where there
#: is no router.
FIRST_PAUSE, REFUSED_PAUSE, ABSENT_PAUSE = 0.1, 5.0, 1.0


class Owner(Protocol):
    """The application whose events they are."""

    config: WampConfig

    def link(self) -> Link:
        """Return the link."""


class Sender:
    """Sends the events of one outbox; of one thread.

    :param goes_on: tells whether to send another event.
    :param awaits: the topics whose events wait until somebody subscribes.
    :ivar accepted: how many the router has accepted.
    """

    def __init__(
        self,
        owner: Owner,
        store: Store,
        lease: Lease,
        goes_on: Callable[[], bool],
        awaits: frozenset[str] = frozenset(),
    ) -> None:
        self._owner = owner
        self._store = store
        self._lease = lease
        self._goes_on = goes_on
        self._awaits = awaits
        self._absences = 0
        self._denied_until = 0.0
        self.accepted = 0

    @property
    def is_absent(self) -> bool:
        """Whether there was no session for the event that was last sent, or no answer."""
        return self._absences > 0

    def turn(self) -> float | None:
        """Send some of what waits.

        :returns: seconds after which to go on; None where nothing waits, or another relay sends.
        """
        store = self._store
        if not store.any() or not self._lease.hold(store):
            return None
        rows = store.waiting(BATCH, BATCH_SIZE)
        return self._send(rows) if rows else None

    def release(self) -> None:
        """Let another relay send."""
        self._lease.release(self._store)

    def _send(self, rows: list[Row]) -> float | None:
        sent: list[int] = []
        flushed = self._lease.now()
        try:
            for row in rows:
                if not self._goes_on():
                    return None
                now = self._lease.now()
                if now - flushed >= FLUSH:
                    flushed = now
                    self._flush(sent)
                if not self._lease.keep(self._store):
                    log.warning("another process sends the durable events by now")
                    return None
                pause = self._send_one(row)
                if pause is not None:
                    return pause
                sent.append(row.id)
        finally:
            self._flush(sent)
        return 0.0

    def _flush(self, sent: list[int]) -> None:
        """Delete what was *sent*, which renews the lease as well."""
        if sent:
            now = self._lease.now()
            self._lease.renewed(now, still=self._store.delete(sent, self._lease.owner))
            sent.clear()

    def _send_one(self, row: Row) -> float | None:
        """Send an event; return seconds after which to try again, None where it was accepted."""
        try:
            args, kwargs = row.arguments()
            options = row.publish_options(self._owner.config.timeout)
            link = self._owner.link()
            if row.topic in self._awaits and not link.call(MATCH, [row.topic], {}, options):
                return self._absent()
            link.publish(row.topic, args, kwargs, options)
        except (OptionError, PayloadError) as error:
            self._set_aside(row, str(error))
            return 0.0
        except NotAuthorized as error:
            return self._denied(row, str(error))
        except RemoteError as error:
            return self._refused(row, str(error), REFUSALS, REFUSED_PAUSE)
        except (CallTimeout, NotConnected) as error:
            self._absent()
            if isinstance(error, NotConnected):
                # Nobody else may be without a session.
                self.release()
            if getattr(error, "may_have_run", False):
                return self._refused(row, str(error), LOSSES, ABSENT_PAUSE)
            return self._absent_pause()
        self._absences = 0
        self.accepted += 1
        return None

    def _denied(self, row: Row, reason: str) -> float:
        """Note that the router denies *row*, as it may do for many that follow."""
        is_final = self._lease.now() < self._denied_until
        pause = self._refused(row, reason, 1 if is_final else REFUSALS, REFUSED_PAUSE)
        if not pause and not is_final:
            self._denied_until = self._lease.now() + DENIED
        return pause

    def _refused(self, row: Row, reason: str, limit: int, longest: float) -> float:
        """Note that *row* was not taken, and set it aside where that was so *limit* times."""
        attempts = row.attempts + 1
        if attempts >= limit:
            self._set_aside(row, reason)
            return 0.0
        self._store.refuse(row, attempts, None)
        return float(min(FIRST_PAUSE * 2 ** min(attempts, 10), longest))

    def _set_aside(self, row: Row, reason: str) -> None:
        self._store.refuse(row, row.attempts + 1, reason)
        log.error(
            "the durable event %s of %s is set aside, and later ones are sent: %s; "
            "flask wamp outbox list shows it, flask wamp outbox retry sends it again",
            row.event_id,
            row.topic,
            reason,
        )

    def _absent(self) -> float:
        self._absences += 1
        return self._absent_pause()

    def _absent_pause(self) -> float:
        longest: float = min(FIRST_PAUSE * 2 ** min(self._absences, 10), ABSENT_PAUSE)
        # Processes that lost the router together do not come back together.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # nosec B311
