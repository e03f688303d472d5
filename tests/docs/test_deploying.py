"""The page about services: what it writes is run as it stands, as far as a machine without them can."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flask_wamp.node.configuration import free_port
from tests.node.programs import Program
from tests.node.support import LIMIT, http, wait_until

from .tables import ROOT

pytestmark = [pytest.mark.node, pytest.mark.slow]

PAGE = (ROOT / "docs/howto/deploying.md").read_text()
BLOCKS = dict(re.findall(r"^```console (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
APP = """
from flask import Flask
from flask_wamp import WAMP

app = Flask(__name__)
wamp = WAMP(app)


@app.get("/price")
@wamp.callee("com.shop.price")
def price():
    return {"price": 3}
"""
#: Seconds for a start on a busy machine.
START = 60.0


def flask(command: str, directory: Path) -> None:
    """Run a command of the page."""
    words = shlex.split(command.removeprefix("$ "))
    assert words[:2] == ["flask", "wamp"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=directory, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=3 * LIMIT
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Path, str]:
    """Give a project with a node, and where that listens."""
    directory = tmp_path / "shop"
    directory.mkdir()
    (directory / "wsgi.py").write_text(APP)
    port = free_port()
    flask(f"flask wamp init --port {port}", directory)
    return directory, f"http://127.0.0.1:{port}/price"


def environment(**more: str) -> dict[str, str]:
    """Return what a service has: little."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def hears(systemd: socket.socket, text: bytes) -> None:
    """Wait until systemd is told *text*, whatever else it is told before: heartbeats, say."""
    wait_until(lambda: text in systemd.recv(999), f"systemd is told {text!r}")


def test_unit_is_run_as_it_stands(shop: tuple[Path, str], tmp_path: Path) -> None:
    """Its command, in its directory, with its signal; then killed, and started again."""
    directory, url = shop
    (command,) = BLOCKS["systemd"].splitlines()
    flask(command, directory)
    text = (directory / "shop.service").read_text()
    unit = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    assert unit["WorkingDirectory"] == str(directory)
    stop = signal.Signals[unit["KillSignal"]]
    watchdog = str(int(unit["WatchdogSec"]) * 1_000_000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(START)
        env = environment(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC=watchdog)
        for ends_by_itself in (False, True):
            with Program(*unit["ExecStart"].split(), env=env, cwd=directory) as node:
                hears(systemd, b"READY=1\n")
                hears(systemd, b"WATCHDOG=1")
                assert http(url).json == {"price": 3}
                if ends_by_itself:
                    assert node.end(stop) == 0, node.output
                    hears(systemd, b"STOPPING=1")
                else:
                    # As by the kernel, where there is no memory.
                    os.killpg(node.process.pid, signal.SIGKILL)
                    assert node.wait() == -signal.SIGKILL


def test_image_s_command_is_run_as_it_stands(shop: tuple[Path, str]) -> None:
    """In a container processes have the numbers that they had before, when all were killed."""
    directory, url = shop
    flask(BLOCKS["container"].splitlines()[1], directory)
    image = (directory / "Dockerfile").read_text()
    (command,) = re.findall(r"^CMD (.*)$", image, re.MULTILINE)
    (stop,) = re.findall(r"^STOPSIGNAL (.*)$", image, re.MULTILINE)
    program, *arguments = json.loads(command)
    assert program == "python"
    # What a node that was killed has left, with the number of this one.
    script = 'echo "{\\"pid\\": $$}" > .crossbar/node.pid; exec "$@"'
    begun = ("sh", "-c", script, "sh", sys.executable, *arguments)
    with Program(*begun, env=environment(), cwd=directory) as node:
        node.wait_for(" is ready at ", timeout=START)
        assert http(url).json == {"price": 3}
        assert node.end(signal.Signals[stop]) == 0, node.output


def test_every_block_is_known_here() -> None:
    assert sorted(BLOCKS) == ["container", "install", "systemd"]
