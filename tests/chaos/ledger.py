"""The ledger: every call, publish and vote of a run, and what has come of each.

It is told what was sent and what came back, and finds what must never be: no answer, two answers,
another's answer, an answer too late, a vote executed twice or not at all, an event that was lost
though nothing excuses that, twice, or out of order. It knows of no network: tests feed it bad
histories.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

#: Seconds beyond its time that a call may end in: the machine is loaded.
SLACK = 3.0
#: What an answer may be.
RESULT, ERROR, TIMEOUT = "result", "error", "timeout"
#: What may be sent. Votes are executed at most once; durable publishes are a row first; what is only
#: sent is a publish that nobody acknowledges, and its result is that it has left.
CALL, VOTE, PUBLISH, DURABLE, SEND = "call", "vote", "publish", "durable", "send"


@dataclass(frozen=True)
class Answer:
    """What has come back for a call.

    :ivar outcome: ``result``, ``error`` or ``timeout``.
    :ivar value: the number that a result carries; it must be the call's own.
    :ivar error: the error's URI or class, "" for a result.
    :ivar may_have_run: what the error says about it, where it says so.
    :ivar at: when, in seconds of the monotonic clock.
    """

    outcome: str
    at: float
    value: Any = None
    error: str = ""
    may_have_run: bool | None = None


@dataclass
class Call:
    """Something that was sent, under a number of its own.

    :ivar way: how: ``websocket``, ``rawsocket``, ``flask``, ``http``.
    :ivar kind: ``call``, ``vote``, ``publish`` (acknowledged), ``send`` (a publish without that) or
        ``durable``.
    :ivar what: the procedure or topic, for the reader.
    :ivar within: seconds in which it must end, without the slack.
    """

    number: int
    way: str
    kind: str
    what: str
    began: float
    within: float
    answers: list[Answer] = field(default_factory=list)

    @property
    def answer(self) -> Answer | None:
        """The first answer."""
        return self.answers[0] if self.answers else None

    @property
    def has_result(self) -> bool:
        """Whether it succeeded."""
        return bool(self.answers) and self.answers[0].outcome == RESULT

    @property
    def is_over(self) -> bool:
        """Whether anything has come back."""
        return bool(self.answers)

    @property
    def due(self) -> float:
        """When it must have ended."""
        return self.began + self.within + SLACK

    def __str__(self) -> str:
        return f"{self.kind} {self.number} ({self.what} by {self.way})"


@dataclass(frozen=True)
class Violation:
    """Something that must never be.

    :ivar rule: which promise was broken, in a word or three.
    :ivar what: the call, or the event.
    :ivar at: when the call began, in seconds of the monotonic clock, where it is known.
    """

    rule: str
    what: str
    at: float | None = None


@dataclass
class Witness:
    """A subscriber, the times during which it was there, and the numbers that came, in order.

    :ivar there: when it subscribed, and when it was lost (None: it still is there).
    """

    there: list[tuple[float, float | None]] = field(default_factory=list)
    received: list[tuple[int, float]] = field(default_factory=list)

    def subscribed(self, at: float) -> None:
        """It is there from now on."""
        self.there.append((at, None))

    def lost(self, at: float) -> None:
        """It is gone."""
        if self.there and self.there[-1][1] is None:
            self.there[-1] = (self.there[-1][0], at)

    def was_there(self, since: float, until: float) -> bool:
        """Tell whether it was there all along."""
        return any(begin <= since and (end is None or end > until) for begin, end in self.there)

    def numbers(self) -> list[int]:
        """Return the numbers that came."""
        return [number for number, _at in list(self.received)]


class Ledger:
    """Keeps the book; its methods may be called on any thread.

    :param clock: the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.calls: list[Call] = []
        self._open: Counter[str] = Counter()
        #: Answers that nobody awaited.
        self.strays: list[str] = []
        #: Calls that could not be offered, since as many as allowed were in flight; never sent.
        self.not_offered: Counter[str] = Counter()

    def now(self) -> float:
        """Return the time."""
        return self._clock()

    def open(self, way: str, kind: str, what: str, within: float) -> Call:
        """Enter a call that is about to be sent."""
        with self._lock:
            call = Call(len(self.calls), way, kind, what, self._clock(), within)
            self.calls.append(call)
            self._open[way] += 1
        return call

    def result(self, call: Call, value: Any) -> None:
        """Enter a result, with the number that it carries."""
        self._answer(call, Answer(RESULT, self._clock(), value))

    def error(self, call: Call, error: str, may_have_run: bool | None = None) -> None:
        """Enter an error."""
        self._answer(call, Answer(ERROR, self._clock(), None, error, may_have_run))

    def timeout(self, call: Call, error: str, may_have_run: bool | None = None) -> None:
        """Enter that its time was over."""
        self._answer(call, Answer(TIMEOUT, self._clock(), None, error, may_have_run))

    def skip(self, way: str) -> None:
        """Enter that a call was not even sent."""
        with self._lock:
            self.not_offered[way] += 1

    def unanswered(self) -> list[Call]:
        """Return the calls without an answer."""
        with self._lock:
            return [call for call in self.calls if not call.answers]

    def stray(self, what: str) -> None:
        """Enter an answer to a request that was answered before, or never made."""
        with self._lock:
            self.strays.append(what)

    def in_flight(self, way: str) -> int:
        """Return how many calls of *way* have no answer yet."""
        with self._lock:
            return self._open[way]

    def since(self, at: float) -> list[Call]:
        """Return the calls that began then or later; the last ones first."""
        found = []
        with self._lock:
            for call in reversed(self.calls):
                if call.began < at:
                    break
                found.append(call)
        return found

    def _answer(self, call: Call, answer: Answer) -> None:
        with self._lock:
            self._open[call.way] -= not call.answers
            call.answers.append(answer)


