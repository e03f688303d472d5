"""Supervised processes: what ends one costs the calls in it, and it is back; reloads cost none."""

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .conftest import trusted_url
from .programs import Program, python
from .support import APPS, LIMIT, Peer, connected, wait_until

pytestmark = pytest.mark.node

NAME = "flask_wamp.supervisor.tests_node_apps_perils"
#: Seconds that are promised to callers of a process that hangs, five times over.
HANG = 5 * 1.5


def serve(node: CrossbarNode, *arguments: str) -> Program:
    """Start a supervisor beside *node*."""
    url = node.backend_url
    words = ["--app", f"{APPS}.perils", "wamp", "serve", "--url", url, *arguments]
    return python("-m", "flask", *words)


@pytest.fixture(scope="module")
def supervisor(peers_node: CrossbarNode) -> Iterator[Program]:
    """Run two processes, whose views may take two seconds."""
    with serve(peers_node, "--processes", "2", "--view-limit", "2") as program:
        program.wait_for("2 processes serve tests.node.apps.perils at unix:", timeout=60)
        yield program


@pytest.fixture
def caller(peers_node: CrossbarNode, supervisor: Program) -> Iterator[Peer]:
    """Give a service, while both processes serve."""
    with connected(trusted_url(peers_node)) as peer:
        wait_until(lambda: status(peer)["ready"] == 2, "both processes serve")
        yield peer


def status(peer: Peer, name: str = NAME) -> dict[str, Any]:
    """Return what a supervisor tells of its processes."""
    found: dict[str, Any] = peer.call(f"{name}.status")
    return found


def pids(peer: Peer, name: str = NAME) -> set[int]:
    """Return who serves."""
    return {slot["pid"] for slot in status(peer, name)["slots"]}


def restarts(peer: Peer, name: str = NAME) -> int:
    """Return how often a process was started again."""
    return sum(slot["restarts"] for slot in status(peer, name)["slots"])


@contextmanager
def load(peer: Peer) -> Iterator[list[int]]:
    """Call without a pause, eight calls at a time, and give who has answered.

    :raises ApplicationError: a call has failed.
    """
    answered_by: list[int] = []
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            answered_by.append(peer.call("com.perils.hold", 0.01))

    with ThreadPoolExecutor(8) as threads:
        callers = [threads.submit(call) for _number in range(8)]
        try:
            yield answered_by
        finally:
            over.set()
        for caller in callers:
            caller.result(LIMIT)


@pytest.mark.parametrize(
    ("peril", "end"),
    [
        ("segfault", "was killed by SIGSEGV"),
        ("exit", "exited with code 3"),
        ("killed", "was killed by SIGKILL"),
    ],
)
def test_what_ends_a_process_costs_its_calls_and_it_is_back(
    caller: Peer, supervisor: Program, peril: str, end: str
) -> None:
    before, count = pids(caller), restarts(caller)
    with pytest.raises(ApplicationError, match="canceled"):
        caller.call(f"com.perils.{peril}")
    # The other one answers meanwhile or, where this test has to wait for the processor, either.
    answered_by = caller.call("com.perils.pid")
    wait_until(lambda: restarts(caller) > count and status(caller)["ready"] == 2, "it is back")
    assert len(pids(caller) & before) == 1
    assert answered_by in pids(caller)
    supervisor.wait_for(end)


@attempt(
    "limits",
    "a view that forks, and a process that dies before its copy",
    "its callers get an error at once, and it is back",
)
def test_process_that_has_forked_is_gone_with_its_connection(
    caller: Peer, supervisor: Program
) -> None:
    count = restarts(caller)
    with pytest.raises(ApplicationError, match="canceled"):
        caller.call("com.perils.forks")
    supervisor.wait_for("the copy is ")
    (copy,) = re.findall(r"the copy is (\d+)\.", supervisor.output)
    try:
        wait_until(lambda: restarts(caller) > count and status(caller)["ready"] == 2, "it is back")
        assert psutil.Process(int(copy)).is_running()
    finally:
        os.kill(int(copy), signal.SIGKILL)


@pytest.mark.parametrize("peril", ["stopped", "holds_the_lock"])
def test_process_that_hangs_is_ended_and_says_where_it_was(
    caller: Peer, supervisor: Program, peril: str
) -> None:
    before, count = pids(caller), restarts(caller)
    began = time.monotonic()
    with pytest.raises(ApplicationError, match="canceled"):
        caller.call(f"com.perils.{peril}")
    assert time.monotonic() - began < HANG
    wait_until(lambda: restarts(caller) > count and status(caller)["ready"] == 2, "it is back")
    assert len(pids(caller) & before) == 1
    supervisor.wait_for("has not been heard of for 1 s")
    if peril == "holds_the_lock":
        supervisor.wait_for(f"in {peril}")  # the stack


def test_view_that_never_ends_is_ended_with_its_process(caller: Peer, supervisor: Program) -> None:
    before, count = pids(caller), restarts(caller)
    with pytest.raises(ApplicationError, match="canceled"):
        caller.call("com.perils.loop")
    wait_until(lambda: restarts(caller) > count and status(caller)["ready"] == 2, "it is back")
    assert len(pids(caller) & before) == 1
    line = supervisor.wait_for("and view_limit is 2 s")
    assert re.search(r"a view that runs for \d+\.\d s, and", line)
    supervisor.wait_for("in loop")


def test_reload_under_load_fails_no_call(caller: Peer, peers_node: CrossbarNode) -> None:
    before = pids(caller)
    words = [
        "wamp",
        "reload",
        "tests_node_apps_perils",
        "--config",
        f"{peers_node.directory}/config.json",
    ]
    with load(caller) as answered_by, python("-m", "flask", *words) as program:
        assert program.wait(timeout=60) == 0, program.output
        assert "tests_node_apps_perils: 2 of 2 processes replaced" in program.output
        assert "HTTP views run in the router's process" in program.output
        count = len(answered_by)
        wait_until(lambda: len(answered_by) > count + 20, "the load goes on")
    after = pids(caller)
    assert not after & before
    assert set(answered_by[:5]) <= before
    assert set(answered_by[-5:]) <= after


def test_reload_names_what_is_not_there(supervisor: Program, peers_node: CrossbarNode) -> None:
    config = f"{peers_node.directory}/config.json"
    with python("-m", "flask", "wamp", "reload", "nothing", "--config", config) as program:
        assert program.wait() == 1
        assert "no supervisor is called nothing; there are tests_node_apps_perils" in program.output


def test_hangup_replaces_the_processes(caller: Peer, supervisor: Program) -> None:
    before = pids(caller)
    with load(caller):
        supervisor.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not pids(caller) & before, "they are replaced")
