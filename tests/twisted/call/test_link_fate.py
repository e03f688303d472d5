"""What the errors of a link say about what was not answered: whether it may have been carried out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp import CallTimeout, Canceled, NotConnected, Unanswered
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp.call.options import Options

from ..doubles import OPTIONS, Transport, Turns, eventually
from ..helpers import sent

SOON = Options(timeout=0.05)
#: Time enough to be sent, on a busy machine too.
LATER = Options(timeout=0.5)
Begin = Callable[[SessionLink, Options], Any]


def call(link: SessionLink, options: Options) -> Any:
    """Call, and wait."""
    return link.call("com.example.x", [], {}, options)


def publish(link: SessionLink, options: Options) -> Any:
    """Publish, and wait."""
    return link.publish("com.example.x", [], {}, options)


def start(link: SessionLink, options: Options) -> Any:
    """Start a call, and wait then."""
    return link.start("com.example.x", [], {}, options).result(None)


def stream(link: SessionLink, options: Options) -> Any:
    """Take the first result of a stream."""
    return link.stream("com.example.x", [], {}, options).next()


BEGINS = pytest.mark.parametrize("begin", [call, publish, start, stream])


@BEGINS
def test_link_fate_of_what_was_in_flight_when_the_link_was_lost(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    begin: Begin,
) -> None:
    answer = threads.submit(begin, link, OPTIONS)
    sent(transport, message.Publish if begin is publish else message.Call, turns)
    transport.lose()
    turns.run_until(answer.done)
    with pytest.raises(NotConnected, match="it was sent, and may have been carried out") as caught:
        answer.result()
    assert caught.value.may_have_run


@BEGINS
def test_link_fate_of_what_the_transport_did_not_take(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    begin: Begin,
) -> None:
    transport.closed = True
    answer = threads.submit(begin, link, OPTIONS)
    turns.run_until(answer.done)
    with pytest.raises(NotConnected) as caught:
        answer.result()
    assert not caught.value.may_have_run
    assert transport.sent == []


@pytest.mark.parametrize("begin", [call, publish, stream])
def test_link_fate_of_what_the_reactor_had_no_time_for(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    begin: Begin,
) -> None:
    """And as the error says so, it is never sent."""
    answer = threads.submit(begin, link, SOON)
    eventually(answer.done)
    with pytest.raises(CallTimeout, match="; it was not sent") as caught:
        answer.result()
    assert not caught.value.may_have_run
    turns.run_pending()
    assert transport.sent == []


@BEGINS
def test_link_fate_of_what_was_not_answered_in_time(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    begin: Begin,
) -> None:
    answer = threads.submit(begin, link, LATER)
    sent(transport, message.Publish if begin is publish else message.Call, turns)
    turns.clock.advance(1)
    turns.run_until(answer.done)
    with pytest.raises(CallTimeout, match="may have been carried out") as caught:
        answer.result()
    assert caught.value.may_have_run


@pytest.mark.parametrize("is_sent", [True, False])
def test_link_fate_of_what_the_end_of_the_link_finds(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    is_sent: bool,
) -> None:
    answer = threads.submit(call, link, OPTIONS)
    if is_sent:
        sent(transport, message.Call, turns)
    else:
        eventually(lambda: len(link._queue))
    link.release("the connection was closed")
    with pytest.raises(NotConnected, match=r"^the connection was closed; ") as caught:
        answer.result()
    turns.run_pending()
    assert caught.value.may_have_run == is_sent == bool(transport.sent)


@pytest.mark.parametrize("is_sent", [True, False])
def test_link_fate_of_a_started_call_that_was_canceled(
    link: SessionLink, transport: Transport, turns: Turns, is_sent: bool
) -> None:
    started = link.start("com.example.x", [], {}, OPTIONS)
    if is_sent:
        turns.run_pending()
    started.cancel()
    with pytest.raises(Canceled) as caught:
        started.result(None)
    turns.run_pending()
    assert caught.value.may_have_run == is_sent == bool(transport.of_kind(message.Call))


def test_link_fate_where_the_callee_died_and_where_nobody_says() -> None:
    canceled = Canceled.from_uri("wamp.error.canceled", ["callee disconnected"])
    assert isinstance(canceled, Canceled)
    assert canceled.may_have_run
    assert all(error("x").may_have_run for error in (CallTimeout, NotConnected, Unanswered))
