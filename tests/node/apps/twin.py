"""An application with a procedure that the service has, too."""

from flask import Flask

from flask_wamp import WAMP

app = Flask(__name__)
app.config.from_prefixed_env()
wamp = WAMP(app)


@wamp.callee("com.twin.own")
def own() -> str:
    """Be nobody else's procedure."""
    return "own"


@wamp.callee("com.test.add")
def taken(a: int, b: int) -> int:
    """Be the service's procedure."""
    return a - b
