"""The relay: a thread that sends what the application has committed, for as long as it serves."""

import atexit
import logging
import threading
import time
from collections.abc import Callable

from .databases import Database, is_missing
from .lease import Lease, new_owner
from .sending import Owner, Sender
from .store import Store

log = logging.getLogger("flask_wamp")

#: Seconds after which to look again, at first, where this process has written an event.
SOON = 0.01
#: Seconds after which a database that has failed is asked again, at most.
FAILED_PAUSE = 5.0
#: Seconds after which the same failure is logged again.
TELL_AGAIN = 60.0
#: Seconds after which a relay that is held looks again.
HELD_PAUSE = 0.1
#: Seconds that an event on its way gets when the relay is to end.
END_TIMEOUT = 1.0


class Relay:
    """Sends the events of an outbox, on a thread of its own, until it is ended.

    :param owner: the application.
    :param find: returns the outbox's database; called on that thread, until it raises nothing.
    """

    def __init__(self, owner: Owner, find: Callable[[], Database]) -> None:
        self._owner = owner
        self._find = find
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._is_held = False
        self._sender: Sender | None = None
        self._database: Database | None = None
        self._failures = 0
        self._told = ("", 0.0)
        self._thread = threading.Thread(
            target=self._run, name="flask-wamp outbox relay", daemon=True
        )

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()
        atexit.register(self.end)

    def wake(self) -> None:
        """An event was written, and is soon committed."""
        self._woken.set()

    def hold(self) -> None:
        """Send nothing until :meth:`go_on`: this process does not handle events now."""
        self._is_held = True

    def go_on(self) -> None:
        """Send again."""
        self._is_held = False

    def end(self) -> None:
        """Send no further event, and let another process send."""
        atexit.unregister(self.end)
        self._ended.set()
        self._woken.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(END_TIMEOUT)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the relay is ended, *timeout* seconds at most, and tell whether it is."""
        return self._ended.wait(timeout)

    def _run(self) -> None:
        soon = self._owner.config.outbox_poll
        while not self._ended.is_set():
            if self._woken.is_set():
                self._woken.clear()
                soon = SOON
            pause = self._turn()
            if pause is not None:
                self._ended.wait(pause)
                continue
            # The transaction of who has woken this may take its time, so less often by and by.
            self._woken.wait(soon)
            soon = min(2 * soon, self._owner.config.outbox_poll)
        self._close()

    def _turn(self) -> float | None:
        """Send some events; whatever fails is tried again, since nobody else would."""
        try:
            if self._is_held:
                if self._sender is not None:
                    self._sender.release()  # another process may handle them
                return HELD_PAUSE
            if self._sender is None:
                self._sender = self._open()
            pause: float | None = self._sender.turn()
        except Exception as error:  # noqa: BLE001
            # Each database has errors of its own, and the application's function may raise any.
            self._tell(error)
            pause = min(0.1 * 2 ** min(self._failures, 10), FAILED_PAUSE)
            self._failures += 1
            return pause
        self._failures = 0
        return pause

    def _open(self) -> Sender:
        self._database = self._find()
        lease = Lease(new_owner())
        return Sender(
            self._owner,
            Store(self._database),
            lease,
            lambda: not self._ended.is_set() and not self._is_held,
            self._owner.config.outbox_awaits,
        )

    def _tell(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if is_missing(error):
            reason = "there is no outbox yet, create it with: flask wamp outbox create"
        told, until = self._told
        now = time.monotonic()
        if reason != told or now >= until:
            log.warning("no durable events are sent: %s", reason)
            self._told = reason, now + TELL_AGAIN

    def _close(self) -> None:
        try:
            if self._sender is not None:
                self._sender.release()
        except Exception as error:  # noqa: BLE001
            # As above; the lease is over by itself soon.
            self._tell(error)
        finally:
            if self._database is not None:
                self._database.close()
