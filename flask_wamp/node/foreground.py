"""A node in the foreground of a terminal: what ``flask wamp run`` does."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..tracing.guests import LEVEL_OF_NODE
from .command import crossbar_command, path_with_python
from .configuration import directory_of, prepared_config, refuse_unusable

#: What runs Crossbar.io's controller.
CONTROLLER = "flask_wamp._twisted.engine.controller"
#: The variable that tells it how long the node may take to stop.
STOP_LIMIT = "NODE_STOP_LIMIT"
#: Seconds that calls get at a stop, unless a component's ``extra`` says otherwise, and what the rest of
#: a stop may take beyond that.
GRACE, REST = 10.0, 30.0
#: Signals that end a node.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOGLEVELS = ("error", "warn", "info", "debug")


def run(config: Path, port: int | None = None, loglevel: str = "warn") -> NoReturn:
    """Run the node of a configuration: this process becomes its controller.

    :param port: listen on this port instead of the file's.
    :param loglevel: how much Crossbar.io says.
    :raises NodeError: it cannot start; the text has the remedy.
    """
    environment = _prepared(config, loglevel)
    prepared = prepared_config(config, port)
    environment[STOP_LIMIT] = str(stop_limit(json.loads(prepared.read_text())))
    # They wait until the controller takes them: Python starts in a second, and would end with a traceback.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        _tell_to_wait()
        os.execve(
            sys.executable,
            [sys.executable, "-m", CONTROLLER, "start", "--cbdir", str(directory_of(config)),
             "--config", str(prepared.resolve()), "--loglevel", loglevel],
            environment,
        )  # fmt: skip
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def run_and_reload(config: Path, port: int | None = None, loglevel: str = "warn") -> int:
    """Run the node as :func:`run` does, anew whenever a file has changed, until a signal ends it.

    :returns: the exit code.
    """
    # watchdog is needed here alone.
    from .reloading import Reloader

    environment = _prepared(config, loglevel)
    reloader = Reloader(config, port, loglevel, environment)
    _tell_to_wait()
    return reloader.run()


def stop_limit(config: Mapping[str, Any]) -> float:
    """Return the seconds after which a node that stops is ended: longer than any of its graces."""
    try:
        graces = [
            float(component.get("extra", {}).get("grace", GRACE))
            for worker in config["workers"]
            for component in worker.get("components", ())
        ]
    except (LookupError, TypeError, ValueError, AttributeError):
        # What is no configuration, or no number, is refused where it is read.
        graces = []
    return max([GRACE, *graces]) + REST


def _prepared(config: Path, loglevel: str) -> dict[str, str]:
    """Refuse a place where no node can start, and return the environment for one."""
    crossbar_command()
    directory = directory_of(config)
    if directory.exists():
        refuse_unusable(directory)
    return {**os.environ, "PATH": path_with_python(os.environ), LEVEL_OF_NODE: loglevel}


def _tell_to_wait() -> None:
    print("Starting the node: the page is there when it says so, in some 10 seconds", flush=True)
