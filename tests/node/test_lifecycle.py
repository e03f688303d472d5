"""Nodes that stop, are killed and come back, and what they say meanwhile."""

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from flask import Flask, g

from flask_wamp import WAMP, NoSuchProcedure, NotConnected
from flask_wamp.node import CrossbarNode, free_port

from .conftest import trusted_url
from .programs import python
from .support import (
    APPS,
    INVOCATION,
    LIMIT,
    REGISTER,
    REGISTERED,
    ROOT,
    Answer,
    Peer,
    connected,
    discard,
    http,
    node_config,
    raw_peer,
    start_all,
    wait_until,
)

pytestmark = [pytest.mark.node, pytest.mark.slow]


def service_node() -> CrossbarNode:
    """Return a node that serves ``apps.service``."""
    return CrossbarNode(
        node_config(web=f"{APPS}.sessions.LoneWeb", views=[f"{APPS}.sessions.Views"])
    )


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[CrossbarNode]]:
    """Run three nodes, started together, for tests that end one each."""
    started = [service_node() for _ in range(3)]
    try:
        start_all(started)
        yield started
    finally:
        for node in started:
            discard(node)


def stop_in_time(node: CrossbarNode) -> None:
    """Stop *node* as Ctrl-C does: cleanly, with no process left, and long before what runs ends.

    Views sleep for 60 s here, and Crossbar.io kills a worker that hangs after 21 s.
    """
    assert node.stop(timeout=20) == 0, node.log[-3000:]


def ask(url: str) -> Answer | Exception:
    """GET *url*, and return how that ended."""
    try:
        return http(url, timeout=60)
    except Exception as error:  # noqa: BLE001 - the node may drop the connection anyhow
        return error


def test_stop_while_views_wait_for_wamp_and_a_procedure_sleeps(nodes: list[CrossbarNode]) -> None:
    """An HTTP view sits in a call that nobody answers, and a procedure in ``time.sleep(60)``."""
    node = nodes[0]
    with raw_peer(trusted_url(node)) as peer, ThreadPoolExecutor(1) as threads:
        assert peer.request([REGISTER, 1, {}, "com.raw.never"])[0] == REGISTERED
        waiting = threads.submit(http, node.url + "wampy", {"call": "com.raw.never"})
        assert peer.receive()[0] == INVOCATION
        with connected(node.ws_url) as caller:
            sleeping = caller.start_call("com.test.sleep")
            node.wait_for_log("the view sleeps", timeout=LIMIT)
            stop_in_time(node)
            assert sleeping.exception(LIMIT) is not None
        assert waiting.exception(LIMIT) is not None or waiting.result().status == 503
    assert "they are cut off" not in node.log


def test_stop_while_an_http_view_sleeps(nodes: list[CrossbarNode]) -> None:
    node = nodes[1]
    with ThreadPoolExecutor(1) as threads:
        sleeping = threads.submit(ask, node.url + "sleep")
        node.wait_for_log("the view sleeps", timeout=LIMIT)
        stop_in_time(node)
        assert isinstance(sleeping.result(LIMIT), Exception)
    assert "they are cut off" in node.log


