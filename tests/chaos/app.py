"""The application that the node hosts: every answer carries the number that it was asked with."""

import ctypes
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any, NoReturn

from flask import Flask, g, jsonify
from flask.typing import ResponseReturnValue

from flask_wamp import WAMP, NotConnected, WAMPError

from .names import (
    ADD_DURABLE,
    DURABLE,
    ECHO,
    EVENT,
    FOR_EVER,
    GULP,
    HURT,
    NESTED,
    PAGE,
    SCHEMA,
    SLEEPY,
    SLEEPY_HANDLER,
    SLOW,
    SLOW_VIEW,
    VOTE,
    WHO,
    WITHIN,
    name_of,
    open_database,
)  # fmt: skip

app = Flask(__name__)
app.config.from_prefixed_env("CHAOS")
app.config["WAMP_TIMEOUT"] = WITHIN
# Durable events wait for their consumer: nobody keeps them once they are sent.
app.config["WAMP_OUTBOX_AWAITS"] = [DURABLE]
wamp = WAMP(app)


def get_database() -> sqlite3.Connection:
    """Return the connection of the context."""
    if "database" not in g:
        g.database = open_database(app.config["DATABASE"])
    database: sqlite3.Connection = g.database
    return database


@app.teardown_appcontext
def close_database(_error: BaseException | None) -> None:
    """Close the connection of the context."""
    database = g.pop("database", None)
    if database is not None:
        database.close()


with app.app_context():
    get_database().executescript(SCHEMA)


wamp.outbox(get_database)


@wamp.callee(ECHO)
def echo(number: int) -> int:
    """Return the number."""
    return number


@wamp.callee(WHO)
def who() -> int:
    """Return the id of the process that serves."""
    return os.getpid()


@wamp.callee(SLOW)
def slow(number: int) -> int:
    """Take a while, and return the number."""
    time.sleep(SLOW_VIEW)
    return number


@wamp.callee(NESTED)
def nested(number: int) -> Any:
    """Ask another procedure for the number."""
    return g.wampy.call(ECHO, number)


@wamp.callee(VOTE)
def vote(number: int) -> int:
    """Count the vote; the table takes the same number twice, so that this would be seen."""
    database = get_database()
    with database:
        database.execute("INSERT INTO vote VALUES (?, ?)", (number, os.getpid()))
    return number


@wamp.callee(ADD_DURABLE)
def add_durable(number: int) -> int:
    """Write a row, and publish it with its transaction."""
    database = get_database()
    with database:
        database.execute("INSERT INTO durable (number) VALUES (?)", (number,))
        g.wampy.publish(DURABLE, number, durable=True)
    return number


@wamp.subscribe(EVENT)
def handled(number: int) -> None:
    """Note the event; one process of the application gets each."""
    database = get_database()
    with database:
        database.execute("INSERT INTO handled VALUES (?, ?)", (number, os.getpid()))


@wamp.subscribe(SLEEPY)
def sleepy(number: int) -> None:
    """Be slower than the events come."""
    time.sleep(SLEEPY_HANDLER)


def _segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(FOR_EVER)


def _exit() -> None:
    os._exit(3)


def _hold_the_gil() -> None:
    ctypes.PyDLL(None).sleep(FOR_EVER)


def _loop() -> None:
    while True:
        pass


def _take_memory() -> NoReturn:
    taken = []
    while True:
        taken.append(b"x" * GULP)
        time.sleep(0.01)


def _stop_the_reactor() -> None:
    from twisted.internet import reactor

    reactor.callFromThread(time.sleep, FOR_EVER)  # type: ignore[attr-defined]


HURTS: dict[str, Callable[[], None]] = {
    "segfault": _segfault,
    "exit": _exit,
    "gil": _hold_the_gil,
    "loop": _loop,
    "memory": _take_memory,
    "reactor": _stop_the_reactor,
}


@wamp.callee(HURT)
def hurt(how: str) -> None:
    """Note which process it is, and do what no view should."""
    database = get_database()
    with database:
        database.execute("INSERT INTO hurt VALUES (?)", (os.getpid(),))
    HURTS[how]()


# --- what the hosted views call


@app.get(f"/{PAGE}/<int:number>")
def page(number: int) -> ResponseReturnValue:
    """Answer with the number, and call nobody."""
    return jsonify(number=number)


@app.get("/hurt/<how>")
def hurt_router(how: str) -> ResponseReturnValue:
    """Do to the router's process what no view should."""
    HURTS[how]()
    return ""


@app.get("/call/<uri>/<int:number>")
def call(uri: str, number: int) -> ResponseReturnValue:
    """Call a procedure with the number, and answer with what it returns."""
    try:
        return jsonify(number=g.wampy.call(uri, number))
    except WAMPError as error:
        return _failure(error)


@app.get("/publish/<topic>/<int:number>")
def publish(topic: str, number: int) -> ResponseReturnValue:
    """Publish the number, acknowledged."""
    return _published(g.wampy.with_options(acknowledge=True), topic, number)


@app.get("/send/<topic>/<int:number>")
def send(topic: str, number: int) -> ResponseReturnValue:
    """Publish the number, unacknowledged."""
    return _published(g.wampy.with_options(acknowledge=False), topic, number)


def _published(publisher: Any, topic: str, number: int) -> ResponseReturnValue:
    try:
        publisher.publish(topic, number)
    except WAMPError as error:
        return _failure(error)
    return jsonify(number=number)


def _failure(error: WAMPError) -> ResponseReturnValue:
    status = 503 if isinstance(error, NotConnected) else 502
    return jsonify(error=name_of(error), may_have_run=getattr(error, "may_have_run", None)), status
