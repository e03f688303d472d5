"""What every test is held to: it leaves no thread, process, socket or context behind."""

import os
import signal
import threading
import time
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from flask import has_app_context
from xdist.scheduler import LoadScopeScheduling

from flask_wamp.node import CrossbarNode

# A shell lets what it runs in the background ignore interrupts, and children inherit that: the
# programs of these tests would not end as they do for a person.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Seconds that what a test has ended gets to be gone, on a machine with other work.
GRACE = 10.0
POLL_INTERVAL = 0.01
#: Where the project's node is used, ``crossbar_node``. The rest of tests/node uses ``peers_node``,
PROJECT_NODE = (
    "tests/app/test_node.py",
    "tests/browser/",
    "tests/node/test_configurations.py",
    "tests/node/test_failures.py",
    "tests/node/test_intake.py",
)
#: but for the files whose nodes are theirs alone.
OWN_NODES = (
    "tests/node/test_guard_logins.py",
    "tests/node/test_history.py",
    "tests/node/test_lifecycle.py",
    "tests/node/test_logging_in.py",
    "tests/node/test_metrics.py",
    "tests/node/test_production.py",
    "tests/node/test_running_node.py",
    "tests/node/test_starting.py",
    "tests/node/test_stopping.py",
    "tests/node/test_supervised_node.py",
    "tests/node/test_traces.py",
    "tests/node/test_watchdog.py",
)
#: There are three of ``peers_node``, since one would be the longest wait of all: where the files of
#: the second, and of the third, begin.
PEERS_PARTS = ("tests/node/test_m", "tests/node/test_s")
#: The files that share the node of the how-tos' shop.
SHOP_NODE = ("tests/docs/test_command_line.py", "tests/docs/test_howto.py")
#: Threads that live as long as the process: the reactor's, and those in which it resolves names.
LASTING_THREADS = ("flask-wamp reactor", "PoolThread-twisted.internet.reactor-")


class NodeScheduling(LoadScopeScheduling):
    """Gives the files that share a node to one worker, and each of the others to any.

    A node's start costs the processor more than most files do. (The ``loadgroup`` of xdist 3.8
    has no effect under pytest 9.2: it writes its groups where pytest does not look any more.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return the shared node that the file of a test uses or, where it uses none, the file."""
    file = nodeid.partition("::")[0]
    if file.startswith(PROJECT_NODE):
        return "crossbar_node"
    if file in SHOP_NODE:
        return "shop_node"
    if file.startswith("tests/attacks/"):
        return "attacked node"
    if not file.startswith("tests/node/") or file in OWN_NODES:
        return file
    return f"peers_node {1 + bisect(PEERS_PARTS, file)}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> NodeScheduling:
    """Let this suite's tests be shared out so that few nodes are started."""
    return NodeScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that would start a shared node once more than the tables above know of."""
    for item in items:
        for node in {"peers_node", "crossbar_node"}.intersection(getattr(item, "fixturenames", ())):
            if scope_of(item.nodeid).partition(" ")[0] != node:
                raise pytest.UsageError(f"{item.nodeid} uses {node}: see scope_of() in {__file__}")


@pytest.fixture(scope="session")
def _polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the polls of the nodes out of the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASK_DATABASE", str(tmp_path_factory.mktemp("polls") / "polls.sqlite"))
        yield


@pytest.fixture(scope="session")
def crossbar_node(_polls: None, crossbar_node: CrossbarNode) -> CrossbarNode:
    """Run the project's node, with a database of the tests' own."""
    return crossbar_node


@dataclass(frozen=True)
class Footprint:
    """What this process has, at a moment.

    Only direct children count: those of a browser or a node come and go as they like.
    """

    threads: frozenset[threading.Thread]
    processes: frozenset[psutil.Process]
    sockets: frozenset[str]
    in_app_context: bool

    @classmethod
    def take(cls) -> "Footprint":
        """Return what there is now."""
        process = psutil.Process()
        return cls(
            frozenset(
                thread
                for thread in threading.enumerate()
                if not thread.name.startswith(LASTING_THREADS)
            ),
            frozenset(process.children()) if has_children() else frozenset(),
            frozenset(
                f"socket {c.fd} ({c.laddr} to {c.raddr})" for c in process.net_connections("all")
            ),
            has_app_context(),
        )

    def beyond(self, earlier: "Footprint") -> list[str]:
        """Return what there is now and was not *earlier*, in words."""
        found = [f"thread {thread.name!r}" for thread in self.threads - earlier.threads]
        found += [f"process {process}" for process in self.processes - earlier.processes]
        found += self.sockets - earlier.sockets
        if self.in_app_context and not earlier.in_app_context:
            found.append("a pushed application context")
        return sorted(found)


def has_children() -> bool:
    """Tell whether this process has children, dead ones included; listing them takes longer."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def leaks_since(earlier: Footprint, grace: float = GRACE) -> list[str]:
    """Return what is there beyond *earlier* and does not go away within *grace* seconds."""
    deadline = time.monotonic() + grace
    while (leaks := Footprint.take().beyond(earlier)) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    return leaks


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaks.

    Fixtures of wider scope are set up before and torn down after, so what they hold is no leak.
    """
    earlier = Footprint.take()
    yield
    leaks = leaks_since(earlier)
    if leaks:
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)
