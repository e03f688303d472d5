"""The session: progressive results, and what holds their callee back."""

from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp import (
    CallResult,
    NotConnected,
    RemoteError,
    StreamOverflow,
)
from flask_wamp._twisted import replies as session_module
from flask_wamp._twisted.flow import FLOW
from flask_wamp._twisted.replies import PAUSE_AT, Reply, StreamReply
from flask_wamp._twisted.session import Session

from .doubles import Transport
from .helpers import WAMPYS, call, stream

CALL = message.Call.MESSAGE_TYPE
PUBLISH = message.Publish.MESSAGE_TYPE
NASTY = dict.fromkeys(("fun", "self", "options", "error", "callee", "args", "kwargs", "procedure", "topic", "request", "uri", "msg", "details", "endpoint", "obj", "fn", "payload", ""), 1)  # fmt: skip


def taken(reply: StreamReply) -> list[Any]:
    """Return what waits for its taker."""
    return [reply.waiting.get_nowait() for _ in range(reply.waiting.qsize())]


def told(transport: Transport) -> list[tuple[str, Any]]:
    """Return what the flow control was told, and about which stream."""
    calls = [msg for msg in transport.of_kind(message.Call) if msg.procedure.startswith(FLOW)]
    return [(msg.procedure.removeprefix(FLOW), *msg.args) for msg in calls]


def receive_parts(transport: Transport, reply: Reply, count: int) -> None:
    """Let progressive results come."""
    for n in range(count):
        transport.receive(message.Result(reply.request, args=[n], progress=True))


def test_session_call_for_a_stream_is_sent(session: Session, transport: Transport) -> None:
    reply = stream(session)
    call(session)
    streaming, plain = transport.of_kind(message.Call)
    assert (streaming.request, streaming.procedure) == (reply.request, "com.example.x")
    assert (streaming.receive_progress, streaming.transaction_hash) == (True, "fw1;s=token")
    assert (plain.receive_progress, plain.transaction_hash) == (None, None)


def test_session_progressive_results(session: Session, transport: Transport) -> None:
    reply = stream(session)
    for args, kwargs in (([1], None), (None, None), ([1, 2], None), ([1], {"a": 2}), ([1], WAMPYS)):
        result = message.Result(reply.request, args=args, kwargs=kwargs, progress=True)
        transport.receive(result)
    assert not reply.done()
    assert taken(reply) == [1, None, CallResult((1, 2)), CallResult((1,), {"a": 2}), 1]
    transport.receive(message.Result(reply.request, args=[1], kwargs=WAMPYS))
    assert reply.result(0) == 1
    assert taken(reply) == [reply.END]
    assert not session.awaits("com.example.x")


@pytest.mark.parametrize("end", ["error", "loss", "goodbye"])
def test_session_progressive_results_end_with_an_error(
    session: Session, transport: Transport, end: str
) -> None:
    """After those that had come before."""
    reply = stream(session)
    receive_parts(transport, reply, 1)
    if end == "error":
        transport.receive(message.Error(CALL, reply.request, "com.example.e"))
    elif end == "loss":
        transport.lose()
    else:
        transport.receive(message.Goodbye())
    assert taken(reply) == [0, reply.END]
    with pytest.raises(RemoteError if end == "error" else NotConnected):
        reply.result(0)


def test_session_progressive_results_of_a_call_that_asked_for_none(
    session: Session, transport: Transport
) -> None:
    reply = call(session)
    receive_parts(transport, reply, 2)
    assert not reply.done()
    transport.receive(message.Result(reply.request, args=[3]))
    assert reply.result(0) == 3


def test_session_late_progressive_results_are_dropped(
    session: Session, transport: Transport
) -> None:
    for end in ("canceled", "answered"):
        reply = stream(session)
        if end == "canceled":
            session.cancel(reply)
        else:
            transport.receive(message.Result(reply.request))
        before = reply.waiting.qsize()
        receive_parts(transport, reply, 3)
        assert reply.waiting.qsize() == before
    assert session.is_attached()
    assert not transport.closed


def test_session_asks_for_a_pause_when_many_results_wait(
    session: Session, transport: Transport
) -> None:
    assert PAUSE_AT == 512
    reply = stream(session)
    receive_parts(transport, reply, PAUSE_AT - 1)
    assert told(transport) == []
    states = [reply.paused]
    receive_parts(transport, reply, 1)
    assert told(transport) == [("pause", "token")]
    states.append(reply.paused)
    assert states == [False, True]
    receive_parts(transport, reply, 50)
    assert told(transport) == [("pause", "token")]
    reply.resume()
    reply.resume()
    assert told(transport) == [("pause", "token"), ("resume", "token")]
    assert not reply.paused


@pytest.mark.parametrize("end", ["result", "error", "cancel"])
def test_session_end_of_a_paused_stream_ends_its_pause(
    session: Session, transport: Transport, end: str
) -> None:
    """The router would keep it otherwise."""
    reply = stream(session)
    receive_parts(transport, reply, PAUSE_AT)
    if end == "result":
        transport.receive(message.Result(reply.request))
    elif end == "error":
        transport.receive(message.Error(CALL, reply.request, "com.example.e"))
    else:
        session.cancel(reply)
    assert told(transport) == [("pause", "token"), ("resume", "token")]


def test_session_pause_that_nobody_hosts(session: Session, transport: Transport) -> None:
    reply = stream(session)
    receive_parts(transport, reply, PAUSE_AT)
    pause = transport.sent[-1]
    transport.receive(message.Error(CALL, pause.request, "wamp.error.no_such_procedure"))
    receive_parts(transport, reply, 1)
    assert reply.waiting.qsize() == PAUSE_AT + 1
    assert not session.awaits(FLOW + "pause")


def test_session_results_that_nobody_takes_end_the_call(
    session: Session, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "OVERFLOW", 5)
    reply = stream(session)
    receive_parts(transport, reply, 4)
    assert not reply.done()
    receive_parts(transport, reply, 3)
    with pytest.raises(StreamOverflow, match=r"5 results of com\.example\.x wait already"):
        reply.result(0)
    assert taken(reply) == [0, 1, 2, 3, 0, reply.END]
    (cancel,) = transport.of_kind(message.Cancel)
    assert cancel.request == reply.request
    assert not session.awaits("com.example.x")
