"""What the relay does with what waits, with a router that does as it is told."""

import logging
import os
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from typing import Any

import pytest

from flask_wamp import CallTimeout, NotAuthorized, NotConnected
from flask_wamp.durable.databases import Database
from flask_wamp.durable.lease import EXPIRY, SAFE, Lease, new_owner
from flask_wamp.durable.sending import DENIED, LOSSES, REFUSALS, Sender
from flask_wamp.durable.store import Store
from flask_wamp.state import state_of

from .conftest import Router, Shop, SqliteShop


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Relaying:
    """A relay without a thread."""

    def __init__(self, shop: Shop, router: Router, clock: Clock, owner: str = "one") -> None:
        self.database: Database = shop.database()
        self.store = Store(self.database)
        self.lease = Lease(owner, clock)
        state = state_of(shop.app)
        state.slot.attach(router)  # type: ignore[arg-type]
        self.sender = Sender(state, self.store, self.lease, lambda: True)

    def run(self, turns: int = 200) -> None:
        """Send until nothing is to be sent, or *turns* are over."""
        for _ in range(turns):
            if self.sender.turn() is None:
                return

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return self.store.count()[0]


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


def write(shop: Shop, *numbers: int) -> list[str]:
    """Commit orders, and return the events' ids."""
    with shop.app.app_context():
        ids = [shop.order(number) for number in numbers]
        shop.commit()
    return ids


def test_events_go_out_in_order_with_their_ids_and_are_gone(
    shop: Shop, router: Router, clock: Clock
) -> None:
    ids = write(shop, *range(250))
    relay = Relaying(shop, router, clock)
    relay.run()
    assert router.numbers == list(range(250))
    assert [event[2] for event in router.events] == ids
    assert relay.waiting == 0


def test_what_is_not_committed_is_not_sent(shop: Shop, router: Router, clock: Clock) -> None:
    write(shop, 1)
    relay = Relaying(shop, router, clock)
    with shop.app.app_context():
        shop.order(2)
        # The relay's own writes wait for SQLite's lock, so it only looks.
        assert [row.arguments()[0] for row in relay.store.waiting(10, 1000)] == [[1]]
        shop.rollback()
    relay.run()
    assert router.numbers == [1]


@pytest.mark.parametrize("error", [NotConnected("no router"), CallTimeout("no answer")])
def test_absent_router_keeps_the_order(
    shop: Shop, router: Router, clock: Clock, error: Exception
) -> None:
    write(shop, 1, 2, 3)
    relay = Relaying(shop, router, clock)
    router.raises = lambda _topic: error if len(router.events) == 1 else None
    pauses = [relay.sender.turn() for _ in range(10)]
    assert router.numbers == [1]
    assert relay.waiting == 2
    assert all(pause is not None and 0 < pause <= 1.0 for pause in pauses)
    router.raises = lambda _topic: None
    relay.run()
    assert router.numbers == [1, 2, 3]


def test_absent_router_leaves_the_lease_to_others(shop: Shop, router: Router, clock: Clock) -> None:
    """Another process may have a session."""
    write(shop, 1)
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    router.raises = lambda _topic: NotConnected("no router")
    first.sender.turn()
    router.raises = lambda _topic: None
    second.run()
    assert router.numbers == [1]


