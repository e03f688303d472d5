"""The Flask application that is measured, and the sessions that host it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.types import RegisterOptions
from flask import Flask, g
from pydantic import BaseModel
from twisted.internet.defer import inlineCallbacks

from flask_wamp import WAMP, Access
from flask_wamp.crossbar import ViewsSession, WebSession

app = Flask(__name__)
wamp = WAMP(app)


class Pair(BaseModel):
    """What is validated."""

    a: int
    b: int


def lets(access: Access) -> bool:
    """Let everybody in whom the router asks for; a role that has permissions it does not."""
    return access.session is not None


wamp.procedure("com.bench.bare", allow="everyone")


@wamp.callee("com.bench.flask", allow=lets)
def add(a: Any, b: Any) -> Any:
    """Answer the call that is compared with the bare component's."""
    return a + b


@wamp.callee("com.bench.checked")
def add_checked(a: int, b: int) -> int:
    """Answer a call whose arguments are validated."""
    return a + b


@wamp.callee("com.bench.model")
def add_pair(pair: Pair) -> int:
    """Answer a call whose argument is made a model."""
    return pair.a + pair.b


@wamp.callee("com.bench.stream.flask")
def count(to: Any) -> Iterator[int]:
    """Send progressive results."""
    yield from range(to)


class Counter:
    """Counts events, and tells when as many have been handled as were awaited."""

    def __init__(self, name: str, handlers: int) -> None:
        self._name = name
        self._handlers = handlers
        self._handled = 0
        self._lock = threading.Lock()

    def handle(self, last: bool) -> None:
        """Handle an event; each handler's last one has *last*."""
        if not last:
            return
        with self._lock:
            self._handled += 1
            if self._handled < self._handlers:
                return
            self._handled = 0
        g.wampy.publish(f"com.bench.handled.{self._name}", acknowledge=False)


def subscribe(name: str, handlers: int) -> None:
    """Subscribe *handlers* ordered handlers to the topic of *name*."""
    counter = Counter(name, handlers)
    for _ in range(handlers):

        @wamp.consume(f"com.bench.events.{name}")
        def handle(last: Any) -> None:
            counter.handle(last)


subscribe("one", 1)
subscribe("eight", 8)


@app.get("/routed")
@wamp.callee("com.bench.routed")
def routed() -> dict[str, Any]:
    """Answer a call through the pipeline that HTTP runs."""
    return {"sum": 3}


@app.get("/plain")
def plain() -> dict[str, Any]:
    """Answer HTTP without a call."""
    return {"sum": 3}


@app.get("/call")
def call() -> dict[str, Any]:
    """Answer HTTP with one call of a bare component."""
    return {"sum": g.wampy.call("com.bench.bare", 1, 2)}


@wamp.callee("com.bench.publish")
def publish(count: int, acknowledge: bool) -> float:
    """Publish *count* events, and return the seconds that it took."""
    begin = time.perf_counter()
    for number in range(count):
        g.wampy.publish("com.bench.topic", number, acknowledge=acknowledge)
    return time.perf_counter() - begin


class Web(WebSession):
    """Gives the WSGI views their link."""

    application = "benchmarks.app:app"
    awaited = ("com.bench.bare",)


class Views(ViewsSession):
    """Serves the Flask procedures."""

    application = "benchmarks.app:app"


class Bare(ApplicationSession):
    """A procedure as Autobahn has it, without Flask."""

    @inlineCallbacks
    def onJoin(self, details: Any) -> Any:
        """Register the procedures, and subscribe."""
        yield self.register(lambda a, b: a + b, "com.bench.bare")
        # What the application calls that runs under other servers.
        yield self.register(lambda number: 2 * number, "com.peer.double")

        def count(to: int, details: Any) -> None:
            for number in range(to):
                details.progress(number)

        options = RegisterOptions(details_arg="details")
        yield self.register(count, "com.bench.stream.bare", options)

        def handle(last: bool) -> None:
            if last:
                self.publish("com.bench.handled.bare")

        yield self.subscribe(handle, "com.bench.events.bare")
