"""The programs that tests start: Python, and the peers wampy and nameko-wamp."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

from .support import LIMIT, ROOT, missing_service, wait_until

PEERS = Path(__file__).parent / "peers"

#: The ways of ``g.wampy``, the first argument, to call; each returns the result.
WAYS: dict[str, Callable[..., Any]] = {
    "call": lambda wampy, uri, *args, **kwargs: wampy.call(uri, *args, **kwargs),
    "rpc": lambda wampy, uri, *args, **kwargs: getattr(wampy.rpc, uri)(*args, **kwargs),
    "start_call": lambda wampy, uri, *args, **kwargs: wampy.start_call(
        uri, *args, **kwargs
    ).result(),
    "gather": lambda wampy, uri, *args, **kwargs: wampy.gather(
        [wampy.start_call(uri, *args, **kwargs), wampy.start_call("com.test.add", 1)]
    )[0],
    "stream": lambda wampy, uri, *args, **kwargs: next(wampy.stream(uri, *args, **kwargs)),
}


class Program:
    """A program with its output, ended when the test is over."""

    def __init__(
        self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        environment.update(env or {})
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            arguments,
            env=environment,
            cwd=cwd,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="program output", daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        """What the program has said so far."""
        return "".join(self._lines)

    def write(self, line: str) -> None:
        """Write *line* to the program's input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait_for(self, text: str, *, timeout: float = LIMIT) -> str:
        """Wait until the program has said *text*, and return the line."""

        def line_with_text() -> str | None:
            # The reader ends after the last line is in the list: look at it first.
            ended = not self._reader.is_alive()
            found = next((line for line in list(self._lines) if text in line), None)
            if found is None and ended:
                pytest.fail(f"the program ended without {text!r}:\n{self.output}")
            return found

        found = wait_until(line_with_text, f"the program says {text!r}", timeout=timeout)
        assert found is not None
        return found.rstrip("\n")

    def wait(self, *, timeout: float = LIMIT) -> int:
        """Wait until the program has ended, and return its exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def end(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Signal the program, if it runs, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait()

    def kill(self) -> None:
        """End the program and its children for good."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)


def python(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Program:
    """Start the tests' own Python."""
    return Program(sys.executable, *arguments, env=env, cwd=cwd)


# --- wampy and nameko-wamp


class Wampy:
    """A peer's program, which takes orders one after another."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._taken: set[int] = set()

    @property
    def said(self) -> str:
        """All that the program has said."""
        return self._program.output

    def order(self, do: str, **details: Any) -> dict[str, Any]:
        """Give an order, and return the answer."""
        self._program.write(json.dumps({"do": do, **details}))
        return self._next(lambda told: "event" not in told)

    def call(self, uri: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Call *uri*, and return what the program says about the outcome."""
        return self.order("call", uri=uri, args=args, kwargs=kwargs)

    def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        """Publish to *topic*."""
        assert self.order("publish", topic=topic, args=args, kwargs=kwargs) == {"result": None}

    def event(self) -> dict[str, Any]:
        """Return the next event."""
        return self._next(lambda told: "event" in told)

    def ready(self) -> None:
        """Wait until the program has joined, registered and subscribed."""
        assert self._next(lambda told: True) == {"ready": True}

    def _next(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            for number, line in enumerate(self._program.output.splitlines(keepends=True)):
                if number in self._taken or not line.startswith("{") or not line.endswith("\n"):
                    continue
                told: dict[str, Any] = json.loads(line)
                if fits(told):
                    self._taken.add(number)
                    return told
            if self._program.process.poll() is not None:
                pytest.fail(f"the peer has ended:\n{self._program.output}")
            return None

        found = wait_until(look, "the peer says something")
        assert found is not None
        return found


def peers_python(variable: str) -> str:
    """Return the Python of a peer's own environment; nothing of the project is on its path."""
    executable = os.environ.get(variable, "")
    if not Path(executable).is_file():
        missing_service(f"{variable} names no Python with the peer: run `make test`")
    return executable


@contextmanager
def python_wampy(url: str, kind: str) -> Iterator[Wampy]:
    """Run the Python wampy, as a ``peer``, a ``service`` or the ``dates``."""
    program = str(PEERS / "wampy_peer.py")
    env = {"PYTHONPATH": "", "WAMPY_LOGGING": "0"}
    with Program(peers_python("WAMPY_PYTHON"), program, url, kind, env=env) as running:
        peer = Wampy(running)
        peer.ready()
        yield peer


@contextmanager
def nameko_wamp(url: str, kind: str) -> Iterator[Wampy]:
    """Run a nameko service with nameko-wamp, the ``service`` or a ``failing`` one.

    It takes no orders but calls.
    """
    program = str(PEERS / "nameko_peer.py")
    # eventlet warns that it is deprecated.
    env = {"PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    with Program(peers_python("NAMEKO_PYTHON"), program, url, kind, env=env) as running:
        peer = Wampy(running)
        peer.ready()
        yield peer


def wampy_js() -> tuple[str, str]:
    """Return the program ``node``, and the directory of wampy.js."""
    directory = os.environ.get("WAMPY_JS", "")
    node = shutil.which("node")
    if node is None or not (Path(directory) / "package.json").is_file():
        missing_service("no Node.js, or WAMPY_JS names no wampy.js: run `make test`")
    return node, directory


@contextmanager
def javascript_wampy(url: str) -> Iterator[Wampy]:
    """Run wampy.js under Node.js."""
    node, directory = wampy_js()
    program = str(PEERS / "wampy_peer.cjs")
    with Program(node, program, directory, url) as running:
        peer = Wampy(running)
        peer.ready()
        yield peer
