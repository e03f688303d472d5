"""How soon callers know that a serving process has died, and how soon the next one serves.

``python -m benchmarks.recovery`` starts a node with one serving process, keeps both cores busy with
loops, and ends the process in several ways, several times each.
"""

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from flask import Flask

from flask_wamp import WAMP, connect
from flask_wamp.errors import WAMPError
from flask_wamp.node import CrossbarNode

ROOT = Path(__file__).parent.parent
STATUS = "flask_wamp.supervisor.views.status"
#: Seconds until a caller asks again whether somebody serves.
POLL = 0.005
#: Seconds that anything may take.
LIMIT = 60.0
#: Seconds of quiet after each: a supervisor waits longer after processes that die at once.
STEADY = 5.5
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
FAULTS = ("SIGKILL", "exit", "segfault", "SIGSTOP")

app = Flask(__name__)
wamp = WAMP(app)
wamp.callee("com.recovery.pid")(os.getpid)


@wamp.callee("com.recovery.hold")
def hold(seconds: float) -> None:
    """Take a while."""
    time.sleep(seconds)


@wamp.callee("com.recovery.exit")
def leave() -> None:
    """End the process without a word."""
    os._exit(3)


@wamp.callee("com.recovery.segfault")
def segfault() -> None:
    """Read what is not there."""
    ctypes.string_at(0)


def node(**extra: Any) -> CrossbarNode:
    """Return a node with one serving process."""
    config = json.loads((ROOT / "crossbar_config" / "single_node.json").read_text())
    router, container = config["workers"]
    application = f"{Path(__file__).parent.name}.{Path(__file__).stem}:app"
    web, views = router["components"][0], container["components"][0]
    web.update(classname="flask_wamp.crossbar.WebSession", extra={"application": application})
    router["transports"][0]["paths"]["/"]["module"] = application.partition(":")[0]
    views.update(
        classname="flask_wamp.crossbar.ViewsSession",
        extra={"application": application, "processes": 1, **extra},
    )
    container["components"] = [views]
    for worker in config["workers"]:
        worker["options"]["pythonpath"] = [str(ROOT)]
    return CrossbarNode(config)


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep so many cores busy."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def end_fork_server(pid: int) -> None:
    """End what the process *pid* was forked from, so that the next one starts by itself."""
    container = psutil.Process(pid).parent()
    for process in container.children() if container else ():
        if process.pid != pid and "fork_server" in " ".join(process.cmdline()):
            process.kill()


def measure(client: Any, fault: str, *, is_alone: bool) -> tuple[float, float]:
    """Return the seconds from a fault to its caller's error, and to the next answer."""
    pid = client.call("com.recovery.pid")
    held = client.start_call("com.recovery.hold", LIMIT)
    while client.call(STATUS)["slots"][0]["running"] == 0:
        time.sleep(POLL)
    if is_alone:
        end_fork_server(pid)
    began = time.monotonic()
    if fault in SIGNALS:
        os.kill(pid, SIGNALS[fault])
    else:
        client.start_call(f"com.recovery.{fault}")
    with suppress(WAMPError):
        held.result(LIMIT)
    error = time.monotonic() - began
    while True:
        try:
            if client.call("com.recovery.pid") != pid:
                return error, time.monotonic() - began
        except WAMPError:
            time.sleep(POLL)


def main() -> None:
    """Print a line for each fault and way to start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="each fault")
    parser.add_argument("--loops", type=int, default=2, help="busy loops beside the node")
    arguments = parser.parse_args()
    for name, extra in ("fork", {}), ("preload", {"preload": True}), ("spawn", {}):
        with node(**extra) as running, connect(running.backend_url) as client:
            for fault in FAULTS:
                found = []
                for _ in range(arguments.times):
                    with busy(arguments.loops):
                        found.append(measure(client, fault, is_alone=name == "spawn"))
                    time.sleep(STEADY)
                errors, answers = zip(*found, strict=True)
                print(
                    f"{name:8} {fault:9} error after {median(errors):.3f} s, at most {max(errors):.3f}; "
                    f"serving again after {median(answers):.3f} s, at most {max(answers):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
