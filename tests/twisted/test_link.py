"""The link: threads that wait, and what ends their wait."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.defer import Deferred

from flask_wamp import (
    BlockingCallError,
    CallTimeout,
    Canceled,
    NotConnected,
    RegistrationFailed,
    RemoteError,
    SetupError,
    StreamOverflow,
)
from flask_wamp._twisted import replies as session_module
from flask_wamp._twisted.call import link as link_module
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.call.pending import Started, Streamed
from flask_wamp._twisted.flow import FLOW
from flask_wamp._twisted.replies import PAUSE_AT, RESUME_AT
from flask_wamp.call.options import Options
from flask_wamp.declare.declared import Subscription

from .doubles import OPTIONS, TIMEOUT, UNACKNOWLEDGED, Transport, Turns, eventually, joined


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
    link = SessionLink(turns.queue())
    link.attach(joined(transport))
    return link


def sent(transport: Transport, kind: type[Any], turns: Turns, count: int = 1) -> list[Any]:
    """Return messages of one kind, when as many have been sent."""
    turns.run_until(lambda: len(transport.of_kind(kind)) >= count)
    return transport.of_kind(kind)


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
    answer = threads.submit(link.call, "com.example.slow", [], {}, Options(timeout=0.05))
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


# --- calls whose result is awaited later


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


# --- streams


class Taker:
    """A stream, and threads that take its results while the test is the router."""

    def __init__(
        self, link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
    ) -> None:
        self.link = link
        self.transport = transport
        self.turns = turns
        self._threads = threads
        self.call: Any = None
        self.streamed: Streamed | None = None

    def begin(self, options: Options = OPTIONS) -> Streamed:
        """Return the stream, whose call was sent."""
        begun = self._threads.submit(self.link.stream, "com.example.x", [1], {"b": 2}, options)
        self.streamed = begun.result(TIMEOUT)
        self.turns.run_pending()
        self.call = self.transport.of_kind(message.Call)[-1]
        return self.streamed

    def receive(self, *values: Any) -> None:
        """Let progressive results come."""
        for value in values:
            result = message.Result(self.call.request, args=[value], progress=True)
            self.transport.receive(result)

    def end(self, *args: Any) -> None:
        """Let the last result come."""
        self.transport.receive(message.Result(self.call.request, args=list(args) or None))

    def next(self) -> "Future[Any]":
        """Take the next result; the end of the stream is ``"end"``."""

        def take() -> Any:
            assert self.streamed is not None
            try:
                return self.streamed.next()
            except StopIteration:
                return "end"

        return self._threads.submit(take)

    def take(self, count: int) -> list[Any]:
        """Return results that have come."""
        return [self.next().result(TIMEOUT) for _ in range(count)]

    def told(self) -> list[tuple[str, Any]]:
        """Return what the flow control was told."""
        self.turns.run_pending()
        calls = self.transport.of_kind(message.Call)
        return [
            (call.procedure.removeprefix(FLOW), *call.args)
            for call in calls
            if call.procedure.startswith(FLOW)
        ]


@pytest.fixture
def taker(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> Taker:
    """Return what takes the results of a stream."""
    return Taker(link, transport, turns, threads)


def test_link_stream_gives_results_as_they_come(taker: Taker) -> None:
    taker.begin()
    call = taker.call
    assert (call.procedure, call.args, call.kwargs) == ("com.example.x", [1], {"b": 2})
    assert call.receive_progress
    waiting = taker.next()
    assert not waiting.done()
    taker.receive(1)
    assert waiting.result(TIMEOUT) == 1
    taker.receive(None, [2])
    assert taker.take(2) == [None, [2]]
    taker.end()
    assert taker.take(3) == ["end"] * 3
    assert taker.link._waiting == set()


def test_link_stream_last_result_is_the_last_item(taker: Taker) -> None:
    taker.begin()
    taker.receive(1)
    taker.end(0)
    assert taker.take(4) == [1, 0, "end", "end"]


def test_link_stream_of_a_procedure_that_is_not_progressive(taker: Taker) -> None:
    taker.begin()
    taker.end(5)
    assert taker.take(2) == [5, "end"]


def test_link_stream_of_a_procedure_without_a_result(taker: Taker) -> None:
    taker.begin()
    taker.end()
    assert taker.take(1) == ["end"]


@pytest.mark.parametrize(
    ("end", "error"),
    [("error", RemoteError), ("loss", NotConnected), ("release", NotConnected)],
)
def test_link_stream_ends_with_an_error(taker: Taker, end: str, error: type[Exception]) -> None:
    """After the results that had come before; and from then on it is at its end."""
    taker.begin()
    taker.receive(1)
    if end == "error":
        taker.transport.receive(message.Error(48, taker.call.request, "com.example.e"))
    elif end == "loss":
        taker.transport.lose()
    else:
        taker.link.release("the node stops")
    assert taker.take(1) == [1]
    with pytest.raises(error):
        taker.next().result(TIMEOUT)
    assert taker.take(1) == ["end"]
    taker.turns.run_pending()
    assert taker.transport.of_kind(message.Cancel) == []


def test_link_stream_end_wakes_who_waits(taker: Taker) -> None:
    taker.begin()
    waiting = taker.next()
    taker.transport.lose()
    with pytest.raises(NotConnected, match="while an answer was awaited"):
        waiting.result(TIMEOUT)


def test_link_stream_next_result_has_its_own_time(taker: Taker) -> None:
    taker.begin(Options(timeout=0.05, cancel_mode="kill"))
    taker.receive(1, 2)
    assert taker.take(2) == [1, 2]
    with pytest.raises(CallTimeout, match=r"gave no result within 0\.05 s, after 2"):
        taker.next().result(TIMEOUT)
    taker.turns.run_pending()
    (cancel,) = taker.transport.of_kind(message.Cancel)
    assert (cancel.request, cancel.mode) == (taker.call.request, "kill")
    assert taker.take(1) == ["end"]
    assert taker.link._waiting == set()


def test_link_stream_has_no_deadline_as_a_whole(taker: Taker) -> None:
    taker.begin(Options(timeout=5))
    for n in range(10):
        taker.turns.clock.advance(4)
        taker.receive(n)
        assert taker.take(1) == [n]
    assert taker.turns.clock.getDelayedCalls() == []


def test_link_stream_closed(taker: Taker) -> None:
    streamed = taker.begin(Options(timeout=TIMEOUT, cancel_mode="skip"))
    taker.receive(1, 2)
    assert taker.take(1) == [1]
    streamed.close()
    streamed.close()
    assert taker.take(1) == ["end"]
    taker.turns.run_pending()
    (cancel,) = taker.transport.of_kind(message.Cancel)
    assert (cancel.request, cancel.mode) == (taker.call.request, "skip")
    taker.receive(3)
    taker.end(4)
    assert taker.take(1) == ["end"]
    assert taker.link._waiting == set()


def test_link_stream_closed_by_another_thread_wakes_who_waits(taker: Taker) -> None:
    streamed = taker.begin()
    waiting = taker.next()
    streamed.close()
    with contextlib.suppress(Canceled):
        assert waiting.result(TIMEOUT) == "end"
    assert taker.take(1) == ["end"]


def test_link_stream_closed_before_it_was_sent(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    streamed = threads.submit(link.stream, "x", [], {}, OPTIONS).result(TIMEOUT)
    streamed.close()
    turns.run_pending()
    assert transport.sent == []


def test_link_stream_closed_after_the_end(taker: Taker) -> None:
    streamed = taker.begin()
    taker.end(1)
    assert taker.take(2) == [1, "end"]
    streamed.close()
    taker.turns.run_pending()
    assert taker.transport.of_kind(message.Cancel) == []


def test_link_stream_pauses_its_callee_and_lets_it_go_on(taker: Taker) -> None:
    assert (PAUSE_AT, RESUME_AT) == (512, 128)
    streamed = taker.begin()
    token = streamed.reply.token
    assert taker.call.transaction_hash == token
    taker.receive(*range(PAUSE_AT - 1))
    assert taker.told() == []
    taker.receive(PAUSE_AT - 1)
    assert taker.told() == [("pause", token)]
    taken = taker.take(PAUSE_AT - RESUME_AT - 1)
    assert taker.told() == [("pause", token)]
    taken += taker.take(1)
    assert taker.told() == [("pause", token), ("resume", token)]
    taken += taker.take(RESUME_AT)
    assert taker.told() == [("pause", token), ("resume", token)]
    assert taken == list(range(PAUSE_AT))
    taker.receive(*range(PAUSE_AT))
    assert [what for what, _token in taker.told()] == ["pause", "resume", "pause"]


def test_link_stream_taken_at_the_moment_of_the_pause_goes_on(
    taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The taker may be done with all that waits while its callee is being told to pause."""
    streamed = taker.begin()
    waiting = streamed.reply.waiting

    class TakenMeanwhile:
        """Counts what waits; then the taker takes all of it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(waiting, name)

        def qsize(self) -> int:
            count = waiting.qsize()
            if count == PAUSE_AT:
                monkeypatch.setattr(streamed.reply, "waiting", waiting)
                assert taker.take(count) == list(range(count))
            return count

    monkeypatch.setattr(streamed.reply, "waiting", TakenMeanwhile())
    taker.receive(*range(PAUSE_AT))
    next_one = taker.next()
    eventually(next_one.running)
    whats = [what for what, _token in taker.told()]
    taker.end(0)
    assert next_one.result(TIMEOUT) == 0
    assert whats in ([], ["pause", "resume"])


def test_link_streams_are_named_apart(taker: Taker) -> None:
    tokens = {taker.begin().reply.token for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) <= 64 for token in tokens)


def test_link_stream_that_overflows(taker: Taker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "OVERFLOW", 5)
    taker.begin()
    taker.receive(*range(8))
    assert taker.take(5) == [0, 1, 2, 3, 4]
    with pytest.raises(StreamOverflow, match=r"results of com\.example\.x wait already"):
        taker.next().result(TIMEOUT)
    (cancel,) = taker.transport.of_kind(message.Cancel)
    assert cancel.request == taker.call.request


def test_link_stream_refuses_to_block_the_reactor_thread(
    link: SessionLink, transport: Transport, turns: Turns, taker: Taker
) -> None:
    with pytest.raises(BlockingCallError):
        link.stream("com.example.x", [], {}, OPTIONS)
    turns.run_pending()
    assert transport.sent == []
    streamed = taker.begin()
    taker.receive(1)
    assert streamed.next() == 1
    with pytest.raises(BlockingCallError, match="would block the reactor thread"):
        streamed.next()


def test_link_stream_without_a_session(turns: Turns, threads: ThreadPoolExecutor) -> None:
    link = SessionLink(turns.queue())
    link.detach("the router is away")
    streamed = threads.submit(link.stream, "x", [], {}, OPTIONS).result(TIMEOUT)
    waiting = threads.submit(streamed.next)
    turns.run_pending()
    with pytest.raises(NotConnected, match="the router is away"):
        waiting.result(TIMEOUT)


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