def test_lost_router_raises_at_once_and_comes_back(
    nodes: list[CrossbarNode], request: pytest.FixtureRequest
) -> None:
    """Over both ways in: a call in flight, calls meanwhile, and serving after the restart."""
    node = nodes[2]
    urls = {"trusted": trusted_url(node), "socket": node.backend_url}
    clients = {}
    for name, url in urls.items():
        app = Flask(name)
        app.config.from_mapping(WAMP_URL=url, WAMP_TIMEOUT=60)
        wamp = WAMP(app)
        request.addfinalizer(partial(wamp.stop, app))
        wamp.callee(f"com.here.{name}")(len)
        wamp.start(app)
        with app.app_context():
            clients[name] = g.wampy
    with ThreadPoolExecutor(2) as threads:
        held = {
            name: threads.submit(client.call, "com.test.hold", name)
            for name, client in clients.items()
        }
        wait_until(
            lambda: clients["socket"].call("com.test.held") == ["socket", "trusted"],
            "both calls are in flight",
        )
        node.kill()
        for name in clients:
            # Not after the 60 s that a call may take: at once.
            with pytest.raises(NotConnected) as caught:
                held[name].result(LIMIT)
            assert caught.value.may_have_run
    for name, url in urls.items():
        with pytest.raises(NotConnected, match=url) as caught:
            clients[name].with_options(timeout=0.5).call("com.test.add", 1, 2)
        assert not caught.value.may_have_run

    with ThreadPoolExecutor(2) as threads:
        # Who has time waits for the router, whose node is started meanwhile.
        waiting = [
            threads.submit(client.call, "com.test.add", number, 2)
            for number, client in enumerate(clients.values())
        ]
        started = [client.start_call("com.test.add", 5, 6) for client in clients.values()]
        node.start()
        wait_until(lambda: all(call.done() for call in started), "what was started is over")
        for number, call in enumerate(waiting):
            # The router may have been there before its container.
            assert call.exception(60) is None or isinstance(call.exception(), NoSuchProcedure)
            assert call.exception() or call.result() == number + 2
    for name, client in clients.items():
        other = clients["trusted" if name == "socket" else "socket"]

        def served(client: object = client, name: str = name, other: object = other) -> bool:
            try:
                return bool(other.call(f"com.here.{name}", "four") == 4)  # type: ignore[attr-defined]
            except Exception:  # noqa: BLE001 - it is on its way back
                return False

        wait_until(served, f"{name} serves again")
        assert client.call("com.test.add", 1, 2) == 3

    # The same node then loses its container, and must not go on without its views.
    with connected(node.ws_url) as peer:
        pid = peer.call("com.test.pid")
        assert pid != http(node.url + "pid").json["pid"]
        os.kill(pid, signal.SIGKILL)
        assert node.wait_for_exit(timeout=LIMIT) != 0
    assert node.process is not None
    wait_until(lambda: not group_lives(node), "no process of the node is left")


def group_lives(node: CrossbarNode) -> bool:
    """Tell whether *node* has processes."""
    assert node.process is not None
    try:
        os.killpg(node.process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a copy of what a node of the repository needs."""
    for name in ("component", "flask_app"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".crossbar").mkdir()
    shutil.copy(ROOT / ".crossbar" / "config.json", tmp_path / ".crossbar")
    return tmp_path


def test_log_of_a_start_is_short_and_names_the_page(checkout: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    arguments = ["-m", "flask_wamp.node", "--port", str(port)]
    env = {"FLASK_DATABASE": str(checkout / "polls.sqlite")}
    with python(*arguments, env=env, cwd=checkout) as node:
        node.wait_for(f" is ready at {url}", timeout=60)
        assert http(url).status == 200
        with connected(f"ws://127.0.0.1:{port}/ws") as peer:
            vote_once(peer)

        with python(*arguments, cwd=checkout) as second:
            assert second.wait() == 1
            assert "already, as process" in second.output
            assert "Traceback" not in second.output
        assert http(url).status == 200
        assert len(node.output.splitlines()) == 2, node.output

        assert node.end(signal.SIGINT) == 0
        lines = node.output.splitlines()
        assert lines[0].startswith("Starting the node: ")
        assert lines[1].endswith(f" is ready at {url}")
        # The stop's are Crossbar.io's, and one of each process that loses the router.
        assert len(lines) < 20, node.output
        assert len([line for line in lines if url in line]) == 1, node.output
        assert "Traceback" not in node.output


def vote_once(peer: Peer) -> None:
    """Vote in the first poll."""
    poll = peer.call("com.example.polls.results", 1)
    choice = poll["choices"][0]["id"]
    voted = peer.call("com.example.polls.vote", 1, choice=choice)
    assert voted["total"] == poll["total"] + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "70000 is not a port"),
        (["--config", "nothing.json"], "nothing.json"),
    ],
)
def test_command_refuses_what_cannot_be(checkout: Path, arguments: list[str], message: str) -> None:
    with python("-m", "flask_wamp.node", *arguments, cwd=checkout) as node:
        assert node.wait() == 1
        assert message in node.output
        assert "Traceback" not in node.output
