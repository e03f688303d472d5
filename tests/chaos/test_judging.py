"""What is promised for each fault is held against what the ledger has."""

import pytest

from .judging import Phase, broken_calm, doubled, events, never_recycled, steady_calls, tally
from .ledger import CALL, ERROR, PUBLISH, RESULT, SEND, TIMEOUT, Answer, Call

BEGAN, OVER = 100.0, 110.0
WAYS = ("websocket", "http")


def call(
    number: int,
    began: float,
    ended: float,
    outcome: str = RESULT,
    *,
    kind: str = CALL,
    way: str = "http",
) -> Call:
    """Return a call that has ended."""
    made = Call(number, way, kind, "com.chaos.test", began, 5.0)
    value, error = (number, "") if outcome == RESULT else (None, "wamp.error.canceled")
    made.answers.append(Answer(outcome, ended, value, error))
    return made


def phase(
    *calls: Call,
    spares: str = "nothing",
    told_within: float | None = None,
    handled: set[int] | None = None,
) -> Phase:
    """Return a fault that these calls have met."""
    made = Phase("fault", "something", spares, told_within, BEGAN, OVER)
    made.fill(calls, WAYS, handled or set())
    return made


def rules(met: Phase, handled: set[int] | None = None) -> list[str]:
    """Return which promises were broken."""
    return [violation.rule for violation in met.broken(handled or set())]


def test_judging_takes_the_calls_that_were_under_way() -> None:
    before, across = call(0, 98, 99), call(1, 99, 101)
    inside, behind = call(2, 105, 106), call(3, 111, 112)
    met = phase(before, across, inside, behind)
    assert met.calls == [across, inside]
    assert steady_calls([before, across, inside, behind], [met]) == [before, behind]


def test_judging_takes_the_events_that_were_on_their_way_to_their_handler() -> None:
    event, earlier = call(0, 99.4, 99.6, kind=PUBLISH), call(1, 99.2, 99.4, kind=PUBLISH)
    assert phase(event, earlier, call(2, 99.4, 99.6)).calls == [event]


def test_judging_an_event_that_was_handled_twice() -> None:
    event = call(0, 101, 102, kind=PUBLISH)
    died, spared = phase(event), phase(event, spares="all")
    assert [v.rule for v in doubled([event], [], {0: 2})] == ["nothing doubles no event"]
    assert [v.rule for v in doubled([event], [spared], {0: 2})] == ["fault doubles no event"]
    assert not list(doubled([event], [died], {0: 2}))
    assert not list(doubled([event], [died, spared], {0: 2}))
    assert not list(doubled([event], [], {0: 1}))


def test_judging_first_success_is_that_of_the_slowest_way() -> None:
    calls = [
        call(0, 99, 100.1),
        call(1, 101, 101.5, way="websocket"),
        call(2, 101, 103, ERROR),
        call(3, 104, 105),
    ]
    assert phase(*calls).first_success == pytest.approx(5.0)
    assert phase(*calls[:3]).first_success is None


def test_judging_accepted_calls_that_failed() -> None:
    accepted, just_sent = call(0, 99, 101, ERROR), call(1, 99.9, 101, ERROR)
    refused, well = call(2, 101, 101, ERROR), call(3, 99, 101)
    met = phase(accepted, just_sent, refused, well, spares="accepted")
    assert [violation.what.split()[1] for violation in met.broken(set())] == ["0"]
    assert rules(phase(accepted, just_sent, refused, well)) == []


def test_judging_a_stop_that_does_not_answer_what_was_executed() -> None:
    failed = call(0, 101, 101.5, ERROR)
    met = phase(failed, call(1, 101, 102), spares="accepted")
    assert [v.rule for v in met.broken(set(), {0, 1})] == ["fault answers what was executed"]
    assert not list(met.broken(set(), {1}))
    assert not list(phase(failed).broken(set(), {0}))
    met.node_ended = 0.5
    assert not list(met.broken(set(), {0, 1})), "the next node has had it"


