"""A node as a process that a program starts, waits for and ends."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .command import NodeError, crossbar_command, path_with_python
from .configuration import DEFAULT_CONFIG, free_port, from_elsewhere, on_port, tcp_transports

#: The log line by which :class:`~flask_wamp.crossbar.WebSession` says that the node is ready.
READY = " is ready at http"
POLL_INTERVAL = 0.05


class CrossbarNode:
    """A node in a directory and on a port of its own, so that many run side by side.

    A context manager: entering starts the node and waits until it is ready, leaving ends it.

    :param config: the node configuration, a file or what is in one. Relative Python paths are
        relative to the file's directory.
    :param env: environment variables beside those of this process.
    :param ready: what the log says when the node is ready; for a node without a
        :class:`~flask_wamp.crossbar.WebSession`, ``"NODE_BOOT_COMPLETE"``.
    :param timeout: seconds that starting, and ending, may take.
    """

    def __init__(
        self,
        config: Path | str | Mapping[str, Any] = DEFAULT_CONFIG,
        *,
        env: Mapping[str, str] | None = None,
        ready: str = READY,
        timeout: float = 60.0,
    ) -> None:
        if isinstance(config, Mapping):
            directory, content = Path.cwd(), dict(config)
        else:
            directory, content = Path(config).parent, json.loads(Path(config).read_text())
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="node-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._config = from_elsewhere(on_port(content, self.port), directory)
        self._secure = any(
            "tls" in transport["endpoint"] for transport in tcp_transports(self._config)
        )
        self._env = {**os.environ, **(env or {})}
        self._ready = ready
        self._timeout = timeout

    @property
    def _host(self) -> str:
        # A certificate is for a name.
        return "localhost" if self._secure else "127.0.0.1"

    @property
    def url(self) -> str:
        """Where the web transport listens."""
        return f"http{'s' * self._secure}://{self._host}:{self.port}/"

    @property
    def ws_url(self) -> str:
        """Where browsers connect, on the path ``ws``."""
        return f"ws{'s' * self._secure}://{self._host}:{self.port}/ws"

    @property
    def backend_url(self) -> str:
        """The Unix socket of the backend, ``router.sock``."""
        return f"unix:{self.directory / 'router.sock'}"

    @property
    def log(self) -> str:
        """What the node has logged so far."""
        path = self.directory / "node.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start the node, and return it when it is ready.

        :raises NodeError: it ended, or was not ready within the timeout.
        """
        (self.directory / "config.json").write_text(json.dumps(self._config))
        environment = {**self._env, "PATH": path_with_python(self._env)}
        with (self.directory / "node.log").open("wb") as log:
            self.process = subprocess.Popen(
                [crossbar_command(), "start", "--cbdir", str(self.directory)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_for_log(self._ready)
        except NodeError:
            self.kill()
            raise
        return self

    def wait_for_log(self, text: str, *, timeout: float | None = None) -> None:
        """Wait until the log has *text*.

        :raises NodeError: the node ended first, or the timeout passed.
        """
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        while text not in self.log:
            if self._wait_for_exit(POLL_INTERVAL) and text not in self.log:
                raise self._error("the node ended")
            if time.monotonic() > deadline:
                raise self._error(f"the node did not log {text!r} in time")

    def wait_for_exit(self, *, timeout: float | None = None) -> int:
        """Wait until the node has ended by itself, and return its exit code.

        :raises NodeError: it runs on.
        """
        if not self._wait_for_exit(self._timeout if timeout is None else timeout):
            raise self._error("the node did not end in time")
        return self._process().returncode

    def stop(self, *, timeout: float | None = None) -> int:
        """Stop the node as Ctrl-C does, and return its exit code; 0 is a clean stop.

        :raises NodeError: it did not end in time, and was killed, or left processes behind.
        """
        process = self._process()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        if not self._wait_for_exit(self._timeout if timeout is None else timeout):
            error = self._error("the node did not end in time")
            self.kill()
            raise error
        if not self._group_ends(timeout=5.0):
            error = self._error("the node left processes behind")
            self.kill()
            raise error
        return process.returncode

    def kill(self) -> None:
        """Kill the node and all of its workers."""
        process = self._process()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def remove(self) -> None:
        """Remove the node's directory."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        finally:
            self.remove()

    def _process(self) -> "subprocess.Popen[bytes]":
        if self.process is None:
            raise NodeError("the node was not started")
        return self.process

    def _wait_for_exit(self, timeout: float) -> bool:
        try:
            self._process().wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _group_ends(self, *, timeout: float) -> bool:
        """Tell whether every process of the node ends within *timeout* seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                os.killpg(self._process().pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(POLL_INTERVAL)
        return False

    def _error(self, what: str) -> NodeError:
        return NodeError(f"{what}; the end of its log:\n" + self.log[-5000:])
