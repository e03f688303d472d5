"""The Flask application that is measured, and the sessions that host it."""

import time
from typing import Any

from autobahn.twisted.wamp import ApplicationSession
from flask import Flask, g
from twisted.internet.defer import inlineCallbacks

from flask_wamp import WAMP
from flask_wamp.crossbar import ViewsSession, WebSession

app = Flask(__name__)
wamp = WAMP(app)


@wamp.callee("com.bench.flask")
def add(a: int, b: int) -> int:
    """Answer the call that is compared with the bare component's."""
    return a + b


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
        """Register the procedure."""
        yield self.register(lambda a, b: a + b, "com.bench.bare")
