"""A node whose container supervises: HTTP goes on, nothing is left behind, and giving up is told."""

import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import APPS, LIMIT, Peer, connected, discard, http, node_config, wait_until
from .test_supervised import load, pids, restarts, status

pytestmark = [pytest.mark.node, pytest.mark.slow]

#: The container's name is the supervisor's.
VIEWS = "flask_wamp.supervisor.views"
APPLICATION = {"application": f"{APPS}.perils:app"}


def supervised(**extra: Any) -> CrossbarNode:
    """Return a node whose container supervises as it is told."""
    config = node_config(
        web="flask_wamp.crossbar.WebSession",
        views=["flask_wamp.crossbar.ViewsSession"],
        wsgi=f"{APPS}.perils",
    )
    router, container = config["workers"]
    router["components"][0]["extra"] = APPLICATION
    container["components"][0]["extra"] = {**APPLICATION, **extra}
    return CrossbarNode(config)


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run a node with two serving processes."""
    with supervised(processes=2, view_limit=2, max_calls=200) as found:
        yield found


def family(node: CrossbarNode) -> list[psutil.Process]:
    """Return the processes of a node, but for its controller."""
    assert node.process is not None
    return psutil.Process(node.process.pid).children(recursive=True)


def test_processes_are_the_containers_and_one_handles_the_events(node: CrossbarNode) -> None:
    with connected(trusted_url(node)) as peer:
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
        found = status(peer, VIEWS)
        assert found["application"] == f"{APPS}.perils:app"
        assert len({psutil.Process(slot["pid"]).ppid() for slot in found["slots"]}) == 1
        assert sum(slot["subscribes"] for slot in found["slots"]) <= 1


def test_log_has_the_correlation_id_of_what_a_process_has_logged(node: CrossbarNode) -> None:
    with urllib.request.urlopen(f"{node.url}traced", timeout=LIMIT) as response:
        request_id = response.headers["X-Request-ID"]
    node.wait_for_log(f"[{request_id}] perils: traced in ", timeout=LIMIT)
    (line,) = [line for line in node.log.splitlines() if request_id in line]
    assert re.search(rf"views: \[[01]\] \[{request_id}\] perils: traced in \d+$", line)


@pytest.mark.parametrize("peril", ["segfault", "stopped", "loop"])
def test_http_and_the_other_process_go_on_while_one_dies(node: CrossbarNode, peril: str) -> None:
    with connected(trusted_url(node)) as peer, ThreadPoolExecutor(1) as threads:
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
        before, count = pids(peer, VIEWS), restarts(peer, VIEWS)
        dying = threads.submit(peer.call, f"com.perils.{peril}")
        while not dying.done():
            assert http(node.url).body == b"here"
        with pytest.raises(ApplicationError, match="canceled"):
            dying.result(LIMIT)
        wait_until(lambda: restarts(peer, VIEWS) > count, "another one is started")
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "it serves")
        assert len(pids(peer, VIEWS) & before) == 1
        assert http(node.url).body == b"here"


def test_processes_are_recycled_under_load_and_no_call_fails(node: CrossbarNode) -> None:
    with connected(trusted_url(node)) as peer:
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
        before = pids(peer, VIEWS)
        with load(peer):
            wait_until(lambda: not pids(peer, VIEWS) & before, "both were replaced", timeout=60)
    node.wait_for_log("is replaced after", timeout=LIMIT)


def test_hangup_of_the_container_replaces_its_processes(node: CrossbarNode) -> None:
    with connected(trusted_url(node)) as peer:
        before = pids(peer, VIEWS)
        container_of(peer).send_signal(signal.SIGHUP)
        wait_until(lambda: not pids(peer, VIEWS) & before, "they are replaced")


def test_fork_server_ends_with_its_supervisor_and_by_no_signal_to_the_group(
    node: CrossbarNode,
) -> None:
    """As ``kill`` of a process group sends it, and systemd by default."""
    with connected(trusted_url(node)) as peer:
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
        count = restarts(peer, VIEWS)
        server = fork_server_of(container_of(peer))
        for number in (signal.SIGTERM, signal.SIGINT):
            server.send_signal(number)
        os.kill(min(pids(peer, VIEWS)), signal.SIGKILL)
        wait_until(lambda: restarts(peer, VIEWS) > count, "another one is started")
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "it serves")
        assert not is_dead(server)
    assert "the fork server was killed by SIGTERM" not in node.log


def test_fork_server_that_dies_is_replaced_and_missed_by_nobody(node: CrossbarNode) -> None:
    with connected(trusted_url(node)) as peer:
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
        before, count = pids(peer, VIEWS), restarts(peer, VIEWS)
        container = container_of(peer)
        fork_server_of(container).kill()
        node.wait_for_log("the fork server was killed by SIGKILL", timeout=LIMIT)
        assert pids(peer, VIEWS) == before
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: restarts(peer, VIEWS) > count, "another one is started")
        wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "it serves")
        wait_until(lambda: not any(is_dead(p) for p in container.children()), "none is unburied")


def container_of(peer: Peer) -> psutil.Process:
    """Return the container; of the processes that serve, some may be replaced and end just now."""

    def find() -> psutil.Process | None:
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(min(pids(peer, VIEWS))).parent()
        return None

    found = wait_until(find, "there is a process that serves")
    assert found is not None
    return found


def fork_server_of(container: psutil.Process) -> psutil.Process:
    """Return what a container forks from."""
    # Those that it has forked have its command line.
    children = sorted(container.children(), key=psutil.Process.create_time)
    return next(process for process in children if is_fork_server(process))


def is_fork_server(process: psutil.Process) -> bool:
    """Tell whether a process, which may end meanwhile, has the fork server's command line."""
    try:
        return "fork_server" in " ".join(process.cmdline()) and process.num_threads() == 1
    except psutil.NoSuchProcess:
        return False


