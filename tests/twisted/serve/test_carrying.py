"""What calls and events bring along, on the wire: into views and handlers, and out again."""

import queue
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from autobahn.wamp import message
from flask import g

from flask_wamp import WAMP, correlated, correlation_id, event, invocation
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp.tracing.carrier import Carried, pack, unpack
from flask_wamp.tracing.current import sending

from ..doubles import OPTIONS, TIMEOUT, UNACKNOWLEDGED, Serving, Transport, Turns
from ..helpers import sent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALL = Carried("s1", "e1", "job-7", PARENT)


def carried_by(transport: Transport, kind: Any, turns: Turns) -> Carried:
    """Return what the one message of a *kind* brings along."""
    (msg,) = sent(transport, kind, turns)
    return unpack(msg.transaction_hash)


def test_carrying_a_call(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    def call() -> Any:
        with correlated("job-7"):
            return link.call("com.example.add", [], {}, OPTIONS)

    answer = threads.submit(call)
    assert carried_by(transport, message.Call, turns) == Carried(correlation="job-7")
    transport.receive(message.Result(transport.of_kind(message.Call)[0].request, args=[3]))
    assert answer.result(TIMEOUT) == 3


def test_carrying_a_call_that_was_started(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    with correlated("job-7"):
        link.start("com.example.add", [], {}, OPTIONS)
    assert carried_by(transport, message.Call, turns) == Carried(correlation="job-7")


def test_carrying_a_stream(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    def begin() -> Any:
        with correlated("job-7"):
            return link.stream("com.example.add", [], {}, OPTIONS)

    streamed = threads.submit(begin).result(TIMEOUT)
    found = carried_by(transport, message.Call, turns)
    assert found == Carried(stream=streamed.reply.token, correlation="job-7")
    (msg,) = transport.of_kind(message.Call)
    assert msg.receive_progress


def test_carrying_an_event_that_is_not_acknowledged(
    link: SessionLink, transport: Transport, turns: Turns
) -> None:
    with sending(Carried(None, "e1", "job-7", PARENT)):
        link.publish("com.example.sold", [], {}, UNACKNOWLEDGED)
    assert carried_by(transport, message.Publish, turns) == Carried(None, "e1", "job-7", PARENT)


def test_carrying_an_event_that_is_acknowledged(
    link: SessionLink, transport: Transport, turns: Turns, threads: ThreadPoolExecutor
) -> None:
    def publish() -> Any:
        with correlated("job-7"):
            return link.publish("com.example.sold", [], {}, OPTIONS)

    answer = threads.submit(publish)
    assert carried_by(transport, message.Publish, turns) == Carried(correlation="job-7")
    transport.receive(message.Published(transport.of_kind(message.Publish)[0].request, 5))
    assert answer.result(TIMEOUT) == 5


def test_carrying_nothing(link: SessionLink, transport: Transport, turns: Turns) -> None:
    link.start("com.example.add", [], {}, OPTIONS)
    link.publish("com.example.sold", [], {}, UNACKNOWLEDGED)
    (call,) = sent(transport, message.Call, turns)
    (publish,) = transport.of_kind(message.Publish)
    assert (call.transaction_hash, publish.transaction_hash) == (None, None)


def test_carried_by_a_call_into_its_view_and_on(wamp: WAMP, serve: Serving) -> None:
    seen: list[Any] = []

    @wamp.callee("com.example.outer")
    def outer() -> Any:
        seen.append((correlation_id(), invocation.carried))
        g.wampy.publish("com.example.sold", acknowledge=False)
        return g.wampy.call("com.example.inner")

    @wamp.callee("com.example.inner")
    def inner() -> str | None:
        return correlation_id()

    router = serve()
    request = router.invoke("com.example.outer", token=pack(*ALL))
    assert router.answer(request).args == ["job-7"]
    assert seen == [("job-7", ALL)]
    (publish,) = router.transport.of_kind(message.Publish)
    assert unpack(publish.transaction_hash) == Carried(correlation="job-7", traceparent=PARENT)


@pytest.mark.parametrize("text", [None, "", "another program's", "fw1;c=a b", "fw1;" + "c" * 600])
def test_carried_by_a_call_is_nothing_of_use(wamp: WAMP, serve: Serving, text: str | None) -> None:
    wamp.callee("com.example.id")(correlation_id)
    router = serve()
    requests = [router.invoke("com.example.id", token=text) for _ in range(2)]
    one, another = (router.answer(request).args[0] for request in requests)
    assert len(one) == len(another) == 16
    assert one != another


def test_carried_by_an_event_into_its_handler(wamp: WAMP, serve: Serving, turns: Turns) -> None:
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @wamp.consume("com.example.sold")
    def sold() -> None:
        seen.put((correlation_id(), event.carried))

    router = serve()
    router.publish("com.example.sold", carried=pack(*ALL))
    assert seen.get(timeout=TIMEOUT) == ("job-7", ALL)
    router.publish("com.example.sold")
    turns.run_pending()
    made, carried = seen.get(timeout=TIMEOUT)
    assert (len(made), carried) == (16, Carried())
