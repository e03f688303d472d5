"""A node that is told to stop under a load: whatever it has accepted it answers."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode

from .programs import python
from .support import APPS, LIMIT, ROOT, Peer, connected, discard, http, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

UNAVAILABLE = "wamp.error.unavailable"
APPLICATION = f"{APPS}.stopping:app"


def stopping_node(processes: int = 0) -> CrossbarNode:
    """Return a node of the application that waits long for what it has accepted.

    :param processes: how many serve it, beside the container.
    """
    config = node_config(
        web="flask_wamp.crossbar.WebSession",
        views=["flask_wamp.crossbar.ViewsSession"],
        wsgi=f"{APPS}.stopping",
    )
    router, container = config["workers"]
    for component in (*router["components"], *container["components"]):
        component["extra"] = {"application": APPLICATION, "grace": 20.0}
    container["components"][0]["extra"]["processes"] = processes
    return CrossbarNode(config)


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Iterator[CrossbarNode]:
    """Run such a node."""
    node = stopping_node(getattr(request, "param", 0))
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


@pytest.mark.parametrize("node", [0, 2], indirect=True, ids="{} processes".format)
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


def test_container_that_is_told_alone_finishes_what_it_has(node: CrossbarNode) -> None:
    """As by ``kill``; the node ends with its worker, as always, and the calls are answered first."""
    with connected(node.ws_url) as peer:
        slow = peer.start_call("com.stop.slow", 2.0)
        (container,) = processes_of(node, "ContainerController")
        assert peer.call("com.stop.slow", 0.1) == "done"
        os.kill(container, signal.SIGTERM)
        assert slow.result(LIMIT) == "done"
        assert node.wait_for_exit(timeout=2 * LIMIT) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_guest_that_is_told_alone_finishes_what_it_has(
    node: CrossbarNode, number: signal.Signals
) -> None:
    """``flask wamp serve``, of another application; the node goes on."""
    serve = ("-m", "flask", "--app", f"{APPS}.other:app", "wamp", "serve")
    with (
        python(*serve, "--url", node.backend_url, cwd=ROOT) as guest,
        connected(node.ws_url) as peer,
    ):
        guest.wait_for("serves", timeout=3 * LIMIT)
        held = peer.start_call("com.other.wait", 2.0)
        assert peer.call("com.other.wait", 0.1) == "waited"
        guest.process.send_signal(number)
        assert held.result(LIMIT) == "waited"
        assert guest.wait() == 0, guest.output
        assert peer.call("com.stop.slow", 0) == "done"


def processes_of(node: CrossbarNode, kind: str) -> list[int]:
    """Return the node's workers of a kind."""
    assert node.process is not None
    children = psutil.Process(node.process.pid).children()
    return [each.pid for each in children if kind in " ".join(each.cmdline())]
