"""An application whose serving processes are replaced while it is used."""

import logging
import os
import sys
import time
from pathlib import Path

from flask import Flask, g

from flask_wamp import WAMP

app = Flask("replaced")
wamp = WAMP(app)
log = logging.getLogger("replaced")


@wamp.callee("com.replaced.pid")
def pid() -> int:
    """Return which process answers."""
    return os.getpid()


@wamp.callee("com.replaced.alone", invoke="single")
def alone() -> int:
    """Return which process has this one alone."""
    return os.getpid()


@wamp.callee("com.replaced.double")
def double(n: int) -> int:
    """Return twice *n*, and ask for it within a call of the same process now and then."""
    if n % 10 == 9:
        return int(g.wampy.call("com.replaced.double", n - 1)) + 2
    return 2 * n


@wamp.callee("com.replaced.sleep")
def sleep(path: str) -> int:
    """Sleep until there is a file."""
    print("asleep")  # noqa: T201
    while not Path(path).exists():
        time.sleep(0.01)
    return os.getpid()


@wamp.callee("com.replaced.count")
def count() -> int:
    """Keep the interpreter's lock for long."""
    print("counting")  # noqa: T201
    return sum(range(10**11))


@wamp.callee("com.replaced.say")
def say(text: str) -> None:
    """Print and log, as views do."""
    print(text)  # noqa: T201
    print(text, file=sys.stderr)  # noqa: T201
    log.warning("%s, logged", text)
    try:
        raise LookupError(text)
    except LookupError:
        log.exception("failed")


@wamp.subscribe("com.replaced.topic")
def handle(n: int) -> None:
    """Tell which process has handled an event."""
    g.wampy.publish("com.replaced.handled", os.getpid(), n)
