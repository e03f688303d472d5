"""The node under chaos, and what plays systemd for it: it starts again whatever way it ends."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from flask_wamp.node import CrossbarNode
from flask_wamp.node.command import NodeError
from tests.node.support import ROOT, node_config, repository_config

#: Seconds between the end of a node and its next start, as the unit's RestartSec.
RESTART_DELAY = 0.5
#: What the workers of Crossbar.io call themselves.
ROUTER, CONTAINER = "RouterController", "ContainerController"
#: What a guest is started with.
GUEST_COMMAND = "flask --app tests.chaos.app:app wamp serve"


def chaos_config(web: dict[str, Any], *views: dict[str, Any]) -> dict[str, Any]:
    """Return the single node's configuration with the two applications of the chaos.

    :param web: the ``extra`` of the component in the router.
    :param views: those of the components that serve.
    """
    config = node_config(
        web="tests.chaos.sessions.Web",
        views=[f"tests.chaos.sessions.{name}" for name in ("Views", "Other")],
        wsgi="tests.chaos.app",
    )
    router, container = config["workers"]
    components = [*router["components"], *container["components"]]
    for component, extra in zip(components, (web, *views), strict=True):
        component["extra"] = {**component.get("extra", {}), **extra}
    return config


def guest_config(
    web: dict[str, Any], views: dict[str, Any], other: dict[str, Any]
) -> dict[str, Any]:
    """Return the same, but that a guest serves the first application: ``flask wamp serve``."""
    config = chaos_config(web, views, other)
    container = config["workers"][1]
    del container["components"][0]
    guest = next(w for w in repository_config("guest.json")["workers"] if w["type"] == "guest")
    options = [
        word for key, value in views.items() for word in (f"--{key.replace('_', '-')}", str(value))
    ]
    # The container has its name.
    guest["id"] = "guest"
    guest["executable"] = sys.executable
    guest["arguments"] = ["-m", *GUEST_COMMAND.split(), *options]
    guest["options"]["env"]["vars"]["PYTHONPATH"] = str(ROOT)
    config["workers"].append(guest)
    return config


class KeptNode:
    """A node, and the thread that starts it again: ``Restart=always``.

    :ivar starts: when it was ready, in seconds of the monotonic clock, each time.
    :ivar ends: when it ended, and its exit code.
    """

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        self.database = directory / "votes.sqlite3"
        self._logs = Path(tempfile.mkdtemp(prefix="chaos-logs-"))
        self._node = CrossbarNode(config, env={"CHAOS_DATABASE": str(self.database)}, timeout=120.0)
        self.starts: list[float] = []
        self.ends: list[tuple[float, int]] = []
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper of the node", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._node.url

    @property
    def port(self) -> int:
        """The port of the page."""
        return self._node.port

    @property
    def socket(self) -> Path:
        """The Unix socket of the backend."""
        return self._node.directory / "router.sock"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self._node.directory / "config.json"

    @property
    def pid(self) -> int:
        """The process id of the controller."""
        process = self._node.process
        assert process is not None
        return process.pid

    @property
    def is_up(self) -> bool:
        """Whether a node runs and was ready."""
        process = self._node.process
        return len(self.starts) > len(self.ends) and process is not None and process.poll() is None

    def start(self) -> None:
        """Start the node, wait until it is ready, and keep it from now on."""
        self._node.start()
        self.starts.append(time.monotonic())
        self._keeper.start()

    def end(self) -> int:
        """Stop the node for good, remove what it left, and return its exit code."""
        self._done.set()
        try:
            return self._node.stop() if self.is_up else self._kill()
        finally:
            if self._keeper.is_alive():
                self._keeper.join(90)
            self._kill()  # what the keeper has started at the last moment
            shutil.rmtree(self._logs, ignore_errors=True)
            self._node.remove()

    def log(self) -> str:
        """Return what all the nodes have logged."""
        earlier = [path.read_text(errors="replace") for path in sorted(self._logs.iterdir())]
        return "".join([*earlier, self._node.log])

    def _kill(self) -> int:
        if self._node.process is None:
            return 0
        self._node.kill()
        return self._node.process.returncode

    def _keep(self) -> None:
        while not self._done.is_set():
            process = self._node.process
            assert process is not None
            code = process.wait()
            if self._done.is_set():
                return
            if len(self.ends) < len(self.starts):
                self.ends.append((time.monotonic(), code))
            # What the unit does with what is left: KillMode.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._put_log_away()
            if self._done.wait(RESTART_DELAY):
                return
            with contextlib.suppress(NodeError):
                self._node.start()
                self.starts.append(time.monotonic())

    def _put_log_away(self) -> None:
        log = self._node.directory / "node.log"
        with contextlib.suppress(OSError):
            log.rename(self._logs / f"{len(self.ends):04}.log")

    # --- its processes: only those below its controller are ever signalled

    def descendants(self) -> list[psutil.Process]:
        """Return the processes of the node, the controller first."""
        try:
            controller = psutil.Process(self.pid)
            return [controller, *controller.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def router(self) -> psutil.Process | None:
        """Return the worker that routes."""
        return next(self._named(ROUTER), None)

    def container(self) -> psutil.Process | None:
        """Return the worker that serves, or supervises."""
        return next(self._named(CONTAINER), None)

    def supervisor(self) -> psutil.Process | None:
        """Return the guest that supervises the application's processes, or the container."""
        return next(self._named(GUEST_COMMAND), None) or self.container()

    def signal(self, process: psutil.Process | None, number: int) -> None:
        """Send a signal to a process, if it is one of the node's, and there."""
        if process is not None and process in self.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def process(self, pid: int) -> psutil.Process | None:
        """Return the process of the node with this id."""
        return next((each for each in self.descendants() if each.pid == pid), None)

    def _named(self, what: str) -> Iterator[psutil.Process]:
        for process in self.descendants():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.status() != psutil.STATUS_ZOMBIE and what in " ".join(process.cmdline()):
                    yield process


def until(condition: Callable[[], Any], timeout: float) -> bool:
    """Wait until *condition* holds, and tell whether it came to that."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
