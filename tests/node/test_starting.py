"""What ``python -m flask_wamp.node``, so ``make run``, says while it starts, or cannot."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from flask_wamp.node import free_port
from flask_wamp.node.configuration import from_elsewhere, on_port

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "crossbar_config" / "single_node.json"
#: Seconds for what is awaited.
LIMIT = 60.0


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory with a node's configuration in it, whose path is short."""
    made = Path(tempfile.mkdtemp(prefix="start-"))
    (made / ".crossbar").mkdir()
    config = json.loads(CONFIG.read_text())
    (made / ".crossbar" / "config.json").write_text(json.dumps(config))
    yield made
    shutil.rmtree(made)


def start(directory: Path, *arguments: str, before: tuple[str, ...] = ()) -> str:
    """Try to start a node that cannot start, and return what it says."""
    run = subprocess.run(
        [*before, sys.executable, "-m", "flask_wamp.node", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.count("\n") == 1
    return run.stderr


@pytest.mark.parametrize("arguments", [(), ("--port", "PORT")])
def test_start_names_a_taken_port(directory: Path, arguments: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        if not arguments:
            path = directory / ".crossbar" / "config.json"
            path.write_text(path.read_text().replace("8080", port))
        said = start(directory, *(word.replace("PORT", port) for word in arguments))
    assert f"port {port} cannot be had (Address already in use): choose another" in said
    assert "make run PORT=9000" in said


def test_start_names_a_path_that_is_too_long_for_a_socket(directory: Path) -> None:
    path = directory / ".crossbar" / "config.json"
    path.write_text(path.read_text().replace("router.sock", f"{'d' * 100}/router.sock"))
    said = start(directory, "--port", str(free_port()))
    assert "bytes, and 107 are the limit: " in said
    assert "router.sock: move the project to a shorter path" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", ""),
        ('{"version": 2}', "'workers'"),
    ],
)
def test_start_names_a_configuration_that_is_none(
    directory: Path, content: str, reason: str
) -> None:
    (directory / ".crossbar" / "config.json").write_text(content)
    said = start(directory, "--port", str(free_port()))
    assert ".crossbar/config.json is no node configuration: " in said
    assert reason in said


#: Root may write everywhere, unless it is without its capabilities.
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.getuid() == 0 else ()


def test_make_run_names_a_checkout_that_cannot_be_written_to(tmp_path: Path) -> None:
    for path in (ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("constraints*.txt")):
        shutil.copy(path, tmp_path)
    tmp_path.chmod(0o555)
    run = subprocess.run(
        [*UNPRIVILEGED, "make", "--no-print-directory", "run", "VENV=.venv"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    tmp_path.chmod(0o755)
    reason, makes_own = run.stderr.splitlines()
    assert reason.startswith(f"{tmp_path} cannot be written to")
    assert "as the owner of that directory" in reason
    assert makes_own.startswith("make: ***")
    assert run.stdout == ""


def test_start_names_a_directory_that_cannot_be_written_to(directory: Path) -> None:
    (directory / ".crossbar").chmod(0o555)
    said = start(directory, "--port", str(free_port()), before=UNPRIVILEGED)
    assert f"{directory.resolve()}/.crossbar cannot be written to" in said
    assert "as the owner of that directory" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worker", "extra", "remedies"),
    [
        (
            "router",
            {"grace": "x", "max_body": "lots"},
            ["give seconds, as in 10", "a number of bytes, as in 1048576"],
        ),
        ("views", {"processes": -1}, ["give a number of processes, 0 to "]),
    ],
)
def test_node_that_refuses_its_settings_has_a_line_for_each_and_ends(
    directory: Path, worker: str, extra: dict[str, object], remedies: list[str]
) -> None:
    """What Crossbar.io says of the end, with a traceback, is not what to look after."""
    config = from_elsewhere(json.loads(CONFIG.read_text()), CONFIG.parent)
    (found,) = [each for each in config["workers"] if each["id"] == worker]
    found["components"][0]["extra"] = extra
    (directory / ".crossbar" / "config.json").write_text(json.dumps(config))
    run = subprocess.run(
        [sys.executable, "-m", "flask_wamp.node", "--port", str(free_port())],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
    assert run.returncode == 1
    lines = [line for line in run.stdout.splitlines() if "flask-wamp: " in line]
    assert len(lines) == len(remedies), run.stdout
    assert all(remedy in line for remedy, line in zip(remedies, lines, strict=True))
    assert "Traceback" not in run.stdout
    assert "lost" not in run.stdout


class Hasty:
    """Asks for the page, and votes, from the moment that the port listens until told to stop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        vote = urlencode({"choice": "1"}).encode()
        while not self._stopped.wait(0.02):
            for request in (self.url, Request(f"{self.url}polls/1/votes", vote)):
                try:
                    with urlopen(request, timeout=LIMIT) as response:
                        self.statuses.append(response.status)
                except URLError:
                    continue


@pytest.mark.slow
def test_start_says_what_to_wait_for_and_is_silent_about_the_hasty(tmp_path: Path) -> None:
    """A page and a vote that come before the services are there are no warning in the log."""
    directory = Path(tempfile.mkdtemp(prefix="start-"))
    port = free_port()
    path = directory / "node.log"
    url = f"http://127.0.0.1:{port}/"
    try:
        (directory / ".crossbar").mkdir()
        config = from_elsewhere(on_port(json.loads(CONFIG.read_text()), port), CONFIG.parent)
        (directory / ".crossbar" / "config.json").write_text(json.dumps(config))
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask_wamp.node", "--port", str(port)],
                cwd=directory,
                env={**os.environ, "FLASK_DATABASE": str(tmp_path / "polls.sqlite")},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            with Hasty(url) as hasty:
                wait_until_ready(path, process)
            said_again = start(directory, "--port", str(free_port()))
        finally:
            process.send_signal(2)
            process.wait(LIMIT)
        before_ready = path.read_text().partition(" is ready at ")[0].splitlines()
    finally:
        shutil.rmtree(directory)
    first, *others = before_ready
    assert first.startswith("Starting the node: ")
    assert [line.partition("] ")[2] for line in others] == ["flask-wamp: flask_app.wsgi:app"]
    assert set(hasty.statuses) == {200}
    assert f"a node runs in {directory.resolve()}/.crossbar already, as process" in said_again
    assert "end it first" in said_again


def wait_until_ready(path: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a node has logged that it is ready."""
    while " is ready at " not in path.read_text():
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
