"""What the extension can under every server: the table of docs/howto/servers.md."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode
from tests.node.support import Peer, error_of, wait_until

from .conftest import Callee
from .programs import ALL, Running

pytestmark = [pytest.mark.servers, pytest.mark.node]

NAMES = ("the node", *ALL)
every_server = pytest.mark.parametrize("running", NAMES, indirect=True)
CALLS, CLIENTS = 200, 20


@pytest.fixture
def running(servers: dict[str, Running], request: pytest.FixtureRequest) -> Running:
    """Give a server, when it answers."""
    found = servers[request.param]
    found.wait()
    return found


@pytest.fixture(scope="session")
def restarted(servers: dict[str, Running], node: CrossbarNode) -> None:
    """Restart the router, while every server runs on."""
    for each in servers.values():
        each.wait()
    node.stop()
    node.start()


def served(peer: Peer, running: Running) -> int:
    """Return the process that answers, when one does."""

    def ask() -> int:
        try:
            return int(peer.call(running.uri("process")))
        except ApplicationError as error:
            if error.error != "wamp.error.no_such_procedure":
                raise
            return 0

    return wait_until(ask, f"{running.server.name} serves")


def processes(peer: Peer, running: Running) -> set[int]:
    """Return the processes that answer."""
    return {peer.call(running.uri("process")) for _ in range(2 * running.server.workers)}


def handlers_of(peer: Peer, running: Running, count: int) -> list[tuple[int, int]]:
    """Publish *count* events, and return the number and the process of each handling."""
    handled = peer.subscribe(running.uri("handled"))
    # Before somebody has been elected nobody subscribes.
    marker = iter(range(-1, -10_000, -1))

    def is_handled() -> bool:
        peer.publish(running.uri("topic"), next(marker))
        return bool(handled.waiting())

    wait_until(is_handled, f"{running.server.name} handles events")
    for number in range(count):
        peer.publish(running.uri("topic"), number)
    found: list[tuple[int, int]] = []
    while len(found) < count:
        number, process = handled.get().args
        if number >= 0:
            found.append((number, process))
    peer.call(running.uri("process"))
    return found + [each.args for each in handled.waiting()]


@every_server
def test_matrix_calls_out(running: Running, callee: Callee) -> None:
    assert running.get("/call/4").json == {"answer": 8}


@every_server
def test_matrix_publishes(running: Running, callee: Callee, peer: Peer) -> None:
    published = peer.subscribe(running.uri("published"))
    publication = running.post("/publish/3").json["publication"]
    received = published.get()
    assert received.args == (3,)
    assert received.details.publication == publication


@every_server
def test_matrix_serves(running: Running, callee: Callee, peer: Peer) -> None:
    """Also from every worker; what is ``single`` from one, and events once, in order."""
    served(peer, running)
    workers = running.server.workers
    wait_until(lambda: len(processes(peer, running)) == workers, "every worker serves")
    if (running.program is not None and workers > 1) or "debug" in running.server.name:
        assert running.program is not None
        # Neither gunicorn's master nor the reloader's parent.
        assert running.program.process.pid not in processes(peer, running)
    assert len({peer.call(running.uri("alone")) for _ in range(4)}) == 1
    assert peer.call(running.uri("asks"), 4) == 8

    assert peer.call(running.uri("guarded"), "friend") == {"name": "friend", "caller": peer.id}
    error = error_of(lambda: peer.call(running.uri("guarded"), "stranger"))
    assert error.error == "wamp.error.not_authorized"

    handled = handlers_of(peer, running, 10)
    assert [number for number, _process in handled] == list(range(10))
    assert len({process for _number, process in handled}) == 1


@every_server
def test_matrix_concurrent_calls(running: Running, callee: Callee, peer: Peer) -> None:
    """Each gets its own answer, over many connections of HTTP and over WAMP at once."""
    served(peer, running)
    shares = [range(first, CALLS, CLIENTS) for first in range(CLIENTS)]
    with ThreadPoolExecutor(1 + CLIENTS) as threads:
        over_wamp = threads.submit(
            lambda: peer.call_all(running.uri("asks"), [[n] for n in range(CALLS)])
        )
        over_http = threads.map(
            lambda share: running.get_all([f"/call/{number}" for number in share]), shares
        )
        for share, answers in zip(shares, over_http, strict=True):
            assert [answer.json for answer in answers] == [{"answer": 2 * n} for n in share]
        assert over_wamp.result() == [(True, 2 * n) for n in range(CALLS)]


@every_server
def test_matrix_survives_a_router_restart(
    restarted: None, running: Running, callee: Callee, peer: Peer
) -> None:
    wait_until(lambda: running.get("/call/4").status == 200, "calls pass again")
    assert running.get("/call/4").json == {"answer": 8}
    assert running.post("/publish/3").json["publication"] > 0
    served(peer, running)
    workers = running.server.workers
    wait_until(lambda: len(processes(peer, running)) == workers, "every worker serves again")
    assert [number for number, _process in handlers_of(peer, running, 5)] == list(range(5))
    if running.program is not None:
        assert running.program.process.poll() is None
