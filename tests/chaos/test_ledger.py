"""The ledger finds every bad history, and no fault with a good one."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest
from autobahn.wamp import message

from .ledger import (
    CALL,
    DURABLE,
    PUBLISH,
    SEND,
    SLACK,
    VOTE,
    Call,
    Ledger,
    Violation,
    Witness,
    broken_calls,
    broken_durables,
    broken_events,
    broken_votes,
)
from .soak import BOUNDS, INTERVAL, Usage, not_level, slope
from .ways import AutobahnPeer, _Session

WITHIN = 5.0


class Book:
    """A ledger with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ledger = Ledger(lambda: self.now)
        self.witness = Witness()

    def open(self, kind: str = CALL) -> Call:
        """Send something."""
        return self.ledger.open("websocket", kind, "com.chaos.test", WITHIN)

    def succeeded(self, kind: str = CALL) -> Call:
        """Send something that succeeds."""
        call = self.open(kind)
        self.ledger.result(call, call.number)
        return call

    def failed(self, kind: str, may_have_run: bool | None) -> Call:
        """Send something that fails."""
        call = self.open(kind)
        self.ledger.error(call, "NotConnected", may_have_run)
        return call

    def receive(self, *numbers: int) -> None:
        """Let the witness receive events."""
        self.witness.received += [(number, self.now) for number in numbers]

    def rules(self, found: Iterable[Violation]) -> list[str]:
        """Return what was broken."""
        return [violation.rule for violation in found]

    def calls(self) -> list[str]:
        """Return what is wrong with the calls."""
        return self.rules(broken_calls(self.ledger.calls, self.now))

    def votes(self, executed: dict[int, int]) -> list[str]:
        """Return what is wrong with the votes."""
        return self.rules(broken_votes(self.ledger.calls, executed))

    def events(self) -> list[str]:
        """Return what is wrong with the events."""
        return self.rules(broken_events(self.ledger.calls, self.witness))

    def durables(self, *committed: int) -> list[str]:
        """Return what is wrong with the durable publishes."""
        return self.rules(broken_durables(self.ledger.calls, committed, self.witness))


@pytest.fixture
def book() -> Book:
    """Give an empty ledger."""
    return Book()


# --- calls


def test_ledger_result_error_and_timeout_are_in_order(book: Book) -> None:
    book.succeeded()
    book.failed(CALL, may_have_run=True)
    late = book.open()
    book.now += WITHIN
    book.ledger.timeout(late, "CallTimeout")
    assert book.calls() == []


def test_ledger_call_under_way_is_in_order_until_it_is_overdue(book: Book) -> None:
    call = book.open()
    book.now += WITHIN + SLACK
    assert book.calls() == []
    assert book.ledger.unanswered() == [call]
    book.now += 0.01
    assert book.calls() == ["no answer"]


def test_ledger_late_answer(book: Book) -> None:
    call = book.open()
    book.now += WITHIN + SLACK + 0.01
    book.ledger.result(call, call.number)
    assert book.calls() == ["late"]


@pytest.mark.parametrize("second", ["result", "error", "timeout"])
def test_ledger_two_answers(book: Book, second: str) -> None:
    call = book.succeeded()
    if second == "result":
        book.ledger.result(call, call.number)
    elif second == "error":
        book.ledger.error(call, "wamp.error.canceled")
    else:
        book.ledger.timeout(call, "CallTimeout")
    assert book.calls() == ["two answers"]


def test_ledger_swapped_answers(book: Book) -> None:
    first, second = book.open(), book.open()
    book.ledger.result(first, second.number)
    book.ledger.result(second, first.number)
    assert book.calls() == ["another's answer"] * 2


def test_ledger_answer_of_another_as_the_second_one(book: Book) -> None:
    call = book.succeeded()
    book.ledger.result(call, call.number + 1)
    assert book.calls() == ["two answers", "another's answer"]


