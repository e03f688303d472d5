"""One run: the faults, one after another, each until all is well again."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .faults import ALL, Fault
from .field import Field
from .judging import (
    PATIENCE,
    Outcome,
    Phase,
    broken_calm,
    doubled,
    events,
    never_recycled,
    steady_calls,
    unhandled,
)
from .ledger import Violation, broken_calls, broken_durables, broken_events, broken_votes
from .load import succeeded_since
from .node import until

#: Seconds in which all must be well again (a node starts within 4 s, and within 50 where eight others do the same), and
#: in which the last events must have come.
WELL_WITHIN, COME_WITHIN = 150.0, 10.0
#: Calls in a row of each way that must succeed before all is well.
IN_A_ROW = 3


@dataclass(frozen=True)
class Pace:
    """How long a run takes.

    :ivar seconds: the faults are repeated so long.
    :ivar calm: seconds of load alone before each fault, and behind the last.
    :ivar seed: decides about the order of each round but the first.
    :ivar patience: how much longer than promised an error may take.
    """

    seconds: float
    calm: float
    seed: int
    patience: float = PATIENCE


def run(names: Sequence[str], on: Field, pace: Pace) -> Outcome:
    """Inject the faults of these *names*, again and again as *pace* has it, and judge."""
    order, names = random.Random(pace.seed), list(names)
    began = wait_until_well(on)
    phases: list[Phase] = []
    while not phases or (time.monotonic() - began < pace.seconds and phases[-1].recovered):
        for name in names:
            time.sleep(pace.calm)
            phases.append(_go_through(ALL[name](), on))
            if phases[-1].recovered is None:
                break
        order.shuffle(names)
    time.sleep(pace.calm)
    return judged(on, phases, began, pace.patience)


def wait_until_well(on: Field) -> float:
    """Wait until the load succeeds on every way, and return when; the ledger counts from then on.

    :raises RuntimeError: it does not come to that.
    """
    if not until(lambda: on.all_answer() and _calls_succeed(on, 0.0), WELL_WITHIN):
        raise RuntimeError(f"the node does not answer before any fault:\n{on.node.log()[-4000:]}")
    on.counts_from = time.monotonic()
    return on.counts_from


def _go_through(fault: Fault, on: Field) -> Phase:
    fault.look(on)
    _say(f"{fault.name}: {fault.what}")
    phase = fault.phase(on)
    try:
        fault.inject(on)
        time.sleep(fault.lasts)
    finally:
        fault.heal(on)
    healed = time.monotonic()
    phase.back = _seconds_until(lambda: fault.is_well(on), phase)
    if phase.back is not None:
        phase.recovered = _seconds_until(lambda: _calls_succeed(on, healed), phase)
    phase.over = time.monotonic()
    phase.look_at_node(on.node.ends, on.node.starts)
    if phase.recovered is None:
        on.violations.append(Violation("not well again", fault.name, phase.began))
        _say("  not well again")
    else:
        _say(f"  well again after {phase.recovered:.2f} s")
    return phase


def _seconds_until(condition: Callable[[], bool], phase: Phase) -> float | None:
    """Wait for *condition*, and return the seconds since the fault; None: it never held."""
    return time.monotonic() - phase.began if until(condition, WELL_WITHIN) else None


def _calls_succeed(on: Field, since: float) -> bool:
    return succeeded_since(on.ledger, since, on.ways, IN_A_ROW)


def judged(on: Field, phases: list[Phase], began: float, patience: float = PATIENCE) -> Outcome:
    """End the load, and judge all that was sent."""
    if on.load is not None:
        on.load.stop()
    until(lambda: set(on.committed()) <= set(on.durable_witness.numbers()), WELL_WITHIN)
    everything, now = on.ledger.calls, time.monotonic()
    calls = [call for call in everything if call.began >= on.counts_from]
    # What came in a fault may have been lost; what came behind the last one must come.
    latest = [call for call in calls if call.began > (phases[-1].over if phases else began)]
    until(lambda: not unhandled(latest, on.handled()), COME_WITHIN)
    handled, executed = on.handled(), on.executed()
    for phase in phases:
        phase.fill(calls, [way.name for way in on.ways], handled)
    steady = steady_calls(calls, phases)
    committed, durables = on.committed(), on.durable_witness.numbers()
    recycled = on.recycled()
    violations = [
        *on.violations,
        *never_recycled(recycled, _longest_up(on, began, now) if on.recycles else 0.0),
        *(Violation("an answer to nobody", stray) for stray in on.ledger.strays),
        *broken_calls(everything, now),
        *broken_votes(everything, executed),
        *broken_events(everything, on.event_witness),
        *broken_durables(everything, committed, on.durable_witness),
        *broken_calm(steady, handled),
        *doubled(calls, phases, handled),
        *(broken for phase in phases for broken in phase.broken(handled, executed, patience)),
    ]
    return Outcome(
        phases=phases,
        steady=steady,
        violations=violations,
        not_offered=dict(on.ledger.not_offered),
        events=events(calls, on.event_witness.numbers(), handled),
        durables={
            "committed": len(committed),
            "received": len(set(durables)),
            "received again": len(durables) - len(set(durables)),
        },
        disk="tmpfs" if on.has_small_disk else "RLIMIT_FSIZE",
        shape=on.shape,
        processes=on.processes,
        recycled=recycled,
        seconds=now - began,
        log=on.node.log() if violations else "",
    )


def _longest_up(on: Field, began: float, now: float) -> float:
    """Return the longest time, in seconds, in which the node did not end."""
    times = [began, *(at for at, _code in on.node.ends if at > began), now]
    return max(later - earlier for earlier, later in pairwise(times))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
