"""The link: threads that wait, and what ends their wait."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message
from autobahn.wamp.types import CloseDetails
from twisted.internet.defer import Deferred

from flask_wamp import (
    BlockingCallError,
    CallTimeout,
    NotConnected,
    RegistrationFailed,
    RemoteError,
    SetupError,
    WAMPError,
)
from flask_wamp._twisted.call import link as link_module
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.replies import Reply
from flask_wamp._twisted.session import Session
from flask_wamp.call.options import Options
from flask_wamp.declare.declared import Subscription

from ..doubles import OPTIONS, TIMEOUT, UNACKNOWLEDGED, Transport, Turns, eventually, joined
from ..helpers import sent


def test_link_call(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.add", [1], {"b": 2}, OPTIONS)
    (call,) = sent(transport, message.Call, turns)
    assert (call.procedure, call.args, call.kwargs) == ("com.example.add", [1], {"b": 2})
    transport.receive(message.Result(call.request, args=[3]))
    assert answer.result(TIMEOUT) == 3


def test_link_call_answered_with_an_error(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.add", [], {}, OPTIONS)
    (call,) = sent(transport, message.Call, turns)
    transport.receive(message.Error(48, call.request, "com.example.x", args=["no"]))
    with pytest.raises(RemoteError, match=r"com\.example\.x: no"):
        answer.result(TIMEOUT)


def test_link_each_thread_gets_its_own_answer(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answers = [threads.submit(link.call, "echo", [n], {}, OPTIONS) for n in range(8)]
    for call in reversed(sent(transport, message.Call, turns, 8)):
        transport.receive(message.Result(call.request, args=call.args))
    assert [answer.result(TIMEOUT) for answer in answers] == list(range(8))


@pytest.mark.parametrize("acknowledge", [True, None])
def test_link_publish_acknowledged(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    acknowledge: bool | None,
) -> None:
    """Which is the default."""
    options = Options(timeout=TIMEOUT, acknowledge=acknowledge)
    answer = threads.submit(link.publish, "com.example.x", [1], {"b": 2}, options)
    (event,) = sent(transport, message.Publish, turns)
    assert event.acknowledge
    assert not answer.done()
    transport.receive(message.Published(event.request, 77))
    assert answer.result(TIMEOUT) == 77


def test_link_publish_unacknowledged_does_not_wait(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.publish, "com.example.x", [1], {"b": 2}, UNACKNOWLEDGED)
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
    assert link.publish("com.example.x", [], {}, UNACKNOWLEDGED) is None
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
            link.publish("com.example.x", [n], {}, UNACKNOWLEDGED)
            waiting.append(len(link._queue))

    flooding = threads.submit(flood)
    eventually(lambda: flooding.done() or len(link._queue) == 12)
    assert max(waiting) == 11
    turns.run_until(flooding.done)
    turns.run_pending()
    flooding.result()
    assert [event.args for event in transport.of_kind(message.Publish)] == [[n] for n in range(50)]


def test_link_publish_unacknowledged_without_a_session(turns: Turns) -> None:
    link = SessionLink(turns.queue())
    link.detach("the router is away")
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(link.publish, "com.example.x", [], {}, UNACKNOWLEDGED)
        turns.run_until(answer.done)
    with pytest.raises(NotConnected, match="the router is away"):
        answer.result()


@pytest.mark.parametrize(
    "block",
    [
        lambda link: link.call("com.example.x", [], {}, OPTIONS),
        lambda link: link.publish("com.example.x", [], {}, OPTIONS),
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
    answer = threads.submit(link.call, "com.example.slow", [], {}, Options(timeout=0.5))
    (call,) = sent(transport, message.Call, turns)
    turns.run_until(answer.done)
    text = r"'com\.example\.slow' was not answered within 0\.5 s"
    with pytest.raises(CallTimeout, match=text) as caught:
        answer.result()
    # The log of an application shows one traceback, not two.
    assert caught.value.__context__ is None
    (cancel,) = sent(transport, message.Cancel, turns)
    assert cancel.request == call.request
    transport.receive(message.Result(call.request, args=["late"]))
    assert link._waiting == set()


def test_link_timeout_before_the_call_was_sent_sends_nothing(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.call, "com.example.slow", [], {}, Options(timeout=0.01))
    with pytest.raises(CallTimeout):
        answer.result(TIMEOUT)
    turns.run_pending()
    assert transport.sent == []


def test_link_timeout_of_a_publish(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    answer = threads.submit(link.publish, "com.example.x", [], {}, Options(timeout=0.05))
    turns.run_until(answer.done)
    with pytest.raises(CallTimeout, match=r"the publish to 'com\.example\.x' was not answered"):
        answer.result()


def waiting(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> list[Future[Any]]:
    """Return the answers that eight threads wait for."""
    answers: list[Future[Any]] = [
        threads.submit(link.call, "com.example.x", [], {}, OPTIONS) for _ in range(4)
    ]
    answers += [threads.submit(link.publish, "com.example.x", [], {}, OPTIONS) for _ in range(4)]
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
        lambda: link.call("x", [], {}, OPTIONS),
        lambda: link.publish("x", [], {}, OPTIONS),
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
    link = SessionLink(turns.queue())
    for reason in ("there is no session yet", "the router is away"):
        answer = threads.submit(link.call, "x", [], {}, OPTIONS)
        turns.run_until(answer.done)
        with pytest.raises(NotConnected, match=reason):
            answer.result()
        link.detach("the router is away")


def test_link_attached_again(link: SessionLink, turns: Turns, threads: ThreadPoolExecutor) -> None:
    link.detach("the router is away")
    transport = Transport()
    link.attach(joined(transport))
    answer = threads.submit(link.call, "x", [], {}, OPTIONS)
    (call,) = sent(transport, message.Call, turns)
    transport.receive(message.Result(call.request, args=[1]))
    assert answer.result(TIMEOUT) == 1


def test_link_release_races_with_callers(turns: Turns, threads: ThreadPoolExecutor) -> None:
    """Whoever calls at the very moment of the release is told as well, and nobody waits on."""
    for _ in range(50):
        link = SessionLink(turns.queue())
        link.attach(joined(Transport()))
        barrier = threading.Barrier(9, timeout=TIMEOUT)

        def call(link: SessionLink = link, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            link.call("x", [], {}, OPTIONS)

        answers = [threads.submit(call) for _ in range(8)]
        barrier.wait()
        link.release("the node stops")
        for answer in answers:
            with pytest.raises(NotConnected, match="the node stops"):
                answer.result(TIMEOUT)
        turns.run_pending()


# --- what is added while running


class Adding:
    """A server that notes what is added and removed, and answers when the test says so."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.outcome: Deferred[Any] = Deferred()

    def add(self, declared: Any) -> Any:
        """Note what is to be served."""
        self.got.append(("add", declared))
        return self.outcome

    def remove(self, declared: Any) -> Any:
        """Note what is to be served no more."""
        self.got.append(("remove", declared))
        return self.outcome