def test_ledger_counts_what_is_in_flight_once_for_each_call(book: Book) -> None:
    call = book.open()
    book.open()
    assert book.ledger.in_flight("websocket") == 2
    book.ledger.result(call, call.number)
    book.ledger.result(call, call.number)
    assert book.ledger.in_flight("websocket") == 1


@pytest.mark.parametrize(
    "answer",
    [
        message.Result(7),
        message.Published(7, 1),
        message.Error(message.Call.MESSAGE_TYPE, 7, "wamp.error.canceled"),
        message.Error(message.Publish.MESSAGE_TYPE, 7, "wamp.error.canceled"),
    ],
    ids=["result", "published", "error of a call", "error of a publish"],
)
def test_ledger_answer_to_nobody_on_the_wire(book: Book, answer: message.Message) -> None:
    session = _Session()
    session._session_id = 1
    session.peer = cast("AutobahnPeer", SimpleNamespace(name="websocket", ledger=book.ledger))
    session.onMessage(answer)
    assert book.ledger.strays == [f"{type(answer).__name__} 7 by websocket"]


# --- votes


def test_ledger_votes_in_order(book: Book) -> None:
    done = book.succeeded(VOTE)
    maybe, not_at_all = book.failed(VOTE, may_have_run=True), book.failed(VOTE, may_have_run=False)
    unknown = book.failed(VOTE, may_have_run=None)
    assert book.votes({done.number: 1, unknown.number: 1}) == []
    assert book.votes({done.number: 1, maybe.number: 1}) == []
    assert not_at_all.answers


def test_ledger_vote_executed_twice(book: Book) -> None:
    done, maybe = book.succeeded(VOTE), book.failed(VOTE, may_have_run=True)
    assert book.votes({done.number: 2, maybe.number: 2}) == ["executed twice"] * 2


def test_ledger_result_of_a_vote_that_was_not_executed(book: Book) -> None:
    book.succeeded(VOTE)
    assert book.votes({}) == ["a result without a vote"]


def test_ledger_vote_that_was_said_not_to_have_run(book: Book) -> None:
    call = book.failed(VOTE, may_have_run=False)
    assert book.votes({call.number: 1}) == ["executed, said not to have run"]


def test_ledger_vote_of_nobody(book: Book) -> None:
    call = book.succeeded(CALL)
    assert book.votes({call.number: 1}) == ["a vote of nobody"]


# --- events


def test_ledger_events_in_order(book: Book) -> None:
    book.witness.subscribed(book.now)
    delivered, unsure = book.succeeded(PUBLISH), book.failed(PUBLISH, may_have_run=True)
    book.receive(delivered.number, unsure.number)
    assert book.events() == []


def test_ledger_acknowledged_event_that_was_lost(book: Book) -> None:
    book.witness.subscribed(book.now)
    book.succeeded(PUBLISH)
    assert book.events() == ["an acknowledged event was lost"]


@pytest.mark.parametrize("when", ["before", "just after"])
def test_ledger_event_may_be_lost_while_the_witness_is_away(book: Book, when: str) -> None:
    if when == "before":
        book.succeeded(PUBLISH)
        book.now += 1
        book.witness.subscribed(book.now)
    else:
        book.witness.subscribed(book.now)
        book.succeeded(PUBLISH)
        book.now += SLACK / 2
        book.witness.lost(book.now)
        book.now += 1
        book.witness.subscribed(book.now)
    assert book.events() == []


def test_ledger_event_that_came_twice(book: Book) -> None:
    call = book.succeeded(PUBLISH)
    book.receive(call.number, call.number)
    assert book.events() == ["an event twice"]


def test_ledger_event_of_nobody_and_one_said_not_to_be_sent(book: Book) -> None:
    call = book.failed(PUBLISH, may_have_run=False)
    book.receive(call.number, 999)
    assert book.events() == ["an event said not to be sent", "an event of nobody"]


