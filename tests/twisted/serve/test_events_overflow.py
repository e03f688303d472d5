"""Handlers that are slower than their events come: what each policy does, counts and logs."""

from typing import Any

import pytest

from flask_wamp import WAMP, correlation_id, event
from flask_wamp._twisted.serve import backlog, overflow
from flask_wamp._twisted.serve.events import event_counts
from flask_wamp._twisted.serve.overflow import EventCounts, Waiting, packed, unpacked
from flask_wamp.context import Event

from ..doubles import Blocked, Router, Serving, Turns
from ..helpers import call, server_of

TOPIC = "com.example.topic"


class Handler:
    """A handler of one thread that the test holds until it opens the way."""

    def __init__(self, wamp: WAMP, serve: Serving, turns: Turns) -> None:
        self._wamp = wamp
        self._serve = serve
        self._turns = turns
        self.blocked = Blocked()
        self.seen: list[Any] = []
        self.router: Router

    def begin(self, **options: Any) -> Router:
        """Serve it, with the event 0 in hand."""

        @self._wamp.subscribe(TOPIC, **options)
        def handle(n: int, **_more: Any) -> None:
            self.blocked()
            self.seen.append(n)

        self.router = self._serve(threads=1)
        self.publish(0)
        self.blocked.wait()
        return self.router

    def publish(self, *numbers: int) -> None:
        """Publish *numbers*, an event each."""
        for n in numbers:
            self.router.publish(TOPIC, n)

    def open_the_way(self) -> None:
        """Let it handle all that waits."""
        self.blocked.go_on.set()
        self._turns.run_until(lambda: self.counts.waiting == self.counts.running == 0)

    @property
    def counts(self) -> EventCounts:
        """How its events fare."""
        (queue,) = server_of(self.router).events._queues.values()
        counts = queue.counts()
        assert isinstance(counts, EventCounts)
        return counts


@pytest.fixture
def handler(wamp: WAMP, serve: Serving, turns: Turns) -> Handler:
    """Return a handler that is to be served."""
    return Handler(wamp, serve, turns)


class Wire:
    """The socket of a session, which is read or not."""

    def __init__(self, router: Router) -> None:
        self._reads = True
        router.transport.transport = self  # type: ignore[attr-defined]

    def pauseProducing(self) -> None:
        """Read no more."""
        self._reads = False

    def resumeProducing(self) -> None:
        """Read on."""
        self._reads = True

    def is_read(self) -> bool:
        """Tell which."""
        return self._reads


def lines(twisted_log: list[str]) -> list[str]:
    """Return what the log has of slow handlers."""
    return [line for line in twisted_log if "events of" in line]


def test_overflow_error_drops_what_comes_and_logs_it(
    handler: Handler, twisted_log: list[str]
) -> None:
    handler.begin(queue=3, overflow="error")
    handler.publish(*range(1, 10))
    (line,) = lines(twisted_log)
    assert "3 events of com.example.topic wait for" in line
    assert "handle" in line
    assert "dropped until it has caught up" in line
    handler.open_the_way()
    assert handler.seen == [0, 1, 2, 3]
    assert "6 events of com.example.topic were dropped" in lines(twisted_log)[1]
    assert (handler.counts.dropped, handler.counts.spilled) == (6, 0)

    # It has caught up, so the next one is handled.
    handler.publish(10)
    handler.open_the_way()
    assert handler.seen[-1] == 10


def test_overflow_drop_oldest_keeps_the_news(handler: Handler, twisted_log: list[str]) -> None:
    handler.begin(queue=3, overflow="drop_oldest")
    handler.publish(*range(1, 10))
    handler.open_the_way()
    assert handler.seen == [0, 7, 8, 9]
    assert (handler.counts.dropped, handler.counts.spilled) == (6, 0)
    assert ["oldest is dropped" in line for line in lines(twisted_log)] == [True, False]


def test_overflow_spill_is_the_default_and_loses_nothing(
    handler: Handler, twisted_log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "WORTH_RECORDS", 20)
    handler.begin(queue=10)
    handler.publish(*range(1, 1000))
    assert handler.counts.waiting == 999
    handler.open_the_way()
    assert handler.seen == list(range(1000))
    counts = handler.counts
    assert (counts.spilled, counts.dropped) == (989, 0)
    assert (counts.topic, counts.match, counts.blocked) == (TOPIC, "exact", 0.0)
    assert counts.handler.endswith("handle")
    assert counts in event_counts()
    first, last = lines(twisted_log)
    assert "further ones wait on disk" in first
    assert "0 events of com.example.topic were dropped, 989 had waited on disk" in last


