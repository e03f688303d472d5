"""The application that every server runs: it calls, publishes, serves and subscribes."""

import os
from typing import Any

from flask import Flask, abort, g, jsonify, request

from flask_wamp import WAMP, WAMPError, invocation

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=30)
app.config.from_prefixed_env()
wamp = WAMP(app)


@app.get("/quick")
def quick() -> dict[str, int]:
    """Answer without a call."""
    return {"pid": os.getpid()}


@app.get("/call/<int:number>")
def call(number: int) -> Any:
    """Answer with what the tests' peer says to the number."""
    return {"answer": g.wampy.call("com.peer.double", number)}


@app.get("/held/<int:number>")
def held(number: int) -> Any:
    """Answer when the tests' peer does."""
    return {"answer": g.wampy.call("com.peer.hold", number)}


@app.post("/publish/<int:number>")
def publish(number: int) -> Any:
    """Publish the number."""
    topic = app.config["WAMP_URI_PREFIX"] + ".published"
    return {"publication": g.wampy.publish(topic, number)}


@app.errorhandler(WAMPError)
def explain(error: WAMPError) -> Any:
    """Say what went wrong with the router."""
    return jsonify(error=type(error).__name__, text=str(error)), 503


@wamp.callee
def process() -> int:
    """Return the process that serves."""
    return os.getpid()


@wamp.callee(invoke="single")
def alone() -> int:
    """Return the one process that has this procedure."""
    return os.getpid()


@wamp.callee
def asks(number: int) -> Any:
    """Answer a call with the answer to another."""
    return g.wampy.call("com.peer.double", number)


@app.get("/guarded/<name>")
@wamp.callee
def guarded(name: str) -> dict[str, Any]:
    """Answer where the guard below lets it."""
    return {"name": name, "caller": invocation.caller if request.method == "CALL" else None}


@wamp.subscribe(app.config["WAMP_URI_PREFIX"] + ".topic")
def on_event(number: int) -> None:
    """Tell who has handled an event."""
    g.wampy.publish(app.config["WAMP_URI_PREFIX"] + ".handled", number, os.getpid())


# At the end: what is served before it is there would be open.
@app.before_request
def guard() -> None:
    """Keep strangers out of the guarded view."""
    if request.path == "/guarded/stranger":
        abort(403)