def test_ledger_event_that_nobody_acknowledged_may_be_lost_but_not_doubled(book: Book) -> None:
    book.witness.subscribed(book.now)
    _lost, doubled = book.succeeded(SEND), book.succeeded(SEND)
    assert book.events() == []
    book.receive(doubled.number, doubled.number)
    assert book.events() == ["an event twice"]


def test_ledger_unacknowledged_event_said_not_to_be_sent(book: Book) -> None:
    call = book.failed(SEND, may_have_run=False)
    assert book.events() == []
    book.receive(call.number)
    assert book.events() == ["an event said not to be sent"]


# --- durable publishes


def test_ledger_durables_in_order_may_come_again(book: Book) -> None:
    first, second, third = (book.succeeded(DURABLE).number for _ in range(3))
    book.receive(first, second, first, second, third)
    assert book.durables(first, second, third) == []


def test_ledger_lost_durable(book: Book) -> None:
    first, second = (book.succeeded(DURABLE).number for _ in range(2))
    book.receive(second)
    assert book.durables(first, second) == ["a durable event was lost"]


def test_ledger_durable_whose_call_failed_is_lost_all_the_same(book: Book) -> None:
    call = book.failed(DURABLE, may_have_run=True)
    assert book.durables(call.number) == ["a durable event was lost"]
    assert book.durables() == []


def test_ledger_durables_out_of_order(book: Book) -> None:
    first, second, third = (book.succeeded(DURABLE).number for _ in range(3))
    book.receive(first, third, second)
    assert book.durables(first, second, third) == ["durable events out of order"]


def test_ledger_order_is_that_of_the_commits(book: Book) -> None:
    first, second = (book.succeeded(DURABLE).number for _ in range(2))
    book.receive(second, first)
    assert book.durables(second, first) == []


def test_ledger_durable_that_was_not_committed(book: Book) -> None:
    call = book.failed(DURABLE, may_have_run=True)
    book.receive(call.number)
    assert book.durables() == ["a durable event that was not committed"]


def test_ledger_result_without_a_durable_event(book: Book) -> None:
    book.succeeded(DURABLE)
    assert book.durables() == ["a result without a durable event"]


# --- the soak


def usage(growth: float, *, begin: int = 0, end: int = 1000) -> Usage:
    """Return a process whose memory grows by so many KiB a minute."""
    found = Usage("serving process")
    for second in range(begin, end):
        found.times.append(float(second))
        found.values["memory"].append(90_000 + growth / 60 * second)
        found.values["descriptors"].append(12)
        found.values["threads"].append(8)
    return found


def test_soak_slope() -> None:
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)
    assert slope([0, 1, 2, 3], [5, 5, 5, 5]) == 0
    assert slope([], []) == 0


def test_soak_flags_what_grows_and_no_more() -> None:
    bound = BOUNDS["memory"]
    assert not_level({1: usage(0.9 * bound)}) == []
    assert [v.rule for v in not_level({1: usage(1.1 * bound)})] == ["growth of memory"]


def test_soak_looks_at_the_second_half() -> None:
    settled = usage(0)
    for second in range(400):
        settled.values["memory"][second] = 50_000 + 100 * second
    assert not_level({1: settled}) == []


def test_soak_that_is_short_lets_things_come_and_go() -> None:
    assert not_level({1: usage(3 * BOUNDS["memory"], end=60)}) == []
    assert not_level({1: usage(30 * BOUNDS["memory"], end=60)}) != []


def test_soak_flags_descriptors_and_threads() -> None:
    leaking = usage(0)
    leaking.values["descriptors"] = [12 + second / 50 for second in range(1000)]
    leaking.values["threads"] = [8 + second / 50 for second in range(1000)]
    rules = [violation.rule for violation in not_level({1: leaking})]
    assert rules == ["growth of descriptors", "growth of threads"]


def test_soak_flags_processes_that_came_or_went() -> None:
    usages = {1: usage(0), 2: usage(0, end=50), 3: usage(0, begin=int(3 * INTERVAL))}
    assert [v.rule for v in not_level(usages)] == ["came or went in the soak"] * 2
