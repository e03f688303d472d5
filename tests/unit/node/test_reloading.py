"""When a node that waits has started, for ``flask wamp run --reload``."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_wamp.node import reloading
from flask_wamp.node.reloading import Waiting
from tests.node.support import wait_until

NODE = """
import os, signal, socket, sys
sys.stdin.read(1)
signal.signal(signal.SIGINT, signal.SIG_DFL)
address = "\\0" + os.environ["NOTIFY_SOCKET"][1:]
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for notice in (b"STATUS=READY=1", b"READY=1\\nSTATUS=app:app is ready"):
    to.sendto(notice, address)
sys.stdin.read()
"""

Make = Callable[..., Waiting]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Give what starts such a node, which is ready when it has been told to go."""
    made: list[Waiting] = []

    def make(**environment: str) -> Waiting:
        told = {key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"}
        command = [sys.executable, "-c", NODE]
        made.append(Waiting(tmp_path, command, {**told, **environment}))
        return made[-1]

    yield make
    for node in made:
        node.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="such sockets are Linux's")
def test_node_has_started_when_it_says_so(make: Make) -> None:
    first, second = make(), make()
    first.go()
    wait_until(first.has_started, "the first one has started")
    assert not second.has_started()
    second.go()
    wait_until(second.has_started, "the second one has started")


@pytest.mark.skipif(sys.platform != "linux", reason="such sockets are Linux's")
def test_node_that_is_about_to_start_says_nothing_of_its_end(
    make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    starting, ready = make(), make()
    assert starting.stop() == -signal.SIGKILL
    assert "KeyboardInterrupt" not in capfd.readouterr().err
    ready.go()
    wait_until(ready.has_started, "it has started")
    assert ready.stop() == -signal.SIGINT


def test_node_that_says_nothing_has_had_its_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "START_TIME", 0.0)
    node = make()
    assert not node.has_started()
    monkeypatch.setattr(reloading, "START_LIMIT", 0.0)
    assert node.has_started()


def test_node_that_tells_systemd_has_had_its_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make(NOTIFY_SOCKET="/run/systemd/notify")
    assert not node.has_started()
    monkeypatch.setattr(reloading, "START_TIME", 0.0)
    assert node.has_started()
