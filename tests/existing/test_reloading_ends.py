"""How ``flask wamp run --reload`` ends, and what it does where the node ends by itself."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from flask_wamp._twisted.serve.binding import PATIENCE
from flask_wamp.node import free_port
from tests.node.support import http, wait_until

from .conftest import LIMIT, change, flask, run

pytestmark = [pytest.mark.node, pytest.mark.slow]


def make_node(project: Path, port: int, *options: str) -> None:
    """Write a node for the journal, and its tables."""
    flask(project, "--app", "journal", "init-db")
    flask(project, "--app", "journal", "wamp", "init", "--force", "--port", str(port), *options)


def answer(url: str) -> bytes:
    """Return what a page says, or nothing where nobody answers."""
    try:
        return http(url).body
    except OSError:
        return b""


@pytest.mark.parametrize("end", ["two interrupts", "kill", "hang-up"])
def test_guest_is_reloaded_and_nothing_is_left_however_it_ends(project: Path, end: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    make_node(project, port, "--preset", "guest")
    entries = project / "journal" / "entries.py"
    with run(project) as program:
        program.wait_for("is ready at", timeout=LIMIT)
        change(entries, "There is no entry", "Nobody wrote entry")
        wait_until(lambda: b"Nobody" in answer(url + "entries/7"), "it is live", timeout=LIMIT)
        change(entries, "Nobody wrote entry", "There is no entry")
        wait_until(lambda: b"There is" in answer(url + "entries/7"), "again", timeout=LIMIT)
        family = psutil.Process(program.process.pid).children(recursive=True)
        if end == "kill":
            program.process.kill()
        elif end == "hang-up":
            assert program.end(signal.SIGHUP) == 0
        else:
            os.kill(program.process.pid, signal.SIGINT)
            os.kill(program.process.pid, signal.SIGINT)
        program.wait()
        assert psutil.wait_procs(family, timeout=LIMIT)[1] == []


def test_code_that_ends_the_node_is_told_and_the_next_change_starts_it(project: Path) -> None:
    """Importing it is well, but the router refuses what it declares."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    make_node(project, port)
    entries = project / "journal" / "entries.py"
    uri = '@wamp.callee("org.journal.entries.entry"'
    with run(project) as program:
        program.wait_for("is ready at", timeout=LIMIT)
        # The backend may not register below "wamp.", which flask-wamp refuses where it is written;
        # what the router's own component has registered is refused by the router alone.
        change(entries, uri, '@wamp.callee("flask_wamp.flow.check"')
        # A node that was not prepared starts, and then asks again for PATIENCE seconds.
        program.wait_for("procedure_already_exists", timeout=LIMIT + 2 * PATIENCE)
        program.wait_for("flask-wamp: the node has ended, with exit code 1", timeout=LIMIT)
        change(entries, '@wamp.callee("flask_wamp.flow.check"', uri)
        wait_until(lambda: b"There is" in answer(url + "entries/7"), "it is back", timeout=LIMIT)
        assert program.end(signal.SIGINT) == 0