def test_overflow_events_come_back_from_the_disk_as_they_were(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    blocked, seen = Blocked(), list[Any]()

    @wamp.subscribe("com.example..topic", match="wildcard", queue=1)
    def handle(*args: Any, **kwargs: Any) -> None:
        blocked()
        about = (event.uri, event.parts, event.publication, event.retained, event.id)
        seen.append((args, kwargs, *about, correlation_id()))

    router = serve(threads=1)
    payload: tuple[tuple[Any, ...], dict[str, Any]] = (
        (1, 2.5, None, True, "ä", b"\x00\xff", [1, [2]], 2**63, {"x": [None]}),
        {"fun": 1, "options": {"y": b""}},
    )
    for _ in range(4):
        router.publish(
            "com.example..topic",
            *payload[0],
            topic="com.example.a.topic",
            carried="fw1;e=an-event;c=a-request",
            **payload[1],
        )
    blocked.go_on.set()
    turns.run_until(lambda: len(seen) == 4)
    about = ("com.example.a.topic", ("a",), 5, False, "an-event", "a-request")
    assert seen == [(*payload, *about)] * 4


def test_overflow_gives_back_what_is_too_deep_for_a_handler() -> None:
    """What cannot be read again would take those behind it along; who handles it refuses it."""
    deep: Any = []
    for _ in range(600):
        deep = [deep]
    waiting: Waiting = (Event(TOPIC, 5), [deep], {})
    assert unpacked(packed(waiting)) == waiting


def test_overflow_block_leaves_the_events_to_the_router(
    handler: Handler, twisted_log: list[str], turns: Turns
) -> None:
    wire = Wire(handler.begin(queue=3, overflow="block"))
    handler.publish(1, 2)
    assert wire.is_read()
    handler.publish(3)
    assert not wire.is_read()
    # What had been read already is kept all the same.
    handler.publish(4, 5)
    handler.open_the_way()
    assert wire.is_read()
    assert handler.seen == [0, 1, 2, 3, 4, 5]
    counts = handler.counts
    assert counts.dropped == 0
    assert counts.blocked > 0
    assert "reads no further ones" in lines(twisted_log)[0]
    turns.clock.advance(60)
    assert handler.counts.blocked == counts.blocked


def test_overflow_block_reads_while_an_answer_is_awaited(handler: Handler, turns: Turns) -> None:
    """So a handler that calls does not wait for ever."""
    router = handler.begin(queue=1, overflow="block")
    router.answers_of["com.example.x"] = 5
    wire = Wire(router)
    handler.publish(1)
    assert not wire.is_read()
    reply = call(router.session)
    assert wire.is_read()
    handler.publish(2, 3)
    turns.run_until(reply.done)
    turns.clock.advance(1)
    assert not wire.is_read()
    handler.open_the_way()
    assert handler.seen == [0, 1, 2, 3]
    assert wire.is_read()


def test_overflow_full_disk_lets_the_router_keep_what_comes(
    handler: Handler, twisted_log: list[str], turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_spill: Any, _records: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backlog, "WORTH_RECORDS", 5)
    monkeypatch.setattr("flask_wamp._twisted.serve.spill.Spill.write", fail)
    wire = Wire(handler.begin(queue=3))
    handler.publish(*range(1, 10))
    turns.run_until(lambda: not wire.is_read())
    assert any("No space left on device -- make room" in line for line in lines(twisted_log))
    handler.open_the_way()
    assert handler.seen == list(range(10))
    assert wire.is_read()
    assert handler.counts.dropped == 0


def test_overflow_order_holds_over_a_lost_session(
    handler: Handler, serve: Serving, turns: Turns
) -> None:
    """One event at a time, those of the session before first."""
    old = handler.begin(queue=3)
    handler.publish(*range(1, 10))
    old.transport.lose()
    handler.router = serve.again()
    handler.publish(*range(10, 20))
    assert not handler.blocked.reached.acquire(blocking=False)
    handler.open_the_way()
    assert handler.seen == list(range(20))
    assert handler.counts.spilled == 16


def test_overflow_concurrency_handles_what_was_on_disk_together(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "WORTH_RECORDS", 1)
    handler.begin(queue=2, concurrency=3)
    handler.publish(*range(1, 100))
    assert handler.counts.running == 3
    handler.open_the_way()
    assert sorted(handler.seen) == list(range(100))


def test_overflow_is_told_once_a_minute_and_all_is_summed_up(
    handler: Handler, twisted_log: list[str], turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler.begin(queue=1, overflow="error")
    handler.publish(1, 2)
    handler.open_the_way()
    assert len(lines(twisted_log)) == 2
    for _ in range(20):
        handler.blocked.go_on.clear()
        while handler.blocked.reached.acquire(blocking=False):
            pass
        handler.publish(3)
        handler.blocked.wait()
        handler.publish(4, 5, 6)
        handler.open_the_way()
    assert len(lines(twisted_log)) == 2
    turns.clock.advance(overflow.PAUSE)
    assert "40 events of com.example.topic were dropped" in lines(twisted_log)[2]
    assert handler.counts.dropped == 41


def test_overflow_event_that_cannot_be_kept_is_dropped_and_logged(
    handler: Handler, twisted_log: list[str]
) -> None:
    server = server_of(handler.begin(queue=1))
    (queue,) = server.events._queues.values()
    handler.publish(1)
    queue.put(queue._backlog._memory[0][0], [object()], {})
    handler.publish(2)
    handler.open_the_way()
    assert handler.seen == [0, 1, 2]
    assert any("is dropped, as it cannot be kept" in line for line in twisted_log)
    assert handler.counts.dropped == 1
    assert server.events.unfinished() == 0
