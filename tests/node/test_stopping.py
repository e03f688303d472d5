"""A node that is told to stop under a load: whatever it has accepted it answers."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode

from .support import APPS, LIMIT, Peer, connected, discard, http, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

UNAVAILABLE = "wamp.error.unavailable"
APPLICATION = f"{APPS}.stopping:app"


def stopping_node(grace: float = 20.0) -> CrossbarNode:
    """Return a node of the application, with two containers that share nothing."""
    config = node_config(
        web="flask_wamp.crossbar.WebSession",
        views=["flask_wamp.crossbar.ViewsSession"],
        wsgi=f"{APPS}.stopping",
    )
    router, container = config["workers"]
    for component in (*router["components"], *container["components"]):
        component["extra"] = {"application": APPLICATION, "grace": grace}
    return CrossbarNode(config)


@pytest.fixture
def node() -> Iterator[CrossbarNode]:
    """Run a node that waits long for what it has accepted."""
    node = stopping_node()
    try:
        yield node.start()
    finally:
        discard(node)


def to_the_controller(node: CrossbarNode, number: signal.Signals) -> None:
    """Tell the node's first process, as ``docker stop`` does, and systemd with KillMode=mixed."""
    assert node.process is not None
    node.process.send_signal(number)


def to_all(node: CrossbarNode, number: signal.Signals) -> None:
    """Tell every process at once, as systemd does by default, and a terminal."""
    assert node.process is not None
    os.killpg(node.process.pid, number)


class Load:
    """Calls and requests that go on until the node takes no more of them."""

    def __init__(self, node: CrossbarNode, peers: list[Peer], pages: int) -> None:
        self.answers: Counter[str] = Counter()
        self._node = node
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(2 * len(peers) + pages)
        self._running: list[Future[None]] = []
        for peer in peers:
            for uri in ("com.stop.slow", "com.stop.nested"):
                self._start(partial(self._call, peer, uri))
        for _ in range(pages):
            self._start(self._get)

    def total(self) -> int:
        """Return how many answers have come."""
        return sum(self.answers.values())

    def finish(self) -> None:
        """Wait until everything has its answer."""
        for running in self._running:
            running.result(3 * LIMIT)
        self._threads.shutdown()

    def _start(self, ask: Callable[[], bool]) -> None:
        def go_on() -> None:
            while ask():
                pass

        self._running.append(self._threads.submit(go_on))

    def _count(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    def _call(self, peer: Peer, uri: str) -> bool:
        try:
            answer: Any = peer.start_call(uri, 0.1).result(2 * LIMIT)
        except ApplicationError as error:
            self._count(error.error)
            return False
        self._count(f"call {answer}")
        return True

    def _get(self) -> bool:
        try:
            answer = http(self._node.url + "slow?seconds=0.1")
        except OSError as error:
            self._count(f"refused: {error!r}")
            return False
        self._count(f"page {answer.status} {answer.body.decode().strip()[:10]}")
        return answer.status == 200


@pytest.mark.parametrize("tell", [to_the_controller, to_all])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_under_load_loses_no_accepted_call(
    node: CrossbarNode, tell: Callable[[CrossbarNode, signal.Signals], None], number: signal.Signals
) -> None:
    """SIGTERM and SIGINT; to the controller, which tells its workers, and to all at once."""
    with connected(node.ws_url) as first, connected(node.ws_url) as second:
        load = Load(node, [first, second], pages=4)
        wait_until(lambda: load.total() > 20, "the load runs")
        tell(node, number)
        load.finish()
        assert node.wait_for_exit() == (0 if number == signal.SIGINT else 1), node.log[-3000:]
    answers = dict(load.answers)
    assert answers.pop("call done") > 10, answers
    assert answers.pop("page 200 done") > 4, answers
    # What was not accepted was told so.
    assert answers.pop(UNAVAILABLE, 0) == 4, (answers, node.log[-3000:])
    assert all("Connection refused" in each or "page 503" in each for each in answers), answers
    assert "Traceback" not in node.log, node.log[-3000:]
