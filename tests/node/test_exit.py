"""How processes end: nothing hangs, nothing is printed, and what was published has gone out."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flask_wamp.node import CrossbarNode, free_port

from .apps.exits import COUNT, FILLING, TOPIC
from .programs import Program, python
from .support import APPS, LIMIT, Events, Peer, RawPeer
from .transports import Transports

pytestmark = pytest.mark.node

#: Seconds that the end of a process may take, with the interpreter's own.
QUICKLY = 15.0


@contextmanager
def exiting(way: str, url: str, **env: str) -> Iterator[Program]:
    """Run a program that ends in one of the ways."""
    environment = {"FLASK_WAMP_URL": url, "FLASK_WAMP_TIMEOUT": "60", **env}
    with python(
        "-W", "default::ResourceWarning", "-m", f"{APPS}.exits", way, env=environment
    ) as program:
        yield program


@pytest.fixture
def events(anonymous: Peer) -> Events:
    """Give what the programs publish."""
    return anonymous.subscribe(TOPIC)


def assert_all_came(events: Events, *, times: int = 1) -> None:
    """All that was published has come, in its order."""
    came = [events.get().args for _ in range(COUNT * times)]
    assert came == [(number, FILLING) for number in range(COUNT)] * times


@pytest.mark.parametrize(
    ("way", "transport"),
    [
        ("publishes", "unix"),
        ("publishes", "wss"),
        ("connects", "ws"),
        pytest.param("publishes", "ws", marks=pytest.mark.slow),
        pytest.param("publishes", "rss", marks=pytest.mark.slow),
        pytest.param("connects", "unix", marks=pytest.mark.slow),
        pytest.param("connects", "wss", marks=pytest.mark.slow),
    ],
)
def test_exit_lets_out_what_nobody_acknowledged(
    transports: Transports, events: Events, way: str, transport: str
) -> None:
    env = {"FLASK_WAMP_TLS_CA": str(transports.ca)} if "ss" in transport else {}
    with exiting(way, transports.urls[transport], **env) as program:
        assert program.wait() == 0
        assert program.output == ""
    assert_all_came(events)


@pytest.mark.slow
def test_exit_by_an_exception_prints_that_alone(peers_node: CrossbarNode, events: Events) -> None:
    with exiting("raises", peers_node.backend_url) as program:
        assert program.wait() == 1
        assert program.output.startswith("Traceback")
        assert program.output.endswith("\nValueError: the script's own\n")
        assert program.output.count("Traceback") == 1
    assert_all_came(events)


@pytest.mark.slow
def test_exit_in_a_thread_ends_the_thread(peers_node: CrossbarNode, events: Events) -> None:
    with exiting("exits_in_a_thread", peers_node.backend_url) as program:
        assert program.wait() == 0
        assert program.output == ""
    assert_all_came(events)


def test_exit_leaves_daemon_threads_where_they_wait(
    peers_node: CrossbarNode, silent: RawPeer, events: Events
) -> None:
    with exiting("daemons", peers_node.backend_url) as program:
        program.wait_for("waiting")
        for _ in range(3):
            silent.receive()
        program.write("")
        assert program.wait(timeout=QUICKLY) == 0
        assert program.output == "waiting\n"
    assert_all_came(events)


def test_interrupt_ends_a_call_and_tells_the_callee(
    peers_node: CrossbarNode, silent: RawPeer
) -> None:
    with exiting("waits", peers_node.backend_url) as program:
        program.wait_for("waiting")
        request = silent.receive()[1]
        program.process.send_signal(signal.SIGINT)
        assert program.wait(timeout=QUICKLY) == -signal.SIGINT
        assert program.output.count("Traceback") == 1
        assert program.output.endswith("\nKeyboardInterrupt\n")
    kind, interrupted, *_ = silent.receive()
    assert (kind, interrupted) == (69, request)


def test_exit_while_the_router_hangs_takes_little_and_loses_nothing(
    peers_node: CrossbarNode, events: Events
) -> None:
    assert peers_node.process is not None
    with exiting("publishes_when_told", peers_node.backend_url) as program:
        program.wait_for("waiting")
        os.killpg(peers_node.process.pid, signal.SIGSTOP)
        try:
            program.write("")
            assert program.wait(timeout=QUICKLY) == 0
        finally:
            os.killpg(peers_node.process.pid, signal.SIGCONT)
        assert program.output == "waiting\n"
    assert_all_came(events)


@pytest.mark.slow
def test_exit_refuses_who_asks_too_late(peers_node: CrossbarNode, silent: RawPeer) -> None:
    with exiting("asks_too_late", peers_node.backend_url) as program:
        assert program.wait(timeout=LIMIT) == 0
        lines = program.output.splitlines()
    late = "too late: the process ends: nothing can be sent any more; it was not sent"
    assert lines == [late] * 2


@pytest.mark.slow
def test_exit_of_child_processes_lets_out_what_they_published(
    peers_node: CrossbarNode, events: Events
) -> None:
    with exiting("has_children", peers_node.backend_url) as program:
        assert program.wait() == 0
        assert program.output == "fork 0\nspawn 0\n"
    assert_all_came(events, times=2)


@pytest.mark.slow
def test_exit_tells_the_application_that_its_session_ends(
    peers_node: CrossbarNode, events: Events
) -> None:
    with exiting("leaves", peers_node.backend_url) as program:
        assert program.wait() == 0
        assert program.output == "left: the process ends\n"
    assert_all_came(events)


@pytest.mark.slow
def test_running_loop_disturbs_nothing(peers_node: CrossbarNode) -> None:
    with exiting("has_a_loop", peers_node.backend_url) as program:
        assert program.wait() == 0
        assert program.output == "3\n7\n"


@pytest.mark.slow
@pytest.mark.parametrize("listens", [False, True])
def test_exit_without_a_router_is_quick(listens: bool) -> None:
    """With nobody at the port, and with somebody who never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if listens else free_port()
        with exiting("finds_no_router", f"ws://127.0.0.1:{port}/ws") as program:
            program.wait_for("no router")
            told = time.monotonic()
            assert program.wait(timeout=QUICKLY) == 0
            assert time.monotonic() - told < QUICKLY
            assert program.output == "no router\n"
