"""A Crossbar.io node as a process: started on a free port, ready when it says so, ended for good.

``python -m flask_wamp.node`` starts the node of the current directory; tests use
:class:`CrossbarNode`, or the fixture ``crossbar_node`` of :mod:`flask_wamp.pytest_plugin`.
"""

import argparse
import contextlib
import copy
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

DEFAULT_CONFIG = Path(".crossbar/config.json")
#: The log line by which :class:`~flask_wamp.crossbar.WebSession` says that the node is ready.
READY = " is ready at http://"
POLL_INTERVAL = 0.05


class NodeError(Exception):
    """A node did not start, or did not end; the text has the end of its log."""


def free_port() -> int:
    """Return a TCP port that nothing on 127.0.0.1 listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def on_port(config: Mapping[str, Any], port: int) -> dict[str, Any]:
    """Return a node configuration whose web transport listens on *port*.

    The WebSocket origins that name the old port name the new one.

    :raises ValueError: the configuration has not exactly one transport on a TCP port.
    """
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    transports = [
        transport
        for worker in moved["workers"]
        for transport in worker.get("transports", ())
        if transport.get("endpoint", {}).get("type") == "tcp"
    ]
    if len(transports) != 1:
        raise ValueError(f"the configuration has {len(transports)} TCP transports, not one")
    endpoint = transports[0]["endpoint"]
    old = f":{endpoint['port']}"
    endpoint["port"] = port
    for path in transports[0].get("paths", {}).values():
        origins = path.get("options", {}).get("allowed_origins")
        if origins:
            path["options"]["allowed_origins"] = [
                f"{origin.removesuffix(old)}:{port}" if origin.endswith(old) else origin
                for origin in origins
            ]
    return moved


def from_elsewhere(config: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Return a configuration whose relative Python paths are those of *directory*."""
    moved: dict[str, Any] = copy.deepcopy(dict(config))
    for worker in moved["workers"]:
        options = worker.get("options", {})
        if "pythonpath" in options:
            options["pythonpath"] = [str((directory / p).resolve()) for p in options["pythonpath"]]
        variables = options.get("env", {}).get("vars", {})
        if "PYTHONPATH" in variables:
            variables["PYTHONPATH"] = str((directory / variables["PYTHONPATH"]).resolve())
    return moved


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
        self._env = {**os.environ, **(env or {})}
        self._ready = ready
        self._timeout = timeout

    @property
    def url(self) -> str:
        """Where the web transport listens."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def ws_url(self) -> str:
        """Where browsers connect, on the path ``ws``."""
        return f"ws://127.0.0.1:{self.port}/ws"

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


def crossbar_command() -> str:
    """Return the ``crossbar`` beside the running Python, or the one on the path.

    :raises NodeError: there is none; the text has the remedy.
    """
    beside = Path(sys.executable).parent / "crossbar"
    found = str(beside) if beside.exists() else shutil.which("crossbar")
    if found is None:
        raise NodeError("crossbar is not installed: pip install 'flask-wamp[node]'")
    return found


def path_with_python(env: Mapping[str, str]) -> str:
    """Return a search path on which ``python`` is the one that runs, for guest workers."""
    return os.pathsep.join(_present([str(Path(sys.executable).parent), env.get("PATH", "")]))


def _present(parts: Iterable[str]) -> Iterator[str]:
    return (part for part in parts if part)


def main(arguments: list[str] | None = None) -> None:
    """Start the node of a directory in the foreground, on a port; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(
        prog="python -m flask_wamp.node",
        description="Start a Crossbar.io node in the foreground, with a short log. Ctrl-C ends it.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s")
    parser.add_argument("--port", type=int, help="listen on this port instead of the file's")
    parser.add_argument(
        "--loglevel",
        choices=("error", "warn", "info", "debug"),
        default="warn",
        help="how much Crossbar says; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    try:
        config = prepared_config(options.config, options.port)
        command = crossbar_command()
    except (NodeError, OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    environment = {**os.environ, "PATH": path_with_python(os.environ)}
    directory = DEFAULT_CONFIG.parent
    os.execve(  # noqa: S606 - no shell is what is wanted
        command,
        [command, "start", "--cbdir", str(directory), "--config", str(config.resolve()),
         "--loglevel", options.loglevel],
        environment,
    )  # fmt: skip


def prepared_config(path: Path, port: int | None) -> Path:
    """Return the configuration file at *path*, or a copy of it that listens on *port*.

    :raises NodeError: there is no such file, or the port is taken or not a port.
    :raises ValueError: the configuration is not JSON, or has not exactly one TCP transport.
    """
    if not path.exists():
        raise NodeError(
            f"there is no {path} here: run this in the directory that has it, or name a "
            "configuration with --config FILE"
        )
    config = json.loads(path.read_text())
    if port is None:
        return path
    if not 0 < port < 65536:
        raise NodeError(f"{port} is not a port: give a number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NodeError(
                f"port {port} cannot be had ({error.strerror}): choose another, make run PORT=9000"
            ) from None
    moved = on_port(config, port)
    if moved == config:
        return path
    copy_ = DEFAULT_CONFIG.parent / f"port-{port}.json"
    copy_.write_text(json.dumps(moved, indent=4))
    return copy_


if __name__ == "__main__":
    main()
