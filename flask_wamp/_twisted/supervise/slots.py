"""A place for one serving process: it is filled again when the process ends, and replaced as asked."""

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from .settings import ChildSettings, Settings
from .watched import Log, Process, Watched

#: Starts a process whose words go to the second.
Launch = Callable[[ChildSettings, Watched], Process]

#: Seconds before the next start: of a process that never served, and of one that served shortly.
FIRST_DELAY, LONGEST_DELAY = 0.1, 10.0
#: Seconds that a process serves at least, so that its end is no sign of a worse one.
STEADY = 5.0
#: Ends of processes that served shortly, until the next one waits.
FREE_RESTARTS = 3
#: Seconds that a process gets to take over what another one has.
TAKE_TIME = 5.0
#: Seconds beyond the grace of running calls that a process has to end in.
END_TIME = 3.0


class Slot:
    """One of a supervisor's places; every method runs on the reactor's thread.

    :param make: returns the settings of the process with a generation; whether it takes over from
        another one.
    :param launch: starts a process; what it raises is an end like others.
    :param died: called when a process has ended that was not meant to; whether the next one starts.
    """

    def __init__(
        self,
        number: int,
        limits: Settings,
        clock: Any,
        log: Log,
        *,
        make: Callable[[int, int, bool], ChildSettings],
        launch: Launch,
        is_reachable: Callable[[], bool],
        became_ready: Callable[["Slot", Watched], None],
        beaten: Callable[["Slot", Watched], None],
        died: Callable[["Slot", Watched], bool],
    ) -> None:
        self.number = number
        self.current: Watched | None = None
        self.restarts = 0
        self.last_end = ""
        self._limits = limits
        self._clock = clock
        self._log = log
        self._make, self._launch, self._is_reachable = make, launch, is_reachable
        self._became_ready, self._beaten, self._died = became_ready, beaten, died
        self._generation = 0
        self._failures = 0
        self._short = 0
        self._alive: list[Watched] = []
        self._replacing: tuple[Watched, Deferred[str]] | None = None
        self._restart: Any = None
        self._stopped = False
        self._waiting: list[Deferred[None]] = []

    @property
    def is_ready(self) -> bool:
        """Whether a process serves."""
        return self.current is not None and self.current.is_ready and not self.current.has_ended

    @property
    def is_new(self) -> bool:
        """Whether its process is the first one."""
        return self._generation <= 1

    def fill(self) -> None:
        """Start a process."""
        self._restart = None
        self.current = self._begin(force=False)

    def replace(self) -> "Deferred[str]":
        """Start another process, and let the one that serves end when that one does.

        :returns: fires with what went wrong, or with nothing.
        """
        outcome: Deferred[str] = Deferred()
        if self._stopped or self._replacing is not None:
            outcome.callback("it is being replaced or stopped already")
        elif self.current is None or self.current.has_ended:
            outcome.callback("")  # the next one is new in any case
        else:
            self._replacing = self._begin(force=True), outcome
        return outcome

    def tell(self, word: str) -> None:
        """Send a command to the process that serves."""
        if self.current is not None:
            self.current.tell(word)

    def stop(self, *, drain: bool) -> "Deferred[None]":
        """Start nothing any more, and end what runs.

        :param drain: it is to end by itself; otherwise it does when :meth:`hang_up` is called.
        :returns: fires when no process is left.
        """
        self._stopped = True
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        for watched in self._alive:
            watched.is_leaving = True
            if drain:
                self._drain(watched)
        return self.left()

    def left(self) -> "Deferred[None]":
        """Return what fires when none is left of the processes that are to end."""
        gone: Deferred[None] = Deferred()
        self._waiting.append(gone)
        self._tell_if_left()
        return gone

    def hang_up(self) -> None:
        """Let every process end at once."""
        for watched in list(self._alive):
            watched.hang_up()

    def kill(self) -> None:
        """End every process."""
        for watched in list(self._alive):
            watched.kill()

    def _begin(self, *, force: bool) -> Watched:
        self._generation += 1
        settings = self._make(self.number, self._generation, force)
        watched = Watched(
            settings,
            self._limits,
            self._clock,
            self._log,
            ready=self._ready,
            taken=self._hand_over,
            beaten=lambda watched: self._beaten(self, watched),
            over=self._over,
        )
        self._alive.append(watched)
        self._expect(watched)
        try:
            watched.process = self._launch(settings, watched)
        except OSError as error:
            watched.reason = f"a process cannot be started: {error}"
            self._clock.callLater(0, watched.ended, 1)
        return watched

    def _expect(self, watched: Watched) -> None:
        """Give a process its time to become ready."""

        def look() -> None:
            if watched.is_ready or watched.has_ended or watched.is_leaving:
                return
            if self._is_reachable():
                watched.give_up(f"was not ready within {self._limits.start_limit:g} s")
            else:
                self._expect(watched)  # nobody could be ready without a router

        self._clock.callLater(self._limits.start_limit, look)

    def _ready(self, watched: Watched) -> None:
        self._failures = 0
        if self._is_coming(watched):
            watched.tell("take")
            self._clock.callLater(TAKE_TIME, self._hand_over, watched)
        self._became_ready(self, watched)

    def _is_coming(self, watched: Watched) -> bool:
        return self._replacing is not None and watched is self._replacing[0]

    def _hand_over(self, new: Watched) -> None:
        """Let the process that has everything serve in place of the other one, once."""
        if self._replacing is None or not self._is_coming(new):
            return
        outcome, self._replacing = self._replacing[1], None
        old, self.current = self.current, new
        if old is not None and not old.has_ended:
            old.is_leaving = True
            self._drain(old)
        outcome.callback("")

    def _drain(self, watched: Watched) -> None:
        watched.tell("drain")
        self._clock.callLater(self._limits.grace + END_TIME, watched.kill)

    def _over(self, watched: Watched) -> None:
        self._alive.remove(watched)
        self._tell_if_left()
        if watched.is_leaving or self._stopped:
            return
        self.last_end = watched.account()
        if self._replacing is not None and self._is_coming(watched):
            outcome, self._replacing = self._replacing[1], None
            self._log("error", f"{watched.account()}; the process before it serves on")
            if self.current is None or self.current.has_ended:
                self._fill_later(0)
            elif watched.is_ready:
                self.current.tell("take")  # what that one has taken
            outcome.callback(watched.account())
            return
        delay = self._delay_after(watched)
        if not self._died(self, watched):
            return
        self.restarts += 1
        next_one = "at once" if delay == 0 else f"in {delay:.1f} s"
        self._log("error", f"{watched.account()}; another one starts {next_one}")
        if self._replacing is None:
            self._fill_later(delay)

    def _delay_after(self, watched: Watched) -> float:
        """Return the seconds until the next start: none after a process that has served well."""
        if not watched.is_ready:
            self._failures += 1
            count = self._failures
        elif watched.serves_for >= STEADY:
            self._short = 0
            return 0.0
        else:
            self._short += 1
            count = self._short - FREE_RESTARTS
            if count <= 0:
                return 0.0
        delay = min(FIRST_DELAY * 2.0 ** min(count - 1, 20), LONGEST_DELAY)
        return delay * random.uniform(0.8, 1.2)  # noqa: S311 - guards nothing # nosec B311

    def _fill_later(self, delay: float) -> None:
        self._restart = self._clock.callLater(delay, self.fill)

    def _tell_if_left(self) -> None:
        if not any(watched.is_leaving for watched in self._alive):
            waiting, self._waiting = self._waiting, []
            for gone in waiting:
                gone.callback(None)
