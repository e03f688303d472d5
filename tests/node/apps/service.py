"""The application that the peers of these tests call; it is a WSGI application as well."""

import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Flask, abort, g, request
from werkzeug.exceptions import HTTPException

from flask_wamp import (
    WAMP,
    RemoteError,
    SetupError,
    WAMPError,
    correlation_id,
    event,
    invocation,
)

from .errors import NoStock

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=30)
app.config.from_prefixed_env()
wamp = WAMP(app)
wamp.error("com.test.error.no_stock")(NoStock)

LIMIT = 60.0
seen: dict[str, list[Any]] = defaultdict(list)
gates: dict[str, threading.Event] = defaultdict(threading.Event)
held: set[str] = set()


@dataclass
class Point:
    """A value that only the application's JSON can carry."""

    x: int
    y: int


@wamp.callee("com.test.add")
def add(a: int, b: int = 10) -> int:
    """Return the sum."""
    return a + b


@wamp.callee("com.test.echo")
def echo(value: Any) -> Any:
    """Return the value."""
    return value


@wamp.callee("com.test.everything")
def everything(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return all arguments."""
    return {"args": args, "kwargs": kwargs}


@wamp.callee("com.test.types")
def types() -> dict[str, Any]:
    """Return values of many types."""
    return {
        "none": None,
        "true": True,
        "int": -7,
        "big": 2**53,
        "float": 0.5,
        "text": "größer ∞ 🌍",
        "tuple": (1, 2),
        "nested": [{"a": [1]}],
        "datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "date": date(2026, 1, 2),
        "decimal": Decimal("1.50"),
        "uuid": UUID(int=7),
        "dataclass": Point(1, 2),
    }


@wamp.callee("com.test.bytes")
def octets() -> bytes:
    """Return every byte."""
    return bytes(range(256))


@wamp.callee("com.test.big")
def big(size: int) -> str:
    """Return a text of *size* characters."""
    return "x" * size


@wamp.callee("com.test.unfit")
def unfit() -> Any:
    """Return what cannot travel."""
    return {"lock": object()}


@wamp.callee("com.test.abort")
def abort_with(status: int) -> None:
    """Answer with an HTTP error."""
    abort(status, description=f"refused with {status}")


@wamp.callee("com.test.status")
def with_status(status: int) -> tuple[dict[str, Any], int]:
    """Return a body with a status."""
    return {"status": status}, status


@wamp.callee("com.test.fail")
def fail() -> None:
    """Fail as a defect does."""
    raise ValueError("a secret of the service")


@wamp.callee("com.test.type_error")
def type_error() -> None:
    """Raise a TypeError of the view's own."""
    seen["type_error"].append(True)
    len(5)  # type: ignore[arg-type]


@wamp.callee("com.test.exit")
def leave() -> None:
    """Try to end the process."""
    raise SystemExit(3)


@wamp.callee("com.test.take")
def take(item: str, wanted: int) -> str:
    """Refuse with a mapped exception."""
    raise NoStock(item, wanted=wanted)


@wamp.callee("com.test.buy")
def buy(item: str) -> dict[str, Any]:
    """Ask the other application for an item, which refuses with the mapped exception."""
    try:
        return {"bought": g.wampy.call("com.other.take", item, wanted=3)}
    except NoStock as error:
        return {"item": error.item, "wanted": error.wanted, "text": str(error)}


@wamp.callee("com.test.who")
def who(**_kwargs: Any) -> dict[str, Any]:
    """Return who calls."""
    return {
        "uri": invocation.uri,
        "caller": invocation.caller,
        "authid": invocation.caller_authid,
        "authrole": invocation.caller_authrole,
    }


@wamp.callee("com.test.nested")
def nested(depth: int, number: int) -> list[int]:
    """Call itself as deep as *depth*."""
    if depth == 0:
        return [number]
    deeper: list[int] = g.wampy.call("com.test.nested", depth - 1, number)
    return [number, *deeper]


@wamp.callee("com.test.hold")
def hold(name: str) -> str:
    """Answer when :func:`release` is called."""
    held.add(name)
    try:
        if not gates[name].wait(LIMIT):
            abort(504)
    finally:
        held.discard(name)
    return f"released {name}"


@wamp.callee("com.test.held")
def is_held() -> list[str]:
    """Return who waits in :func:`hold`."""
    return sorted(held)


@wamp.callee("com.test.release")
def release(name: str) -> None:
    """Let :func:`hold` answer."""
    gates[name].set()


@wamp.callee("com.test.pid")
def pid() -> int:
    """Return the process that serves."""
    return os.getpid()


@wamp.callee("com.test.recurse")
def recurse() -> Any:
    """Recurse for ever, by way of C."""

    def deeper(value: int) -> Any:
        return max([value], key=deeper)

    return deeper(1)


@wamp.callee("com.test.publish")
def publish(topic: str, *args: Any, **kwargs: Any) -> int | None:
    """Publish from a call."""
    publication: int | None = g.wampy.publish(topic, *args, **kwargs)
    return publication


@wamp.callee("com.test.publish_unacknowledged")
def publish_unacknowledged(topic: str, *args: Any, **kwargs: Any) -> int | None:
    """Publish from a call, and wait for nothing."""
    publication: int | None = g.wampy.publish(topic, *args, acknowledge=False, **kwargs)
    return publication


@wamp.callee("com.test.call")
def call(uri: str, *args: Any, **kwargs: Any) -> Any:
    """Call from a call."""
    return g.wampy.call(uri, *args, **kwargs)


@app.get("/traced")
def traced_page() -> dict[str, Any]:
    """Log, and call what logs and publishes."""
    app.logger.info("traced: the page")
    return {"page": correlation_id(), "view": g.wampy.call("com.test.traced")}


@wamp.callee("com.test.traced")
def traced_view() -> str | None:
    """Log, and publish what is handled by a handler that logs."""
    app.logger.info("traced: the view")
    g.wampy.publish("com.test.topic.traced")
    return correlation_id()


@wamp.subscribe("com.test.topic.traced")
def on_traced() -> None:
    """Log, and record the id."""
    app.logger.info("traced: the handler")
    seen["traced"].append(correlation_id())


@wamp.callee("com.test.logs")
def logs(message: str) -> None:
    """Log a message as it is, and fail with it."""
    app.logger.warning("logged: %s", message)
    raise LookupError(message)


@wamp.callee("com.test.seen")
def what_was_seen(name: str) -> list[Any]:
    """Return what a handler has recorded."""
    return list(seen[name])


@wamp.consume(topic="com.test.topic.any")
def on_any(*args: Any, **kwargs: Any) -> None:
    """Record an event."""
    seen["any"].append({
        "args": args,
        "kwargs": kwargs,
        "topic": event.uri,
        "publication": event.publication,
        "publisher": event.publisher,
        "authrole": event.publisher_authrole,
        "authid": event.publisher_authid,
    })  # fmt: skip


@wamp.consume(topic="com.test.topic.message")
def on_message(message: str) -> None:
    """Record a message, as the predecessor's consumers do."""
    seen["message"].append(message)


@wamp.subscribe("com.test.topic.slow")
def on_slow(number: int) -> None:
    """Record a number; the first one has to be released."""
    if number == 0:
        gates["slow"].wait(LIMIT)
    seen["slow"].append(number)


@wamp.subscribe("com.test.topic.slow")
def on_slow_too(number: int) -> None:
    """Share the topic with a slow handler."""
    seen["slow too"].append(number)


@wamp.subscribe("com.test.topic.quick")
def on_quick(number: int) -> None:
    """Record a number at once."""
    seen["quick"].append(number)


@wamp.subscribe("com.test.topic.failing")
def on_failing(number: int) -> None:
    """Fail at the odd ones."""
    if number % 2:
        raise ValueError(f"the handler fails at {number}")
    seen["failing"].append(number)


@wamp.subscribe("com.test.topic.chain")
def on_chain(number: int) -> None:
    """Call and publish from an event handler."""
    total = g.wampy.call("com.test.add", number, b=1)
    g.wampy.publish("com.test.topic.chained", total=total)


@app.get("/add/<int:a>")
@wamp.callee("com.test.route")
def route(a: int, b: int = 5) -> dict[str, Any]:
    """Answer HTTP and WAMP."""
    if request.method == "GET":
        b = request.args.get("b", b, type=int)
    return {"sum": a + b, "method": request.method}


@app.post("/wampy")
def from_wsgi() -> Any:
    """Call or publish from a view, as the request's JSON says."""
    order = request.get_json()
    args, kwargs = order.get("args", []), order.get("kwargs", {})
    try:
        if "call" in order:
            return {"result": g.wampy.call(order["call"], *args, **kwargs)}
        return {"result": g.wampy.publish(order["publish"], *args, **kwargs)}
    except RemoteError as error:
        return {"error": error.uri, "type": type(error).__name__, "text": str(error)}, 502
    except WAMPError as error:
        return {"error": None, "type": type(error).__name__, "text": str(error)}, 503


@app.post("/gather")
@wamp.callee("com.test.gather")
def gather() -> dict[str, list[Any]]:
    """Start a call for each of the lists of arguments, and return their results."""
    order = request.get_json()
    client = g.wampy.with_options(timeout=order.get("timeout"))
    kwargs = order.get("kwargs", {})
    started = [client.start_call(order["uri"], *args, **kwargs) for args in order["args"]]
    return {"results": client.gather(started)}


@app.post("/on_success")
@wamp.callee("com.test.on_success")
def publish_on_success() -> tuple[dict[str, Any], int]:
    """Publish when all went well, and end as the request's JSON says."""
    order = request.get_json()
    for number in range(order["count"]):
        g.wampy.publish_on_success(order["topic"], number)
    if "abort" in order:
        abort(order["abort"])
    return {}, order.get("status", 200)


@app.post("/late")
def declare_late() -> Any:
    """Add a procedure, or a handler, while the process runs."""
    order = request.get_json()
    try:
        if "procedure" in order:
            wamp.add_procedure(what_was_seen, order["procedure"])
        else:
            wamp.add_subscription(on_any, order["topic"])
    except SetupError as error:
        return {"error": str(error)}, 409
    return {"error": None}


@app.get("/sleep")
@wamp.callee("com.test.sleep", request=False)
def sleep() -> str:
    """Sit in a blocking call that nothing ends."""
    print("the view sleeps", flush=True)  # noqa: T201 - the node's log is what is waited for
    time.sleep(60)
    return "awake"


@app.get("/pid")
def web_pid() -> dict[str, int]:
    """Return the process of the WSGI application."""
    return {"pid": os.getpid()}


@app.errorhandler(HTTPException)
def explain(error: HTTPException) -> Any:
    """Let WAMP callers have the error as it is."""
    return error
