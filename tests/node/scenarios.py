"""Calls and events whose outcome is to be the same in memory and at a router."""

import datetime as dt
import re
import sys
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from flask import Flask, Response, abort, g, jsonify, redirect, request
from pydantic import Field

from flask_wamp import (
    WAMP,
    ApplicationError,
    CallResult,
    Canceled,
    RemoteError,
    SessionInfo,
    event,
    invocation,
)


@dataclass
class Item:
    """What ``app.json`` makes a dict of."""

    name: str
    price: Decimal


#: What a view returns, by name.
VALUES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "numbers": lambda: [0, -1, 2**63, -(2**63), 1.5, 1.0, -0.0, True],
    "texts": lambda: ["", "größer ∞ 🍵", "a\nb"],
    "bytes": lambda: [b"", b"\x00\xff", bytearray(b"ab"), memoryview(b"cd")],
    "tuple": lambda: ((1, 2), [(3,)]),
    "three": lambda: (1, 2, 3),
    "keys": lambda: {1: "a", None: "b", False: "c", 1.5: {"e": {}}},
    "time": lambda: {"at": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "on": dt.date(2026, 1, 2)},
    "id": lambda: uuid.UUID(int=7),
    "item": lambda: Item("tea", Decimal("1.20")),
    "several": lambda: CallResult((1, (2, 3)), {"when": dt.date(2026, 1, 2)}),
    "one of several": lambda: CallResult((1,)),
    "none of several": CallResult,
    "keyword": lambda: CallResult((), {"a": b"x"}),
    "as wampy answers": lambda: CallResult(
        (1,), {"message": 1, "meta": {"procedure_name": "x", "session_id": 1}}
    ),
    "status": lambda: ({"created": 7}, 201),
    "refusal": lambda: ("not today", 409),
    "response": lambda: jsonify(a=[1]),
    "text response": lambda: Response("tea"),
    "bytes response": lambda: Response(b"\x00", mimetype="application/octet-stream"),
    "redirect": lambda: redirect("/elsewhere"),
    "object": object,
    "set": lambda: {1},
    "infinite": lambda: [float("inf")],
    "big": lambda: 2**70,
    "surrogate": lambda: "\ud800",
    "NUL": lambda: "\0x",
    "deep": lambda: _nested(150),
    "100 deep": lambda: _nested(99),
    "generator": lambda: iter_to(3),
    "generator of several": lambda: (
        each for each in (CallResult((1, 2)), CallResult((), {"a": 1}))
    ),
    "generator that returns": lambda: iter_to(2, last="the last"),
    "generator that fails": lambda: iter_to(2, error=NoStock("tea", left=2)),
    "generator of objects": lambda: (object() for _ in range(2)),
    "empty generator": lambda: iter_to(0),
}


class NoStock(Exception):
    """Declared, so that it is raised again where it is known."""

    def __init__(self, article: str, *, left: int = 0) -> None:
        super().__init__(f"{left} of {article} left")
        self.article = article
        self.left = left


#: What a view raises, by name.
ERRORS: dict[str, Callable[[], BaseException]] = {
    "declared": lambda: NoStock("tea", left=3),
    "of its own": lambda: ApplicationError("com.parity.own", 1, (2,), when=dt.date(2026, 1, 2)),
    "of the protocol": lambda: ApplicationError("wamp.error.not_authorized", "no"),
    "that cannot travel": lambda: ApplicationError("com.parity.unfit", object()),
    "defect": lambda: ValueError("a secret"),
    "exit": lambda: sys.exit("a secret"),
    "canceled": lambda: ApplicationError("wamp.error.canceled", "by the view"),
    "remote": lambda: RemoteError("com.parity.remote", [1], {"a": 2}),
}


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def iter_to(
    count: int, *, last: Any = None, error: Exception | None = None
) -> Generator[Any, None, Any]:
    """Yield numbers, then return or raise."""
    yield from range(count)
    if error is not None:
        raise error
    return last


