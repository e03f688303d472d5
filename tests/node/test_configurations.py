"""The repository's configurations: each passes Crossbar's check, starts and serves."""

import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_wamp.node import CrossbarNode
from flask_wamp.node.command import crossbar_command
from tests.people import Person

from .support import (
    CALL,
    CONFIGURATIONS,
    ERROR,
    LIMIT,
    RESULT,
    ROOT,
    SUBSCRIBE,
    SUBSCRIBED,
    Peer,
    RawPeer,
    connected,
    error_of,
    http,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node

DEFAULT = ROOT / ".crossbar" / "config.json"
FILES = sorted({DEFAULT.resolve(), *CONFIGURATIONS.glob("*.json")})


@pytest.fixture(scope="module")
def guest_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrossbarNode]:
    """Run the node whose views are served by a guest."""
    database = tmp_path_factory.mktemp("guest") / "polls.sqlite"
    with CrossbarNode(CONFIGURATIONS / "guest.json", env={"FLASK_DATABASE": str(database)}) as node:
        yield node


@pytest.fixture(
    params=["crossbar_node", pytest.param("guest_node", marks=pytest.mark.slow)],
    ids=["single_node", "guest"],
    scope="module",
)
def node(crossbar_node: CrossbarNode, request: pytest.FixtureRequest) -> CrossbarNode:
    """Give one node after the other."""
    found: CrossbarNode = request.getfixturevalue(request.param)
    return found


def test_every_configuration_is_started_by_a_test() -> None:
    assert [path.name for path in FILES] == ["guest.json", "production.json", "single_node.json"]
    assert DEFAULT.resolve() == CONFIGURATIONS / "single_node.json"


def test_check_passes(tmp_path: Path) -> None:
    """A node that starts, as the other one does here, has checked its configuration itself."""
    path = CONFIGURATIONS / "guest.json"
    checked = subprocess.run(
        [crossbar_command(), "check", "--cbdir", str(tmp_path), "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Ok, node configuration looks good" in checked.stdout + checked.stderr


def test_page_is_served(node: CrossbarNode) -> None:
    answer = http(node.url)
    assert answer.status == 200
    assert b"<html" in answer.body
    assert http(node.url + "polls/1000000").status == 404


def test_vote_over_wamp_and_http_moves_the_other_pages(node: CrossbarNode) -> None:
    with connected(node.ws_url) as voter, connected(node.ws_url) as page:
        poll = Person(node.url).create("Which?", "this", "that")
        first, second = (choice["id"] for choice in poll["choices"])
        results = page.subscribe(f"com.example.polls.{poll['id']}.results")
        assert voter.call("com.example.polls.vote", poll["id"], choice=first)["total"] == 1
        assert results.get().kwargs["total"] == 1
        answer = http(f"{node.url}polls/{poll['id']}/votes", {"choice": second})
        assert answer.json["total"] == 2
        assert results.get().kwargs == answer.json
        assert page.call("com.example.polls.results", poll["id"]) == answer.json


def test_summary_service_counts_votes_and_answers_both_ways(node: CrossbarNode) -> None:
    with connected(node.ws_url) as peer:
        poll = Person(node.url).create("Tea?", "yes", "no")
        choice = poll["choices"][0]["id"]
        for _ in range(3):
            peer.call("com.example.polls.vote", poll["id"], choice=choice)
        wait_until(
            lambda: peer.call("com.example.summary.poll", poll["id"])["votes_seen"] == 3,
            "the service has seen the votes",
        )
        summary = peer.call("com.example.polls.summary", poll["id"])
    assert summary["text"] == "yes leads with 100 % of 3 votes."
    assert http(f"{node.url}polls/{poll['id']}/summary").json == summary


def bad_vote(peer: Peer) -> Callable[[], object]:
    """Return a call that votes for what there is not."""
    return lambda: peer.call("com.example.polls.vote", 1, choice=-1)


def test_errors_are_clear_over_both(node: CrossbarNode) -> None:
    with connected(node.ws_url) as peer:
        error = error_of(lambda: peer.call("com.example.polls.results", 1_000_000))
        assert error.error == "wamp.error.not_found"
        assert error.kwargs["description"] == "There is no poll 1000000."
        assert error_of(bad_vote(peer)).error == "wamp.error.invalid_argument"
    answer = http(f"{node.url}polls/1/votes", {"choice": -1})
    assert answer.status == 400
    assert "no choice -1" in answer.json["error"]


def test_socket_is_for_the_nodes_user_alone(node: CrossbarNode) -> None:
    path = Path(node.directory) / "router.sock"
    assert path.is_socket()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(node.directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example:8080", "http://evil.example", "null", "http://127.0.0.1:1", "file://"],
)
def test_origin_of_another_site_is_refused(node: CrossbarNode, origin: str) -> None:
    with pytest.raises(ConnectionRefusedError) as raised:
        RawPeer(node.ws_url, origin=origin)
    assert "403" in str(raised.value) or "400" in str(raised.value)


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:{}", "http://localhost:{}", "ws://127.0.0.1:{}", None],
    ids=["127.0.0.1", "localhost", "Python wampy", "none"],
)
def test_origin_of_the_page_is_accepted(node: CrossbarNode, origin: str | None) -> None:
    peer = RawPeer(node.ws_url, origin=origin and origin.format(node.port))
    try:
        assert peer.join() > 0
        assert peer.request([CALL, 1, {}, "com.example.polls.results", [1]])[0] == RESULT
    finally:
        peer.close()


def test_message_over_1_mib_is_refused_and_the_node_lives(node: CrossbarNode) -> None:
    peer = RawPeer(node.ws_url)
    peer.join()
    peer.send([CALL, 1, {}, "com.example.polls.results", ["x" * (1 << 20)]])
    code, _reason = peer.closed.result(LIMIT)
    assert code != 1000
    assert peer.messages.empty()
    with raw_peer(node.ws_url) as other:
        # Half of the limit passes.
        answer = other.request([CALL, 1, {}, "com.example.polls.results", ["x" * (1 << 19)]])
        assert answer[0] == ERROR
        assert other.request([SUBSCRIBE, 2, {}, "com.example.polls.created"])[0] == SUBSCRIBED
    assert http(node.url).status == 200


@pytest.mark.slow
def test_nodes_run_side_by_side(crossbar_node: CrossbarNode, guest_node: CrossbarNode) -> None:
    assert crossbar_node.port != guest_node.port
    with connected(guest_node.ws_url) as other:
        events = other.subscribe("com.example.polls.created")
        Person(crossbar_node.url).create("Only here?", "yes", "no")
        created = Person(guest_node.url).create("There?", "yes", "no")
        # The first node's poll would have come before.
        assert events.get().kwargs == {"id": created["id"], "question": "There?"}
    assert b"Only here?" in http(crossbar_node.url).body
    assert b"Only here?" not in http(guest_node.url).body
