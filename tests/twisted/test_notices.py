"""What an application is told about its sessions."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, current_app, g

from flask_wamp import WAMP, SessionInfo, session_joined, session_left
from flask_wamp._twisted.notices import Notices
from flask_wamp._twisted.session import Session
from flask_wamp.state import state_of

from .doubles import SESSION_ID, TIMEOUT, eventually

JOINED = SessionInfo(SESSION_ID, "realm1", "anonymous", "backend")
LEFT = SessionInfo(SESSION_ID, "realm1", "anonymous", "backend", "the node stops")


@pytest.fixture
def notices(app: Flask, wamp: WAMP) -> Iterator[Notices]:
    """Return what tells the application."""
    notices = Notices(state_of(app))
    yield notices
    notices.wait(2)


def test_notices_join_and_leave(wamp: WAMP, notices: Notices, session: Session) -> None:
    seen: list[Any] = []
    wamp.on_join(lambda info: seen.append(("join", info)))
    wamp.on_leave(lambda info: seen.append(("leave", info)))
    notices.joined(session, "realm1")
    notices.left("the node stops")
    notices.wait(TIMEOUT)
    assert seen == [("join", JOINED), ("leave", LEFT)]


def test_notices_run_in_an_application_context_on_a_thread_of_their_own(
    wamp: WAMP, notices: Notices, session: Session
) -> None:
    seen: list[Any] = []

    @wamp.on_join
    def look(info: SessionInfo) -> None:
        seen.append((current_app.name, "wampy" in g, threading.current_thread().name))
        g.mark = 1

    wamp.on_join(lambda info: seen.append("mark" in g))
    notices.joined(session, "realm1")
    notices.wait(TIMEOUT)
    assert seen == [("shop", True, "flask-wamp notices"), False]


def test_notices_come_one_after_another(wamp: WAMP, notices: Notices, session: Session) -> None:
    """However long one takes; and nobody waits for them."""
    seen: list[str] = []
    go_on = threading.Event()

    @wamp.on_join
    def slow(info: SessionInfo) -> None:
        assert go_on.wait(TIMEOUT)
        seen.append("slow join")

    wamp.on_join(lambda info: seen.append("join"))
    wamp.on_leave(lambda info: seen.append(f"leave {info.reason}"))
    for reason in ("lost", "stopped"):
        notices.joined(session, "realm1")
        notices.left(reason)
    assert seen == []
    go_on.set()
    notices.wait(TIMEOUT)
    joins = ["slow join", "join"]
    assert seen == [*joins, "leave lost", *joins, "leave stopped"]


def test_notices_are_told_by_who_waits_where_no_thread_starts_any_more(
    wamp: WAMP, notices: Notices, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from Python 3.12 on while the interpreter ends."""
    seen: list[Any] = []
    wamp.on_leave(lambda info: seen.append((info.reason, threading.current_thread().name)))

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    notices.joined(session, "realm1")
    notices.wait(TIMEOUT)
    monkeypatch.setattr(threading.Thread, "start", start)
    notices.left("the process ends")
    assert seen == []
    notices.wait(TIMEOUT)
    assert seen == [("the process ends", threading.current_thread().name)]


def test_notices_second_leave_is_none(wamp: WAMP, notices: Notices, session: Session) -> None:
    seen: list[SessionInfo] = []
    wamp.on_leave(seen.append)
    notices.left("never joined")
    notices.joined(session, "realm1")
    notices.left("lost")
    notices.left("the node stops")
    notices.wait(TIMEOUT)
    assert [info.reason for info in seen] == ["lost"]


def test_notices_second_join_of_a_session_is_none(
    wamp: WAMP, notices: Notices, session: Session
) -> None:
    seen: list[SessionInfo] = []
    wamp.on_join(seen.append)
    notices.joined(session, "realm1")
    notices.joined(session, "realm1")
    notices.wait(TIMEOUT)
    assert seen == [JOINED]