def test_refused_event_is_set_aside_and_lets_the_others_by(
    shop: Shop, router: Router, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ids = write(shop, 1, 2, 3)
    relay = Relaying(shop, router, clock)
    refused: list[int] = []

    def refuse(_topic: str) -> Exception | None:
        if len(router.events) != 1 or len(refused) == REFUSALS:
            return None
        refused.append(1)
        return NotAuthorized("wamp.error.not_authorized", ["may not"])

    router.raises = refuse
    with caplog.at_level(logging.ERROR, "flask_wamp"):
        relay.run()
    assert len(refused) == REFUSALS
    assert router.numbers == [1, 3]
    (aside,) = relay.store.set_aside(10)
    assert (aside.event_id, aside.attempts) == (ids[1], REFUSALS)
    assert "not_authorized" in aside.reason
    assert "set aside" in caplog.text
    assert ids[1] in caplog.text
    assert relay.store.retry([]) == 1
    relay.run()
    assert router.numbers == [1, 3, 2]
    assert router.events[-1][2] == ids[1]


def test_events_that_are_denied_one_after_another_do_not_hold_up_the_others(
    shop: Shop, router: Router, clock: Clock
) -> None:
    """The first has the time that rights may take to be there; what follows is not waited for."""
    write(shop, *range(30))
    relay = Relaying(shop, router, clock)
    tries: list[int] = []

    def deny(_topic: str) -> Exception | None:
        if len(tries) == REFUSALS + 28:
            return None
        tries.append(1)
        return NotAuthorized("wamp.error.not_authorized", ["may not"])

    router.raises = deny
    relay.run()
    assert router.numbers == [29]
    assert [event.attempts for event in relay.store.set_aside(99)] == [REFUSALS, *[1] * 28]
    assert relay.store.count_set_aside() == 29
    clock.time += DENIED
    write(shop, 30)
    router.raises = lambda _topic: NotAuthorized("wamp.error.not_authorized")
    relay.sender.turn()
    assert relay.waiting == 1


def test_event_that_the_router_never_answers_is_set_aside(
    shop: Shop, router: Router, clock: Clock
) -> None:
    write(shop, 1, 2)
    relay = Relaying(shop, router, clock)
    unanswered: list[int] = []

    def wait(_topic: str) -> Exception | None:
        if len(unanswered) == LOSSES:
            return None
        unanswered.append(1)
        return CallTimeout("not answered", may_have_run=True)

    router.raises = wait
    relay.run()
    assert router.numbers == [2]
    assert relay.store.set_aside(10)[0].attempts == LOSSES


def test_attempts_outlive_the_relay(shop: Shop, router: Router, clock: Clock) -> None:
    write(shop, 1)
    router.raises = lambda _topic: NotAuthorized("wamp.error.not_authorized")
    for _ in range(REFUSALS):
        relay = Relaying(shop, router, clock)
        relay.sender.turn()
        relay.sender.release()
    assert len(Relaying(shop, router, clock).store.set_aside(10)) == 1


def test_event_that_the_router_hangs_up_on_is_set_aside(
    shop: Shop, router: Router, clock: Clock
) -> None:
    write(shop, 1, 2)
    relay = Relaying(shop, router, clock)

    class Lost(NotConnected):
        may_have_run = True

    lost: list[int] = []

    def lose(_topic: str) -> Exception | None:
        if len(lost) == LOSSES:
            return None
        lost.append(1)
        return Lost("the session ended")

    router.raises = lose
    relay.run()
    assert router.numbers == [2]


@pytest.mark.parametrize(
    ("column", "value"),
    [("payload", b"\xff"), ("payload", b"\x01"), ("options", "{"), ("options", '{"exclude": [1]}')],
)
def test_row_that_cannot_be_read_is_set_aside(
    shop: Shop, router: Router, clock: Clock, column: str, value: Any
) -> None:
    write(shop, 1, 2)
    with closing(sqlite3.connect(shop.path)) as other:
        other.execute(f"UPDATE flask_wamp_outbox SET {column} = ? WHERE id = 1", (value,))
        other.commit()
    relay = Relaying(shop, router, clock)
    relay.run()
    assert router.numbers == [2]
    assert len(relay.store.set_aside(10)) == 1


def test_crash_between_send_and_delete_sends_again_with_the_same_id(
    shop: Shop, router: Router, clock: Clock
) -> None:
    ids = write(shop, 1, 2)
    relay = Relaying(shop, router, clock)

    class Crash(BaseException):
        """The process ends here."""

    def crash(*_args: Any) -> bool:
        raise Crash

    relay.store.delete = crash  # type: ignore[assignment,method-assign]
    with pytest.raises(Crash):
        relay.run()
    Relaying(shop, router, clock, "two").run(1)
    clock.time += EXPIRY
    again = Relaying(shop, router, clock, "two")
    again.run()
    clock.time += EXPIRY
    again.run()
    assert [event[2] for event in router.events] == ids + ids
    assert again.waiting == 0


# --- two relays


def test_two_relays_one_sends(shop: Shop, router: Router, clock: Clock) -> None:
    write(shop, 1)
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    first.run()
    for number in range(2, 15):
        write(shop, number)
        clock.time += EXPIRY / 4
        second.run()
        assert number not in router.numbers
        first.run()
        assert router.numbers[-1] == number


def test_two_relays_the_other_takes_over_where_one_has_gone(
    shop: Shop, router: Router, clock: Clock
) -> None:
    write(shop, 1)
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    first.run()
    write(shop, 2)
    second.run()
    clock.time += EXPIRY - 0.1
    second.run()
    assert router.numbers == [1]
    clock.time += 0.2
    second.run()
    assert router.numbers == [1, 2]


def test_two_relays_the_other_begins_at_once_where_one_has_ended(
    shop: Shop, router: Router, clock: Clock
) -> None:
    write(shop, 1)
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    first.run()
    first.sender.release()
    write(shop, 2)
    second.run()
    assert router.numbers == [1, 2]


def test_two_relays_the_other_begins_at_once_where_the_process_of_one_has_ended(
    shop: Shop, router: Router, clock: Clock
) -> None:
    """One that runs, and one of which nobody here can know, has the lease until it is over."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, pid, numbers, _ = new_owner().rsplit(":", 3)
    assert pid == str(os.getpid())
    owners = {
        f"{host}:{pid}:{numbers}:1": False,
        f"{host}:1:{numbers}:1": False,
        f"{host}:{ended.pid}:{numbers}:1": True,
        f"{host}:{ended.pid}:00000000:1": False,
        f"{host}:{ended.pid}::1": False,
        f"{host}:{ended.pid}:1": False,
    }
    assert all(len(owner) < 64 for owner in owners)
    for number, (owner, has_gone) in enumerate(owners.items(), 1):
        write(shop, 2 * number)
        Relaying(shop, router, clock, owner).run()
        write(shop, 2 * number + 1)
        other = Relaying(shop, router, clock, new_owner())
        other.run()
        assert (2 * number + 1 in router.numbers) == has_gone, owner
        clock.time += EXPIRY
        other.run()
        other.sender.release()


def test_two_relays_one_that_was_stopped_meanwhile_sends_nothing_more(
    shop: Shop, router: Router, clock: Clock
) -> None:
    """It has rows in memory that the other has sent by now."""
    write(shop, *range(10))
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    asked: list[int] = []

    def stopped() -> None:
        asked.append(1)
        if len(asked) != 3:
            return
        # Here the first stands still, for longer than its lease lasts.
        second.run(1)
        clock.time += EXPIRY + SAFE
        second.run()

    router.before = stopped
    first.run()
    # The third was on its way; the other has sent everything from the first, whose deletion the
    # first one never came to.
    assert router.numbers == [0, 1, *range(10), 2]
    assert first.waiting == 0


def test_first_relays_of_a_database_do_not_both_have_the_lease(
    shop: Shop, router: Router, clock: Clock
) -> None:
    write(shop, 1)
    first, second = (Relaying(shop, router, clock, owner) for owner in ("one", "two"))
    assert first.store.lease() is None
    assert first.store.take(None, "one")
    assert not second.store.take(None, "two")
    seen = first.store.lease()
    assert second.store.take(seen, "two")
    assert not first.store.take(seen, "one")
    assert not first.store.renew("one")


# --- a backlog


def test_huge_backlog_is_not_loaded(sqlite_shop: SqliteShop, router: Router, clock: Clock) -> None:
    write(sqlite_shop, 0)
    with closing(sqlite3.connect(sqlite_shop.path)) as other:
        other.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
            "INSERT INTO flask_wamp_outbox (event_id, carried, topic, payload, options, created) "
            "SELECT event_id, carried, topic, payload, options, created FROM n, flask_wamp_outbox"
        )
        other.commit()
    relay = Relaying(sqlite_shop, router, clock)
    assert relay.waiting == 100_001
    tracemalloc.start()
    try:
        relay.run(20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(router.events) == 2000
    # All rows are over 30 MB of Python objects.
    assert peak < 4 * 2**20


def test_large_events_are_loaded_one_by_one(shop: Shop, clock: Clock, router: Router) -> None:
    with shop.app.app_context():
        shop.order(1)
        for size in (3, 3, 9):
            state_of(shop.app).client.publish("com.shop.large", b"x" * size * 2**20, durable=True)
        shop.commit()
    store = Relaying(shop, router, clock).store
    assert [len(store.waiting(100, 4 * 2**20)) for _ in range(1)] == [2]
    found = store.waiting(100, 1)
    assert [row.topic for row in found] == ["com.shop.ordered"]
    store.refuse(found[0], 5, "no")
    assert len(store.waiting(100, 1)) == 1
