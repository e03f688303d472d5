"""Progressive results of generators: their ways, their gates, and whether they are taken."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message
from flask import g

from flask_wamp import WAMP, CallResult, invocation
from flask_wamp._twisted.flow import FLOW, GOES_ON, IS_FULL, IS_GONE
from flask_wamp._twisted.serve import calls, window
from flask_wamp._twisted.serve.window import AHEAD, BYTES, PARTS, Window
from flask_wamp._twisted.threads import STREAMS, STREAMS_OF_A_STRANGER

from ..doubles import SESSION_ID, TIMEOUT, Blocked, Router, Serving, Turns

CHECK = FLOW + "check"
CANCELED = "wamp.error.canceled"


class Endless:
    """A generator that the test holds before each of its results."""

    def __init__(self) -> None:
        self.blocked = Blocked()
        self.ended = threading.Semaphore(0)
        self.yielded = 0

    def __call__(self) -> Iterator[int]:
        try:
            while True:
                self.yielded += 1
                yield self.yielded
                self.blocked()
        finally:
            self.ended.release()

    def wait_for_end(self, count: int = 1) -> None:
        """Wait until the generator has cleaned up, as often as it has run."""
        for _ in range(count):
            assert self.ended.acquire(timeout=TIMEOUT)


def checks(router: Router) -> list[list[Any]]:
    """Return the questions whether results are taken, as their arguments."""
    return [msg.args for msg in router.transport.of_kind(message.Call) if msg.procedure == CHECK]


def test_streams_results_come_one_after_another(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee("com.shop.count")
    def count(n: int) -> Any:
        yield from range(n)
        yield CallResult((1, 2))
        return "end"

    router = serve(threads=1)
    request = router.invoke("com.shop.count", 3, progress=True)
    assert router.value(request) == "end"
    assert router.parts(request) == [[0], [1], [2], [1, 2]]


def test_streams_end_without_a_value(wamp: WAMP, serve: Serving) -> None:
    """The last result has no payload then, which is no further item."""

    @wamp.callee("com.shop.count")
    def count() -> Iterator[int]:
        yield 1

    router = serve()
    request = router.invoke("com.shop.count", progress=True)
    assert router.answer(request).args is None
    assert router.parts(request) == [[1]]


def test_streams_are_a_list_for_who_takes_no_progress(wamp: WAMP, serve: Serving) -> None:
    @wamp.callee("com.shop.count")
    def count() -> Iterator[int]:
        yield from range(3)

    router = serve()
    request = router.invoke("com.shop.count")
    assert router.value(request) == [0, 1, 2]
    assert router.parts(request) == []


def test_streams_are_on_their_way_while_the_generator_runs(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    router = serve()
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(request) == [[1]])
    assert router.answers(request) == []
    router.interrupt(request)
    view.blocked.go_on.set()
    view.wait_for_end()


def test_streams_error_midway(wamp: WAMP, serve: Serving) -> None:
    @wamp.error("com.shop.no_stock")
    class NoStock(Exception):
        pass

    @wamp.callee("com.shop.sell")
    def sell() -> Iterator[int]:
        yield 1
        raise NoStock("pen")

    router = serve()
    request = router.invoke("com.shop.sell", progress=True)
    error = router.error(request)
    assert (error.error, error.args) == ("com.shop.no_stock", ["pen"])
    assert router.parts(request) == [[1]]


def test_streams_canceled_close_the_generator(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    wamp.callee("com.shop.quick")(lambda: 1)
    router = serve(threads=1)
    request = router.invoke("com.shop.count", progress=True)
    view.blocked.wait()
    turns.run_until(lambda: router.parts(request))
    router.interrupt(request)
    assert router.error(request).error == CANCELED
    view.blocked.go_on.set()
    view.wait_for_end()
    assert router.value(router.invoke("com.shop.quick")) == 1
    assert router.parts(request) == [[1]]
    assert len(router.answers(request)) == 1
    assert view.yielded == 2


def test_streams_of_a_lost_session_close_the_generator(
    wamp: WAMP, serve: Serving, turns: Turns, twisted_log: list[str]
) -> None:
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    router = serve(threads=1)
    router.invoke("com.shop.count", progress=True)
    view.blocked.wait()
    router.transport.lose()
    view.blocked.go_on.set()
    view.wait_for_end()
    turns.run_pending()
    assert not any("Traceback" in text for text in twisted_log)


def test_streams_part_that_cannot_be_sent_ends_the_call(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    ended = threading.Event()

    @wamp.callee("com.shop.count")
    def count() -> Iterator[Any]:
        try:
            yield 1
            yield "x" * 2**21
            while True:
                yield 2
                invocation.wait_cancelled(0.001)
        finally:
            ended.set()

    router = serve(threads=1)
    request = router.invoke("com.shop.count", progress=True)
    assert router.error(request).error == "wamp.error.payload_size_exceeded"
    turns.run_until(ended.is_set)
    turns.run_pending()
    assert router.parts(request) == [[1]]
    assert len(router.answers(request)) == 1


def test_streams_generator_sees_that_it_is_canceled(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    seen: list[bool] = []

    @wamp.callee("com.shop.count")
    def count() -> Iterator[int]:
        yield 1
        seen.append(invocation.wait_cancelled(TIMEOUT))

    router = serve()
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(request))
    router.interrupt(request)
    turns.run_until(lambda: seen)
    assert seen == [True]


# --- gates


def test_streams_leave_their_gate(
    wamp: WAMP, serve: Serving, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose caller takes its time keeps no quick call out."""
    monkeypatch.setattr(calls, "GATE", 1)
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    wamp.callee("com.shop.quick")(lambda: 1)
    router = serve(threads=2)
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(request))
    for _ in range(3):
        assert router.value(router.invoke("com.shop.quick")) == 1
    server: Any = router.session.server
    assert (server.calls._outside._open, server.calls._outside.streams) == (0, {7: 1})
    router.interrupt(request)
    view.blocked.go_on.set()
    turns.run_until(lambda: not server.calls._outside.streams)


