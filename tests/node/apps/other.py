"""A second Flask application, which calls the first one and is called by it."""

import time
from typing import Any

from flask import Flask, g

from flask_wamp import WAMP

from .errors import NoStock

app = Flask(__name__)
app.config.from_prefixed_env()
wamp = WAMP(app)
wamp.error("com.test.error.no_stock")(NoStock)


@wamp.callee("com.other.take")
def take(item: str, wanted: int) -> str:
    """Refuse with a mapped exception."""
    raise NoStock(item, wanted=wanted)


@wamp.callee("com.other.buy")
def buy(item: str) -> dict[str, Any]:
    """Ask the first application for an item, which refuses with the mapped exception."""
    try:
        return {"bought": g.wampy.call("com.test.take", item, wanted=7)}
    except NoStock as error:
        return {"item": error.item, "wanted": error.wanted, "text": str(error)}


@wamp.callee("com.other.take_unnoticed")
def take_unnoticed(item: str) -> Any:
    """Let the first application's refusal pass through."""
    return g.wampy.call("com.test.take", item, wanted=9)


@wamp.callee("com.other.wait", request=False)
def wait(seconds: float) -> str:
    """Take some time."""
    time.sleep(seconds)
    return "waited"
