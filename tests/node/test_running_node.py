"""``flask wamp run`` as systemd and containers run it: what they are told, signals, exit codes."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import free_port

from .programs import Program, python
from .support import APPS, LIMIT, ROOT, connected, http, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

APPLICATION = f"{APPS}.stopping:app"
#: Seconds for a start on a busy machine.
START = 60.0


class Systemd:
    """Its socket, and what it was told."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while (told := self._socket.recv(4096)) != b"over":
            self.told += told.decode().splitlines()

    def close(self) -> None:
        """Listen no more."""
        self._socket.sendto(b"over", self.address)
        self._thread.join(LIMIT)
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """Stand in for systemd."""
    told = Systemd(tmp_path / "notify")
    yield told
    told.close()


class Running:
    """A node that ``flask wamp run`` runs in a directory."""

    def __init__(self, program: Program, port: int, directory: Path) -> None:
        self.program = program
        self.url = f"http://127.0.0.1:{port}/"
        self.ws_url = f"ws://127.0.0.1:{port}/ws"
        self.backend_url = f"unix:{directory / '.crossbar' / 'router.sock'}"

    def processes(self) -> bool:
        """Tell whether it has any."""
        try:
            os.killpg(self.program.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def running(
    directory: Path, *, serves: bool = True, grace: float = 20.0, **env: str
) -> Iterator[Running]:
    """Run the node of the application that takes its time."""
    views = ["flask_wamp.crossbar.ViewsSession"] if serves else []
    config = node_config(web="flask_wamp.crossbar.WebSession", views=views, wsgi=f"{APPS}.stopping")
    for worker in config["workers"]:
        for component in worker["components"]:
            component["extra"] = {"application": APPLICATION, "grace": grace}
    place = directory / ".crossbar"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config))
    port = free_port()
    arguments = ["-m", "flask", "wamp", "run", "--port", str(port), "--loglevel", "info"]
    with python(*arguments, cwd=directory, env=env) as program:
        yield Running(program, port, directory)


@contextmanager
def heard(number: signal.Signals) -> Iterator[None]:
    """Let programs that are started here hear a signal, if these tests run under ``nohup`` as well."""
    handler = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, handler)


def test_systemd_learns_that_the_node_is_ready_when_every_procedure_is_there(
    tmp_path: Path, systemd: Systemd
) -> None:
    """Crossbar.io alone would say so when its workers have started."""
    with running(tmp_path, serves=False, NOTIFY_SOCKET=systemd.address) as node:
        node.program.wait_for("NODE_BOOT_COMPLETE", timeout=START)
        assert systemd.told == []
        served = ("-m", "flask", "--app", APPLICATION, "wamp", "serve", "--url", node.backend_url)
        with python(*served, cwd=ROOT) as guest:
            guest.wait_for("serves 2 procedures", timeout=START)
            wait_until(lambda: systemd.told, "systemd is told something")
            assert systemd.told[0] == "READY=1"
            with connected(node.ws_url) as peer:
                assert peer.call("com.stop.slow", 0) == "done"
            # It serves nothing any more, and the node says so, while it runs on.
            guest.end()
            lost = "no process serves com.stop.nested, com.stop.slow any more"
            node.program.wait_for(lost)
        with python(*served, cwd=ROOT):
            node.program.wait_for("served again", timeout=START)
        assert node.program.end(signal.SIGTERM) == 0
        wait_until(lambda: "STOPPING=1" in systemd.told, "systemd is told of the stop")


def test_stop_answers_what_runs_and_is_clean(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        node.program.wait_for(" is ready at ", timeout=START)
        with connected(node.ws_url) as peer, ThreadPoolExecutor(1) as threads:
            page = threads.submit(http, node.url + "slow?seconds=0.5")
            wait_until(lambda: http(node.url + "begun").body == b"1", "the page is asked for")
            call = peer.start_call("com.stop.nested", 1.0)
            assert peer.call("com.stop.slow", 0.3) == "done"
            node.program.process.send_signal(signal.SIGTERM)
            assert call.result(LIMIT) == "done"
            assert page.result().status == 200
        assert node.program.wait() == 0, node.program.output[-3000:]
        wait_until(lambda: not node.processes(), "nothing of the node is left")


@pytest.mark.slow
def test_terminal_that_closes_stops_the_node_in_order(tmp_path: Path) -> None:
    """It tells all processes at once, and twice: the shell does, and the kernel."""
    with heard(signal.SIGHUP), running(tmp_path) as node:
        node.program.wait_for(" is ready at ", timeout=START)
        with connected(node.ws_url) as peer:
            call = peer.start_call("com.stop.slow", 1.0)
            assert peer.call("com.stop.slow", 0.3) == "done"
            for _ in range(2):
                os.killpg(node.program.process.pid, signal.SIGHUP)
            assert call.result(LIMIT) == "done"
        assert node.program.wait() == 0, node.program.output[-3000:]
        wait_until(lambda: not node.processes(), "nothing of the node is left")


def test_what_never_ends_does_not_hold_a_stop(tmp_path: Path) -> None:
    with running(tmp_path, grace=1.0) as node:
        node.program.wait_for(" is ready at ", timeout=START)
        with connected(node.ws_url) as peer:
            call = peer.start_call("com.stop.slow", 600)
            assert peer.call("com.stop.slow", 0) == "done"
            node.program.process.send_signal(signal.SIGTERM)
            error = call.exception(LIMIT)
            assert isinstance(error, ApplicationError)
            assert error.error == "wamp.error.unavailable"
            assert "may have run" in str(error)
        assert node.program.wait(timeout=2 * LIMIT) == 0, node.program.output[-3000:]
        wait_until(lambda: not node.processes(), "nothing of the node is left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, grace=600.0) as node:
        node.program.wait_for(" is ready at ", timeout=START)
        with connected(node.ws_url) as peer:
            call = peer.start_call("com.stop.slow", 600)
            assert peer.call("com.stop.slow", 0) == "done"
            node.program.process.send_signal(number)
            node.program.wait_for("the node stops; 1 calls and 0 requests")
            assert not call.done()
            assert node.program.end(number) == 130
            assert "told twice to stop" in node.program.output
            assert call.exception(LIMIT) is not None
        wait_until(lambda: not node.processes(), "nothing of the node is left")
