"""``flask wamp run --reload``: a node that starts anew with changed code, if that can be imported.

Beside the node that runs stands another, whose workers have imported Crossbar.io and wait
(:mod:`flask_wamp._twisted.engine.standby`); so a change is live again in the time that the
application itself needs.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from .changes import Changes
from .checking import probes_of, read
from .command import NodeError
from .configuration import directory_of, prepared_config
from .layout import Layout
from .probe import BROKEN

#: What runs Crossbar.io's controller for a node that waits.
STANDBY = "flask_wamp._twisted.engine.standby"
#: What the workers of a node that waits have imported.
LIBRARY = Path(__file__).parents[1].resolve()
#: Seconds that a node may take to stop.
STOP_TIMEOUT = 5.0
#: Seconds between two looks whether the node runs.
LOOK = 0.5
#: Seconds until a start is taken for over of which nothing is heard, and of which nothing can be heard.
START_LIMIT, START_TIME = 30.0, 4.0
#: What a node says when it is ready, as to systemd.
READY = b"READY=1"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Waiting:
    """A node that has started its workers, in a process group of its own, and waits for a word."""

    def __init__(
        self, directory: Path, command: Sequence[str], environment: dict[str, str]
    ) -> None:
        self._notices, told = _notices(environment)
        self._is_ready = False
        self._process = subprocess.Popen(
            command, env={**environment, **told}, stdin=subprocess.PIPE, start_new_session=True
        )
        self._began = time.monotonic()
        # Its own, which it leaves where it is killed.
        self._pid_file = directory / f"node.{self._process.pid}.pid"

    def go(self) -> None:
        """Let it load the applications."""
        self._began = time.monotonic()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(b"!")
                self._process.stdin.flush()

    def has_started(self) -> bool:
        """Tell whether it is ready, or has had the time for it."""
        age = time.monotonic() - self._began
        if self._notices is None:
            return age > START_TIME
        with suppress(BlockingIOError):
            while not self._is_ready:
                self._is_ready = READY in self._notices.recv(4096).split(b"\n")
        return self._is_ready or age > START_LIMIT

    def exit_code(self) -> int | None:
        """Return the exit code of a node that has ended, or None."""
        return self._process.poll()

    def stop(self) -> int:
        """Stop it as Ctrl-C does, and return its exit code; nothing of it is left afterwards.

        One that is about to start is ended at once: it would tell of its interrupted imports.
        """
        if self._process.poll() is None and self.has_started():
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
        return self.kill()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def kill(self) -> int:
        """End it and its workers at once, and return its exit code."""
        self.signal_all(signal.SIGKILL)
        code = self._process.wait()
        if self._notices is not None:
            self._notices.close()
        self._pid_file.unlink(missing_ok=True)
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        return code


class Reloader:
    """Keeps the node of a configuration running on the code as it is.

    :param port: listen on this port instead of the file's.
    """

    def __init__(
        self, path: Path, port: int | None, loglevel: str, environment: dict[str, str]
    ) -> None:
        self._path = path
        self._port = port
        self._loglevel = loglevel
        self._environment = environment
        # The file may be a link to another, which is edited.
        self._files = {path.absolute(), path.resolve()}
        self._directory = directory_of(path).absolute()
        self._config = prepared_config(path, port)
        self._running: Waiting | None = None
        self._next: Waiting | None = None
        self._prepares = False
        self._interrupted = False
        self._alive: list[Waiting] = []

    def run(self) -> int:
        """Run until a signal ends it, and return the exit code.

        :raises NodeError: the configuration cannot be watched.
        """
        layout = self._layout()
        changes = Changes(map(Path, layout.python_path()), self._files)

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            if self._interrupted:
                # Whoever asks twice does not want to wait. Nothing here may wait for what the
                # interrupted code holds.
                for node in self._alive:
                    node.signal_all(signal.SIGKILL)
                os._exit(130)
            self._interrupted = True
            changes.stop()

        handlers = {number: signal.signal(number, interrupt) for number in SIGNALS}
        self._directory.mkdir(exist_ok=True)
        pid_file = self._directory / "node.pid"
        pid_file.write_text(json.dumps({"pid": os.getpid(), "argv": sys.argv}))
        try:
            with changes:
                _say("changed files are loaded again; Ctrl-C ends the node")
                self._load([])
                while (changed := changes.next(LOOK)) is not None:
                    if changed:
                        self._load(changed)
                    self._look_after()
        finally:
            self._drop_next()
            if self._running is not None:
                self._running.stop()
            pid_file.unlink(missing_ok=True)
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return 0

    def _layout(self) -> Layout:
        return Layout(read(self._path), self._directory)

    def _load(self, changed: Iterable[Path]) -> None:
        """Start the node on the code as it is, unless that is broken."""
        names = sorted({path.name for path in changed})
        if names:
            _say(f"{', '.join(names)} changed")
        try:
            self._refuse_broken(changed)
            if self._files.intersection(changed):
                self._config = prepared_config(self._path, self._port, free=False)
                self._drop_next()
            if any(path.is_relative_to(LIBRARY) for path in changed):
                self._drop_next()
        except NodeError as error:
            if self._interrupted:
                # On a terminal the process that imports the code is interrupted as well.
                return
            kept = "the node runs on as it is" if self._running else "the node waits for a change"
            _say(f"{str(error).rstrip()}\nflask-wamp: {kept}", error=True)
            return
        if self._interrupted:
            return
        if self._running is not None:
            self._running.stop()
        self._running, self._next = self._next or self._prepared(), None
        self._running.go()
        self._prepares = True

    def _refuse_broken(self, changed: Iterable[Path]) -> None:
        """Refuse code that does not compile, or that the node cannot import.

        :raises NodeError: with the traceback.
        """
        for path in changed:
            if path.suffix == ".py" and path.exists():
                try:
                    compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
                except (SyntaxError, ValueError) as error:
                    raise NodeError(_syntax(path, error)) from None
        layout = self._layout()
        # Importing the classes of components takes Twisted, and longer.
        hosted = replace(layout, config=_without_classes(layout))
        for place, probe in probes_of(hosted).items():
            if probe.kind == BROKEN:
                raise NodeError(f"{probe.trace}flask-wamp: {place}: {probe.error}")

    def _look_after(self) -> None:
        """Notice a node that has ended, and prepare the next one once there is time."""
        if self._running is not None and self._running.exit_code() is not None:
            code = self._running.kill()
            self._running = None
            _say(f"the node has ended, with exit code {code}; it waits for a change", error=True)
        if self._next is not None and self._next.exit_code() is not None:
            self._drop_next()
        # Not before: that would slow the start.
        if self._prepares and (self._running is None or self._running.has_started()):
            self._prepares = False
            self._next = self._next or self._prepared()

    def _prepared(self) -> Waiting:
        self._alive = [node for node in self._alive if node.exit_code() is None]
        node = Waiting(
            self._directory,
            [sys.executable, "-m", STANDBY, "start", "--cbdir", str(self._directory),
             "--config", str(self._config.resolve()), "--loglevel", self._loglevel],
            self._environment,
        )  # fmt: skip
        self._alive.append(node)
        return node

    def _drop_next(self) -> None:
        if self._next is not None:
            self._next.kill()
            self._next = None


def _notices(environment: Mapping[str, str]) -> tuple[socket.socket | None, dict[str, str]]:
    """Return a socket that a node says to that it is ready, and the variable that tells it so.

    None where systemd is to hear it, and where there are no such sockets, as Linux has them.
    """
    if "NOTIFY_SOCKET" in environment or sys.platform != "linux":
        return None, {}
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    # The kernel finds a name, which is in no directory.
    notices.bind("")
    return notices, {"NOTIFY_SOCKET": f"@{notices.getsockname()[1:].decode()}"}


def _without_classes(layout: Layout) -> dict[str, object]:
    workers = [dict(worker.value) for worker in layout.workers()]
    for worker in workers:
        worker["components"] = [
            {**component, "classname": ""}
            for component in worker.get("components", [])
            if isinstance(component, dict)
        ]
    return {**layout.config, "workers": workers}


def _syntax(path: Path, error: SyntaxError | ValueError) -> str:
    lines = traceback.format_exception_only(error)
    return "".join(lines) if isinstance(error, SyntaxError) else f"{path}: {error}"


def _say(text: str, *, error: bool = False) -> None:
    print(f"flask-wamp: {text}", file=sys.stderr if error else sys.stdout, flush=True)
