"""The context proxies."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask, g

from flask_wamp import WAMP, event, invocation
from flask_wamp.context import (
    Cancellation,
    Event,
    Invocation,
    current_event,
    current_invocation,
)

from .doubles import Caller, View


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


def test_context_invocation_in_a_route_and_its_guards(app: Flask, view: View, call: Caller) -> None:
    @app.before_request
    def note() -> None:
        g.guard_saw = invocation.caller_authid

    @view("/who")
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


# --- whether the call is canceled


def test_context_cancellation_before_it_is_waited_for() -> None:
    cancellation = Cancellation()
    states = [cancellation.is_set]
    cancellation.set()
    states.append(cancellation.is_set)
    assert states == [False, True]
    assert cancellation.wait(None) is True
    assert cancellation.wait(0) is True


def test_context_cancellation_that_does_not_come() -> None:
    cancellation = Cancellation()
    assert cancellation.wait(0) is False
    assert cancellation.wait(0.01) is False
    cancellation.set()
    assert cancellation.wait(None) is True


def test_context_cancellation_wakes_every_thread_that_waits() -> None:
    cancellation = Cancellation()
    about_to_wait = threading.Barrier(5, timeout=30)

    def wait() -> bool:
        about_to_wait.wait()
        return cancellation.wait(30)

    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(wait) for _ in range(4)]
        about_to_wait.wait()
        cancellation.set()
        assert [each.result(30) for each in waiting] == [True] * 4


def test_context_cancellation_races_with_who_waits() -> None:
    """Nobody waits on, whoever of the two is first."""
    with ThreadPoolExecutor(2) as threads:
        for _ in range(300):
            cancellation = Cancellation()
            together = threading.Barrier(2, timeout=30)

            def wait(
                cancellation: Cancellation = cancellation, together: threading.Barrier = together
            ) -> bool:
                together.wait()
                return cancellation.wait(30)

            waiting = threads.submit(wait)
            together.wait()
            cancellation.set()
            assert waiting.result(30) is True


def test_context_cancellation_set_twice() -> None:
    cancellation = Cancellation()
    cancellation.wait(0)
    cancellation.set()
    cancellation.set()
    assert cancellation.wait(None) is True


def test_context_invocation_is_canceled() -> None:
    called = Invocation("com.shop.add")
    states = [called.cancelled, called.wait_cancelled(0)]
    called.cancellation.set()
    states += [called.cancelled, called.wait_cancelled()]
    assert states == [False, False, True, True]


def test_context_cancellations_of_two_calls_are_apart() -> None:
    one, two = Invocation("com.shop.add"), Invocation("com.shop.add")
    one.cancellation.set()
    assert (one.cancelled, two.cancelled) == (True, False)
    assert one == two
    assert "ancel" not in repr(one)


def test_context_cancellation_is_seen_in_the_view(wamp: WAMP, call: Caller) -> None:
    @wamp.callee
    def watch() -> list[bool]:
        before = [invocation.cancelled, invocation.wait_cancelled(0)]
        invocation.cancellation.set()
        return [*before, invocation.cancelled, invocation.wait_cancelled(30)]

    assert call("watch") == [False, False, True, True]