def declare(app: Flask, wamp: WAMP) -> None:
    """Declare what the scenarios call."""
    wamp.error("com.parity.no_stock")(NoStock)
    space = wamp.namespace("com.parity")

    @space.callee
    def value(name: str) -> Any:
        return VALUES[name]()

    @app.route("/value/<name>")
    @space.callee
    def routed_value(name: str) -> Any:
        return VALUES[name]()

    @space.callee("raise")
    def raise_(name: str) -> Any:
        error = ERRORS[name]()
        raise error

    @app.route("/raise/<name>")
    @space.callee
    def routed_raise(name: str) -> Any:
        error = ERRORS[name]()
        raise error

    @space.callee("abort")
    def abort_(status: int) -> None:
        abort(status)

    @space.callee
    def echo(*args: Any, **kwargs: Any) -> Any:
        return {"args": args, "kwargs": kwargs}

    @space.callee
    def two(a: int, b: int = 2) -> int:
        return a + b

    @space.callee
    def typed(item: Item, count: Annotated[int, Field(gt=0)], on: dt.date) -> Any:
        return [type(item).__name__, item, count, on.year]

    @space.callee
    async def coroutine(a: int) -> int:
        return a + 1

    @app.get("/routed/<int:number>")
    @space.callee
    def routed(number: int, note: str = "") -> Any:
        return [number, note, request.method, request.path, g.guarded, request.json]

    @app.before_request
    def guard() -> Any:
        g.guarded = True
        if request.path.startswith("/routed/13"):
            return "unlucky", 403
        return redirect("/login") if request.path.startswith("/routed/14") else None

    @app.after_request
    def after(response: Response) -> Response:
        if request.path == "/routed/15":
            response.status_code = 410
        return response

    @app.errorhandler(RemoteError)
    def on_remote(error: RemoteError) -> Any:
        return {"caught": error.uri}, 424

    @space.callee(".wild", match="wildcard")
    def wild() -> Any:
        return ["wild", invocation.uri, invocation.parts]

    @space.callee("tree", match="prefix")
    def tree() -> Any:
        return ["tree", invocation.uri, invocation.parts]

    @space.callee("tree.oak.", match="prefix")
    def oak() -> Any:
        return ["oak", invocation.uri, invocation.parts]

    @space.callee("tree.oak.leaf.wild")
    def leaf() -> Any:
        return ["leaf", invocation.uri, invocation.parts]

    @space.callee
    def context() -> Any:
        return [invocation.progress, invocation.cancelled, bool(event), bool(request)]

    @space.callee
    def nested(uri: str, *args: Any) -> Any:
        """Call another one, with the identity of the application."""
        return [invocation.uri, g.wampy.call(uri, *args), invocation.uri]

    @space.callee
    def recovered(uri: str, *args: Any) -> Any:
        try:
            return g.wampy.call(uri, *args)
        except (RemoteError, NoStock) as error:
            return ["recovered", type(error).__name__, without_ids(str(error))]

    @space.callee
    def gathered(*names: str) -> Any:
        return g.wampy.gather([g.wampy.start_call("com.parity.value", name) for name in names])

    @space.callee
    def first(name: str) -> Any:
        """Leave a stream early."""
        with g.wampy.stream("com.parity.value", name) as results:
            return next(results)

    @space.callee
    def canceled() -> Any:
        call = g.wampy.start_call("com.parity.two", 1)
        call.result()
        call.cancel()
        try:
            return [call.done(), call.result()]
        except Canceled:
            return "canceled"

    @app.route("/checkout/<int:number>")
    @space.callee
    def checkout(number: int) -> Any:
        g.wampy.publish_on_success("com.parity.topic", number)
        if number > 2:
            abort(409)
        return number

    @space.callee
    def plain_checkout(number: int) -> Any:
        g.wampy.publish_on_success("com.parity.topic", number)
        if number > 2:
            raise NoStock("tea", left=number)
        return number

    @space.callee
    def who() -> Any:
        return [invocation.caller_authrole, g.wampy.call("com.parity.role")]

    @space.callee
    def role() -> Any:
        return invocation.caller_authrole


P = "com.parity."
#: Calls: the URI, and its arguments.
CALLS: list[tuple[str, list[Any], dict[str, Any]]] = [
    *((P + "value", [name], {}) for name in VALUES),
    *((P + "routed_value", [name], {}) for name in VALUES),
    *((P + "raise", [name], {}) for name in ERRORS),
    *((P + "routed_raise", [name], {}) for name in ERRORS),
    *((P + "abort", [status], {}) for status in (400, 401, 403, 404, 409, 418, 429, 500, 503)),
    (P + "echo", [], {}),
    (P + "echo", [(1, 2), b"x", dt.date(2026, 1, 2)], {"self": 1, "uri": {1: 2}, "args": None}),
    (P + "echo", [object()], {}),
    (P + "echo", [], {"a": float("nan")}),
    (P + "two", [1], {}),
    (P + "two", [], {"a": 1, "b": 3}),
    (P + "two", [], {}),
    (P + "two", [1, 2, 3], {}),
    (P + "two", [1], {"c": 2}),
    (P + "two", ["1"], {}),
    (P + "two", ["one"], {}),
    (P + "typed", [{"name": "tea", "price": "1.5"}, 2, "2026-01-02"], {}),
    (P + "typed", [{"name": "tea"}, 0, "soon"], {}),
    (P + "coroutine", [1], {}),
    (P + "routed", [7], {"note": "x"}),
    (P + "routed", [], {"number": 7, "more": [1]}),
    (P + "routed", ["seven"], {}),
    (P + "routed", [-7], {}),
    (P + "routed", [13], {}),
    (P + "routed", [14], {}),
    (P + "routed", [15], {}),
    (P + "no.such", [], {}),
    ("com.parity", [], {}),
    (P + "a.wild", [], {}),
    (P + "a.b.wild", [], {}),
    (P + "tree", [], {}),
    (P + "trees.elm", [], {}),
    (P + "tree.wild", [], {}),
    (P + "tree.oak.leaf", [], {}),
    (P + "tree.oak.leaf.wild", [], {}),
    (P + "context", [], {}),
    (P + "nested", [P + "two", 1], {}),
    (P + "nested", [P + "nested", P + "nested", P + "two", 1], {}),
    (P + "nested", [P + "raise", "declared"], {}),
    (P + "nested", [P + "raise", "of its own"], {}),
    (P + "nested", [P + "raise", "defect"], {}),
    (P + "recovered", [P + "raise", "declared"], {}),
    (P + "recovered", [P + "raise", "defect"], {}),
    (P + "recovered", [P + "two"], {}),
    (P + "recovered", [P + "value", "generator that fails"], {}),
    (P + "gathered", ["tuple", "several", "nothing"], {}),
    (P + "gathered", ["tuple", "object"], {}),
    (P + "first", ["generator"], {}),
    (P + "first", ["generator that returns"], {}),
    (P + "first", ["tuple"], {}),
    (P + "canceled", [], {}),
    (P + "who", [], {}),
]


