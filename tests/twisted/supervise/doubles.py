"""A supervisor whose processes are the test's, and whose clock is too."""

import json
import signal
from typing import Any

from twisted.internet.task import Clock

from flask_wamp._twisted.supervise.settings import ChildSettings, Settings
from flask_wamp._twisted.supervise.supervisor import Supervisor
from flask_wamp._twisted.supervise.watched import Watched


class FakeProcess:
    """A process that does what the test says, and what SIGKILL and hanging up do to any."""

    def __init__(self, pid: int, settings: ChildSettings, watcher: Watched, clock: Clock) -> None:
        self.pid: int | None = pid
        self.settings = settings
        self.words: list[str] = []
        self.signals: list[int] = []
        self.is_alive = True
        self.busy_threads = 0
        #: It does what it is told.
        self.takes = True
        self._watcher = watcher
        self._clock = clock

    def send(self, word: str) -> None:
        self.words.append(word)
        if word == "take" and self.takes:
            self._clock.callLater(0, self.report, "taken")

    def signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL:
            self._clock.callLater(0, self.end, -number)

    def times(self) -> dict[int, int]:
        """Have some threads, each of which has computed for so long."""
        computed = round(self._clock.seconds() * 100)
        return dict.fromkeys(range(self.busy_threads), computed)

    def hang_up(self) -> None:
        self._clock.callLater(0, self.end, 0)

    def report(self, what: str, **more: Any) -> None:
        """Tell the supervisor something of this process."""
        self._watcher.reported(json.loads(json.dumps({"is": what, **more})))

    def be_ready(self) -> None:
        """Have registered everything."""
        self.report("loaded")
        self.report("ready", session=1, procedures=1, subscribes=False)

    def beat(self, **more: Any) -> None:
        """Live."""
        usual = {"oldest": None, "running": 0, "calls": 0, "joined": True, "subscribes": False}
        self.report("beat", **{**usual, **more})

    def say(self, line: str, stream: int = 2) -> None:
        """Print a line."""
        self._watcher.said(stream, line)

    def end(self, code: int) -> None:
        """End, once."""
        if self.is_alive:
            self.is_alive = False
            self._watcher.ended(code)


class World:
    """A supervisor, its processes in the order in which they were started, and its log."""

    def __init__(self, processes: int = 1, **settings: Any) -> None:
        self.clock = Clock()
        self.started: list[FakeProcess] = []
        self.log: list[tuple[str, str]] = []
        self.failed: list[str] = []
        self.cannot_start = False
        self.supervisor = Supervisor(
            Settings(processes, **settings),
            self.clock,
            lambda level, text: self.log.append((level, text)),
            make=lambda slot, generation, force: ChildSettings(
                "a:b", slot=slot, generation=generation, force=force
            ),
            launch=self.launch,
            fail=self.failed.append,
        )
        self.supervisor.start()

    def launch(self, settings: ChildSettings, watcher: Watched) -> FakeProcess:
        """Start a process."""
        if self.cannot_start:
            raise OSError(11, "Resource temporarily unavailable")
        process = FakeProcess(1000 + len(self.started), settings, watcher, self.clock)
        self.started.append(process)
        return process

    @classmethod
    def ready(cls, processes: int = 1, **settings: Any) -> "World":
        """Return one all of whose processes are ready."""
        world = cls(processes, **settings)
        for process in world.started:
            process.be_ready()
        return world

    @property
    def alive(self) -> list[FakeProcess]:
        """The processes that run."""
        return [process for process in self.started if process.is_alive]

    def errors(self) -> str:
        """Return what was logged as an error."""
        return "\n".join(text for level, text in self.log if level == "error")

    def live(self, seconds: float, **beat: Any) -> None:
        """Let time pass, in which the processes that run beat."""
        for _turn in range(round(seconds / 0.25)):
            for process in self.alive:
                process.beat(**beat)
            self.clock.advance(0.25)