def test_notices_failing_function_is_logged_and_the_next_runs(
    wamp: WAMP, notices: Notices, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[SessionInfo] = []

    @wamp.on_join
    def fail(info: SessionInfo) -> None:
        raise KeyError("x")

    wamp.on_join(seen.append)
    notices.joined(session, "realm1")
    notices.wait(TIMEOUT)
    assert seen == [JOINED]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "fail" in record.getMessage()
    assert record.exc_info
    assert isinstance(record.exc_info[1], KeyError)


@pytest.mark.parametrize("function", ["on_join", "receiver"])
def test_notices_exit_ends_nothing(
    app: Flask, wamp: WAMP, notices: Notices, session: Session, function: str
) -> None:
    """As ``sys.exit()`` in a view."""
    seen: list[SessionInfo] = []

    def leave(*_args: Any, **_details: Any) -> None:
        raise SystemExit

    if function == "on_join":
        wamp.on_join(leave)
    wamp.on_leave(seen.append)
    with session_joined.connected_to(leave, app if function == "receiver" else object()):
        notices.joined(session, "realm1")
        notices.left("the node stops")
        eventually(lambda: seen, timeout=2)
    assert seen == [LEFT]
    assert notices._idle.wait(TIMEOUT)


def test_notices_signals(app: Flask, wamp: WAMP, notices: Notices, session: Session) -> None:
    """After the functions."""
    seen: list[Any] = []
    wamp.on_join(lambda info: seen.append("function"))

    def note_join(sender: Any, session: SessionInfo) -> None:
        seen.append((sender, session))

    def note_leave(sender: Any, session: SessionInfo) -> None:
        seen.append((sender, session))

    with session_joined.connected_to(note_join, app), session_left.connected_to(note_leave, app):
        notices.joined(session, "realm1")
        notices.left("the node stops")
        notices.wait(TIMEOUT)
    assert seen == ["function", (app, JOINED), (app, LEFT)]


def test_notices_signals_of_one_application_are_not_the_others(
    app: Flask, wamp: WAMP, session: Session
) -> None:
    other = Flask("other")
    WAMP(other)
    seen: list[Any] = []

    def note(sender: Any, session: SessionInfo) -> None:
        seen.append(sender)

    with session_joined.connected_to(note, other):
        both = [Notices(state_of(app)), Notices(state_of(other))]
        for notices in both:
            notices.joined(session, "realm1")
        for notices in both:
            notices.wait(TIMEOUT)
    assert seen == [other]


def test_notices_failing_receiver_is_logged(
    app: Flask,
    wamp: WAMP,
    notices: Notices,
    session: Session,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(sender: Any, session: SessionInfo) -> None:
        raise KeyError("x")

    seen: list[SessionInfo] = []
    wamp.on_leave(seen.append)
    with session_joined.connected_to(fail, app):
        notices.joined(session, "realm1")
        notices.left("the node stops")
        notices.wait(TIMEOUT)
    assert seen == [LEFT]
    assert "a receiver of " in caplog.text
    assert "KeyError" in caplog.text


def test_notices_of_async_functions(wamp: WAMP, notices: Notices, session: Session) -> None:
    pytest.importorskip("asgiref", reason="Flask runs async functions with asgiref")
    seen: list[SessionInfo] = []

    @wamp.on_join
    async def note(info: SessionInfo) -> None:
        await asyncio.sleep(0)
        seen.append(info)

    notices.joined(session, "realm1")
    notices.wait(TIMEOUT)
    assert seen == [JOINED]


def test_notices_start_no_thread_where_there_is_nobody_to_tell(
    wamp: WAMP, notices: Notices, session: Session
) -> None:
    before = threading.active_count()
    notices.joined(session, "realm1")
    notices.left("the node stops")
    assert threading.active_count() == before
    notices.wait(0)


def test_notices_wait_is_over_in_time(wamp: WAMP, notices: Notices, session: Session) -> None:
    reached, go_on = threading.Event(), threading.Event()

    @wamp.on_join
    def slow(info: SessionInfo) -> None:
        reached.set()
        assert go_on.wait(TIMEOUT)

    notices.joined(session, "realm1")
    assert reached.wait(TIMEOUT)
    notices.wait(0.01)
    assert not notices._idle.is_set()
    go_on.set()
    notices.wait(TIMEOUT)
    assert notices._idle.is_set()
