"""What a run has shown: which calls belong to which fault, what was promised, what was broken."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .ledger import ERROR, PUBLISH, SEND, TIMEOUT, Call, Violation

#: Seconds that a call must have been on its way to count as accepted.
ACCEPTED_AFTER = 0.25
#: Seconds that an event that was acknowledged may be on its way to its handler, on a loaded machine: a
#: process that ends meanwhile has not handled it.
HANDLED_WITHIN = 0.5
#: How much longer than promised it may take on a loaded machine.
PATIENCE = 3.0
#: Seconds in which some process has had the calls after which it is replaced.
RECYCLED_WITHIN = 120.0


@dataclass
class Phase:
    """A fault, and the time that it took until all was well again.

    Times are seconds from the fault on.

    :ivar spares: which calls must not fail: ``nothing``, ``accepted`` or ``all``.
    :ivar told_within: seconds in which a call that fails must have its error, where that is
        promised.
    :ivar began: when, by the monotonic clock; so is *over*.
    :ivar back: until all processes answered; None: they never did.
    :ivar recovered: until calls succeeded on every way, too; None: they never did.
    :ivar first_success: until the first call that began behind it had its result, on the way that
        took longest.
    :ivar told: the longest that a call waited for its error.
    :ivar node_ended: until the node had ended, where it did; *node_ready* is until one was ready.
    :ivar untouched: what was sent that must not fail: procedures, topics and pages.
    :ivar bites: some call must fail, or the fault was none.
    :ivar unhandled: events that were acknowledged, and not handled by the application.
    """

    name: str
    what: str
    spares: str
    told_within: float | None
    began: float
    over: float = 0.0
    back: float | None = None
    recovered: float | None = None
    first_success: float | None = None
    told: float | None = None
    node_ended: float | None = None
    node_ready: float | None = None
    untouched: tuple[str, ...] = ()
    bites: bool = False
    unhandled: int = 0
    calls: list[Call] = field(default_factory=list)

    def fill(self, calls: Iterable[Call], ways: Sequence[str], handled: Collection[int]) -> None:
        """Take the calls that were under way meanwhile."""
        self.calls = [
            call
            for call in calls
            if call.began <= self.over and (not call.is_over or _ended(call) >= self.began)
        ]
        firsts = [_first_success(self.calls, way, self.began) for way in ways]
        self.first_success = None if None in firsts else max(at for at in firsts if at) - self.began
        waits = [c.answers[0].at - max(c.began, self.began) for c in self.calls if _has_failed(c)]
        self.told = max(waits, default=None)
        self.unhandled = len(unhandled(self.calls, handled))

    def look_at_node(self, ends: Sequence[tuple[float, int]], starts: Sequence[float]) -> None:
        """Take the end and the start of the node that were meanwhile."""
        self.node_ended = next((at - self.began for at, _ in ends if at >= self.began), None)
        self.node_ready = next((at - self.began for at in starts if at >= self.began), None)

    def _came_before_end(self, call: Call) -> bool:
        """Tell whether the node that ended has had it: in the next one it waits for a process."""
        return self.node_ended is None or call.began <= self.began + self.node_ended

    def broken(
        self,
        handled: Collection[int],
        executed: Collection[int] = (),
        patience: float = PATIENCE,
    ) -> Iterable[Violation]:
        """Yield what was promised and not kept.

        :param executed: the votes that were counted: whoever accepted one has to answer it.
        :param patience: how much longer than promised an error may take.
        """
        for call in self.calls:
            if not _has_failed(call):
                continue
            if self.spares == "all" or (
                self.spares == "accepted" and call.began < self.began - ACCEPTED_AFTER
            ):
                rule = f"{self.name} spares {self.spares} calls"
                yield Violation(rule, f"{call}: {call.answer}", call.began)
            elif (
                self.spares == "accepted"
                and call.number in executed
                and self._came_before_end(call)
            ):
                rule = f"{self.name} answers what was executed"
                yield Violation(rule, f"{call}: {call.answer}", call.began)
            elif call.what in self.untouched:
                rule = f"{self.name} does not touch {call.what}"
                yield Violation(rule, f"{call}: {call.answer}", call.began)
        if self.bites and not any(map(_has_failed, self.calls)):
            yield Violation(f"{self.name} breaks something", "no call failed", self.began)
        if self.told_within and self.told and self.told > patience * self.told_within:
            text = f"{self.told:.2f} s, not {self.told_within:g} s"
            yield Violation(f"{self.name} tells callers in time", text, self.began)
        if self.spares == "all":
            for call in unhandled(self.calls, handled):
                yield Violation(f"{self.name} loses no event", str(call), call.began)


@dataclass
class Outcome:
    """What a run has shown.

    :ivar steady: the calls while nothing was wrong.
    :ivar not_offered: by way, what was not sent, since as many as allowed were in flight.
    :ivar disk: what stood for a small disk.
    :ivar shape: who served the application.
    :ivar recycled: processes that were replaced after so many calls.
    """

    phases: list[Phase]
    steady: list[Call]
    violations: list[Violation]
    not_offered: Mapping[str, int]
    events: Mapping[str, int]
    durables: Mapping[str, int]
    disk: str
    shape: str
    processes: int
    recycled: int
    seconds: float
    log: str = ""


def steady_calls(calls: Iterable[Call], phases: Iterable[Phase]) -> list[Call]:
    """Return the calls that no fault has met."""
    inside = {call.number for phase in phases for call in phase.calls}
    return [call for call in calls if call.number not in inside]


def broken_calm(steady: Sequence[Call], handled: Mapping[int, int]) -> Iterable[Violation]:
    """Yield what failed while nothing was wrong."""
    for call in steady:
        if _has_failed(call):
            text = f"{call}: {call.answer}"
            yield Violation("failed while nothing was wrong", text, call.began)
    for call in unhandled(steady, handled):
        yield Violation("an event was not handled though nothing was wrong", str(call), call.began)


def doubled(
    calls: Iterable[Call], phases: Sequence[Phase], handled: Mapping[int, int]
) -> Iterable[Violation]:
    """Yield events that the application has handled twice, though no process had ended."""
    for call in calls:
        if handled.get(call.number, 0) < 2:
            continue
        met = [phase for phase in phases if call in phase.calls]
        if all(phase.spares == "all" for phase in met):
            name = ", ".join(phase.name for phase in met) or "nothing"
            yield Violation(f"{name} doubles no event", str(call), call.began)


def never_recycled(recycled: int, seconds: float) -> Iterable[Violation]:
    """Yield a violation where no process was replaced after so many calls though there was time.

    :param seconds: that the node was up at a stretch.
    """
    if seconds > RECYCLED_WITHIN and not recycled:
        yield Violation("processes are recycled", f"none in {seconds:.0f} s")


def unhandled(calls: Iterable[Call], handled: Collection[int]) -> list[Call]:
    """Return the publishes that were acknowledged, and that the application has not handled."""
    return [c for c in calls if c.kind == PUBLISH and c.has_result and c.number not in handled]


def events(
    calls: Sequence[Call], seen: Iterable[int], handled: Mapping[int, int]
) -> dict[str, int]:
    """Return what has become of the events."""
    published = {call.number for call in calls if call.kind == PUBLISH and call.has_result}
    sent = {call.number for call in calls if call.kind == SEND and call.has_result}
    seen = set(seen)
    return {
        "acknowledged": len(published),
        "not seen by the subscriber, which was away": len(published - seen),
        "not handled by the application": len(unhandled(calls, handled)),
        "handled twice": sum(times > 1 for times in handled.values()),
        "sent unacknowledged": len(sent),
        "of these not seen by the subscriber": len(sent - seen),
    }


def tally(calls: Sequence[Call]) -> dict[str, Any]:
    """Return how many results, errors by kind and timeouts there are."""
    errors: Counter[str] = Counter()
    for call in calls:
        answer = call.answer
        if answer is not None and answer.outcome == ERROR:
            ran = {True: " (may have run)", False: " (not run)", None: ""}[answer.may_have_run]
            errors[f"{answer.error}{ran}"] += 1
    return {
        "calls": len(calls),
        "results": sum(call.has_result for call in calls),
        "errors": dict(errors.most_common()),
        "timeouts": sum(call.is_over and call.answers[0].outcome == TIMEOUT for call in calls),
        "no answer": sum(not call.is_over for call in calls),
    }


def _ended(call: Call) -> float:
    """Return when a call had its answer, and an event is with its handler."""
    return call.answers[0].at + (HANDLED_WITHIN if call.kind in (PUBLISH, SEND) else 0.0)


def _has_failed(call: Call) -> bool:
    return call.is_over and not call.has_result


def _first_success(calls: Iterable[Call], way: str, since: float) -> float | None:
    """Return when the first call of *way* that began since then had its result."""
    ended = (c.answers[0].at for c in calls if c.way == way and c.began >= since and c.has_result)
    return next(ended, None)
