"""What every test is held to: it leaves no thread, process, socket or context behind."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest
from flask import has_app_context

# A shell lets what it runs in the background ignore interrupts, and children inherit that: the
# programs of these tests would not end as they do for a person.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Seconds that what a test has ended gets to be gone.
GRACE = 2.0
POLL_INTERVAL = 0.01
#: Threads that live as long as the process: the reactor's, and those in which it resolves names.
LASTING_THREADS = ("flask-wamp reactor", "PoolThread-twisted.internet.reactor-")


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
