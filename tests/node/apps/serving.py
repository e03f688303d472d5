"""An application whose procedures and handlers use what serving has to offer."""

import os
import threading
from collections import defaultdict
from collections.abc import Generator, Iterator
from typing import Any

from flask import Flask, current_app, g

from flask_wamp import (
    WAMP,
    ApplicationError,
    CallResult,
    Handle,
    SessionInfo,
    event,
    invocation,
)

from .orders import blueprint, orders

app = Flask(__name__)
app.config.from_mapping(WAMP_TIMEOUT=30)
app.config.from_prefixed_env()
wamp = WAMP(app)
app.register_blueprint(blueprint)
wamp.register_namespace(orders)

LIMIT = 60.0
seen: dict[str, list[Any]] = defaultdict(list)
gates: dict[str, threading.Event] = defaultdict(threading.Event)
pulled: dict[str, int] = defaultdict(int)
added: dict[str, Handle] = {}


@wamp.callee("com.serving.seen")
def what_was_seen(name: str) -> list[Any]:
    """Return what has been recorded under *name*."""
    return list(seen[name])


@wamp.callee("com.serving.pulled")
def how_many_were_pulled(name: str) -> int:
    """Return how many items a generator has been asked for."""
    return pulled[name]


@wamp.callee("com.serving.all_pulled")
def how_many_each_was_pulled(names: list[str]) -> list[int]:
    """Return how many items each of several generators has been asked for."""
    return [pulled[name] for name in names]


@wamp.callee("com.serving.release")
def release(name: str) -> None:
    """Let a view go on that waits for *name*."""
    gates[name].set()


@wamp.callee("com.serving.pid")
def pid() -> int:
    """Return the process that serves."""
    return os.getpid()


@wamp.on_join
def on_join(session: SessionInfo) -> None:
    """Record a session of this process."""
    seen["sessions"].append({"session": session.session, "application": current_app.name})


# --- patterns


def called() -> dict[str, Any]:
    """Return what the call tells of itself."""
    return {"uri": invocation.uri, "parts": invocation.parts}


@wamp.callee("com.serving.shop..stock", match="wildcard")
def stock(*args: Any) -> dict[str, Any]:
    """Answer for every shop."""
    return {**called(), "args": args}


@wamp.callee("com.serving.shop...by.", match="wildcard")
def several() -> dict[str, Any]:
    """Answer for three open components, the last one of them."""
    return called()


@wamp.callee("com.serving.files.", match="prefix")
def files() -> dict[str, Any]:
    """Answer for what is below."""
    return called()


@wamp.callee("com.serving.files.fixed")
def fixed() -> dict[str, Any]:
    """Answer for one exact URI below the prefix."""
    return {**called(), "exact": True}


def happened(number: int) -> None:
    """Record what the event tells of itself."""
    seen["patterns"].append({"uri": event.uri, "parts": event.parts, "number": number})


@wamp.subscribe("com.serving.topic.sensor..level", match="wildcard")
def on_level(number: int) -> None:
    """Record a level of any sensor."""
    happened(number)


@wamp.subscribe("com.serving.topic.log", match="prefix")
def on_log(number: int) -> None:
    """Record everything that is logged."""
    happened(number)


@wamp.callee("com.serving.who")
def who() -> dict[str, Any]:
    """Return who calls."""
    return {"session": invocation.caller, "authrole": invocation.caller_authrole}


# --- progressive results


@wamp.callee("com.serving.count")
def count(to: int) -> Iterator[int]:
    """Yield the numbers below *to*, and return nothing."""
    yield from range(to)


@wamp.callee("com.serving.count_and_sum")
def count_and_sum(to: int) -> Generator[int, None, int]:
    """Yield the numbers below *to*, and return their sum."""
    total = 0
    for number in range(to):
        total += number
        yield number
    return total


@wamp.callee("com.serving.in_steps")
def in_steps(name: str) -> Iterator[str]:
    """Yield one result at once, and the other when it is released."""
    yield "first"
    if not gates[name].wait(LIMIT):
        raise TimeoutError(name)
    yield "second"