def test_judging_any_call_that_failed_where_all_are_spared() -> None:
    failed = [call(0, 99, 101, ERROR), call(1, 101, 106, TIMEOUT)]
    assert rules(phase(*failed, call(2, 101, 102), spares="all")) == ["fault spares all calls"] * 2


def test_judging_what_had_no_part_in_it_and_failed() -> None:
    met = phase(call(0, 101, 102, ERROR))
    assert rules(met) == []
    met.untouched = ("com.chaos.test",)
    assert rules(met) == ["fault does not touch com.chaos.test"]
    met.untouched = ("com.chaos.other",)
    assert rules(met) == []


def test_judging_a_fault_that_broke_nothing() -> None:
    met = phase(call(0, 101, 102))
    met.bites = True
    assert rules(met) == ["fault breaks something"]
    met = phase(call(0, 101, 102), call(1, 101, 102, ERROR))
    met.bites = True
    assert rules(met) == []


def test_judging_end_and_start_of_the_node() -> None:
    met = phase()
    met.look_at_node([(50.0, 1)], [52.0])
    assert (met.node_ended, met.node_ready) == (None, None)
    met.look_at_node([(50.0, 1), (101.5, 1)], [52.0, 105.0])
    assert (met.node_ended, met.node_ready) == (1.5, 5.0)


def test_judging_an_event_that_was_not_handled() -> None:
    published = call(0, 101, 102, kind=PUBLISH)
    assert rules(phase(published, spares="all")) == ["fault loses no event"]
    assert rules(phase(published, spares="all"), {0}) == []
    assert phase(published).unhandled == 1
    assert phase(published, handled={0}).unhandled == 0


def test_judging_callers_who_waited_too_long_for_their_error() -> None:
    late, soon = call(0, 99, 101.0, ERROR), call(1, 99, 100.2, ERROR)
    assert rules(phase(late, soon, told_within=0.1)) == ["fault tells callers in time"]
    assert rules(phase(soon, told_within=0.1)) == []
    assert rules(phase(late, soon)) == []


def test_judging_a_wait_begins_with_the_call_or_with_the_fault() -> None:
    assert phase(call(0, 90, 101, ERROR)).told == pytest.approx(1.0)
    assert phase(call(0, 104, 104.5, ERROR)).told == pytest.approx(0.5)


def test_judging_what_failed_while_nothing_was_wrong() -> None:
    steady = [call(0, 1, 2), call(1, 1, 2, ERROR), call(2, 1, 6, TIMEOUT)]
    assert [v.rule for v in broken_calm(steady, {})] == ["failed while nothing was wrong"] * 2


def test_judging_an_event_that_was_not_handled_while_nothing_was_wrong() -> None:
    steady = [call(0, 1, 2, kind=PUBLISH), call(1, 1, 2, kind=PUBLISH)]
    assert len(list(broken_calm(steady, {0: 1}))) == 1


def test_judging_counts() -> None:
    pending = Call(3, "http", CALL, "com.chaos.test", 1.0, 5.0)
    calls = [call(0, 1, 2), call(1, 1, 2, ERROR), call(2, 1, 6, TIMEOUT), pending]
    assert tally(calls) == {
        "calls": 4,
        "results": 1,
        "errors": {"wamp.error.canceled": 1},
        "timeouts": 1,
        "no answer": 1,
    }
    published = [call(number, 1, 2, kind=PUBLISH) for number in range(3)]
    assert list(events(published, seen=[0, 1], handled={0: 2}).values()) == [3, 1, 2, 1, 0, 0]
    sent = [call(number, 1, 2, kind=SEND) for number in range(3)]
    assert list(events(sent, seen=[1], handled={}).values()) == [0, 0, 0, 0, 3, 2]


def test_judging_a_run_in_which_nothing_was_recycled() -> None:
    assert [v.rule for v in never_recycled(0, 121.0)] == ["processes are recycled"]
    assert not list(never_recycled(0, 20.0))
    assert not list(never_recycled(3, 600.0))
