"""Is everything there that the node is to have: what ``/readyz`` is made of.

Asked of the router by the application's own link, whichever it is, so it is the same in the node's
process as under gunicorn: its list of registrations (WAMP spec, 12.4) tells which procedures somebody
serves, and which supervisors there are, and those tell of their processes.
"""

import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

from ..call.link import Answer, Link
from ..call.options import Options
from ..durable.databases import is_missing
from ..durable.store import Store
from ..errors import CallTimeout, NotAuthorized, NotConnected, RemoteError, WAMPError
from ..state import State

#: Seconds that a look may take.
LIMIT = 1.0
#: Seconds for which a report is given again to whoever asks: strangers may ask at any rate.
KEPT = 1.0
#: Seconds that a durable event may wait until the outbox is called stuck.
STUCK = 60.0
#: Registrations that are asked for at a time.
BATCH = 200
NODE_STOPPING = "flask_wamp.node.stopping"
_GONE = "wamp.error.no_such_registration"
_STATUS = re.compile(r"flask_wamp\.supervisor\.(.+)\.status")


@dataclass(frozen=True, slots=True)
class Supervised:
    """What a supervisor says of its processes.

    :ivar processes: how many there are to be.
    :ivar absent: the slots whose process does not serve.
    :ivar restarts: processes that were started because one had ended.
    :ivar replacements: processes that have taken over from one that served.
    """

    processes: int
    absent: tuple[int, ...]
    restarts: int
    replacements: int

    @classmethod
    def of(cls, status: Any) -> Self:
        """Read what ``flask_wamp.supervisor.*.status`` has answered.

        :raises ValueError: it is something else.
        """
        try:
            slots = [
                (int(slot["slot"]), bool(slot["ready"]), int(slot["restarts"]), slot["generation"])
                for slot in status["slots"]
            ]
            # The first process of a slot is neither; where none runs the generation is 0.
            replaced = sum(max(int(ran) - 1 - again, 0) for _slot, _ready, again, ran in slots)
        except (LookupError, TypeError) as error:
            raise ValueError(f"its supervisor tells something else: {error!r}") from None
        absent = tuple(slot for slot, ready, _restarts, _generation in slots if not ready)
        return cls(len(slots), absent, sum(slot[2] for slot in slots), replaced)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the outbox of the application.

    :ivar events: how many.
    :ivar oldest: for how many seconds the oldest has waited; None where none waits.
    """

    events: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    :ivar missing: what is not as it is to be, by kind: ``router``, ``procedures``, ``processes``,
        ``node``, ``outbox``; each with what is to be said of it.
    :ivar supervisors: what each that has answered says of its processes.
    :ivar waiting: what waits in the outbox; None where there is no outbox.
    """

    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    supervisors: Mapping[str, "Supervised"] = field(default_factory=dict)
    waiting: "Waiting | None" = None

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


class Checks:
    """Looks whether everything is there, at most once a second.

    :param awaited: procedures of other services that are to be there as well.
    """

    def __init__(self, awaited: Iterable[str] = ()) -> None:
        self._awaited = [(uri, "exact") for uri in awaited]
        self._known: dict[int, tuple[str, str] | None] = {}
        self._report = Report({"router": ["nobody has looked yet"]})
        self._until = 0.0
        # Made where it is used: this object is made before servers fork and gevent patches.
        self._locks: dict[int, threading.Lock] = {}

    def report(self, state: State) -> Report:
        """Return what was found less than :data:`KEPT` seconds ago, or look.

        While one thread looks the others do not wait for it, if there is a report at all. A test
        gets what is there now.
        """
        if state.app.testing:
            return self._look(state)
        if monotonic() < self._until:
            return self._report
        lock = self._locks.setdefault(os.getpid(), threading.Lock())
        is_first = self._until == 0.0
        if not lock.acquire(blocking=is_first):
            return self._report
        try:
            if monotonic() >= self._until:
                self._report = self._look(state)
                self._until = monotonic() + KEPT
            return self._report
        finally:
            lock.release()

    def _look(self, state: State) -> Report:
        """Look, within about :data:`LIMIT` seconds."""
        look = _Look(state, self._known)
        missing = {
            "node": look.node(),
            "procedures": look.procedures(self._awaited),
            "processes": look.processes(),
            "outbox": look.outbox(),
            "router": look.router(),
        }
        missing = {kind: problems for kind, problems in missing.items() if problems}
        return Report(missing, look.supervisors, look.waiting)