def test_streams_have_a_limit_of_their_own(
    wamp: WAMP, serve: Serving, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STREAMS == 100
    monkeypatch.setattr(calls, "STREAMS", 2)
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    router = serve(threads=5)
    server: Any = router.session.server
    streaming = [router.invoke("com.shop.count", progress=True) for _ in range(2)]
    turns.run_until(lambda: server.calls._outside.streams.total() == 2)
    refused = router.invoke("com.shop.count", progress=True)
    error = router.error(refused)
    assert (error.error, error.kwargs["status"]) == ("wamp.error.unavailable", 503)
    assert "busy: as many calls as may send results do so already" in error.args[0]
    # Colleagues have theirs, and this process has none.
    others = [
        router.invoke("com.shop.count", progress=True, authrole="backend"),
        router.invoke("com.shop.count", progress=True, caller=SESSION_ID, authrole="backend"),
    ]
    turns.run_until(lambda: all(map(router.parts, others)))
    for request in (*streaming, *others):
        router.interrupt(request)
    view.blocked.go_on.set()
    view.wait_for_end(5)
    turns.run_until(
        lambda: not server.calls._outside.streams and not server.calls._colleagues.streams
    )
    assert router.parts(refused) == []
    again = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(again))
    router.interrupt(again)
    view.wait_for_end()


