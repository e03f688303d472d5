"""Who may log in when, and what is logged of it."""

from collections.abc import Callable

import pytest

from flask_wamp.crossbar import complaints, slowing
from flask_wamp.crossbar.complaints import LINES, PERIOD, Complaints
from flask_wamp.crossbar.slowing import FREE, MAX_DELAY, REMEMBERED, Lines, Slowing, network_of


class Clock:
    """Tells a time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


# --- delays


def test_slowing_begins_after_a_few_and_has_an_end(clock: Clock) -> None:
    slow = Slowing(clock)
    delays = []
    for _ in range(FREE + 8):
        delays.append(slow.delay("a"))
        slow.refused("a")
    assert delays == [0.0] * (FREE + 1) + [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    for _ in range(5000):
        slow.refused("a")
    assert slow.delay("a") == MAX_DELAY


def test_slowing_of_pages_is_short(clock: Clock) -> None:
    """A company's pages whose logins are over come again and again, and slow the others down."""
    slow = Slowing(clock)
    for _ in range(50):
        slow.refused("page 192.0.2.7")
    assert slow.delay("page 192.0.2.7") == 1.0


def test_slowing_is_for_who_was_refused(clock: Clock) -> None:
    slow = Slowing(clock)
    for _ in range(50):
        slow.refused("a")
    assert slow.delay("b") == 0.0
    assert len(slow) == 1


def test_slowing_is_forgotten_after_the_last_refusal(clock: Clock) -> None:
    slow = Slowing(clock)
    for _ in range(FREE + 2):
        slow.refused("a")
        clock.now += REMEMBERED
    assert slow.delay("a") == 1.0
    clock.now += 0.1
    assert slow.delay("a") == 0.0
    assert len(slow) == 0
    slow.refused("a")
    assert slow.delay("a") == 0.0


def test_slowing_forgets_the_oldest_where_there_are_too_many(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slowing, "MAX_KEYS", 3)
    slow = Slowing(clock)
    for key in ("a", "b", "c"):
        for _ in range(FREE + 1):
            slow.refused(key)
    slow.refused("a")
    slow.refused("d")
    assert [slow.delay(key) for key in "abcd"] == [1.0, 0.0, 0.5, 0.0]
    assert len(slow) == 3


# --- lines


def test_lines_let_so_many_in_and_the_next_in_order() -> None:
    lines, inside = Lines(2), []

    def enter(who: str, key: str = "a") -> None:
        lines.enter(key, who, lambda: inside.append(who))

    def leave(who: str, key: str = "a") -> None:
        following = lines.leave(key, who)
        if following is not None:
            following()

    for who in "1234":
        enter(who)
    enter("other", "b")
    assert inside == ["1", "2", "other"]
    leave("3")
    leave("1")
    assert inside[3:] == ["4"]
    enter("5")
    leave("2")
    assert inside[4:] == ["5"]
    for who in "45":
        leave(who)
    leave("nobody")
    leave("other", "b")
    leave("nobody", "c")
    assert len(lines) == 0
    assert lines._waiting == {}


def test_lines_are_left_from_within() -> None:
    lines = Lines(1)
    lines.enter("a", "1", lambda: None)
    lines.enter("a", "2", lambda: None)
    lines.leave("a", "2")
    assert lines.leave("a", "1") is None
    assert len(lines) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 5000, "x" * 100),
    ],
)
def test_networks_of_addresses(address: str, network: str) -> None:
    assert network_of(address) == network


# --- complaints


@pytest.fixture
def say(clock: Clock) -> tuple[list[str], Callable[[str, str], None]]:
    """Return what is logged, and what complains."""
    logged: list[str] = []
    return logged, Complaints(logged.append, clock).say


def test_complaints_are_few(
    say: tuple[list[str], Callable[[str, str], None]], clock: Clock
) -> None:
    logged, complain = say
    for number in range(100):
        complain("cut off", f"line {number}")
    complain("dropped", "another")
    assert logged[: LINES - 1] == [f"cut off: line {number}" for number in range(LINES - 1)]
    assert logged[LINES - 1 :] == [
        f"cut off: line {LINES - 1}; further ones are not logged for 60 s",
        "dropped: another",
    ]
    clock.now += PERIOD
    complain("cut off", "again")
    complain("dropped", "again")
    assert logged[LINES + 1 :] == [
        f"cut off: {100 - LINES} more of these were not logged",
        "cut off: again",
        "dropped: again",
    ]


def test_complaints_are_short_and_printable(
    say: tuple[list[str], Callable[[str, str], None]],
) -> None:
    logged, complain = say
    complain("cut off", "a\n\x1b[31m\ud800'ä" + "x" * 5000)
    assert logged[0].startswith(r"cut off: a\n\x1b[31m\ud800'äxxx")
    assert len(logged[0]) < 2 * complaints.MAX_LINE
