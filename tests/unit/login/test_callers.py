"""Who called: what a process asks the router's, remembers, and makes of failures."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, session

from flask_wamp import WAMP, ApplicationError, CallTimeout, NotConnected, RemoteError
from flask_wamp.context import Invocation
from flask_wamp.login import callers as module
from flask_wamp.login.callers import HANDSHAKE, Callers, Peer
from flask_wamp.state import state_of

from ..doubles import RecordingLink

Answer = Callable[[int], Any]


def told(authid: str = "7", authrole: str = "user", **environ: Any) -> dict[str, Any]:
    """Return what the router's process says of a session."""
    return {
        "environ": {"HTTP_USER_AGENT": "page", **environ},
        "method": "cookie",
        "authid": authid,
        "authrole": authrole,
    }


def call_of(caller: int | None = 5, authid: str = "7", authrole: str = "user") -> Invocation:
    """Return a call by a page."""
    return Invocation("com.shop.x", caller, authid, authrole)


class Process:
    """The router's process, which answers with *answer*, raised if it is an exception."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def __call__(self, uri: str, args: list[Any]) -> Any:
        """Answer."""
        assert uri == HANDSHAKE
        self.asked += args
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_callers_are_asked_for_once() -> None:
    process = Process(told(HTTP_COOKIE="session=x", SECRET="is dropped", REMOTE_ADDR=7))
    callers = Callers(process)
    peer = callers.of(call_of())
    assert peer is not None
    assert peer.handshake.environ == {"HTTP_USER_AGENT": "page", "HTTP_COOKIE": "session=x"}
    assert (peer.method, peer.authid, peer.authrole) == ("cookie", "7", "user")
    assert "session=x" not in repr(peer)
    assert callers.of(call_of()) is peer
    assert process.asked == [5]


@pytest.mark.parametrize("authrole", ["backend", "trusted", "shop"])
def test_callers_that_are_services_are_not_asked_for(authrole: str) -> None:
    process = Process(told())
    callers = Callers(process)
    callers.renew("shop")
    assert callers.of(call_of(authrole=authrole)) is None
    assert callers.of(call_of(caller=None)) is None
    assert process.asked == []


def test_callers_without_a_handshake_are_asked_for_once() -> None:
    process = Process(None)
    callers = Callers(process)
    assert [callers.of(call_of()), callers.of(call_of())] == [None, None]
    assert process.asked == [5]


@pytest.mark.parametrize(
    "uri",
    [
        "wamp.error.no_such_procedure",
        "wamp.error.not_authorized",
        "wamp.error.authorization_failed",
    ],
)
def test_callers_at_a_router_that_does_not_tell_are_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    process = Process(RemoteError.from_uri(uri))
    callers = Callers(process)
    assert [callers.of(call_of(number)) for number in range(1, 4)] == [None, None, None]
    assert process.asked == [1]
    # For a while: the next session, or a minute later.
    callers.renew("backend")
    callers.of(call_of(4))
    now = time.monotonic() + module.SILENCE
    monkeypatch.setattr(time, "monotonic", lambda: now)
    callers.of(call_of(5))
    assert process.asked == [1, 4, 5]


@pytest.mark.parametrize(
    "failure",
    [
        CallTimeout("late"),
        NotConnected("gone"),
        RemoteError("wamp.error.runtime_error", ["broken"]),
        {},
        "nonsense",
        {**told(), "environ": "nonsense"},
        {**told(), "authid": 7},
        told(authid="8"),
        told(authrole="admin"),
    ],
    ids=str,
)
def test_callers_that_nobody_knows_are_refused(failure: Any) -> None:
    """They are no visitors: that would be another's view of the application."""
    process = Process(failure)
    callers = Callers(process)
    for _ in range(2):
        with pytest.raises(ApplicationError, match="who calls could not be found out") as caught:
            callers.of(call_of())
        assert caught.value.uri == "wamp.error.unavailable"
    process.answer = told()
    assert callers.of(call_of()) is not None
    assert process.asked == [5, 5, 5]


def test_callers_are_forgotten_with_the_session_and_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    process = Process(told())
    callers = Callers(process)
    for caller in (1, 2, 1, 3, 1, 2):
        callers.of(call_of(caller))
    assert process.asked == [1, 2, 3, 2]
    callers.renew("backend")
    callers.of(call_of(1))
    assert process.asked == [1, 2, 3, 2, 1]


def test_callers_answer_of_before_a_new_session_is_dropped() -> None:
    process = Process(told())

    def ask(uri: str, args: list[Any]) -> Any:
        callers.renew("backend")
        return process(uri, args)

    callers = Callers(ask)
    callers.of(call_of())
    callers.of(call_of())
    assert process.asked == [5, 5]


def test_callers_of_a_process_are_asked_for_by_its_link(
    app: Flask, wamp: WAMP, link: RecordingLink
) -> None:
    app.secret_key = "x" * 32
    cookie = app.session_interface.get_signing_serializer(app).dumps({"n": 3})  # type: ignore[attr-defined]

    @wamp.callee("com.shop.x")
    def x() -> Any:
        return session["n"]

    link.answer = told(HTTP_COOKIE=f"session={cookie}")
    state = state_of(app)
    (procedure,) = state.registry.procedures
    assert state.dispatcher.call(procedure, call_of(), [], {}) == 3
    ((uri, args, kwargs, options),) = link.calls
    assert (uri, args, kwargs, options.timeout) == (HANDSHAKE, [5], {}, 3.0)

    link.answer = NotConnected("gone")
    with pytest.raises(ApplicationError, match="who calls could not be found out"):
        state.dispatcher.call(procedure, call_of(6), [], {})


def test_callers_of_a_process_without_a_link_start_none(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop.x")(lambda: 1)
    state = state_of(app)
    (procedure,) = state.registry.procedures
    assert state.dispatcher.call(procedure, call_of(), [], {}) == 1
    assert state.slot.link is None


def test_callers_peer_is_a_value() -> None:
    process = Process(told())
    assert Callers(process).of(call_of()) == Callers(process).of(call_of())
    assert isinstance(Callers(process).of(call_of()), Peer)
