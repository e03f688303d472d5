"""A process of the node whose reactor stands still ends, and says where it stood."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import APPS, LIMIT, connected, discard, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

#: Seconds that a reactor may stand still here; three times as long where the interpreter is held.
STANDS = 3.0


@pytest.fixture
def node() -> Iterator[CrossbarNode]:
    """Run a node whose reactors can be made to stand still."""
    config = node_config(
        web=f"{APPS}.sessions.StandingWeb",
        views=[f"{APPS}.sessions.StandingViews"],
        wsgi=f"{APPS}.stopping",
    )
    for worker in config["workers"]:
        for component in worker["components"]:
            component["extra"] = {"application": f"{APPS}.stopping:app", "watchdog": STANDS}
    node = CrossbarNode(config)
    try:
        yield node.start()
    finally:
        discard(node)


@pytest.mark.parametrize("process", ["web", "views"])
@pytest.mark.parametrize("how", ["asleep", "holds the interpreter"])
def test_process_that_stands_still_ends_with_its_stacks_in_the_log(
    node: CrossbarNode, process: str, how: str
) -> None:
    """The node ends with it, and whoever runs the node starts it anew."""
    with connected(trusted_url(node)) as peer:
        asked = peer.start_call(f"com.stand.{process}", how)
        assert node.wait_for_exit(timeout=3 * STANDS + 2 * LIMIT) != 0
        assert asked.exception(LIMIT) is not None
    assert "in stand" in node.log, node.log[-3000:]
    if how == "asleep":
        assert "the reactor has stood still for 3 s" in node.log


def test_process_that_was_stopped_goes_on(node: CrossbarNode) -> None:
    """It has not stood still by itself: for longer than a reactor may."""
    with connected(trusted_url(node)) as peer:
        pid = router_of(node)
        os.kill(pid, signal.SIGSTOP)
        # Nothing tells that time has passed for a process that does not run.
        time.sleep(STANDS * 1.7)
        os.kill(pid, signal.SIGCONT)
        assert peer.call("com.stop.slow", 0) == "done"
        wait_until(lambda: peer.call("com.stop.slow", STANDS) == "done", "it goes on")
    assert node.process is not None
    assert node.process.poll() is None


def router_of(node: CrossbarNode) -> int:
    """Return the process of the node's router, which hosts the application."""
    assert node.process is not None
    children = psutil.Process(node.process.pid).children()
    (router,) = [each.pid for each in children if "RouterController" in " ".join(each.cmdline())]
    return router
