"""What is meant to happen is no alarm: the log of reloads under load, and of a stop."""

import re

import pytest

from .conftest import trusted_url
from .support import connected, discard, wait_until
from .test_supervised import load, status
from .test_supervised_node import VIEWS, supervised

pytestmark = [pytest.mark.node, pytest.mark.slow]

RELOADS = 5
#: What somebody who reads the log would look after.
ALARMS = re.compile(
    r"not been heard of|it is ended|Traceback|Current thread|\bERROR\b|\berror\b|fork server|"
    r"cannot be asked|could not be registered|connection to \S+ was lost|was killed|another one starts|"
    r"session closed with reason|uncleanly|cannot detach",
)
#: Crossbar.io says this of every start and stop.
HARMLESS = re.compile(r"Crossbar|crossbar\.|router\.Router")


def alarms(log: str) -> list[str]:
    """Return the lines that would make somebody look after it."""
    lines = [line for line in log.splitlines() if ALARMS.search(line)]
    return [line for line in lines if not HARMLESS.search(line)]


def test_reloads_under_load_and_a_stop_raise_no_alarm() -> None:
    node = supervised(processes=2)
    try:
        node.start()
        with connected(trusted_url(node)) as peer:
            wait_until(lambda: status(peer, VIEWS)["ready"] == 2, "both serve")
            with load(peer) as answered_by:
                for _ in range(RELOADS):
                    found = peer.call(f"{VIEWS}.reload")
                    assert found == {"replaced": 2, "failed": ""}
            assert len(set(answered_by)) > RELOADS
        assert alarms(node.log) == []
        assert node.stop() == 0
        assert alarms(node.log) == []
    finally:
        discard(node)