@wamp.callee("com.serving.several_values")
def several_values() -> Iterator[CallResult]:
    """Yield results of several values."""
    yield CallResult((1, 2), {"key": "a"})
    yield CallResult((3,), {"key": "b"})


@wamp.callee("com.serving.fails_after")
def fails_after(count: int, how: str) -> Iterator[int]:
    """Yield *count* numbers, then fail."""
    yield from range(count)
    if how == "declared":
        raise ApplicationError("com.serving.error.enough", count, limit=count)
    if how == "unfit":
        yield object()  # type: ignore[misc]
    raise ValueError("a secret of the generator")


@wamp.callee("com.serving.uses_context")
def uses_context() -> Iterator[dict[str, Any]]:
    """Use the context of the call between the results."""
    for number in range(2):
        yield {**called(), "number": number, "sum": g.wampy.call("com.serving.orders.total", 1, 2)}


@wamp.callee("com.serving.endless")
def endless(name: str) -> Iterator[int]:
    """Yield numbers for as long as anybody wants them, or until it is released."""
    number = 0
    try:
        while not gates[name].is_set():
            pulled[name] = number + 1
            yield number
            number += 1
    except GeneratorExit:
        seen[name].append("closed")
        raise
    finally:
        seen[name].append("finally")


@wamp.callee("com.serving.endless_slowly")
def endless_slowly(name: str) -> Iterator[int]:
    """Yield a number, and wait for the call to be canceled before the next."""
    try:
        yield 0
        seen[name].append(invocation.wait_cancelled(LIMIT))
        yield 1
        seen[name].append("not closed")
    finally:
        seen[name].append("finally")


@wamp.callee("com.serving.items")
def some_items(name: str, count: int, size: int) -> Iterator[str]:
    """Yield *count* texts of *size* characters, which start with their number."""
    try:
        for number in range(count):
            pulled[name] = number + 1
            yield f"{number:<{size}}"
    finally:
        seen[name].append("finally")


# --- async


@wamp.callee("com.serving.async_sum")
async def async_sum(a: int, b: int = 10) -> dict[str, Any]:
    """Answer as a coroutine, with the call's context."""
    return {"sum": a + b, "uri": invocation.uri}


@wamp.callee("com.serving.async_fail")
async def async_fail() -> None:
    """Refuse as a coroutine."""
    raise ApplicationError("com.serving.error.async", 1)


@wamp.subscribe("com.serving.topic.async")
async def on_async(number: int) -> None:
    """Handle an event as a coroutine."""
    seen["async"].append({"number": number, "uri": event.uri})


# --- cancel


@wamp.callee("com.serving.until_cancelled")
def until_cancelled(name: str) -> str:
    """Wait until nobody wants the answer; then give it."""
    seen[name].append(["before", invocation.cancelled])
    waited = invocation.wait_cancelled(LIMIT)
    seen[name].append(["after", waited, invocation.cancelled])
    return "the late answer"


@wamp.callee("com.serving.hold")
def hold(name: str) -> str:
    """Answer when it is released, whether anybody wants it or not."""
    seen[name].append("held")
    if not gates[name].wait(LIMIT):
        raise TimeoutError(name)
    seen[name].append(["answers", invocation.cancelled])
    return "the late answer"


@wamp.callee("com.serving.hold_and_fail")
def hold_and_fail(name: str) -> None:
    """Fail when it is released."""
    hold(name)
    raise ApplicationError("com.serving.error.late", "x" * 10)


# --- declarations that come and go


@wamp.callee("com.serving.add")
def add(name: str) -> str:
    """Add a procedure from a view of the node's container."""

    def own() -> str:
        return f"I am {name}"

    def remove_myself() -> str:
        added[name].remove()
        return "removed"

    added[name] = wamp.add_procedure(own, f"com.serving.added.{name}")
    wamp.add_procedure(remove_myself, f"com.serving.added.{name}.remove")
    return added[name].uri
