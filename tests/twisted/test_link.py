"""The link: threads that wait, and what ends their wait."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp import BlockingCallError, CallTimeout, NotConnected, RemoteError
from flask_wamp._twisted import link as link_module
from flask_wamp._twisted.link import SessionLink
from flask_wamp._twisted.reactor_queue import ReactorQueue

from .doubles import TIMEOUT, Transport, Turns, eventually, joined


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Return threads that use the link."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def transport() -> Transport:
    """Return the transport of the link's session."""
    return Transport()


@pytest.fixture
def link(turns: Turns, transport: Transport) -> SessionLink:
    """Return a link with a session."""
    link = SessionLink(ReactorQueue(turns.call_from_thread))
    link.attach(joined(transport))
    return link


def sent(transport: Transport, kind: type[Any], turns: Turns, count: int = 1) -> list[Any]:
    """Return messages of one kind, when as many have been sent."""
    turns.run_until(lambda: len(transport.of_kind(kind)) >= count)
    return transport.of_kind(kind)


def test_link_call(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.add", [1], {"b": 2}, TIMEOUT)
    (call,) = sent(transport, message.Call, turns)
    assert (call.procedure, call.args, call.kwargs) == ("com.example.add", [1], {"b": 2})
    transport.receive(message.Result(call.request, args=[3]))
    assert answer.result(TIMEOUT) == 3


def test_link_call_answered_with_an_error(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.add", [], {}, TIMEOUT)
    (call,) = sent(transport, message.Call, turns)
    transport.receive(message.Error(48, call.request, "com.example.x", args=["no"]))
    with pytest.raises(RemoteError, match=r"com\.example\.x: no"):
        answer.result(TIMEOUT)


def test_link_each_thread_gets_its_own_answer(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answers = [threads.submit(link.call, "echo", [n], {}, TIMEOUT) for n in range(8)]
    for call in reversed(sent(transport, message.Call, turns, 8)):
        transport.receive(message.Result(call.request, args=call.args))
    assert [answer.result(TIMEOUT) for answer in answers] == list(range(8))


def test_link_publish_acknowledged(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.publish, "com.example.x", [1], {"b": 2}, True, TIMEOUT)
    (event,) = sent(transport, message.Publish, turns)
    assert event.acknowledge
    assert not answer.done()
    transport.receive(message.Published(event.request, 77))
    assert answer.result(TIMEOUT) == 77


def test_link_publish_unacknowledged_does_not_wait(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.publish, "com.example.x", [1], {"b": 2}, False, TIMEOUT)
    assert answer.result(TIMEOUT) is None
    assert transport.sent == []
    turns.run_pending()
    (event,) = transport.of_kind(message.Publish)
    assert (event.topic, event.args, event.kwargs) == ("com.example.x", [1], {"b": 2})
    assert not event.acknowledge


def test_link_publish_unacknowledged_from_the_reactor_thread(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    """It waits for nothing, so it is allowed there."""
    assert link.publish("com.example.x", [], {}, False, TIMEOUT) is None
    turns.run_pending()
    assert len(transport.of_kind(message.Publish)) == 1


def test_link_publish_unacknowledged_waits_where_the_reactor_falls_behind(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not sent yet is in memory, so a publisher must not run away."""
    monkeypatch.setattr(link_module, "POSTED", 10)

    waiting: list[int] = []

    def flood() -> None:
        for n in range(50):
            link.publish("com.example.x", [n], {}, False, TIMEOUT)
            waiting.append(len(link._queue))

    flooding = threads.submit(flood)
    eventually(lambda: flooding.done() or len(link._queue) == 12)
    assert max(waiting) == 11
    turns.run_until(flooding.done)
    turns.run_pending()
    flooding.result()
    assert [event.args for event in transport.of_kind(message.Publish)] == [[n] for n in range(50)]


def test_link_publish_unacknowledged_without_a_session(turns: Turns) -> None:
    link = SessionLink(ReactorQueue(turns.call_from_thread))
    link.detach("the router is away")
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(link.publish, "com.example.x", [], {}, False, TIMEOUT)
        turns.run_until(answer.done)
    with pytest.raises(NotConnected, match="the router is away"):
        answer.result()


@pytest.mark.parametrize(
    "block",
    [
        lambda link: link.call("com.example.x", [], {}, TIMEOUT),
        lambda link: link.publish("com.example.x", [], {}, True, TIMEOUT),
    ],
)
def test_link_refuses_to_block_the_reactor_thread(
    link: SessionLink, transport: Transport, turns: Turns, block: Any
) -> None:
    with pytest.raises(BlockingCallError) as caught:
        block(link)
    assert "'com.example.x' would block the reactor thread" in str(caught.value)
    assert "deferToThread" in str(caught.value)
    turns.run_pending()
    assert transport.sent == []


def test_link_timeout_cancels_the_call(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.slow", [], {}, 0.05)
    (call,) = sent(transport, message.Call, turns)
    turns.run_until(answer.done)
    with pytest.raises(CallTimeout, match=r"'com\.example\.slow' was not answered within 0\.05 s"):
        answer.result()
    (cancel,) = sent(transport, message.Cancel, turns)
    assert cancel.request == call.request
    transport.receive(message.Result(call.request, args=["late"]))
    assert link._waiting == set()


def test_link_timeout_before_the_call_was_sent_sends_nothing(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.slow", [], {}, 0.01)
    with pytest.raises(CallTimeout):
        answer.result(TIMEOUT)
    turns.run_pending()
    assert transport.sent == []


def test_link_timeout_of_a_publish(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.publish, "com.example.x", [], {}, True, 0.05)
    turns.run_until(answer.done)
    with pytest.raises(CallTimeout, match=r"the publish to 'com\.example\.x' was not answered"):
        answer.result()


def waiting(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> list[Future[Any]]:
    """Return the answers that eight threads wait for."""
    answers: list[Future[Any]] = [
        threads.submit(link.call, "com.example.x", [], {}, TIMEOUT) for _ in range(4)
    ]
    answers += [
        threads.submit(link.publish, "com.example.x", [], {}, True, TIMEOUT) for _ in range(4)
    ]
    sent(transport, message.Call, turns, 4)
    sent(transport, message.Publish, turns, 4)
    return answers


def test_link_release_raises_in_every_thread_that_waits(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    """Without a turn of the reactor, which may be the thread that waits for them to end."""
    answers = waiting(link, transport, turns, threads)
    link.release("the node stops")
    for answer in answers:
        with pytest.raises(NotConnected, match="the node stops"):
            answer.result(TIMEOUT)
    assert link._waiting == set()


def test_link_is_refused_after_the_release(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    link.release("the node stops")
    for work in (
        lambda: link.call("x", [], {}, TIMEOUT),
        lambda: link.publish("x", [], {}, True, TIMEOUT),
    ):
        with pytest.raises(NotConnected, match="the node stops"):
            threads.submit(work).result(TIMEOUT)
    turns.run_pending()
    assert transport.sent == []


def test_link_lost_session_raises_in_every_thread_that_waits(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answers = waiting(link, transport, turns, threads)
    transport.lose()
    for answer in answers:
        with pytest.raises(NotConnected, match="while an answer was awaited"):
            answer.result(TIMEOUT)


def test_link_without_a_session(turns: Turns, threads: ThreadPoolExecutor) -> None:
    link = SessionLink(ReactorQueue(turns.call_from_thread))
    for reason in ("there is no session yet", "the router is away"):
        answer = threads.submit(link.call, "x", [], {}, TIMEOUT)
        turns.run_until(answer.done)
        with pytest.raises(NotConnected, match=reason):
            answer.result()
        link.detach("the router is away")


def test_link_attached_again(link: SessionLink, turns: Turns, threads: ThreadPoolExecutor) -> None:
    link.detach("the router is away")
    transport = Transport()
    link.attach(joined(transport))
    answer = threads.submit(link.call, "x", [], {}, TIMEOUT)
    (call,) = sent(transport, message.Call, turns)
    transport.receive(message.Result(call.request, args=[1]))
    assert answer.result(TIMEOUT) == 1


def test_link_release_races_with_callers(turns: Turns, threads: ThreadPoolExecutor) -> None:
    """Whoever calls at the very moment of the release is told as well, and nobody waits on."""
    for _ in range(50):
        link = SessionLink(ReactorQueue(turns.call_from_thread))
        link.attach(joined(Transport()))
        barrier = threading.Barrier(9, timeout=TIMEOUT)

        def call(link: SessionLink = link, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            link.call("x", [], {}, TIMEOUT)

        answers = [threads.submit(call) for _ in range(8)]
        barrier.wait()
        link.release("the node stops")
        for answer in answers:
            with pytest.raises(NotConnected, match="the node stops"):
                answer.result(TIMEOUT)
        turns.run_pending()
