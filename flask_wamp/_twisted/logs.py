"""What is logged on the reactor's side, in a process that Crossbar.io does not run.

Crossbar.io shows what Twisted's logger gets. Elsewhere nobody reads that, and what is dropped would
be dropped without a word; so it goes on to Python's logger ``flask_wamp``.
"""

import logging

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

_log = logging.getLogger("flask_wamp")
#: Begins what is ours; sessions of this package log for Autobahn as well.
_OURS = "flask-wamp: "
_LEVELS = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.INFO,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.CRITICAL,
}


def use_python_logging() -> None:
    """Hand what this package logs on to Python's logging; the second time does nothing."""
    globalLogPublisher.addObserver(_hand_on)


@implementer(ILogObserver)
def _hand_on(event: LogEvent) -> None:
    if str(event.get("log_format", "")).startswith(_OURS):
        failure = event.get("log_failure")
        exc_info = failure and (failure.type, failure.value, failure.getTracebackObject())
        level = _LEVELS.get(event["log_level"], logging.ERROR)
        _log.log(level, "%s", formatEvent(event).removeprefix(_OURS), exc_info=exc_info)
