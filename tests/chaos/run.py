"""One run: the faults, one after another, each until all is well again, and what it has shown."""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .faults import ALL, Fault
from .field import Field
from .ledger import (
    ERROR,
    TIMEOUT,
    Call,
    Violation,
    broken_calls,
    broken_durables,
    broken_events,
    broken_votes,
)
from .load import first_success, succeeded_since
from .node import until

#: Seconds in which all must be well again.
WELL_WITHIN = 60.0
#: Calls in a row of each way that must succeed before all is well.
IN_A_ROW = 3
#: Seconds that a call must have been on its way to count as accepted.
ACCEPTED_AFTER = 0.25


@dataclass
class Phase:
    """A fault, and the time that it took until all was well again.

    :ivar first_success: seconds until the first call that began behind it had its result, on the
        way that took longest.
    :ivar recovered: seconds until all was well; None: it never was.
    :ivar told: seconds until the last caller that was in flight had an error; None: none had.
    """

    name: str
    what: str
    spares: str
    began: float
    over: float = 0.0
    first_success: float | None = None
    recovered: float | None = None
    told: float | None = None
    calls: list[Call] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether all was well again."""
        return self.recovered is not None


@dataclass
class Outcome:
    """What a run has shown."""

    phases: list[Phase]
    steady: list[Call]
    violations: list[Violation]
    not_offered: dict[str, int]
    lost_events: dict[str, int]
    disk: str
    processes: int
    seconds: float
    log: str = ""


@dataclass(frozen=True)
class Pace:
    """How long a run takes.

    :ivar seconds: the faults are repeated so long.
    :ivar calm: seconds of load alone before each fault, and behind the last.
    :ivar seed: decides about the order of each round but the first.
    """

    seconds: float
    calm: float
    seed: int


def run(names: Sequence[str], on: Field, pace: Pace) -> Outcome:
    """Inject the faults of these *names*, again and again as *pace* has it, and judge."""
    order, names = random.Random(pace.seed), list(names)
    began = wait_until_well(on)
    phases: list[Phase] = []
    while not phases or (time.monotonic() - began < pace.seconds and phases[-1].is_over):
        for name in names:
            time.sleep(pace.calm)
            phases.append(_go_through(ALL[name](), on))
            if not phases[-1].is_over:
                break
        order.shuffle(names)
    time.sleep(pace.calm)
    return judged(on, phases, began)


def wait_until_well(on: Field) -> float:
    """Wait until the load succeeds on every way, and return when; the ledger counts from then on.

    :raises RuntimeError: it does not come to that.
    """
    if not until(lambda: on.all_answer() and _calls_succeed(on, 0.0), WELL_WITHIN):
        raise RuntimeError(f"the node does not answer before any fault:\n{on.node.log()[-4000:]}")
    on.counts_from = time.monotonic()
    return on.counts_from


def _go_through(fault: Fault, on: Field) -> Phase:
    phase = Phase(fault.name, fault.what, fault.spares, time.monotonic())
    _say(f"{fault.name}: {fault.what}")
    try:
        fault.begin(on)
        time.sleep(fault.lasts)
    finally:
        fault.heal(on)
    healed = time.monotonic()
    is_well = until(lambda: fault.is_well(on) and _calls_succeed(on, healed), WELL_WITHIN)
    phase.over = time.monotonic()
    if is_well:
        phase.recovered = phase.over - phase.began
    else:
        on.violations.append(Violation("not well again", fault.name, phase.began))
    _say(f"  well again after {phase.over - phase.began:.2f} s" if is_well else "  NOT WELL")
    return phase


def _calls_succeed(on: Field, since: float) -> bool:
    return succeeded_since(on.ledger, since, on.ways, IN_A_ROW)


def judged(on: Field, phases: list[Phase], began: float) -> Outcome:
    """End the load, and judge all that was sent."""
    on.load.stop()
    now = time.monotonic()
    until(lambda: set(on.committed()) <= set(on.durable_witness.numbers()), 2 * WELL_WITHIN)
    calls = [call for call in on.ledger.calls if call.began >= on.counts_from]
    for phase in phases:
        _fill(phase, calls, [way.name for way in on.ways])
    inside = {call.number for phase in phases for call in phase.calls}
    steady = [call for call in calls if call.number not in inside]
    everything = on.ledger.calls
    violations = [
        *on.violations,
        *broken_calls(everything, now),
        *broken_votes(everything, on.executed()),
        *broken_events(everything, on.event_witness),
        *broken_durables(everything, on.committed(), on.durable_witness),
        *(
            Violation("failed while nothing was wrong", f"{call}: {call.answer}", call.began)
            for call in steady
            if call.is_over and not call.has_result
        ),
        *(broken for phase in phases for broken in _broken_promises(phase)),
    ]
    return Outcome(
        phases=phases,
        steady=steady,
        violations=violations,
        not_offered=dict(on.ledger.not_offered),
        lost_events=_lost_events(on),
        disk="tmpfs" if on.has_small_disk else "SQLite's max_page_count",
        processes=on.processes,
        seconds=now - began,
        log=on.node.log() if violations else "",
    )


def _fill(phase: Phase, calls: Sequence[Call], ways: Sequence[str]) -> None:
    phase.calls = [
        call
        for call in calls
        if call.began <= phase.over and (not call.is_over or call.answers[0].at >= phase.began)
    ]
    firsts = [first_success(phase.calls, way, phase.began) for way in ways]
    if all(firsts):
        phase.first_success = max(at for at in firsts if at) - phase.began
    told = [
        call.answers[0].at - phase.began
        for call in phase.calls
        if call.began < phase.began and call.is_over and not call.has_result
    ]
    phase.told = max(told, default=None)


def _broken_promises(phase: Phase) -> list[Violation]:
    if phase.spares == "nothing":
        return []
    return [
        Violation(f"{phase.name} spares {phase.spares} calls", f"{call}: {call.answer}", call.began)
        for call in phase.calls
        if call.is_over and not call.has_result and _is_spared(call, phase)
    ]


def _is_spared(call: Call, phase: Phase) -> bool:
    return phase.spares == "all" or call.began < phase.began - ACCEPTED_AFTER


def _lost_events(on: Field) -> dict[str, int]:
    """Return how many acknowledged events never came, where nothing was promised."""
    published = {c.number for c in on.ledger.calls if c.what.endswith(".event") and c.has_result}
    handled = on.handled()
    return {
        "acknowledged": len(published),
        "not seen by the subscriber, which was away": len(
            published - set(on.event_witness.numbers())
        ),
        "not handled by the application": len(published - set(handled)),
        "handled twice by the application": sum(times > 1 for times in handled.values()),
    }


def tally(calls: Sequence[Call]) -> dict[str, Any]:
    """Return how many results, errors by kind and timeouts there are."""
    errors: Counter[str] = Counter()
    timeouts = 0
    for call in calls:
        answer = call.answer
        if answer is not None and answer.outcome == ERROR:
            ran = {True: ", may have run", False: ", not run", None: ""}[answer.may_have_run]
            errors[f"{answer.error}{ran}"] += 1
        timeouts += answer is not None and answer.outcome == TIMEOUT
    return {
        "calls": len(calls),
        "results": sum(call.has_result for call in calls),
        "errors": dict(errors.most_common()),
        "timeouts": timeouts,
        "no answer": sum(not call.is_over for call in calls),
    }


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
