"""Signals of sessions and calls."""

import queue
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_wamp import (
    ApplicationError,
    SessionInfo,
    call_finished,
    call_started,
    invocation,
    session_joined,
    session_left,
)

from .support import LIMIT, MakeApp, Peer, error_of

pytestmark = pytest.mark.node


def test_signals_of_sessions(make_app: MakeApp) -> None:
    app, wamp = make_app()
    other, other_wamp = make_app("other")
    told: queue.Queue[tuple[str, Any, SessionInfo]] = queue.Queue()

    def joined(sender: Flask, session: SessionInfo) -> None:
        told.put(("joined", sender, session))

    def left(sender: Flask, session: SessionInfo) -> None:
        told.put(("left", sender, session))

    with session_joined.connected_to(joined, app), session_left.connected_to(left, app):
        other_wamp.start(other)
        wamp.start(app)
        what, sender, session = told.get(timeout=LIMIT)
        assert (what, sender, session.reason) == ("joined", app, None)
        wamp.stop(app)
        other_wamp.stop(other)
        what, sender, ended = told.get(timeout=LIMIT)
        assert (what, sender, ended.session) == ("left", app, session.session)
        assert ended.reason
        assert told.empty()


def test_signals_of_calls(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    told: queue.Queue[tuple[Any, ...]] = queue.Queue()

    @wamp.callee("com.here..signalled", match="wildcard")
    def signalled(fail: bool) -> int:
        told.put(("view",))
        if fail:
            raise ApplicationError("com.here.refused", 1)
        return 7

    def started(sender: Flask, invocation: Any) -> None:
        told.put(("started", sender, invocation.uri, invocation.parts, invocation.caller))

    def finished(sender: Flask, invocation: Any, error: ApplicationError | None) -> None:
        told.put(("finished", sender, invocation.uri, error and error.uri))

    wamp.start(app)
    uri = "com.here.really.signalled"
    with call_started.connected_to(started, app), call_finished.connected_to(finished, app):
        assert anonymous.call(uri, False) == 7
        assert error_of(lambda: anonymous.call(uri, True)).error == "com.here.refused"
        assert error_of(lambda: anonymous.call(uri)).error == "wamp.error.invalid_argument"
        got = [told.get(timeout=LIMIT) for _ in range(8)]
    started_ = ("started", app, uri, ("really",), anonymous.id)
    assert got == [
        started_, ("view",), ("finished", app, uri, None),
        started_, ("view",), ("finished", app, uri, "com.here.refused"),
        started_, ("finished", app, uri, "wamp.error.invalid_argument"),
    ]  # fmt: skip
    # Nobody listens any more.
    assert anonymous.call(uri, False) == 7
    assert told.get(timeout=LIMIT) == ("view",)
    assert told.empty()


def test_signals_of_a_generators_call_finish_with_it(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    told: queue.Queue[Any] = queue.Queue()

    @wamp.callee("com.here.signalled_generator")
    def generator() -> Iterator[int]:
        try:
            yield 0
            invocation.wait_cancelled(LIMIT)
            yield 1
        finally:
            told.put("closed")

    def finished(sender: Flask, invocation: Any, error: ApplicationError | None) -> None:
        told.put(error and error.uri)

    wamp.start(app)
    with call_finished.connected_to(finished, app):
        call = anonymous.begin("com.here.signalled_generator")
        assert call.part() == 0
        assert told.empty()
        call.cancel()
        assert told.get(timeout=LIMIT) == "closed"
        assert told.get(timeout=LIMIT) == "wamp.error.canceled"
