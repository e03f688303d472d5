"""Supervisors that end: what runs is finished, and no process is left, ever."""

import os
import signal

import pytest

from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import Program, python
from .support import APPS, LIMIT, connected, wait_until
from .test_supervised import serve

pytestmark = [pytest.mark.node, pytest.mark.slow]


def test_stop_finishes_what_runs_and_leaves_no_process(peers_node: CrossbarNode) -> None:
    with (
        connected(trusted_url(peers_node)) as peer,
        serve(peers_node, "--processes", "2") as program,
    ):
        program.wait_for("2 processes serve", timeout=60)
        served = {peer.call("com.perils.pid") for _turn in range(20)}
        running = peer.start_call("com.perils.hold", 1.0)
        assert program.end() == 0, program.output
        assert running.result(LIMIT) in served
        wait_until(lambda: group_is_empty(program), "no process is left")


def test_processes_end_with_their_supervisor(peers_node: CrossbarNode) -> None:
    """One that is stopped cannot notice, and ends all the same."""
    with (
        connected(trusted_url(peers_node)) as peer,
        serve(peers_node, "--processes", "2") as program,
    ):
        program.wait_for("2 processes serve", timeout=60)
        os.kill(peer.call("com.perils.pid"), signal.SIGSTOP)
        program.process.kill()
        program.wait()
        wait_until(lambda: group_is_empty(program), "no process is left")


@pytest.mark.parametrize(
    "options", [["--processes", "65"], ["--processes", "1", "--view-limit", "0"]]
)
def test_options_that_cannot_be_are_refused(options: list[str]) -> None:
    with python("-m", "flask", "--app", f"{APPS}.perils", "wamp", "serve", *options) as program:
        assert program.wait() == 2
        assert program.output.startswith("Error: --")
        assert program.output.count("\n") == 1


@pytest.mark.slow
def test_supervisor_gives_up_where_another_service_has_its_procedures(
    peers_node: CrossbarNode,
) -> None:
    with connected(trusted_url(peers_node)) as peer:
        peer.register("com.perils.loop", lambda: None)
        with serve(peers_node, "--processes", "1", "--start-limit", "20") as program:
            assert program.wait(timeout=120) == 1
            last = program.output.splitlines()[-1]
            assert last.startswith("Error: cannot serve tests.node.apps.perils: no process serves")
            assert "com.perils.loop" in last
            wait_until(lambda: group_is_empty(program), "no process is left")


def group_is_empty(program: Program) -> bool:
    """Tell whether no process is left of those that *program* has started."""
    try:
        os.killpg(program.process.pid, 0)
    except ProcessLookupError:
        return True
    return False
