"""What systemd is told."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from flask_wamp.crossbar.notify import Systemd

from ..doubles import eventually


class Reactor(Clock):
    """One whose turns the test takes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Callable[[], None]] = []

    def callFromThread(self, work: Callable[..., None], *args: Any) -> None:
        """Do some work at a turn."""
        self.asked.append(partial(work, *args))


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


def test_systemd_is_told(listener: socket.socket) -> None:
    reactor = Reactor()
    environ = {"NODE_NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "150000"}
    systemd = Systemd.of(reactor, environ)
    # What the application starts is not the service.
    assert environ == {}
    systemd.ready("ready at http://127.0.0.1:8080/")
    assert listener.recv(999) == b"READY=1\nSTATUS=ready at http://127.0.0.1:8080/"
    # Whatever becomes of the machine's clock, by which the reactor's timers go.
    eventually(lambda: len(reactor.asked) > 1)
    assert reactor.getDelayedCalls() == []
    for tell in reactor.asked[:2]:
        tell()
        assert listener.recv(999) == b"WATCHDOG=1"
    systemd.status("fine")
    assert listener.recv(999) == b"STATUS=fine"
    systemd.stopping()
    assert listener.recv(999).splitlines()[0] == b"STOPPING=1"
    for thread in threading.enumerate():
        if thread.name == "systemd watchdog":
            thread.join()


def test_systemd_that_wants_no_beats_gets_none(listener: socket.socket) -> None:
    clock = Clock()
    Systemd.of(clock, {"NODE_NOTIFY_SOCKET": listener.getsockname()}).ready("ready")
    assert listener.recv(999) == b"READY=1\nSTATUS=ready"
    assert clock.getDelayedCalls() == []


def test_socket_without_a_place_in_the_file_system() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        # The names are those of the whole machine, where somebody else may run this as well.
        name = f"flask-wamp test {os.getpid()}"
        listener.bind(f"\0{name}")
        listener.settimeout(10)
        Systemd(Clock(), f"@{name}").stopping()
        assert listener.recv(999).startswith(b"STOPPING=1")


def test_nobody_is_told_where_there_is_no_systemd(tmp_path: Path) -> None:
    clock = Clock()
    environ = {"WATCHDOG_USEC": "1000"}
    Systemd.of(clock, environ).ready("ready")
    assert clock.getDelayedCalls() == []
    Systemd(clock, str(tmp_path / "nobody listens")).stopping()