def test_streams_of_one_stranger_are_limited(
    wamp: WAMP, serve: Serving, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one cannot keep the others from streaming; a service has many users."""
    assert STREAMS_OF_A_STRANGER == 25
    monkeypatch.setattr(calls, "STREAMS_OF_A_STRANGER", 1)
    view = Endless()
    wamp.callee("com.shop.count")(view.__call__)
    router = serve(threads=6)
    server: Any = router.session.server
    first = router.invoke("com.shop.count", progress=True, caller=7)
    turns.run_until(lambda: router.parts(first))
    refused = router.invoke("com.shop.count", progress=True, caller=7)
    assert router.error(refused).error == "wamp.error.unavailable"
    others = [
        router.invoke("com.shop.count", progress=True, caller=8),
        *(
            router.invoke("com.shop.count", progress=True, caller=9, authrole="backend")
            for _ in range(2)
        ),
    ]
    turns.run_until(lambda: all(map(router.parts, others)))
    assert (server.calls._outside.streams, server.calls._colleagues.streams) == (
        {7: 1, 8: 1},
        {9: 2},
    )
    for request in (first, *others):
        router.interrupt(request)
    view.blocked.go_on.set()
    view.wait_for_end(5)
    turns.run_until(
        lambda: not server.calls._outside.streams and not server.calls._colleagues.streams
    )


def test_streams_whose_caller_is_gone_end(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    """Where no interrupt has said so."""
    yielded = counting(wamp, 1000 * PARTS)
    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: IS_GONE
    server: Any = router.session.server
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: yielded and not server.calls._running)
    turns.run_until(lambda: not server.calls._outside.streams)
    assert len(yielded) < 100 * PARTS
    assert router.answers(request) == []


def test_streams_keep_their_place_in_the_limit_of_the_procedure(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    view = Endless()
    wamp.callee("com.shop.count", concurrency=1, queue=0)(view.__call__)
    router = serve(threads=4)
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(request))
    busy = router.error(router.invoke("com.shop.count", progress=True))
    assert busy.error == "wamp.error.unavailable"
    router.interrupt(request)
    view.blocked.go_on.set()
    view.wait_for_end()
    server: Any = router.session.server
    turns.run_until(lambda: not server.calls._outside.streams)
    again = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: router.parts(again))
    router.interrupt(again)
    view.wait_for_end()


def test_streams_of_generators_without_a_result_stay_in_their_gate(
    wamp: WAMP, serve: Serving, turns: Turns
) -> None:
    blocked = Blocked()

    @wamp.callee("com.shop.count")
    def count() -> Iterator[int]:
        blocked()
        yield 1

    router = serve()
    request = router.invoke("com.shop.count", progress=True)
    blocked.wait()
    server: Any = router.session.server
    turns.run_pending()
    assert (server.calls._outside._open, server.calls._outside.streams) == (1, {})
    blocked.go_on.set()
    router.answer(request)
    assert (server.calls._outside._open, server.calls._outside.streams) == (0, {})


# --- whether the results are taken


def counting(wamp: WAMP, total: int, size: int = 0) -> list[int]:
    """Declare ``com.shop.count``, and return what notes how far it is."""
    yielded: list[int] = []

    @wamp.callee("com.shop.count")
    def count() -> Iterator[Any]:
        for n in range(total):
            yielded.append(n)
            yield "x" * size if size else n

    return yielded


def test_streams_ask_behind_every_so_many_results(wamp: WAMP, serve: Serving) -> None:
    """About the caller and its stream; the question travels behind the results."""
    counting(wamp, 3 * PARTS)
    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: GOES_ON
    request = router.invoke("com.shop.count", progress=True, token="token")
    router.answer(request)
    assert len(router.parts(request)) == 3 * PARTS
    assert checks(router) == [[7, "token"]] * 3
    kinds = [
        type(msg) for msg in router.transport.sent if type(msg) in (message.Yield, message.Call)
    ]
    assert kinds.index(message.Call) == PARTS - 1


def test_streams_ask_behind_so_many_bytes(wamp: WAMP, serve: Serving) -> None:
    counting(wamp, 6, size=BYTES // 3 + 1)
    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: GOES_ON
    router.answer(router.invoke("com.shop.count", progress=True))
    assert len(checks(router)) == 2


def test_streams_wait_for_an_answer(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    """And the thread hands its place over meanwhile."""
    yielded = counting(wamp, 10 * PARTS)
    wamp.callee("com.shop.quick")(lambda: 1)
    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: IS_FULL
    request = router.invoke("com.shop.count", progress=True, token="token")
    turns.run_until(lambda: len(checks(router)) == AHEAD)
    assert router.value(router.invoke("com.shop.quick")) == 1
    assert len(yielded) == AHEAD * PARTS
    assert len(router.parts(request)) == AHEAD * PARTS - 1

    # It asks again, less and less often, until the results are taken.
    for _ in range(5):
        before = len(checks(router))
        turns.clock.advance(window.LONGEST_DELAY)
        turns.run_until(lambda before=before: len(checks(router)) == before + AHEAD)  # type: ignore[misc]
        turns.run_pending()
        assert len(yielded) == AHEAD * PARTS
    router.answers_of[CHECK] = lambda *_about: GOES_ON
    turns.clock.advance(window.LONGEST_DELAY)
    router.answer(request)
    assert len(router.parts(request)) == 10 * PARTS
    assert turns.clock.getDelayedCalls() == []


def test_streams_go_on_where_nobody_answers(wamp: WAMP, serve: Serving) -> None:
    """The router's "no such procedure" says that the results have reached it."""
    counting(wamp, 5 * PARTS)
    router = serve(threads=1)
    request = router.invoke("com.shop.count", progress=True)
    router.answer(request)
    assert len(router.parts(request)) == 5 * PARTS
    assert len(checks(router)) == 5


@pytest.mark.parametrize("end", ["interrupt", "loss"])
def test_streams_that_wait_end_when_nobody_wants_them(
    wamp: WAMP, serve: Serving, turns: Turns, end: str
) -> None:
    yielded = counting(wamp, 10 * PARTS)
    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: IS_FULL
    server: Any = router.session.server
    request = router.invoke("com.shop.count", progress=True)
    turns.run_until(lambda: len(checks(router)) == AHEAD)
    turns.run_pending()
    if end == "interrupt":
        router.interrupt(request)
        assert router.error(request).error == CANCELED
    else:
        router.transport.lose()
    turns.run_until(lambda: not server.calls._outside.streams)
    assert len(yielded) == AHEAD * PARTS
    asked = len(checks(router))
    turns.clock.advance(1)
    turns.run_pending()
    assert len(checks(router)) == asked
    assert turns.clock.getDelayedCalls() == []


@pytest.mark.parametrize("length", [64, 65])
def test_streams_of_a_caller_with_a_name_too_long(wamp: WAMP, serve: Serving, length: int) -> None:
    """It is no stream of ours, and is not paused by name."""
    counting(wamp, PARTS)
    router = serve()
    router.answer(router.invoke("com.shop.count", progress=True, token="x" * length))
    assert checks(router) == [[7, "x" * length if length == 64 else None]]


# --- from a view to its process's own procedure, and back


def test_streams_within_one_process(wamp: WAMP, serve: Serving) -> None:
    counting(wamp, 5 * PARTS)

    @wamp.callee("com.shop.sum")
    def sum_() -> int:
        return sum(g.wampy.stream("com.shop.count"))

    router = serve(threads=1)
    request = router.invoke("com.shop.sum")
    assert router.value(request) == sum(range(5 * PARTS))


def test_streams_that_are_left_within_one_process(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    view = Endless()
    view.blocked.go_on.set()
    wamp.callee("com.shop.count")(view.__call__)

    @wamp.callee("com.shop.first")
    def first() -> int:
        with g.wampy.stream("com.shop.count") as stream:
            return int(next(stream))

    router = serve(threads=1)
    router.answers_of[CHECK] = lambda *_about: GOES_ON
    assert router.value(router.invoke("com.shop.first")) == 1
    turns.run_until(lambda: view.ended.acquire(blocking=False))


def test_streams_many_at_once(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    @wamp.callee("com.shop.count")
    def count(n: int) -> Iterator[list[int]]:
        for part in range(2 * PARTS + 3):
            yield [n, part]

    router = serve(threads=4)
    router.answers_of[CHECK] = lambda *_about: GOES_ON
    requests = [router.invoke("com.shop.count", n, progress=True) for n in range(6)]
    for request in requests:
        router.answer(request)
    for n, request in enumerate(requests):
        assert router.parts(request) == [[[n, part]] for part in range(2 * PARTS + 3)]


# --- calls that are started within a process


def test_streams_calls_started_at_once_within_one_process(wamp: WAMP, serve: Serving) -> None:
    wamp.callee("com.shop.double")(lambda n: 2 * n)

    @wamp.callee("com.shop.all")
    def all_(count: int) -> Any:
        return g.wampy.gather(g.wampy.start_call("com.shop.double", n) for n in range(count))

    router = serve(threads=1)
    assert router.value(router.invoke("com.shop.all", 50)) == [2 * n for n in range(50)]


def test_streams_window_is_open_again_after_an_answer(turns: Turns) -> None:
    """Answers that come while nobody waits count as well."""
    asked: list[Any] = []
    queue = turns.queue()
    window = Window(asked.append, lambda: None, queue.put, turns.clock.callLater)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(AHEAD - 1):
            thread.submit(window.take, BYTES).result(TIMEOUT)
        waiting = thread.submit(window.take, BYTES)
        turns.run_until(lambda: len(asked) == AHEAD)
        assert not waiting.done()
        asked[0].succeed(GOES_ON)
        waiting.result(TIMEOUT)
        waiting = thread.submit(window.take, BYTES)
        turns.run_until(lambda: len(asked) == AHEAD + 1)
        assert not waiting.done()
        window.close()
        waiting.result(TIMEOUT)
        thread.submit(window.take, BYTES).result(TIMEOUT)
    turns.run_pending()
    assert len(asked) == AHEAD + 1