class _Look:
    """One look; everything that is asked for is asked for at once.

    :param known: URI and match policy of registrations by their ids, which mean the same for ever;
        None for those that nobody may ask for. Kept from look to look.
    """

    def __init__(self, state: State, known: dict[int, tuple[str, str] | None]) -> None:
        self._state = state
        self._known = known
        self._until = monotonic() + LIMIT
        self._link: Link = state.linked()
        self._problem: str | None = None
        self._there: set[tuple[str, str]] = set()
        self._stopping: Answer | None = None
        self._statuses: dict[str, Answer] = {}
        self.supervisors: dict[str, Supervised] = {}
        self.waiting: Waiting | None = None
        try:
            self._ask()
        except (NotConnected, CallTimeout) as error:
            self._problem = str(error)
        except RemoteError as error:
            self._problem = f"{error}; let the role of this process call wamp.registration.*"
        except WAMPError as error:
            self._problem = str(error)

    def router(self) -> list[str]:
        """Return why the router cannot be asked."""
        return [] if self._problem is None else [self._problem]

    def procedures(self, awaited: Iterable[tuple[str, str]]) -> list[str]:
        """Return the procedures that nobody has registered."""
        state = self._state
        if self._problem is not None:
            return []
        wanted = {*state.registry.resolved(state.config.uri_prefix), *awaited}
        missing = {uri for uri, match in wanted if (uri, match) not in self._there}
        return sorted({*missing, *state.health.missing})

    def processes(self) -> list[str]:
        """Return the supervisors that lack processes."""
        found = []
        for name, answer in sorted(self._statuses.items()):
            try:
                status = Supervised.of(answer.result(self._left()))
            except (WAMPError, TimeoutError) as error:
                found.append(f"{name}: its supervisor does not answer: {error}")
            except ValueError as error:
                found.append(f"{name}: {error}")
            else:
                self.supervisors[name] = status
                if status.absent:
                    slots = ", ".join(map(str, status.absent))
                    of = f"{len(status.absent)} of {status.processes}"
                    found.append(f"{name}: {of} processes do not serve (slot {slots})")
        return found

    def node(self) -> list[str]:
        """Return that the node is stopping, if it is."""
        stopping = self._state.health.stopping
        if self._stopping is not None and not stopping:
            try:
                stopping = self._stopping.result(self._left()) is True
            except (WAMPError, TimeoutError):
                stopping = False
        return ["it is stopping"] if stopping else []

    def outbox(self) -> list[str]:
        """Return why durable events are not delivered."""
        outbox = self._state.outbox
        if not outbox.is_declared:
            return []
        try:
            with closing(outbox.database()) as database:
                self.waiting = Waiting(*Store(database).count())
        except Exception as error:  # noqa: BLE001
            # Databases raise errors of their own.
            if is_missing(error):
                self.waiting = Waiting(0, None)  # nothing was ever written
                return []
            return [f"its database cannot be read: {type(error).__name__}"]
        if self.waiting.oldest is None or self.waiting.oldest < STUCK:
            return []
        return [f"{self.waiting.events} events wait, the oldest for {self.waiting.oldest:.0f} s"]

    def _ask(self) -> None:
        listed = self._link.call("wamp.registration.list", [], {}, self._options())
        ids = {number for numbers in listed.values() for number in numbers}
        for number in [number for number in self._known if number not in ids]:
            del self._known[number]
        unknown = sorted(ids - self._known.keys())
        for begin in range(0, len(unknown), BATCH):
            self._learn(unknown[begin : begin + BATCH])
        self._there = {found for number in ids if (found := self._known.get(number)) is not None}
        if not self._state.health.joined and (NODE_STOPPING, "exact") in self._there:
            self._stopping = self._start(NODE_STOPPING)
        for uri, _match in self._there:
            supervisor = _STATUS.fullmatch(uri)
            if supervisor:
                self._statuses[supervisor[1]] = self._start(uri)

    def _learn(self, numbers: list[int]) -> None:
        answers = [(number, self._start("wamp.registration.get", number)) for number in numbers]
        for number, answer in answers:
            try:
                found = answer.result(self._left())
            except NotAuthorized:
                # It is the router's own, or somebody's whom this role may not see.
                self._known[number] = None
            except RemoteError as error:
                if error.uri != _GONE:
                    raise
            else:
                self._known[number] = (found["uri"], found["match"])

    def _start(self, uri: str, *args: Any) -> Answer:
        return self._link.start(uri, list(args), {}, self._options())

    def _options(self) -> Options:
        return Options(timeout=self._left())

    def _left(self) -> float:
        return max(self._until - monotonic(), 0.01)
