"""A guest's processes that die: the serving one is back, and without its supervisor the node ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from flask_wamp.node import CrossbarNode

from ..people import Person
from .support import LIMIT, ROOT, Peer, connected, discard, error_of, http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

#: Seconds without a process until the node ends; 30 in the configuration.
END_AFTER = 8
RESULTS = "com.example.polls.results"


@pytest.fixture
def node(tmp_path: Any) -> Iterator[CrossbarNode]:
    """Run the node whose views are served by a guest."""
    path = ROOT / "crossbar_config" / "guest.json"
    text = path.read_text()
    assert '"end_unserved_after": 30' in text
    changed = text.replace('"end_unserved_after": 30', f'"end_unserved_after": {END_AFTER}')
    config = tmp_path / "crossbar_config" / "config.json"
    config.parent.mkdir()
    config.write_text(changed.replace('".."', f'"{ROOT}"'))
    node = CrossbarNode(config, env={"FLASK_DATABASE": str(tmp_path / "polls.sqlite")})
    try:
        yield node.start()
    finally:
        discard(node)


def guest_of(node: CrossbarNode) -> psutil.Process:
    """Return the supervisor that Crossbar.io runs as a guest."""
    assert node.process is not None
    children = psutil.Process(node.process.pid).children()
    (guest,) = [each for each in children if "serve" in each.cmdline()]
    return guest


def serving(guest: psutil.Process) -> psutil.Process:
    """Return the process that serves: of its children, the one with threads."""

    def find() -> psutil.Process | None:
        with suppress(psutil.NoSuchProcess):
            return next((each for each in guest.children() if each.num_threads() > 1), None)
        return None

    found = wait_until(find, "one serves")
    assert found is not None
    return found


def can_ask(peer: Peer, poll: int) -> bool:
    """Tell whether somebody answers."""
    try:
        return bool(peer.call(RESULTS, poll))
    except Exception:  # noqa: BLE001
        return False


def test_guest_whose_process_dies_serves_again_and_harms_nobody_else(node: CrossbarNode) -> None:
    with connected(node.ws_url) as peer:
        poll = Person(node.url).create("Tea?", "yes", "no")["id"]
        first = serving(guest_of(node))
        os.kill(first.pid, signal.SIGKILL)
        assert http(f"{node.url}polls/{poll}").status == 200
        wait_until(lambda: can_ask(peer, poll), "it is served again")
        assert serving(guest_of(node)).pid != first.pid
        assert "no process has served" not in node.log


def test_guest_that_dies_takes_its_processes_along_and_ends_the_node(node: CrossbarNode) -> None:
    with connected(node.ws_url) as peer:
        poll = Person(node.url).create("Tea?", "yes", "no")["id"]
        guest = guest_of(node)
        family = guest.children(recursive=True)
        assert serving(guest) in family
        guest.kill()
        assert psutil.wait_procs(family, timeout=LIMIT)[1] == []
        found = error_of(lambda: peer.call(RESULTS, poll))
        assert found.error in ("wamp.error.no_such_procedure", "wamp.error.canceled")
        assert node.wait_for_exit(timeout=3 * LIMIT) != 0
    (named,) = [line for line in node.log.splitlines() if "no process serves" in line]
    assert RESULTS in named
    assert f"for {END_AFTER} s: the node ends, to be started anew" in node.log
