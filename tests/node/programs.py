"""The peers wampy, in Python and in Node.js, and nameko-wamp: programs with environments of their own."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .support import Program, missing_service, wait_until

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


@contextmanager
def javascript_wampy(url: str) -> Iterator[Wampy]:
    """Run wampy.js under Node.js."""
    directory = os.environ.get("WAMPY_JS", "")
    node = shutil.which("node")
    if node is None or not (Path(directory) / "package.json").is_file():
        missing_service("no Node.js, or WAMPY_JS names no wampy.js: run `make test`")
    program = str(PEERS / "wampy_peer.cjs")
    with Program(node, program, directory, url) as running:
        peer = Wampy(running)
        peer.ready()
        yield peer
