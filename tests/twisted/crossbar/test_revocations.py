"""What is valid no more, on disk and in memory; and who the sessions are."""

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.crossbar import revocations
from flask_wamp.crossbar.identities import JOINING, SWEEP, Identities, Identity
from flask_wamp.crossbar.revocations import FILE, MARGIN, TIDYING, Revocations
from flask_wamp.login import Handshake
from tests.attempts import attempt

LIFE = 1000.0


class Clock:
    """The time of these tests, in milliseconds."""

    def __init__(self) -> None:
        self.now = 10_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the revocations."""
    clock = Clock()
    monkeypatch.setattr(revocations, "now", clock)
    return clock


def test_revocations_know_a_login_that_has_ended(clock: Clock) -> None:
    revoked = Revocations(None, LIFE)
    assert not revoked.is_revoked("alice", 1, "1.first")
    revoked.revoke_login("1.first")
    revoked.revoke_login("1.first")
    assert revoked.is_revoked("alice", 1, "1.first")
    assert not revoked.is_revoked("alice", 1, "1.second")
    assert not revoked.is_revoked("alice", 1)


def test_revocations_of_an_authid_are_of_what_was_made_before(clock: Clock) -> None:
    revoked = Revocations(None, LIFE)
    revoked.revoke_authid("alice", 500)
    revoked.revoke_authid("alice", 400)
    assert revoked.is_revoked("alice", 500)
    assert revoked.is_revoked("alice", 450, "450.login")
    assert not revoked.is_revoked("alice", 501)
    assert not revoked.is_revoked("bob", 1)


def test_revocations_let_a_ticket_be_used_once(clock: Clock) -> None:
    revoked = Revocations(None, LIFE)
    assert revoked.use("one", clock.now)
    assert not revoked.use("one", clock.now)
    assert revoked.use("other", clock.now)


def test_revocations_are_there_for_other_processes_and_later(clock: Clock, tmp_path: Path) -> None:
    one, other = Revocations(str(tmp_path), LIFE), Revocations(str(tmp_path), LIFE)
    one.revoke_login("1.first")
    assert other.is_revoked("alice", 1, "1.first")
    assert one.use("ticket", clock.now)
    assert not other.use("ticket", clock.now)
    one.close()
    other.close()
    later = Revocations(str(tmp_path), LIFE)
    assert later.is_revoked("alice", 1, "1.first")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    later.close()


def fill_disk(revoked: Revocations) -> None:
    """Let the file take no more."""
    connection = revoked._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    number = 0
    with contextlib.suppress(sqlite3.Error):
        while revoked.use(f"{number:0200}", 2**50):
            number += 1


def test_revocations_that_cannot_be_written_hold_all_the_same(tmp_path: Path) -> None:
    revoked = Revocations(str(tmp_path), LIFE)
    fill_disk(revoked)
    long = "x" * 3000
    with pytest.raises(sqlite3.Error, match="full"):
        revoked.revoke_login(f"1.{long}")
    with pytest.raises(sqlite3.Error, match="full"):
        revoked.revoke_authid(long, 500)
    assert revoked.is_revoked("alice", 1, f"1.{long}")
    assert revoked.is_revoked(long, 500)
    assert not revoked.is_revoked(long, 501)
    assert not revoked.is_revoked("alice", 1, "1.other")
    revoked.close()


def test_revocations_go_on_after_a_write_that_failed_at_its_end(tmp_path: Path) -> None:
    revoked = Revocations(str(tmp_path), LIFE)
    connection = revoked._connection

    class Failing:
        in_transaction = True

        def execute(self, statement: str, *values: Any) -> object:
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return connection.execute(statement, *values)

    revoked._connection = Failing()  # type: ignore[assignment]
    with pytest.raises(sqlite3.Error, match="I/O"):
        revoked.revoke_login("1.first")
    revoked._connection = connection
    assert revoked.is_revoked("alice", 1, "1.first")
    revoked.revoke_login("1.second")
    assert revoked.is_revoked("alice", 1, "1.second")
    revoked.close()


def test_revocations_close_a_file_that_was_open_to_others(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(0o644)
    Revocations(str(tmp_path), LIFE).close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_revocations_go_when_they_have_lost_their_meaning(clock: Clock) -> None:
    revoked = Revocations(None, LIFE)
    revoked.revoke_login("1.first")
    revoked.revoke_authid("alice", clock.now)
    assert revoked.use("ticket", clock.now + 1000)

    def rows() -> int:
        count = "SELECT (SELECT count(*) FROM logins) + (SELECT count(*) FROM authids)"
        count += " + (SELECT count(*) FROM tickets)"
        return int(revoked._connection.execute(count).fetchone()[0])

    clock.now += TIDYING * 1000
    revoked.revoke_login("2.other")
    assert rows() == 4
    # Whoever tries it again keeps it alive, and it stays revoked.
    assert revoked.is_revoked("alice", 1, "1.first")
    clock.now += int((LIFE + MARGIN) * 1000) - 1000
    revoked.revoke_login("3.another")
    assert revoked.is_revoked("nobody", 1, "1.first")
    assert rows() == 3


def test_revocations_are_safe_to_use_by_many_threads(tmp_path: Path) -> None:
    processes = [Revocations(str(tmp_path), LIFE) for _ in range(3)]
    used: list[bool] = []

    def use(revoked: Revocations) -> None:
        used.extend(revoked.use(str(number), 10**15) for number in range(40))

    threads = [threading.Thread(target=use, args=(each,)) for each in (*processes, *processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(used), sum(used)) == (240, 40)


@attempt(
    "login", "logging in while the file of what was revoked cannot be read", "the login is refused"
)
def test_revocations_that_cannot_be_read_are_no_permission() -> None:
    revoked = Revocations(None, LIFE)
    revoked.close()
    with pytest.raises(sqlite3.ProgrammingError):
        revoked.is_revoked("alice", 1, "1.first")


def identity(authid: str = "alice", login: str | None = None, since: float = 0.0) -> Identity:
    """Return who a session is."""
    return Identity(Handshake({}), "cookie", authid, "user", login, since)


def test_identities_find_the_sessions_of_an_authid_and_of_a_login() -> None:
    known = Identities(lambda _session: True)
    known.add(1, identity("alice", "1.a"))
    known.add(2, identity("alice", "1.b"))
    known.add(3, identity("bob", "1.c"))
    assert known.sessions(authid="alice") == [1, 2]
    assert known.sessions(login="1.b") == [2]
    known.left(2)
    known.left(2)
    assert known.sessions(authid="alice") == [1]
    assert known.get(2) is None
    assert known.get(None) is None


def test_identities_forget_who_has_left_or_never_came(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {0}
    moment = 100.0
    monkeypatch.setattr("time.monotonic", lambda: moment)
    known = Identities(there.__contains__)
    for number in range(SWEEP):
        assert known.add(number, identity(since=moment if number < 10 else moment - JOINING))
    assert known.is_joining(1)
    assert not known.is_joining(0)
    assert not known.is_joining(10)
    assert known.add(SWEEP, identity(since=moment))
    assert len(known) == 11
    moment += JOINING
    assert not known.is_joining(1)


def test_identities_are_not_without_end() -> None:
    known = Identities(lambda _session: True, most=3)
    assert [known.add(number, identity()) for number in range(4)] == [True, True, True, False]
