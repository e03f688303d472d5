"""What is logged on the reactor's side, in a process that Crossbar.io does not run.

Crossbar.io shows what Twisted's logger gets. Elsewhere nobody reads that, and what is dropped would
be dropped without a word; so it goes on to Python's logger ``flask_wamp``. So do the warnings and errors
of Twisted and Autobahn, to loggers of their own names: an error that nobody has handled, say.
"""

import logging

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

_log = logging.getLogger("flask_wamp")
#: Begins what is ours; sessions of this package log for Autobahn as well.
_OURS = "flask-wamp: "
#: Whose warnings and errors are handed on as well.
_OF_OTHERS = ("autobahn", "twisted", "txaio")
_LEVELS = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.INFO,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}


def use_python_logging() -> None:
    """Hand what concerns this package on to Python's logging; the second time does nothing."""
    globalLogPublisher.addObserver(_hand_on)


@implementer(ILogObserver)
def _hand_on(event: LogEvent) -> None:
    level = _LEVELS.get(event["log_level"], logging.ERROR)
    if str(event.get("log_format", "")).startswith(_OURS):
        _tell(_log, level, event)
        return
    namespace = str(event.get("log_namespace", ""))
    if level >= logging.WARNING and namespace.partition(".")[0] in _OF_OTHERS:
        _tell(logging.getLogger(namespace), level, event)


def _tell(log: logging.Logger, level: int, event: LogEvent) -> None:
    failure = event.get("log_failure")
    exc_info = failure and (failure.type, failure.value, failure.getTracebackObject())
    log.log(level, "%s", formatEvent(event).removeprefix(_OURS), exc_info=exc_info)
