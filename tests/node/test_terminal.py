"""What the terminal shows of ``flask wamp run``, from its start to Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from flask_wamp.node import free_port

from .programs import python
from .support import APPS, LIMIT, ROOT, node_config, repository_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

APPLICATION = f"{APPS}.stopping:app"
#: Seconds for a start on a busy machine.
START = 60.0
#: How Crossbar.io's lines begin.
HEAD = r"\S+ \[(Controller|Router|Container) +\d+\] "
#: The lines of a node that starts and is stopped, and may serve meanwhile.
EXPECTED = [
    r"Starting the node: the page is there when it says so, in some 10 seconds",
    rf"{HEAD}flask-wamp: {re.escape(APPLICATION)} is ready at http://127\.0\.0\.1:\d+/",
    rf"(\^C)?{HEAD}Controller received SIGINT .*",
    rf"{HEAD}Native worker received SIGTERM - shutting down \.\.",
    rf"{HEAD}Native worker received SIGTERM - shutting down \.\.",
]
#: Makes the terminal of standard input the process's own, and runs Python in its place.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
#: The end of the line as well, which is written by itself.
READY = re.compile(r" is ready at http\S+\r?\n")
COLOURS = re.compile(r"\x1b\[\d*m")


class Terminal:
    """A program in the foreground of a terminal of its own, and what that shows."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._terminal, other_end = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            start_new_session=True,
        )
        os.close(other_end)
        self._shown = b""
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """What it shows, without colours."""
        return COLOURS.sub("", self._shown.decode())

    def press_ctrl_c(self) -> None:
        """Interrupt the program and its children, as the terminal does."""
        os.write(self._terminal, b"\x03")

    def wait(self) -> int:
        """Wait until the program and all of its children have ended; return its exit code."""
        code = self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def end(self) -> None:
        """End what is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()
        os.close(self._terminal)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 4096)
            except OSError:  # nobody has the other end any more
                return
            self._shown += data


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory with a short path, for a socket is in it."""
    with tempfile.TemporaryDirectory(prefix="terminal-") as made:
        yield Path(made)


@pytest.fixture
def terminal(directory: Path) -> Iterator[Terminal]:
    """Run a node in a terminal, with a service in the container, and one that it supervises."""
    session = "flask_wamp.crossbar.ViewsSession"
    config = node_config(
        web="flask_wamp.crossbar.WebSession", views=[session, session], wsgi=f"{APPS}.stopping"
    )
    router, container = config["workers"]
    router["components"][0]["extra"] = {"application": APPLICATION}
    views, others = container["components"]
    views["extra"] = {"application": APPLICATION, "processes": 2}
    others["extra"] = {"application": f"{APPS}.other:app"}
    place = directory / ".crossbar"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config))
    found = Terminal("-m", "flask", "wamp", "run", "--port", str(free_port()), cwd=directory)
    yield found
    found.end()


def test_terminal_shows_what_a_user_needs_and_no_more(terminal: Terminal) -> None:
    """No empty lines, and a stop that was asked for is no loss."""
    wait_until(lambda: READY.search(terminal.shown), "the page is there", timeout=START)
    terminal.press_ctrl_c()
    assert terminal.wait() == 0, terminal.shown
    lines = terminal.shown.splitlines()
    assert len(lines) == len(EXPECTED), terminal.shown
    for line, expected in zip(lines, EXPECTED, strict=True):
        assert re.fullmatch(expected, line), terminal.shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_terminal_shows_nothing_of_a_node_that_is_ended_while_it_starts(
    directory: Path, number: signal.Signals
) -> None:
    """From the first line on, also while Python itself starts."""
    (directory / ".crossbar").mkdir()
    config = repository_config()
    (directory / ".crossbar" / "config.json").write_text(json.dumps(config))
    port = str(free_port())
    with python("-m", "flask", "wamp", "run", "--port", port, cwd=directory) as program:
        line = program.wait_for("Starting the node: ", timeout=START)
        assert program.end(number) == 128 + number
        assert program.output == f"{line}\n"
