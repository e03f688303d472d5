"""Keeps as many serving processes as it was told to, and says so where it cannot.

Nothing here starts a process or reads a clock of its own: what does is given, a reactor or a test.
"""

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, DeferredLock, inlineCallbacks, succeed

from .settings import ChildSettings, Settings
from .slots import END_TIME, Launch, Slot
from .watched import Log, Watched

#: Starts in a row that come to nothing, while no process serves, until the supervisor gives up.
FAILURES = 5
#: Seconds after an end at which the others ask for what the process had: the router may know a
#: moment later than its supervisor.
NUDGES = (0.0, 0.05, 0.2, 0.6)
#: Seconds until a process is replaced for its calls after that has failed.
RECYCLE_RETRY = 10.0


class Supervisor:
    """Supervises the serving processes of an application; on the reactor's thread.

    :ivar is_reachable: whether there is a router; without one no process can become ready, and
        none is given up for that.
    :ivar ready: fires once, when all processes have become ready.
    :param make: returns the settings of the process of a slot and generation; whether it takes over.
    :param launch: starts it.
    :param fail: gets a message when the supervisor gives up.
    :param renew: is called before a reload, so that what new processes are made of is new too; a
        Deferred.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Any,
        log: Log,
        *,
        make: Callable[[int, int, bool], ChildSettings],
        launch: Launch,
        fail: Callable[[str], None],
        renew: Callable[[], "Deferred[None]"] = lambda: succeed(None),
    ) -> None:
        self.is_reachable = True
        self.ready: Deferred[None] = Deferred()
        self._settings = settings
        self._clock = clock
        self._log = log
        self._fail = fail
        self._renew = renew
        self._one_at_a_time = DeferredLock()
        self._began = 0.0
        self._failures = 0
        self._was_ready = False
        self._is_stopping = False
        self._quotas: dict[Watched, float] = {}
        self.slots = [
            Slot(
                number,
                settings,
                clock,
                log,
                make=make,
                launch=launch,
                is_reachable=lambda: self.is_reachable,
                became_ready=self._became_ready,
                beaten=self._beaten,
                died=self._died,
            )
            for number in range(settings.processes)
        ]

    def start(self) -> None:
        """Start all processes."""
        self._began = self._clock.seconds()
        for slot in self.slots:
            slot.fill()

    @inlineCallbacks
    def reload(self) -> Any:
        """Replace the processes by new ones, one at a time; each serves until the next one does.

        :returns: ``{"replaced": count, "failed": why it was not all, or ""}``; a Deferred.
        """
        yield self._one_at_a_time.acquire()
        replaced, failed = 0, ""
        try:
            self._log("warn", "the processes are replaced by new ones")
            yield self._renew()
            for slot in self.slots:
                failed = yield slot.replace()
                if failed:
                    break
                replaced += 1
            yield DeferredList([slot.left() for slot in self.slots])
        finally:
            self._one_at_a_time.release()
        text = f"{replaced} of {len(self.slots)} processes were replaced"
        self._log("error" if failed else "warn", f"{text}: {failed}" if failed else text)
        return {"replaced": replaced, "failed": failed}

    def stop(self, *, drain: bool) -> "Deferred[None]":
        """End all processes; none is left a while after the grace, whatever they do.

        :param drain: they are to end by themselves: they take no more calls, and finish those that
            run. Otherwise they serve on until :meth:`hang_up` or the end of the grace.
        """
        self._is_stopping = True
        gone = DeferredList([slot.stop(drain=drain) for slot in self.slots])
        patience = self._settings.grace + END_TIME
        last = self._clock.callLater(patience, self.hang_up)
        kill = self._clock.callLater(patience + 1.0, self.kill)

        def done(_results: Any) -> None:
            for timer in (last, kill):
                if timer.active():
                    timer.cancel()

        return gone.addCallback(done)

    def hang_up(self) -> None:
        """Let every process end at once."""
        for slot in self.slots:
            slot.hang_up()

    def kill(self) -> None:
        """End every process, whether it listens or not."""
        for slot in self.slots:
            slot.kill()

    def status(self) -> dict[str, Any]:
        """Return how each process does, as it can travel."""
        return {
            "processes": len(self.slots),
            "ready": sum(slot.is_ready for slot in self.slots),
            "slots": [_status_of(slot) for slot in self.slots],
        }

    def _became_ready(self, slot: Slot, watched: Watched) -> None:
        self._failures = 0
        quota = self._settings.max_calls
        if quota:
            spread = random.uniform(0.9, 1.1)  # noqa: S311 - guards nothing # nosec B311
            self._quotas[watched] = quota * spread
        if watched.settings.generation > 1:
            self._log("warn", f"{watched.name} serves")
        if not self._was_ready and all(each.is_ready for each in self.slots):
            self._was_ready = True
            self.ready.callback(None)

    def _beaten(self, slot: Slot, watched: Watched) -> None:
        quota = self._quotas.get(watched)
        if quota is not None and watched.calls >= quota and slot.current is watched:
            del self._quotas[watched]
            self._one_at_a_time.run(self._recycle, slot, watched)

    @inlineCallbacks
    def _recycle(self, slot: Slot, watched: Watched) -> Any:
        if slot.current is not watched or watched.has_ended or self._is_stopping:
            return
        self._log("warn", f"{watched.name} is replaced after {watched.calls} calls")
        if (yield slot.replace()):

            def again() -> None:
                self._quotas[watched] = 0.0

            self._clock.callLater(RECYCLE_RETRY, again)

    def _died(self, slot: Slot, watched: Watched) -> bool:
        """Take note of an end, and tell whether the next process is to start."""
        self._quotas.pop(watched, None)
        if len(self.slots) > 1:
            for seconds in NUDGES:
                self._clock.callLater(seconds, self._nudge, slot)
        if watched.is_ready or not self.is_reachable:
            return True
        self._failures += 1
        late = self._clock.seconds() - self._began > self._settings.start_limit
        is_hopeless = self._failures >= FAILURES or (late and not self._was_ready)
        if is_hopeless and not any(each.is_ready for each in self.slots):
            self._give_up(watched)
            return False
        return True

    def _nudge(self, lost: Slot) -> None:
        for slot in self.slots:
            if slot is not lost and slot.is_ready:
                slot.tell("nudge")

    def _give_up(self, watched: Watched) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        for slot in self.slots:
            slot.stop(drain=False)
        self.hang_up()
        self._fail(f"no process serves, after {self._failures} failed starts; {watched.account()}")


def _status_of(slot: Slot) -> dict[str, Any]:
    watched = slot.current
    status: dict[str, Any] = {
        "slot": slot.number,
        "pid": None,
        "generation": 0,
        "ready": slot.is_ready,
        "restarts": slot.restarts,
        "last_end": slot.last_end,
    }
    if watched is not None and not watched.has_ended:
        beat = watched.beat
        status.update(
            pid=watched.process.pid if watched.process is not None else None,
            generation=watched.settings.generation,
            age=round(watched.serves_for, 3),
            calls=watched.calls,
            running=beat.get("running", 0),
            oldest=beat.get("oldest"),
            joined=beat.get("joined", False),
            session=beat.get("session"),
            subscribes=watched.subscribes,
            metrics=beat.get("metrics") or {},
        )
    return status
