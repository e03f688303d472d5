"""The client of the measurements: a bare Autobahn session on the backend's Unix socket.

``python -m benchmarks.client SOCKET`` prints its figures as JSON.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, cast

from autobahn.twisted.component import Component
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.types import CallOptions
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.internet.task import react

ROUNDS = 15
SERIAL_CALLS = 300
PARALLEL_CALLS = 2000
IN_FLIGHT = 64
PUBLISHES = 1000
PARTS = 3000
EVENTS = 3000
PROCEDURES = (
    "com.bench.bare",
    "com.bench.flask",
    "com.bench.routed",
    "com.bench.checked",
    "com.bench.model",
)


@inlineCallbacks
def serial(session: ApplicationSession, uri: str, args: tuple[Any, ...]) -> Any:
    """Return the seconds that a call takes, one after another: the median, whatever stalls."""
    seconds = []
    for _ in range(SERIAL_CALLS):
        begin = time.perf_counter()
        yield session.call(uri, *args)
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


@inlineCallbacks
def parallel(session: ApplicationSession, uri: str, args: tuple[Any, ...]) -> Any:
    """Return the calls per second with :data:`IN_FLIGHT` at a time."""
    numbers: Iterator[int] = iter(range(PARALLEL_CALLS))

    @inlineCallbacks
    def caller() -> Any:
        for _ in numbers:
            yield session.call(uri, *args)

    begin = time.perf_counter()
    yield DeferredList([caller() for _ in range(IN_FLIGHT)], fireOnOneErrback=True)
    return PARALLEL_CALLS / (time.perf_counter() - begin)


@inlineCallbacks
def publishing(session: ApplicationSession, acknowledge: bool) -> Any:
    """Return the events per second that a view publishes, until the last one has arrived."""
    arrived: Deferred[None] = Deferred()

    def receive(number: int) -> None:
        if number == PUBLISHES - 1:
            arrived.callback(None)

    subscription = yield session.subscribe(receive, "com.bench.topic")
    begin = time.perf_counter()
    yield session.call("com.bench.publish", PUBLISHES, acknowledge)
    yield arrived
    seconds = time.perf_counter() - begin
    yield subscription.unsubscribe()
    return PUBLISHES / seconds


@inlineCallbacks
def streaming(session: ApplicationSession, kind: str) -> Any:
    """Return the progressive results per second of a call."""
    taken: list[int] = []
    options = CallOptions(on_progress=taken.append)
    begin = time.perf_counter()
    yield session.call(f"com.bench.stream.{kind}", PARTS, options=options)
    seconds = time.perf_counter() - begin
    if taken != list(range(PARTS)):
        raise AssertionError(f"{len(taken)} of {PARTS} results have come")
    return PARTS / seconds


@inlineCallbacks
def handling(session: ApplicationSession, kind: str) -> Any:
    """Return the events per second that subscribers have handled, until the last one has."""
    handled: Deferred[None] = Deferred()
    subscription = yield session.subscribe(
        lambda: handled.callback(None), f"com.bench.handled.{kind}"
    )
    begin = time.perf_counter()
    for number in range(EVENTS):
        session.publish(f"com.bench.events.{kind}", number == EVENTS - 1)
    yield handled
    seconds = time.perf_counter() - begin
    yield subscription.unsubscribe()
    return EVENTS / seconds


@inlineCallbacks
def measure(session: ApplicationSession) -> Any:
    """Return every figure of every round; what is compared alternates."""
    figures: dict[str, list[float]] = {}

    @inlineCallbacks
    def take(name: str, action: Callable[..., Any], *args: Any) -> Any:
        figures.setdefault(name, []).append((yield action(session, *args)))

    for uri in PROCEDURES:
        yield parallel(session, uri, arguments(uri))
    for _ in range(ROUNDS):
        for uri in PROCEDURES:
            yield take(f"serial {uri}", serial, uri, arguments(uri))
        for uri in PROCEDURES:
            yield take(f"parallel {uri}", parallel, uri, arguments(uri))
        for acknowledge in (True, False):
            name = "acknowledged" if acknowledge else "unacknowledged"
            yield take(f"publish {name}", publishing, acknowledge)
        for kind in ("bare", "flask"):
            yield take(f"stream {kind}", streaming, kind)
        for kind in ("bare", "one", "eight"):
            yield take(f"events {kind}", handling, kind)
    return figures


def arguments(uri: str) -> tuple[Any, ...]:
    """Return what the procedure is called with."""
    if uri == "com.bench.routed":
        return ()
    return ({"a": 1, "b": 2},) if uri == "com.bench.model" else (1, 2)


def main(reactor: Any, socket: str) -> Any:
    """Join, measure, print."""
    component = Component(
        transports=[
            {
                "type": "rawsocket",
                "url": "rs://localhost",
                "serializer": "cbor",
                "endpoint": {"type": "unix", "path": socket},
            }
        ],
        realm="realm1",
    )
    # Its default session leaves calls pending for ever when the transport is lost.
    component.session_factory = cast(Any, ApplicationSession)
    done: Deferred[None] = Deferred()

    @component.on_join
    @inlineCallbacks
    def joined(session: ApplicationSession, _details: Any) -> Any:
        try:
            figures = yield measure(session)
        except Exception as error:  # noqa: BLE001 - a failed measurement ends the program
            done.errback(error)
            return
        sys.stdout.write(json.dumps(figures))
        done.callback(None)

    component.start(reactor)
    return done


if __name__ == "__main__":
    react(main, sys.argv[1:])
