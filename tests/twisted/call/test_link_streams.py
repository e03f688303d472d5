"""The link's streams: results as they come, to a thread that takes its time."""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp import (
    BlockingCallError,
    CallTimeout,
    Canceled,
    NotConnected,
    RemoteError,
    StreamOverflow,
)
from flask_wamp._twisted import replies as session_module
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.call.pending import Streamed
from flask_wamp._twisted.flow import FLOW
from flask_wamp._twisted.replies import PAUSE_AT, RESUME_AT
from flask_wamp.call.options import Options

from ..doubles import OPTIONS, TIMEOUT, Transport, Turns, eventually


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
    assert taker.call.transaction_hash == f"fw1;s={token}"
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
