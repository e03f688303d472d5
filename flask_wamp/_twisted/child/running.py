"""A serving process, from its start to its end.

Three threads matter. The reactor's, a thread as in any process that connects by itself, beats: it
stands still where the process is stopped or C code keeps the interpreter's lock, and so does the
heartbeat. The main thread takes signals, and waits; no view and no message ever keeps it. The third
reads commands, which end with the supervisor.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

from ...errors import ConfigError, WAMPError
from ...state import State
from ...tracing.lines import log_in_lines
from ..supervise.settings import ChildSettings
from .loading import load
from .orders import take_orders
from .reports import Reports
from .serving import Serving
from .surroundings import settle

#: The descriptor of the reports.
REPORTS = 3
#: Seconds that the last reports, and what the interpreter does at its end, may take.
END_LIMIT = 5.0


def main(arguments: Sequence[str]) -> int:
    """Serve as the settings say, and return the exit code."""
    try:
        (argument,) = arguments
        settings = ChildSettings.from_json(argument)
        reports = Reports(REPORTS)
    except (ValueError, OSError, ConfigError) as error:
        text = f"{error}: this program is started by a node's container or by flask wamp serve"
        print(text, file=sys.stderr)  # noqa: T201
        return 1
    commands = settle()
    log_in_lines()
    logging.getLogger().setLevel(settings.log_level)
    logging.getLogger("flask_wamp").setLevel(logging.INFO)
    code = Process(settings, reports).run(commands)
    reports.finish(END_LIMIT)
    _limit_end(code)
    return code


class Process:
    """Does what signals and commands ask for, on the main thread."""

    def __init__(self, settings: ChildSettings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports
        self._todo: SimpleQueue[str | Future[None]] = SimpleQueue()
        self._serving: Serving | None = None

    def run(self, commands: int) -> int:
        """Serve until the end, and return the exit code."""
        signal.signal(signal.SIGTERM, self._terminated)
        take_orders(commands, self._todo.put)
        state = self._load()
        if state is None:
            return 1
        self._reports.tell("loaded")
        self._serving = Serving(state, self._settings, self._reports)
        self._serving.begin().add_done_callback(self._todo.put)
        while True:
            todo = self._todo.get()
            if isinstance(todo, Future):
                error = todo.exception()
                if error is not None:
                    self._fail(error)
                    self._serving.close()
                    return 1
            elif todo in ("drain", "terminate"):
                unfinished = self._serving.finish(ask=todo == "terminate")
                self._reports.tell("drained", unfinished=unfinished)
                return 0
            else:
                self._serving.order(todo)

    def _load(self) -> State | None:
        try:
            return load(self._settings)
        except BaseException as error:  # noqa: BLE001
            # sys.exit() in a module, say; the supervisor is to know in any case.
            self._fail(error, where=f"cannot load {self._settings.application!r}: ")
            return None

    def _fail(self, error: BaseException, where: str = "") -> None:
        if not isinstance(error, WAMPError):
            traceback.print_exception(error)
        kind = "" if isinstance(error, WAMPError) else f"{type(error).__name__}: "
        self._reports.tell("failed", why=f"{where}{kind}{error}")

    def _terminated(self, _number: int, _frame: Any) -> None:
        # A second one ends the process at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._todo.put("terminate")


def _limit_end(code: int) -> None:
    """End the process, whatever a view has started that would keep the interpreter."""

    def end() -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)

    timer = threading.Timer(END_LIMIT, end)
    timer.daemon = True
    timer.start()
