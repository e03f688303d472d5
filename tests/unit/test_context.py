"""The context proxies."""

import threading

import pytest
from flask import Flask, g

from flask_wamp import WAMP, event, invocation
from flask_wamp.context import Event, Invocation, current_event, current_invocation

from .doubles import Caller


def test_context_outside_of_a_call() -> None:
    assert not invocation
    assert not event
    with pytest.raises(RuntimeError, match="outside of a WAMP call"):
        _ = invocation.uri
    with pytest.raises(RuntimeError, match="outside of a WAMP event"):
        _ = event.uri


def test_context_invocation_in_a_view(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def who() -> dict[str, object]:
        assert not event
        return {
            "uri": invocation.uri,
            "caller": invocation.caller,
            "authid": invocation.caller_authid,
            "authrole": invocation.caller_authrole,
        }

    assert call("who") == {"uri": "who", "caller": 1, "authid": "alice", "authrole": "user"}
    assert not invocation


def test_context_invocation_in_a_route_and_its_guards(app: Flask, wamp: WAMP, call: Caller) -> None:
    @app.before_request
    def note() -> None:
        g.guard_saw = invocation.caller_authid

    @app.get("/who")
    @wamp.callee
    def who() -> list[object]:
        return [g.guard_saw, bool(invocation)]

    assert call("who") == ["alice", True]


def test_context_invocation_is_gone_after_an_error(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def fail() -> None:
        raise KeyError

    call.error("fail")
    assert not invocation


def test_context_event_in_a_handler(wamp: WAMP, call: Caller) -> None:
    seen: list[object] = []

    @wamp.subscribe("com.example.sold")
    def sold() -> None:
        assert not invocation
        seen.extend((event.uri, event.publication, event.publisher))
        seen.extend((event.publisher_authid, event.publisher_authrole))

    call.deliver("com.example.sold")
    assert seen == ["com.example.sold", 7, 2, None, "user"]
    assert not event


def test_context_belongs_to_its_thread() -> None:
    seen = []
    tokens = (current_invocation.set(Invocation("a")), current_event.set(Event("b", 1)))
    thread = threading.Thread(target=lambda: seen.append((bool(invocation), bool(event))))
    thread.start()
    thread.join()
    current_invocation.reset(tokens[0])
    current_event.reset(tokens[1])
    assert seen == [(False, False)]
