"""An application whose processes count, and say whether everything is there."""

import os
import threading
from typing import Any

from flask import Flask, abort, g

from flask_wamp import WAMP
from flask_wamp.crossbar import ViewsSession, WebSession
from flask_wamp.observe import health, metrics

app = Flask(__name__)
app.config.from_mapping(WAMP_METRICS=True)
app.config.from_prefixed_env()
wamp = WAMP(app)
app.register_blueprint(health())
app.register_blueprint(metrics())

let_go = threading.Event()


@wamp.callee("com.observed.add", invoke="roundrobin", allow="everyone")
def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


@wamp.callee("com.observed.fail", invoke="roundrobin", allow="everyone")
def fail() -> None:
    """Fail."""
    abort(404)


@wamp.callee("com.observed.any", match="prefix", invoke="roundrobin", allow="everyone")
def anything() -> int:
    """Tell which process answers."""
    return os.getpid()


@wamp.callee("com.observed.hold", invoke="roundrobin", allow="everyone")
def hold() -> None:
    """Run until com.observed.let_go is called."""
    let_go.wait(30)


@wamp.callee("com.observed.let_go", invoke="roundrobin", allow="everyone")
def end_hold() -> None:
    """Let com.observed.hold end."""
    let_go.set()


@wamp.subscribe("com.observed.topic")
def handle(value: Any) -> None:
    """Fail where the value is not to its liking."""
    if value == "bad":
        raise ValueError(value)


wamp.topic("com.observed.topic", publish="everyone")


@app.get("/call")
def call() -> dict[str, int]:
    """Call a procedure."""
    return {"sum": g.wampy.call("com.observed.add", 1, 2)}


class Web(WebSession):
    """Hosts the application."""

    application = "tests.node.apps.observed:app"


class Views(ViewsSession):
    """Serves it."""

    application = "tests.node.apps.observed:app"
