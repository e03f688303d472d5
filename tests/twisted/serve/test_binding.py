"""Serving: registrations, calls, events and what goes wrong with them."""

import sys
import threading
from typing import Any

import pytest
from autobahn.wamp import message
from flask import g

from flask_wamp import WAMP, Canceled, RegistrationFailed, event, invocation
from flask_wamp._twisted.serve import calls, gates
from flask_wamp.context import Invocation
from flask_wamp.declare.declared import describe

from ..doubles import SESSION_ID, Blocked, Serving, Turns


def test_binding_registers_and_subscribes_everything(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("com.example.one")(lambda: 1)
    wamp.callee("com.example.two")(lambda: 2)
    wamp.subscribe("com.example.topic")(lambda: None)
    router = serve()
    assert list(router.registrations) == ["com.example.one", "com.example.two"]
    assert list(router.subscriptions) == ["com.example.topic"]


def test_binding_nothing_to_serve(wamp: WAMP, serve: Serving) -> None:
    assert serve().transport.sent == []


def test_binding_refused_registration_names_everything_refused(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee("com.example.first")
    def first() -> None: ...

    @wamp.callee("com.example.fine")
    def fine() -> None: ...

    @wamp.callee("com.example.second")
    def second() -> None: ...

    @wamp.subscribe("com.example.topic")
    def handler() -> None: ...

    with pytest.raises(RegistrationFailed) as caught:
        serve(refused=("com.example.first", "com.example.second", "com.example.topic"))
    text = str(caught.value)
    assert f"the procedure 'com.example.first' of {describe(first)}" in text
    assert f"the procedure 'com.example.second' of {describe(second)}" in text
    assert f"the subscription to 'com.example.topic' of {describe(handler)}" in text
    assert "wamp.error.not_authorized - no com.example.first" in text
    assert "com.example.fine" not in text


def test_binding_call(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee
    def add(a: int, b: int) -> int:
        return a + b

    router = serve()
    assert router.value(router.invoke("add", 1, b=2)) == 3


def test_binding_call_runs_on_a_thread_of_the_pool(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("where")(lambda: threading.current_thread().name)
    router = serve()
    assert router.value(router.invoke("where")) == "flask-wamp view"


def test_binding_call_tells_who_called(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee
    def who() -> list[Any]:
        return [invocation.uri, invocation.caller, invocation.caller_authrole]

    router = serve()
    assert router.value(router.invoke("who", caller=9, authrole="user")) == ["who", 9, "user"]
    assert router.value(router.invoke("who", caller=None)) == ["who", None, None]


@pytest.mark.parametrize("name", ["fun", "self", "options", "error", "callee", "args", "kwargs"])
def test_binding_call_keyword_names_survive(wamp: WAMP, serve: Serving, name: str) -> None:
    wamp.callee("echo")(lambda **keywords: keywords)
    router = serve()
    keywords: dict[str, Any] = {name: 1}
    assert router.value(router.invoke("echo", **keywords)) == keywords


def test_binding_error(wamp: WAMP, serve: Serving) -> None:
    @wamp.error("com.example.no_stock")
    class NoStock(Exception):
        pass

    @wamp.callee
    def buy() -> None:
        raise NoStock("pen")

    router = serve()
    error = router.error(router.invoke("buy"))
    assert (error.error, error.args) == ("com.example.no_stock", ["pen"])


def test_binding_every_call_gets_its_own_result(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("echo")(lambda n: n)
    router = serve()
    requests = [router.invoke("echo", n) for n in range(300)]
    assert [router.value(request) for request in requests] == list(range(300))


@pytest.mark.parametrize("exit_", [SystemExit, KeyboardInterrupt])
def test_binding_exit_in_a_view_is_answered(
    wamp: WAMP, serve: Serving, exit_: type[BaseException]
) -> None:
    """And the thread, the only one here, works on."""

    @wamp.callee
    def leave() -> None:
        if exit_ is SystemExit:
            sys.exit("bye")
        raise exit_

    wamp.callee("stay")(lambda: "here")
    router = serve(threads=1)
    error = router.error(router.invoke("leave"))
    assert error.error == "wamp.error.runtime_error"
    assert exit_.__name__ in error.args[0]
    assert router.value(router.invoke("stay")) == "here"


def test_binding_encrypted_payload_is_refused(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("echo")(lambda n: n)
    router = serve()
    router.transport.receive(
        message.Invocation(
            1, 1, payload=b"secret", enc_algo="cryptobox", enc_key="k", enc_serializer="cbor"
        )
    )
    assert router.error(1).error == "wamp.error.invalid_payload"


# --- calls that are interrupted, or whose session ends


def test_binding_interrupted_call_is_canceled_at_once(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    blocked = Blocked()

    @wamp.callee
    def slow() -> str:
        blocked()
        return "late"

    wamp.callee("quick")(lambda: 1)
    router = serve(threads=1)
    request = router.invoke("slow")
    blocked.wait()
    router.transport.receive(message.Interrupt(request, "killnowait"))
    assert router.error(request).error == "wamp.error.canceled"

    # The late result is dropped; one that comes after it, on the same thread, is not.
    blocked.go_on.set()
    assert router.value(router.invoke("quick")) == 1
    assert len(router.answers(request)) == 1


def test_binding_call_interrupted_while_it_waits_for_a_thread_does_not_run(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "GATE", 1)
    blocked = Blocked()
    runs: list[int] = []

    wamp.callee("slow")(blocked.__call__)
    wamp.callee("quick")(runs.append)
    router = serve(threads=1)
    slow_request = router.invoke("slow")
    blocked.wait()
    requests = [router.invoke("quick", n) for n in range(3)]
    router.transport.receive(message.Interrupt(requests[1], "killnowait"))
    assert router.error(requests[1]).error == "wamp.error.canceled"
    blocked.go_on.set()
    assert router.value(slow_request) is None
    assert router.value(requests[0]) is None
    assert router.value(requests[2]) is None
    assert runs == [0, 2]
    assert len(router.answers(requests[1])) == 1


def test_binding_interrupted_call_leaves_its_place_in_the_queue(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "GATE", 1)
    monkeypatch.setattr(gates, "WAITING_CALLS", 1)
    blocked = Blocked()

    wamp.callee("slow")(blocked.__call__)
    wamp.callee("quick")(lambda: 1)
    router = serve(threads=1)
    router.invoke("slow")
    blocked.wait()
    given_up = router.invoke("quick")
    router.transport.receive(message.Interrupt(given_up, "killnowait"))
    next_one = router.invoke("quick")
    blocked.go_on.set()
    assert router.value(next_one) == 1


def test_binding_interrupt_of_a_call_that_is_answered(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("quick")(lambda: 1)
    router = serve()
    request = router.invoke("quick")
    assert router.value(request) == 1
    router.transport.receive(message.Interrupt(request, "killnowait"))
    assert len(router.answers(request)) == 1


def test_binding_interrupted_calls_leave_the_gate(
    wamp: WAMP, serve: Serving, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place in the gate comes back, whether the call had started or not."""
    monkeypatch.setattr(calls, "GATE", 2)
    blocked = Blocked()

    wamp.callee("slow")(blocked.__call__)
    wamp.callee("quick")(lambda: 1)
    router = serve(threads=2)
    requests = [router.invoke("slow") for _ in range(4)]
    blocked.wait()
    blocked.wait()
    for request in requests:
        router.transport.receive(message.Interrupt(request, "killnowait"))
    blocked.go_on.set()
    quick = [router.invoke("quick") for _ in range(6)]
    assert [router.value(request) for request in quick] == [1] * 6


def test_binding_results_after_the_session_are_dropped(
    wamp: WAMP, serve: Serving, turns: Turns, twisted_log: list[str]
) -> None:
    blocked, done = Blocked(), threading.Event()

    wamp.callee("slow")(blocked.__call__)
    wamp.subscribe("com.example.topic")(done.set)
    router = serve(threads=1)
    request = router.invoke("slow")
    router.publish("com.example.topic")
    blocked.wait()
    router.transport.lose()
    blocked.go_on.set()
    turns.run_until(done.is_set)
    turns.run_pending()
    assert router.answers(request) == []
    assert not any("Traceback" in text for text in twisted_log)


# --- the gates


def test_binding_busy_answer_when_too_many_wait(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "GATE", 1)
    monkeypatch.setattr(gates, "WAITING_CALLS", 2)
    blocked = Blocked()

    @wamp.callee
    def slow(n: int) -> int:
        blocked()
        return n

    router = serve(threads=1)
    requests = [router.invoke("slow", n) for n in range(4)]
    error = router.error(requests[3])
    assert error.error == "wamp.error.unavailable"
    assert error.kwargs["status"] == 503
    assert "busy" in error.args[0]
    blocked.go_on.set()
    assert [router.value(request) for request in requests[:3]] == [0, 1, 2]


def test_binding_strangers_do_not_keep_colleagues_out(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "GATE", 2)
    blocked = Blocked()

    wamp.callee("slow")(blocked.__call__)
    wamp.callee("quick")(lambda: 1)
    router = serve(threads=3)
    router.session._authrole = "backend"
    # The gate is at least as wide as the pool.
    strangers = [router.invoke("slow") for _ in range(4)]
    for _ in range(3):
        blocked.wait()
    colleague = router.invoke("quick", caller=8, authrole="backend")
    blocked.go_on.set()
    assert router.value(colleague) == 1
    assert [router.value(request) for request in strangers] == [None] * 4


def test_binding_gates_by_caller(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("quick")(lambda: 1)
    router = serve()
    server: Any = router.session.server
    gate_for = server.calls._gate_for
    called = Invocation
    assert gate_for(called("quick", 7, None, "anonymous")) is server.calls._outside
    assert gate_for(called("quick", 7, None, "backend")) is server.calls._colleagues
    assert gate_for(called("quick", SESSION_ID, None, "backend")) is None
    assert gate_for(called("quick")) is server.calls._outside


@pytest.mark.parametrize("disclose", [True, False])
def test_binding_nested_calls_pass_no_gate(
    wamp: WAMP, serve: Serving, monkeypatch: pytest.MonkeyPatch, disclose: bool
) -> None:
    """The only place in the gate is the outer call's own."""
    monkeypatch.setattr(calls, "GATE", 1)

    @wamp.callee
    def inner(n: int) -> int:
        return n + 1

    @wamp.callee
    def outer(n: int) -> int:
        return int(g.wampy.rpc.inner(n)) + 1

    router = serve(threads=1, disclose=disclose)
    requests = [router.invoke("outer", n, caller=7 if disclose else None) for n in range(10)]
    assert [router.value(request) for request in requests] == [n + 2 for n in range(10)]


@pytest.mark.parametrize("disclose", [True, False])
def test_binding_200_calls_five_deep_on_four_threads(
    wamp: WAMP, serve: Serving, disclose: bool
) -> None:
    @wamp.callee
    def nest(depth: int, n: int) -> list[int]:
        if depth == 0:
            return [n]
        return [*g.wampy.rpc.nest(depth - 1, n), depth]

    router = serve(threads=4, disclose=disclose)
    requests = [router.invoke("nest", 5, n, caller=7 if disclose else None) for n in range(200)]
    assert [router.value(request) for request in requests] == [
        [n, 1, 2, 3, 4, 5] for n in range(200)
    ]


def test_binding_error_of_a_nested_call(wamp: WAMP, serve: Serving) -> None:
    @wamp.error("com.example.no_stock")
    class NoStock(Exception):
        pass

    @wamp.callee
    def inner() -> None:
        raise NoStock("pen")

    @wamp.callee
    def outer() -> str:
        try:
            g.wampy.rpc.inner()
        except NoStock as error:
            return f"no {error.args[0]}"
        return "sold"

    router = serve(threads=1)
    assert router.value(router.invoke("outer")) == "no pen"


def test_binding_nested_call_in_flight_when_the_session_ends(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    seen: list[BaseException] = []
    blocked = Blocked()

    @wamp.callee
    def inner() -> None:
        blocked()

    @wamp.callee
    def outer() -> None:
        try:
            g.wampy.rpc.inner()
        except ConnectionError as error:
            seen.append(error)

    router = serve(threads=2)
    router.invoke("outer")
    turns.run_until(lambda: blocked.reached._value)
    router.transport.lose()
    turns.run_until(lambda: seen)
    blocked.go_on.set()
    assert "while an answer was awaited" in str(seen[0])


def test_binding_canceled_nested_call_raises(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee
    def inner() -> None:
        raise Canceled("wamp.error.canceled")

    @wamp.callee
    def outer() -> str:
        try:
            g.wampy.call("inner")
        except Exception as error:  # noqa: BLE001 - its type is the result
            return type(error).__name__
        return "nothing"

    router = serve()
    assert router.value(router.invoke("outer")) == "RemoteError"


# --- events


def test_binding_events_are_handled_in_order(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    seen: list[int] = []
    overlapping: list[int] = []
    running = threading.Lock()

    @wamp.subscribe("com.example.topic")
    def handle(n: int) -> None:
        if not running.acquire(blocking=False):
            overlapping.append(n)
            return
        seen.append(n)
        running.release()

    router = serve(threads=8)
    for n in range(500):
        router.publish("com.example.topic", n)
    turns.run_until(lambda: len(seen) + len(overlapping) == 500)
    assert overlapping == []
    assert seen == list(range(500))


def test_binding_handlers_do_not_wait_for_each_other(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    """Neither those of another topic, nor others of the same."""
    blocked = Blocked()
    seen: dict[str, list[int]] = {"slow": [], "same": [], "other": []}

    @wamp.subscribe("com.example.topic")
    def slow(n: int) -> None:
        blocked()
        seen["slow"].append(n)

    @wamp.subscribe("com.example.topic")
    def same(n: int) -> None:
        seen["same"].append(n)

    @wamp.subscribe("com.example.other")
    def other(n: int) -> None:
        seen["other"].append(n)

    router = serve(threads=2)
    for n in range(10):
        router.publish("com.example.topic", n)
        router.publish("com.example.other", n)
    turns.run_until(lambda: len(seen["same"]) == len(seen["other"]) == 10)
    assert seen["slow"] == []
    blocked.go_on.set()
    turns.run_until(lambda: len(seen["slow"]) == 10)
    assert list(seen.values()) == [list(range(10))] * 3


@pytest.mark.parametrize("error", [KeyError, SystemExit])
def test_binding_failing_handler_gets_the_next_event(
    wamp: WAMP,
    serve: Serving,
    turns: Turns,
    error: type[BaseException],
    twisted_log: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = []

    @wamp.subscribe("com.example.topic")
    def handle(n: int) -> None:
        if n == 0:
            raise error
        seen.append(n)

    router = serve(threads=1)
    router.publish("com.example.topic", 0)
    router.publish("com.example.topic", wrong=1)
    router.publish("com.example.topic", 2)
    turns.run_until(lambda: seen)
    assert seen == [2]
    if error is KeyError:
        assert "failed at an event of com.example.topic" in caplog.text
    else:
        assert any("ended with SystemExit" in text for text in twisted_log)
    assert "did not handle an event of com.example.topic" in caplog.text


def test_binding_events_tell_their_topic_and_publication(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    seen = []

    @wamp.subscribe("com.example.topic")
    def handle(**payload: Any) -> None:
        seen.append((event.uri, event.publication, payload))

    router = serve()
    router.publish("com.example.topic", fun=1, options=2)
    turns.run_until(lambda: seen)
    assert seen == [("com.example.topic", 5, {"fun": 1, "options": 2})]


def test_binding_event_of_a_subscription_that_is_not_served(wamp: WAMP, serve: Serving) -> None:
    router = serve()
    router.transport.receive(message.Event(99, 5, args=[1]))
    assert not router.transport.closed


def test_binding_handlers_may_call(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    seen = []
    wamp.callee("double")(lambda n: 2 * n)

    @wamp.subscribe("com.example.topic")
    def handle(n: int) -> None:
        seen.append(g.wampy.rpc.double(n))

    router = serve(threads=1)
    for n in range(5):
        router.publish("com.example.topic", n)
    turns.run_until(lambda: len(seen) == 5)
    assert seen == [0, 2, 4, 6, 8]
