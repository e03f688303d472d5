"""Python's logging in Crossbar.io's log: what an application logs in a worker, as one event each.

A worker writes its log to its controller as JSON, one object for each event of Twisted's logger. What
reaches standard error any other way is cut into lines there, at a level that is not its own; and Flask's
handler writes there, as Python's handler of last resort does.

The node's level decides what is shown, the ``--loglevel`` of ``flask wamp run`` or ``crossbar start``:
loggers without a level of their own have it, and one that says more than the node is not heard. An
application that configures ``logging`` itself, with ``dictConfig`` or handlers on the root logger, has
what it has configured.
"""

import logging

import txaio
from flask import Flask
from flask.logging import default_handler
from twisted.logger import Logger, LogLevel

from ..tracing.guests import LEVELS
from ..tracing.lines import LineFormatter

#: The least level of logging, and the level of Twisted's that it is from there on.
_LEVELS = (
    (logging.CRITICAL, LogLevel.critical),
    (logging.ERROR, LogLevel.error),
    (logging.WARNING, LogLevel.warn),
    (logging.INFO, LogLevel.info),
    (logging.NOTSET, LogLevel.debug),
)


class BridgeHandler(logging.Handler):
    """Hands records to Twisted's logger, and so to Crossbar.io's log.

    On the thread that logs, since a process that is about to die has no later: Crossbar.io's own
    observer writes each event with one ``print``, which no other thread comes in between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(LineFormatter())
        self._loggers: dict[str, Logger] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        try:
            level = next(theirs for least, theirs in _LEVELS if record.levelno >= least)
            self._logger(record.name).emit(level, "{text}", text=self.format(record))
        except Exception:  # noqa: BLE001
            # As handlers do: what cannot be logged must not be the end of a view.
            self.handleError(record)

    def _logger(self, name: str) -> Logger:
        found = self._loggers.get(name)
        if found is None:
            found = self._loggers[name] = Logger(namespace=name)
        return found


def bridge_logging() -> None:
    """Let ``logging`` end in Crossbar.io's log, where nothing else was configured by now."""
    root = logging.getLogger()
    if root.handlers:
        return
    root.addHandler(BridgeHandler())
    root.setLevel(LEVELS.get(str(txaio.get_global_log_level()), logging.INFO))


def leave_to_bridge(app: Flask) -> None:
    """Take Flask's own handler from an application whose records the bridge has as well.

    Flask adds it where nothing is configured when ``app.logger`` is first used, which may have been
    before the bridge was there.
    """
    if any(isinstance(each, BridgeHandler) for each in logging.getLogger().handlers):
        app.logger.removeHandler(default_handler)