def is_dead(process: psutil.Process) -> bool:
    """Tell whether a process has ended, and nobody has asked how."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_stop_leaves_no_process_and_finishes_what_runs() -> None:
    node = supervised(processes=2)
    try:
        node.start()
        with connected(trusted_url(node)) as peer:
            # Long enough to be seen in a heartbeat that comes late.
            running = peer.start_call("com.perils.hold", 4.0)
            wait_until(lambda: any(s["running"] for s in status(peer, VIEWS)["slots"]), "it runs")
            ours = family(node)
            assert node.stop() == 0, node.log[-3000:]
            assert isinstance(running.result(LIMIT), int)
        assert psutil.wait_procs(ours, timeout=LIMIT)[1] == []
    finally:
        discard(node)


def test_container_that_is_killed_takes_its_processes_along() -> None:
    """One that is stopped cannot notice, and ends all the same."""
    node = supervised(processes=2)
    try:
        node.start()
        with connected(trusted_url(node)) as peer:
            first, *_others = pids(peer, VIEWS)
        ours = family(node)
        container = psutil.Process(first).parent()
        assert container is not None
        os.kill(first, signal.SIGSTOP)
        container.kill()
        node.wait_for_exit(timeout=60)
        assert psutil.wait_procs(ours, timeout=LIMIT)[1] == []
    finally:
        discard(node)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"application": f"{APPS}.broken:app", "processes": 2},
            "no process serves, after 5 failed",
        ),
        ({"processes": 65}, '"extra": {"processes": ...} is 65: give a number of processes'),
    ],
)
def test_node_that_cannot_serve_ends_and_says_why(extra: dict[str, Any], said: str) -> None:
    node = supervised(**extra)
    try:
        with pytest.raises(Exception, match="the node ended"):
            node.start()
        assert node.wait_for_exit(timeout=LIMIT) != 0
        (line,) = [line for line in node.log.splitlines() if said in line]
        assert "flask-wamp: ViewsSession: " in line
    finally:
        discard(node)
