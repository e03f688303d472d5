"""Ways in which a process ends, as a program: ``python -m tests.node.apps.exits WAY``."""

import asyncio
import atexit
import multiprocessing
import sys
import threading
import warnings
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import Any

import click
from flask import Flask, g

from flask_wamp import WAMP, NotConnected, SessionInfo, connect

TOPIC = "com.exits.topic"
COUNT = 100
FILLING = "x" * 1000

app = Flask(__name__)
app.config.from_prefixed_env()
wamp = WAMP(app)
ways: dict[str, Callable[[], Any]] = {}


def say(text: object) -> None:
    """Tell the test."""
    click.echo(str(text))


def way(function: Callable[[], Any]) -> Callable[[], Any]:
    """Let a function be one of the ways, under its name."""
    ways[function.__name__] = function
    return function


@wamp.on_leave
def on_leave(session: SessionInfo) -> None:
    """Say why a session has ended, where that is what the test asks for."""
    if sys.argv[1] == "leaves":
        say(f"left: {session.reason}")


def publish_many() -> None:
    """Publish without waiting for anything."""
    with app.app_context():
        for number in range(COUNT):
            g.wampy.publish(TOPIC, number, FILLING, acknowledge=False)


@way
def publishes() -> None:
    """End behind events that nobody has acknowledged."""
    publish_many()


@way
def leaves() -> None:
    """End with a function that is to be told."""
    publish_many()


@way
def connects() -> None:
    """End behind events that were published without an application."""
    with connect(app.config["WAMP_URL"], tls_ca=app.config.get("WAMP_TLS_CA")) as wampy:
        for number in range(COUNT):
            wampy.publish(TOPIC, number, FILLING, acknowledge=False)


@way
def raises() -> None:
    """End with an exception."""
    publish_many()
    raise ValueError("the script's own")


@way
def exits_in_a_thread() -> None:
    """Let a thread exit, and the process go on until it ends by itself."""
    publish_many()
    thread = threading.Thread(target=sys.exit, args=[3])
    thread.start()
    thread.join()


@way
def daemons() -> None:
    """End with daemon threads in a call, in a stream, and calling again and again."""
    with app.app_context():
        client = g.wampy
        client.call("com.test.add", 1)

    def call_again_and_again() -> None:
        while True:
            client.call("com.test.add", 1)

    pending = client.start_call("com.raw.silent")
    for work in (
        lambda: client.call("com.raw.silent"),
        lambda: next(client.stream("com.raw.silent")),
        pending.result,
        call_again_and_again,
    ):
        threading.Thread(target=work, daemon=True).start()
    say("waiting")
    sys.stdin.readline()
    publish_many()


@way
def waits() -> None:
    """Wait in a call for an answer that does not come."""
    with app.app_context():
        client = g.wampy
    client.call("com.test.add", 1)
    say("waiting")
    client.call("com.raw.silent")


@way
def publishes_when_told() -> None:
    """Connect, and publish and end when there is a line on stdin."""
    with app.app_context():
        g.wampy.call("com.test.add", 1)
    say("waiting")
    sys.stdin.readline()
    publish_many()


@way
def asks_too_late() -> None:
    """Call when the connection has ended with the process."""

    def ask() -> None:
        for work in (lambda: call("com.test.add", 1), pending.result):
            try:
                say(work())
            except NotConnected as error:
                say(f"too late: {error}")

    # What is registered first is done last.
    atexit.register(ask)
    with app.app_context():
        call = g.wampy.call
        call("com.test.add", 1)
        pending = g.wampy.start_call("com.raw.silent")


@way
def has_children() -> None:
    """Let processes of both kinds publish, and end."""
    with app.app_context():
        g.wampy.call("com.test.add", 1)
    # From 3.12 on Python warns of forks with threads about; that this one works is the test.
    warnings.simplefilter("ignore", DeprecationWarning)
    for kind in ("fork", "spawn"):
        context: BaseContext = multiprocessing.get_context(kind)
        child: Any = context.Process(target=publish_many)  # type: ignore[attr-defined]
        child.start()
        child.join()
        say(f"{kind} {child.exitcode}")


@way
def has_a_loop() -> None:
    """Call from within a running asyncio loop, as a notebook's cell does."""

    async def cell() -> None:
        with connect(app.config["WAMP_URL"]) as wampy:
            say(wampy.call("com.test.add", 1, 2))
        await asyncio.sleep(0)
        with app.app_context():
            say(g.wampy.call("com.test.add", 3, 4))

    asyncio.run(cell())


@way
def finds_no_router() -> None:
    """End while there is no router, or none that answers."""
    with app.app_context():
        try:
            g.wampy.with_options(timeout=0.5).call("com.test.add", 1)
        except NotConnected:
            say("no router")


if __name__ == "__main__":
    ways[sys.argv[1]]()
