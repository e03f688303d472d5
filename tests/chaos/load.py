"""The load: known calls, votes and publishes at a steady rate, on every way, from a seed."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

from . import names
from .ledger import CALL, DURABLE, PUBLISH, SEND, VOTE, Ledger
from .ways import AT_ONCE, Way

#: What is sent, how often, and what kind of entry it is.
MIXTURE: tuple[tuple[str, str, int], ...] = (
    (names.ECHO, CALL, 35),
    (names.VOTE, VOTE, 25),
    (names.NESTED, CALL, 12),
    (names.SLOW, CALL, 8),
    (names.OTHER, CALL, 10),
    (names.PAGE, CALL, 20),
    (names.EVENT, PUBLISH, 20),
    (names.EVENT, SEND, 10),
    (names.ADD_DURABLE, DURABLE, 20),
)


class Load:
    """Sends on a thread of its own until it is stopped.

    :param ways: the ways, which take turns.
    :param rate: calls a second, all ways together.
    """

    def __init__(self, ledger: Ledger, ways: Sequence[Way], rate: float, seed: int) -> None:
        self._ledger = ledger
        self._ways = ways
        self._interval = 1.0 / rate
        self._random = random.Random(seed)
        self._weights = [weight for _what, _kind, weight in MIXTURE]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos load", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def halt(self) -> None:
        """Send no more."""
        self._stopped.set()
        self._thread.join()

    def stop(self) -> None:
        """Send no more, and wait until everything that was sent is over or overdue."""
        self.halt()
        while any(call.due > self._ledger.now() for call in self._ledger.unanswered()):
            time.sleep(0.05)

    def _run(self) -> None:
        due = time.monotonic()
        turn = 0
        while not self._stopped.is_set():
            turn += 1
            self._send(self._ways[turn % len(self._ways)])
            due += self._interval
            pause = due - time.monotonic()
            if pause > 0:
                self._stopped.wait(pause)
            else:
                due = time.monotonic()  # what this machine could not send is not made up for

    def _send(self, way: Way) -> None:
        what, kind, _weight = self._random.choices(MIXTURE, self._weights)[0]
        if what == names.PAGE and way.name != "http":
            what = names.ECHO
        if self._ledger.in_flight(way.name) >= AT_ONCE:
            self._ledger.skip(way.name)
            return
        way.begin(self._ledger.open(way.name, kind, what, names.WITHIN))


def succeeded_since(ledger: Ledger, at: float, ways: Sequence[Way], in_a_row: int) -> bool:
    """Tell whether the last calls of every way that began since then have succeeded.

    :param in_a_row: so many of each way.
    """
    wanted = Counter({way.name: in_a_row for way in ways})
    for call in ledger.since(at):
        if not wanted[call.way] or not call.is_over:
            continue
        if not call.has_result:
            return False
        wanted[call.way] -= 1
    return not wanted.total()
