"""The link's calls whose result is awaited later."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp import (
    BlockingCallError,
    CallTimeout,
    Canceled,
    NotConnected,
    RemoteError,
)
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.call.pending import Started
from flask_wamp.call.options import Options

from ..doubles import OPTIONS, TIMEOUT, Transport, Turns, joined


def started(
    link: SessionLink, transport: Transport, turns: Turns, timeout: float = TIMEOUT
) -> tuple[Started, Any]:
    """Return a call that was started, and what was sent."""
    started = link.start("com.example.x", [1], {"b": 2}, Options(timeout=timeout))
    turns.run_pending()
    return started, transport.of_kind(message.Call)[-1]


def test_link_start_is_sent_and_does_not_wait(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    """Even on the reactor's thread, which is this one."""
    answer, call = started(link, transport, turns)
    assert (call.procedure, call.args, call.kwargs) == ("com.example.x", [1], {"b": 2})
    assert not answer.done()
    transport.receive(message.Result(call.request, args=[5]))
    assert answer.done()
    assert answer.result(None) == answer.result(0) == 5
    assert link._waiting == set()


def test_link_start_answered_with_an_error(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    answer, call = started(link, transport, turns)
    transport.receive(message.Error(48, call.request, "com.example.e", args=["no"]))
    with pytest.raises(RemoteError, match=r"com\.example\.e: no"):
        answer.result(None)


def test_link_start_result_is_awaited_on_a_thread(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer, call = started(link, transport, turns)
    with pytest.raises(BlockingCallError, match="would block the reactor thread"):
        answer.result(0)
    waiting = threads.submit(answer.result, None)
    transport.receive(message.Result(call.request, args=[5]))
    assert waiting.result(TIMEOUT) == 5


def test_link_start_is_canceled_at_its_deadline(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    """Whether anybody waits or not."""
    answer, call = started(link, transport, turns, timeout=5)
    turns.clock.advance(4.9)
    turns.run_pending()
    assert not answer.done()
    turns.clock.advance(0.2)
    assert answer.done()
    with pytest.raises(CallTimeout, match=r"'com\.example\.x' was not answered within 5 s"):
        answer.result(None)
    turns.run_pending()
    (cancel,) = transport.of_kind(message.Cancel)
    assert cancel.request == call.request
    transport.receive(message.Result(call.request, args=["late"]))
    assert link._waiting == set()
    assert turns.clock.getDelayedCalls() == []


def test_link_start_deadline_wakes_who_waits(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer, _call = started(link, transport, turns, timeout=5)
    waiting = threads.submit(answer.result, None)
    turns.clock.advance(6)
    with pytest.raises(CallTimeout, match="was not answered within 5 s"):
        waiting.result(TIMEOUT)


@pytest.mark.parametrize("end", ["result", "error", "loss", "release", "cancel"])
def test_link_start_leaves_no_timer_behind(
    link: SessionLink, transport: Transport, turns: Turns, end: str
) -> None:
    answer, call = started(link, transport, turns)
    assert len(turns.clock.getDelayedCalls()) == 1
    if end == "result":
        transport.receive(message.Result(call.request))
    elif end == "error":
        transport.receive(message.Error(48, call.request, "com.example.e"))
    elif end == "loss":
        transport.lose()
    elif end == "release":
        link.release("the node stops")
    else:
        answer.cancel()
    turns.run_pending()
    assert answer.done()
    assert turns.clock.getDelayedCalls() == []


def test_link_start_result_in_less_time_than_the_call_has(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    """The call goes on."""
    answer, call = started(link, transport, turns)
    waiting = threads.submit(answer.result, 0.01)
    with pytest.raises(CallTimeout, match=r"has no answer after 0\.01 s; it goes on"):
        waiting.result(TIMEOUT)
    turns.run_pending()
    assert transport.of_kind(message.Cancel) == []
    assert not answer.done()
    transport.receive(message.Result(call.request, args=[5]))
    assert answer.result(0.01) == 5


@pytest.mark.parametrize("mode", ["kill", None])
def test_link_start_canceled(
    link: SessionLink, transport: Transport, turns: Turns, mode: str | None
) -> None:
    options = Options(timeout=TIMEOUT, cancel_mode=mode)
    answer = link.start("com.example.x", [], {}, options)
    turns.run_pending()
    answer.cancel()
    answer.cancel()
    with pytest.raises(Canceled, match="canceled by this process"):
        answer.result(None)
    turns.run_pending()
    (cancel,) = transport.of_kind(message.Cancel)
    assert cancel.mode == (mode or "killnowait")


def test_link_start_canceled_before_it_was_sent(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    answer = link.start("com.example.x", [], {}, OPTIONS)
    answer.cancel()
    turns.run_pending()
    assert transport.sent == []


def test_link_start_canceled_after_the_answer(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    answer, call = started(link, transport, turns)
    transport.receive(message.Result(call.request, args=[5]))
    answer.cancel()
    turns.run_pending()
    assert answer.result(None) == 5
    assert transport.of_kind(message.Cancel) == []


def test_link_start_of_many_at_once(link: SessionLink, transport: Transport, turns: Turns) -> None:
    answers = [link.start("echo", [n], {}, OPTIONS) for n in range(100)]
    turns.run_pending()
    for call in reversed(transport.of_kind(message.Call)):
        transport.receive(message.Result(call.request, args=call.args))
    assert [answer.result(0) for answer in answers] == list(range(100))


@pytest.mark.parametrize("absence", ["none yet", "lost", "released", "lost meanwhile"])
def test_link_start_without_a_session(turns: Turns, absence: str) -> None:
    link = SessionLink(turns.queue())
    transport = Transport()
    if absence == "lost meanwhile":
        link.attach(joined(transport))
    if absence == "lost":
        link.detach("the router is away")
    if absence == "released":
        link.release("the node stops")
    answer = link.start("x", [], {}, OPTIONS)
    turns.run_pending()
    if absence == "lost meanwhile":
        transport.lose()
    texts = {
        "none yet": "there is no session yet",
        "lost": "the router is away",
        "released": "the node stops",
        "lost meanwhile": "while an answer was awaited",
    }
    with pytest.raises(NotConnected, match=texts[absence]):
        answer.result(None)
    turns.run_pending()
    assert turns.clock.getDelayedCalls() == []
    assert link._waiting == set()
