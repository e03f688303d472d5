"""A test's own reactor, and what Twisted logs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from flask_wamp import WAMP
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.session import Session

from .doubles import Serving, Transport, Turns, joined


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


@pytest.fixture
def app() -> Flask:
    """Return a bare application."""
    return Flask("shop")


@pytest.fixture
def wamp(app: Flask) -> WAMP:
    """Return the extension, set up for the application."""
    return WAMP(app)


@pytest.fixture
def serve(app: Flask, wamp: WAMP, turns: Turns) -> Iterator[Serving]:
    """Return what serves the application."""
    serving = Serving(app, turns)
    yield serving
    serving.stop()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Return threads that use the link."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def transport() -> Transport:
    """Return the transport of a session."""
    return Transport()


@pytest.fixture
def session(transport: Transport) -> Session:
    """Return a session that has joined."""
    return joined(transport)


@pytest.fixture
def link(turns: Turns, session: Session) -> SessionLink:
    """Return a link with a session."""
    link = SessionLink(turns.queue())
    link.attach(session)
    return link
