"""A second service on the node, which must not notice what happens to the first."""

import os

from flask import Flask

from flask_wamp import WAMP

from .names import OTHER, OTHER_WHO

app = Flask(__name__)
wamp = WAMP(app)


@wamp.callee(OTHER)
def echo(number: int) -> int:
    """Return the number."""
    return number


@wamp.callee(OTHER_WHO)
def who() -> int:
    """Return the id of the process that serves."""
    return os.getpid()
