"""A node is ready when every process serves, however these have shared the procedures out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from flask_wamp.node import CrossbarNode
from flask_wamp.node.process import READY

from .apps.alone import COUNT
from .conftest import trusted_url
from .support import (
    APPS,
    LIMIT,
    Peer,
    discard,
    error_of,
    node_config,
    on_reactor,
    wait_until,
)
from .test_supervised import status

pytestmark = [pytest.mark.node, pytest.mark.slow]

NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
VIEWS = "flask_wamp.supervisor.views"
ALONE = [f"com.alone.{number}" for number in range(COUNT)]


@contextmanager
def starting(**env: str) -> Iterator[CrossbarNode]:
    """Give a node with two processes that starts; at the end it is ready."""
    config = node_config(
        web="flask_wamp.crossbar.WebSession",
        views=["flask_wamp.crossbar.ViewsSession"],
        wsgi=f"{APPS}.alone",
    )
    router, container = config["workers"]
    router["components"][0]["extra"] = {"application": f"{APPS}.alone:app"}
    container["components"][0]["extra"] = {
        "application": f"{APPS}.alone:guarded",
        "processes": 2,
    }
    node = CrossbarNode(config, env=env)
    try:
        with ThreadPoolExecutor(1) as threads:
            started = threads.submit(node.start)
            yield node
            started.result(3 * LIMIT)
    finally:
        discard(node)


@contextmanager
def joined(node: CrossbarNode) -> Iterator[Peer]:
    """Give a peer of a node that has just begun to start."""
    # It listens there when the way that peers take is open.
    wait_until((node.directory / "router.sock").exists, "the router listens", timeout=3 * LIMIT)
    peer = Peer.connect(trusted_url(node))
    try:
        yield peer
    finally:
        peer.close()


def callees(peer: Peer, uri: str) -> set[int]:
    """Return the sessions that have registered a procedure."""
    number = peer.call("wamp.registration.lookup", uri)
    return set(peer.call("wamp.registration.list_callees", number)) if number else set()


def test_ready_when_two_processes_share_out_what_each_has_alone(tmp_path: Path) -> None:
    with starting(ALONE_DOOR=str(tmp_path)) as node, joined(node) as peer:
        # One has the first; none can have the others, which one of them would have all.
        held = [peer.register(uri, lambda: 0, invoke="single") for uri in ALONE[1:]]
        for number in range(2):
            (tmp_path / f"ticket-{number}").touch()
        wait_until(lambda: len(callees(peer, "com.alone.shared")) == 2, "both serve")
        first, second, *others = ALONE
        while True:
            on_reactor(held[0].unregister)
            wait_until(lambda: callees(peer, second), "the second is served", timeout=LIMIT)
            if callees(peer, second) != callees(peer, first):
                break
            held[0] = peer.register(second, lambda: 0, invoke="single", force_reregister=True)
        assert READY not in node.log
        for registration in held[1:]:
            on_reactor(registration.unregister)
        wait_until(
            lambda: all(callees(peer, uri) for uri in others), "all is served", timeout=LIMIT
        )
        assert callees(peer, second) != callees(peer, first)
        node.wait_for_log(READY, timeout=LIMIT)


def test_ready_only_when_the_last_process_is_there(tmp_path: Path) -> None:
    with starting(ALONE_DOOR=str(tmp_path)) as node:
        (tmp_path / "ticket-0").touch()
        with joined(node) as peer:
            wait_until(lambda: all(callees(peer, uri) for uri in ALONE), "one serves all")
            wait_until(lambda: status(peer, VIEWS)["ready"] == 1, "its supervisor knows")
            # Its session answers behind whatever it has been told by now.
            for _ in range(3):
                assert peer.call("com.alone.shared")
            assert READY not in node.log
            (tmp_path / "ticket-1").touch()
            node.wait_for_log(READY, timeout=LIMIT)
            assert status(peer, VIEWS)["ready"] == 2


def test_calls_wait_for_the_first_process(tmp_path: Path) -> None:
    """A page that was open all along is there first, and so is who asks for a page that calls."""
    with starting(ALONE_DOOR=str(tmp_path)) as node, joined(node) as peer:
        with ThreadPoolExecutor(1) as threads:
            page = threads.submit(lambda: urlopen(f"{node.url}shared").read())
            calls = [peer.start_call("com.alone.shared") for _ in range(3)]
            late = peer.begin("com.alone.shared", timeout=1)
            assert error_of(lambda: peer.call("com.alone.none")).error == NO_SUCH_PROCEDURE
            assert error_of(late.result).error == "wamp.error.canceled"
            assert not any(call.done() for call in (*calls, page))
            for number in range(2):
                (tmp_path / f"ticket-{number}").touch()
            assert all(call.result(LIMIT) for call in calls)
            assert int(page.result(LIMIT))
        node.wait_for_log(READY, timeout=LIMIT)