# --- what must never be


def broken_calls(calls: Iterable[Call], now: float) -> Iterable[Violation]:
    """Yield calls with two answers, another's answer, none, or one that came too late."""
    for call in calls:
        if not call.answers:
            if now > call.due:
                yield Violation("no answer", str(call), call.began)
            continue
        if len(call.answers) > 1:
            outcomes = ", ".join(answer.outcome for answer in call.answers)
            yield Violation("two answers", f"{call}: {outcomes}", call.began)
        for answer in call.answers:
            if answer.outcome == RESULT and answer.value != call.number:
                yield Violation("another's answer", f"{call}: {answer.value!r}", call.began)
        if call.answers[0].at > call.due:
            late = call.answers[0].at - call.began
            yield Violation("late", f"{call}: {late:.1f} s, {call.answers[0].error}", call.began)


def broken_votes(calls: Iterable[Call], executed: Mapping[int, int]) -> Iterable[Violation]:
    """Yield votes that were executed more than once, or not though the answer says so.

    :param executed: how often each number was.
    """
    votes = {call.number: call for call in calls if call.kind == VOTE}
    for number, times in executed.items():
        if number not in votes:
            yield Violation("a vote of nobody", f"number {number}")
        elif times > 1:
            call = votes[number]
            yield Violation("executed twice", f"{call}: {times} times", call.began)
    for call in votes.values():
        times, answer = executed.get(call.number, 0), call.answer
        if call.has_result and not times:
            yield Violation("a result without a vote", str(call), call.began)
        if answer is not None and answer.may_have_run is False and times:
            yield Violation("executed, said not to have run", f"{call}: {answer.error}", call.began)


def broken_events(calls: Iterable[Call], witness: Witness) -> Iterable[Violation]:
    """Yield publishes that returned and did not arrive though the witness was there, or twice."""
    calls = list(calls)
    times = Counter(witness.numbers())
    published = {call.number: call for call in calls if call.kind in (PUBLISH, SEND)}
    for number, came in times.items():
        if number not in published:
            yield Violation("an event of nobody", f"number {number}")
        elif came > 1:
            call = published[number]
            yield Violation("an event twice", f"{call}: {came} times", call.began)
        elif (answer := published[number].answer) and answer.may_have_run is False:
            call = published[number]
            yield Violation("an event said not to be sent", f"{call}: {answer.error}", call.began)
    for call in published.values():
        answer = call.answer
        if answer is None or not _is_acknowledged(call) or times[call.number]:
            continue
        # Delivery follows the acknowledgment: a witness that was lost just then proves nothing.
        if witness.was_there(call.began, answer.at + SLACK):
            yield Violation("an acknowledged event was lost", str(call), call.began)


def _is_acknowledged(call: Call) -> bool:
    return call.kind == PUBLISH and call.has_result


def broken_durables(
    calls: Iterable[Call], committed: Sequence[int], witness: Witness
) -> Iterable[Violation]:
    """Yield durable publishes that were lost, out of order, or never committed.

    :param committed: the numbers in the order in which the database has committed them.
    :param witness: who received them, each at least once.
    """
    known = {call.number: call for call in calls if call.kind == DURABLE}
    first = list(dict.fromkeys(witness.numbers()))
    place = {number: index for index, number in enumerate(committed)}
    for number in first:
        if number not in place:
            yield Violation("a durable event that was not committed", f"number {number}")
    received = set(first)
    for number in committed:
        if number not in received:
            yield Violation("a durable event was lost", *_call_of(known, number))
    for earlier, later in _descents([n for n in first if n in place], place):
        yield Violation(
            "durable events out of order", f"{earlier} came before {later}", _began(known, later)
        )
    for call in known.values():
        if call.has_result and call.number not in place:
            yield Violation("a result without a durable event", str(call), call.began)
        elif call.number in place and call.answer and call.answer.may_have_run is False:
            yield Violation("executed, said not to have run", str(call), call.began)


def _descents(numbers: Sequence[int], place: Mapping[int, int]) -> Iterable[tuple[int, int]]:
    """Yield neighbours of which the first was committed behind the second."""
    for earlier, later in pairwise(numbers):
        if place[earlier] > place[later]:
            yield earlier, later


def _call_of(known: Mapping[int, Call], number: int) -> tuple[str, float | None]:
    call = known.get(number)
    return (str(call), call.began) if call else (f"number {number}", None)


def _began(known: Mapping[int, Call], number: int) -> float | None:
    return known[number].began if number in known else None
