"""What runs while a node stops: views that take their time, and then call others."""

import time

from flask import Flask, g, request

from flask_wamp import WAMP

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=30)
wamp = WAMP(app)
#: The pages that were asked for, of this process.
begun: list[float] = []


@wamp.callee("com.stop.slow", request=False)
def slow(seconds: float) -> str:
    """Take some time."""
    time.sleep(seconds)
    return "done"


@wamp.callee("com.stop.nested", request=False)
def nested(seconds: float) -> str:
    """Take some time, and then call what takes some time."""
    time.sleep(seconds)
    return str(g.wampy.call("com.stop.slow", seconds))


@app.route("/slow")
def slow_page() -> str:
    """Take some time, and then call."""
    seconds = float(request.args["seconds"])
    begun.append(seconds)
    time.sleep(seconds)
    return str(g.wampy.call("com.stop.nested", seconds))


@app.get("/begun")
def begun_pages() -> str:
    """Return how many of those pages were asked for."""
    return str(len(begun))
