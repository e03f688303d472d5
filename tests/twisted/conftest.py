"""A test's own reactor, and what Twisted logs."""

from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from .doubles import Turns


@pytest.fixture
def turns() -> Turns:
    """Return what stands in for the reactor."""
    return Turns()


@pytest.fixture
def twisted_log() -> Iterator[list[str]]:
    """Return what is logged through Twisted meanwhile, failures with their tracebacks."""
    texts: list[str] = []

    @implementer(ILogObserver)
    def note(event: LogEvent) -> None:
        failure = event.get("log_failure")
        texts.append(formatEvent(event) + (f": {failure.getTraceback()}" if failure else ""))

    globalLogPublisher.addObserver(note)
    yield texts
    globalLogPublisher.removeObserver(note)
