"""Two services in one container: what one loses, the other does not notice, and /readyz says."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_wamp import connect
from flask_wamp.call.client import Client
from flask_wamp.node import CrossbarNode

from .support import ROOT, discard, http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

RESULTS, SUMMARY = "com.example.polls.results", "com.example.summary.poll"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CrossbarNode]:
    """Run the project's node, whose container supervises the poll and the summary service."""
    database = str(tmp_path / "polls.sqlite")
    config = ROOT / "crossbar_config" / "single_node.json"
    node = CrossbarNode(config, env={"FLASK_DATABASE": database})
    try:
        yield node.start()
    finally:
        discard(node)


def slot_of(wampy: Client, service: str) -> dict[str, Any]:
    """Return what the supervisor of a service says of its process."""
    (slot,) = wampy.call(f"flask_wamp.supervisor.{service}.status")["slots"]
    found: dict[str, Any] = slot
    return found


def readiness(node: CrossbarNode) -> tuple[int, dict[str, Any]]:
    """Return what /readyz says."""
    answer = http(f"{node.url}readyz")
    return answer.status, json.loads(answer.body)


def test_second_service_that_dies_again_and_again_is_missed_by_its_own_callers_alone(
    node: CrossbarNode,
) -> None:
    with connect(node.backend_url) as wampy:
        wait_until(lambda: readiness(node)[0] == 200, "the node is ready")
        views = slot_of(wampy, "views")["pid"]
        killed: set[int] = set()

        def is_down() -> bool:
            slot = slot_of(wampy, "summary")
            if slot["ready"] and slot["pid"] not in killed:
                killed.add(slot["pid"])
                os.kill(slot["pid"], signal.SIGKILL)
            # The poll answers both ways in meanwhile.
            assert wampy.call(RESULTS, 1)["total"] == 0
            assert http(node.url).status == 200
            status, answer = readiness(node)
            missing = json.dumps(answer)
            if status == 200 or "summary" not in missing:
                # It is there, or a busy machine has given the look no answer within its second.
                return False
            assert "polls.results" not in missing
            return True

        wait_until(is_down, "/readyz says what is missing", timeout=60)
        wait_until(lambda: readiness(node)[0] == 200, "the service is back", timeout=60)
        assert wampy.call(SUMMARY, 1)["poll"] == 1
        assert slot_of(wampy, "views")["pid"] == views
    assert node.process is not None
    assert node.process.poll() is None