def without_ids(text: str) -> str:
    """Return *text* without the random ids of defects."""
    return re.sub(r"\b[0-9a-f]{16}\b", "ID", text)


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """Return what comes of a call: a value with its types, or an error with all that it carries."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001
        told = (getattr(error, "uri", ""), error.args, getattr(error, "kwargs", {}))
        return type(error).__name__, without_ids(repr(told))
    return "value", repr(value)


#: Events: the topic, and options, which may be made of the application's own session.
EVENTS: list[tuple[str, Callable[[SessionInfo], dict[str, Any]]]] = [
    (P + "topic", lambda me: {}),
    (P + "topic.below", lambda me: {}),
    (P + "topic.below.more", lambda me: {}),
    (P + "topical", lambda me: {}),
    (P + "other.below", lambda me: {}),
    (P + "topic", lambda me: {"acknowledge": False}),
    (P + "topic", lambda me: {"exclude_me": True}),
    (P + "topic", lambda me: {"exclude_me": False}),
    (P + "topic", lambda me: {"exclude": [me.session]}),
    (P + "topic", lambda me: {"exclude": []}),
    (P + "topic", lambda me: {"exclude": [7]}),
    (P + "topic", lambda me: {"exclude_authid": [me.authid]}),
    (P + "topic", lambda me: {"exclude_authrole": [me.authrole]}),
    (P + "topic", lambda me: {"exclude_authrole": ["nobody"]}),
    (P + "topic", lambda me: {"eligible": [me.session, 7]}),
    (P + "topic", lambda me: {"eligible": [7]}),
    (P + "topic", lambda me: {"eligible_authid": [me.authid]}),
    (P + "topic", lambda me: {"eligible_authrole": ["anonymous"]}),
    (P + "topic", lambda me: {"eligible_authrole": [me.authrole]}),
    (P + "topic", lambda me: {"eligible": [me.session], "eligible_authrole": ["anonymous"]}),
    (P + "topic", lambda me: {"eligible_authrole": [me.authrole], "exclude": [me.session]}),
]


@dataclass
class Heard:
    """What the handlers of an application have handled, each in its order."""

    by: dict[str, list[Any]] = field(default_factory=dict)

    def subscribe(self, wamp: WAMP) -> None:
        """Declare handlers of each kind."""
        for name, topic, match in (
            ("exact", P + "topic", "exact"),
            ("prefix", P + "topic", "prefix"),
            ("wildcard", P + ".below", "wildcard"),
            ("again", P + "topic", "exact"),
        ):
            wamp.subscribe(topic, match=match)(self.handler(name))

    def handler(self, name: str) -> Callable[..., None]:
        """Return a handler whose events stand under *name*."""
        heard = self.by.setdefault(name, [])

        def handle(*args: Any, **kwargs: Any) -> None:
            heard.append(
                [event.uri, event.parts, event.publisher_authrole, event.retained,
                 bool(invocation), bool(request), args, kwargs]
            )  # fmt: skip

        return handle

    def take(self) -> dict[str, list[Any]]:
        """Return what there is, and forget it."""
        found = {name: list(heard) for name, heard in self.by.items()}
        for heard in self.by.values():
            heard.clear()
        return found

    def who_has(self, mark: Any) -> set[str]:
        """Return who has handled an event with this first argument."""
        return {n for n, heard in self.by.items() if any(each[6][:1] == (mark,) for each in heard)}
