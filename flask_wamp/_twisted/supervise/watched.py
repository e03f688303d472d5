"""One serving process: what it has told, and whether it keeps to its limits.

What a process says comes as in ``_twisted/child``: reports, its output, its end.
"""

import logging
import signal
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .computing import Times, take_turns
from .ends import words_of
from .lines import log_line
from .settings import ChildSettings, Settings
from .stacks import Stacks

#: Seconds that a hung process gets to write down where it is.
STACKS_TIME = 0.2
#: Seconds until a silent process is looked at again: where the supervisor itself has stood still,
#: what it was told meanwhile is read by then.
SECOND_LOOK = 0.05
#: How much longer a process may be silent whose threads compute in turn: it is busy, and its heartbeat
#: waits for its turn.
BUSY = 10
#: Lines of output that an account of an end has.
LAST_LINES = 10

#: Logs a text at a level.
Log = Callable[[str, str], None]


class Process(Protocol):
    """A process that runs, or is about to."""

    #: None until it runs.
    pid: int | None

    def send(self, word: str) -> None:
        """Write a command; one that has ended gets none."""

    def signal(self, number: int) -> None:
        """Send a signal; one that has ended gets none."""

    def times(self) -> Times:
        """Return how long each of its threads has computed."""

    def hang_up(self) -> None:
        """Close what commands come through: a child ends at once then."""


class Watched:
    """A process, from its start to its end; what it is for is said by its settings.

    :param clock: has ``callLater`` and ``seconds``, as a reactor.
    :param ready: called once, when it serves.
    :param taken: called when it has everything that it was told to take.
    :param beaten: called with each heartbeat.
    :param over: called once, when it has ended.
    """

    def __init__(
        self,
        settings: ChildSettings,
        limits: Settings,
        clock: Any,
        log: Log,
        *,
        ready: Callable[["Watched"], None],
        taken: Callable[["Watched"], None],
        beaten: Callable[["Watched"], None],
        over: Callable[["Watched"], None],
    ) -> None:
        self.settings = settings
        self.process: Process | None = None
        self.is_ready = False
        #: It is meant to end, and no other one is started for it.
        self.is_leaving = False
        self.has_ended = False
        self.beat: Mapping[str, Any] = {}
        #: How it has ended.
        self.end = ""
        #: Why it was ended, or what it has said that it cannot do.
        self.reason = ""
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.born: float = clock.seconds()
        self.ready_at: float | None = None
        self._limits = limits
        self._clock = clock
        self._log = log
        self._ready, self._taken, self._beaten, self._over = ready, taken, beaten, over
        self._is_done = False
        self._silence: Any = None
        self._heard = 0.0
        self._times: Times = {}
        self._killing: Any = None
        self._stacks = Stacks(self._say)

    @property
    def name(self) -> str:
        """What it is called in the log."""
        pid = f" (pid {self.process.pid})" if self.process and self.process.pid else ""
        return f"process {self.settings.slot}{pid}"

    @property
    def calls(self) -> int:
        """How many calls it has answered, or begun to."""
        calls = self.beat.get("calls", 0)
        return calls if isinstance(calls, int) else 0

    @property
    def subscribes(self) -> bool:
        """Whether it has the subscriptions."""
        return self.beat.get("subscribes") is True

    @property
    def serves_for(self) -> float:
        """Seconds since it was ready, 0 where it has never been."""
        return 0.0 if self.ready_at is None else self._clock.seconds() - self.ready_at

    def tell(self, word: str) -> None:
        """Send it a command."""
        if self.process is not None and not self.has_ended:
            self.process.send(word)

    def kill(self) -> None:
        """End it now."""
        if self.process is not None and not self.has_ended:
            self.process.signal(signal.SIGKILL)

    def hang_up(self) -> None:
        """Let it end at once, without a word."""
        if self.process is not None and not self.has_ended:
            self.process.hang_up()

    def give_up(self, reason: str) -> None:
        """End it because of *reason*, once it has written down where it is."""
        if self.has_ended or self._killing is not None:
            return
        self.reason = reason
        self._log("error", f"{self.name} {reason}: it is ended; where it was follows")
        if self.process is not None:
            self.process.signal(signal.SIGUSR1)
        self._killing = self._clock.callLater(STACKS_TIME, self.kill)

    def reported(self, report: Mapping[str, Any]) -> None:
        """Take what the process tells of itself."""
        kind = report.get("is")
        if kind == "beat":
            self._take_beat(report)
        elif kind == "ready" and not self.is_ready:
            self.is_ready = True
            self.ready_at = self._clock.seconds()
            told = {key: report.get(key) for key in ("subscribes", "session")}
            self.beat = {**self.beat, **told}
            self._listen()
            self._ready(self)
        elif kind == "taken":
            self._taken(self)
        elif kind == "failed":
            self.reason = str(report.get("why", ""))[:2000]
        elif kind == "drained":
            self._has_drained(report.get("unfinished"))

    def said(self, stream: int, line: str) -> None:
        """Take a line of its output."""
        if stream == 1:
            self._say(line, logging.INFO)
        else:
            self._stacks.feed(line)

    def _say(self, line: str, level: int = logging.WARNING) -> None:
        text = log_line(self._log, line, level, f"[{self.settings.slot}] ")
        self.last_lines.append(text)

    def ended(self, code: int) -> None:
        """The process has ended; *code* is as :mod:`subprocess` has it."""
        self._stacks.end()
        self.has_ended = True
        self.end = words_of(code)
        for timer in (self._silence, self._killing):
            if timer is not None and timer.active():
                timer.cancel()
        self._over(self)

    def account(self) -> str:
        """Say how it ended, why, and what it said last, in one line."""
        parts = [f"{self.name} {self.end}"]
        parts += [self.reason] if self.reason else []
        if not self.reason and self.end.endswith("SIGKILL"):
            parts.append("somebody did that, or the system, for its memory")
        if not self.reason and not self.is_ready and self.last_lines:
            parts.append("its last lines: " + " | ".join(self.last_lines))
        return ": ".join(parts)

    def _take_beat(self, beat: Mapping[str, Any]) -> None:
        self.beat = beat
        if not self.is_ready or self._is_done:
            return
        self._listen()
        oldest, limit = beat.get("oldest"), self._limits.view_limit
        if limit is not None and isinstance(oldest, int | float) and oldest > limit:
            self.give_up(f"has a view that runs for {oldest:.1f} s, and view_limit is {limit:g} s")
        self._beaten(self)

    def _has_drained(self, unfinished: Any) -> None:
        self._is_done = self.is_leaving = True
        if self._silence is not None and self._silence.active():
            self._silence.cancel()  # its end may take a second
        if unfinished:
            self._log(
                "warn", f"{self.name}: {unfinished} calls had not ended, and were answered so"
            )

    def _listen(self) -> None:
        """Expect the next heartbeat."""
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        self._heard = self._clock.seconds()
        self._silence = self._clock.callLater(self._limits.unresponsive / 2, self._look)

    def _look(self) -> None:
        self._times = self._times_now()
        self._silence = self._clock.callLater(self._limits.unresponsive / 2, self._look_again)

    def _look_again(self) -> None:
        self._silence = self._clock.callLater(SECOND_LOOK, self._silent)

    def _silent(self) -> None:
        silent = self._clock.seconds() - self._heard
        is_patient = silent < BUSY * self._limits.unresponsive
        if is_patient and take_turns(self._times, self._times_now()):
            self._look()
            return
        self.give_up(f"has not been heard of for {self._limits.unresponsive:g} s")

    def _times_now(self) -> Times:
        return {} if self.process is None else self.process.times()