@pytest.mark.parametrize("name", ["add", "remove"])
@pytest.mark.parametrize("refused", [True, False])
def test_link_adds_and_removes_where_the_session_serves(
    link: SessionLink, turns: Turns, threads: ThreadPoolExecutor, name: str, refused: bool
) -> None:
    server: Any = Adding()
    assert link._session is not None
    link._session.server = server
    declared = Subscription(print, "com.example.topic")
    outcome = threads.submit(getattr(link, name), declared, TIMEOUT)
    turns.run_until(lambda: server.got)
    assert server.got == [(name, declared)]
    assert not outcome.done()
    if refused:
        server.outcome.errback(RegistrationFailed("refused"))
        with pytest.raises(RegistrationFailed, match="refused"):
            outcome.result(TIMEOUT)
    else:
        server.outcome.callback(server)
        assert outcome.result(TIMEOUT) is None


def test_link_adds_nothing_where_the_session_only_calls(
    link: SessionLink, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    declared = Subscription(print, "com.example.topic")
    adding = threads.submit(link.add, declared, TIMEOUT)
    turns.run_until(adding.done)
    with pytest.raises(SetupError, match="this process only calls and publishes"):
        adding.result()
    removing = threads.submit(link.remove, declared, TIMEOUT)
    turns.run_until(removing.done)
    assert removing.result() is None


def test_link_add_has_a_timeout(
    link: SessionLink, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    server: Any = Adding()
    assert link._session is not None
    link._session.server = server
    adding = threads.submit(link.add, Subscription(print, "com.example.topic"), 0.05)
    turns.run_until(adding.done)
    with pytest.raises(CallTimeout, match=r"the registration was not answered within 0\.05 s"):
        adding.result()


# --- the end of the process


def test_link_that_ends_refuses_the_thread_that_ends_the_process(link: SessionLink) -> None:
    link.leave_waiting("the process ends")
    for use in (
        lambda: link.call("com.example.x", [], {}, OPTIONS),
        lambda: link.publish("com.example.x", [], {}, OPTIONS),
        lambda: link.stream("com.example.x", [], {}, OPTIONS),
        lambda: link.start("com.example.x", [], {}, OPTIONS).result(None),
    ):
        with pytest.raises(NotConnected, match="the process ends"):
            use()


def test_link_that_ends_leaves_daemons_where_they_are(
    link: SessionLink, session: Session, turns: Turns
) -> None:
    """Those that wait, and one that asks only then."""
    woken: list[WAMPError] = []

    def wait() -> None:
        try:
            link.call("com.example.x", [], {}, Options(timeout=0.5))
        except WAMPError as error:
            woken.append(error)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    turns.run_until(lambda: len(session._replies) == 1)
    link.leave_waiting("the process ends")
    session.forget_replies()
    session.onLeave(CloseDetails("wamp.close.goodbye_and_out"))
    asking = threading.Thread(target=wait, daemon=True)
    asking.start()
    for thread in (waiting, asking):
        thread.join(TIMEOUT)
    # Nothing but their own time has ended the wait.
    assert [type(error) for error in woken] == [CallTimeout, CallTimeout]


def test_link_wait_that_a_signal_ends_cancels_the_call(
    link: SessionLink,
    transport: Transport,
    turns: Turns,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(reply: Reply, timeout: float | None = None) -> None:
        eventually(lambda: reply.session is not None)
        raise KeyboardInterrupt

    monkeypatch.setattr(Reply, "result", interrupted)
    answer = threads.submit(link.call, "com.example.x", [], {}, OPTIONS)
    turns.run_until(lambda: len(transport.sent) == 2)
    assert [type(msg) for msg in transport.sent] == [message.Call, message.Cancel]
    assert isinstance(answer.exception(TIMEOUT), KeyboardInterrupt)
