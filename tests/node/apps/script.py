"""A Flask application outside of Crossbar, as a program: ``python -m tests.node.apps.script``."""

import os
import signal
import sys
import threading
import warnings
from typing import Any

import click
from flask import Flask, g, jsonify

from flask_wamp import WAMP, WAMPError

app = Flask(__name__)
app.config.from_prefixed_env()
wamp = WAMP(app)


def say(text: object) -> None:
    """Tell the test."""
    click.echo(str(text))


@wamp.callee("com.outside.hold")
def hold() -> None:
    """Never answer."""
    say("holding")
    threading.Event().wait(60)


@wamp.callee("com.outside.add")
def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


@wamp.consume(topic="com.outside.topic")
def consume(message: str) -> None:
    """Say what came."""
    say(f"consumed {message}")


@app.get("/sum/<int:a>/<int:b>")
def sum_over_wamp(a: int, b: int) -> Any:
    """Ask the node for a sum."""
    try:
        return {"sum": g.wampy.call("com.test.add", a, b)}
    except WAMPError as error:
        return jsonify(error=type(error).__name__, text=str(error)), 503


@app.shell_context_processor
def for_shells() -> dict[str, str]:
    """Be there at a prompt."""
    return {"processed": "by the application"}


@app.cli.command("sum")
@click.argument("a", type=int)
@click.argument("b", type=int)
def sum_command(a: int, b: int) -> None:
    """Ask the node for a sum."""
    say(g.wampy.call("com.test.add", a, b))


def main(order: str) -> None:
    """Do what the test orders."""
    if order == "serve":
        wamp.start(app)
        say("serving")
        signal.sigwait({signal.SIGTERM})
        wamp.stop(app)
        say("stopped")
    elif order == "call":
        with app.app_context():
            say(f"sum {g.wampy.call('com.test.add', 3, 4)}")
    elif order == "fork":
        fork()


def fork() -> None:
    """Call before a fork, in the child, and in the parent afterwards."""
    with app.app_context():
        say(f"before {g.wampy.call('com.test.add', 1, 0)}")
        # From 3.12 on Python warns of forks with threads about; that this one works is the test.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            say(f"child {g.wampy.call('com.test.add', 2, 0)}")
            sys.exit()
        say(f"parent {g.wampy.call('com.test.add', 3, 0)}")
        _, status = os.waitpid(child, 0)
        say(f"the child has ended with {os.waitstatus_to_exitcode(status)}")
        say(f"after {g.wampy.call('com.test.add', 4, 0)}")


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main(sys.argv[1])
