"""Decorators keep signatures: mypy proves it, by the errors that it must find here."""

from typing import assert_type

from flask import Flask, g

from flask_wamp import WAMP, Access, Stream, event, invocation
from flask_wamp.call.client import Client
from flask_wamp.testing import Call, Caller, Publication, WampTestClient

app = Flask(__name__)
wamp = WAMP(app)


@wamp.callee
def bare(a: int, *, b: str = "") -> float:
    """Declared without parentheses."""
    return a + len(b)


@wamp.callee()
def parentheses(a: int) -> list[int]:
    """Declared with parentheses."""
    return [a]


@wamp.callee("com.example.named")
def named(a: int) -> str:
    """Declared with a URI."""
    return str(a)


@wamp.callee(request=False)
def plain(a: int) -> bytes:
    """Declared without a request."""
    return bytes(a)


@app.get("/stacked/<int:a>")
@wamp.callee
def stacked(a: int) -> dict[str, int]:
    """Declared a route as well."""
    return {"a": a}


@wamp.callee
async def awaited(a: int) -> str:
    """Declared asynchronous."""
    return str(a)


@wamp.callee("com.example.allowed", allow=["user", "clerk"])
def allowed(a: int) -> str:
    """Declared with rights."""
    return str(a)


def lets(access: Access) -> bool:
    """Decide about an access."""
    return access.authid == "ann" and access.match == "exact"


wamp.topic("com.example.statement", publish=lets, subscribe="everyone", retain=True)


@wamp.topic("com.example.above", subscribe={"user"})
def announcing(a: int) -> str:
    """Declared below the rights to a topic."""
    return str(a)


@wamp.subscribe("com.example.topic")
def subscribed(message: str) -> None:
    """Handle an event."""


@wamp.consume(topic="com.example.topic")
def consumed(message: str, *, left: int = 0) -> int:
    """Handle an event."""
    return left


@wamp.error("com.example.no_stock")
class NoStock(Exception):
    """An exception with a constructor of its own."""

    def __init__(self, article: str, left: int) -> None:
        super().__init__(article)
        self.left = left


def results() -> None:
    """Results keep their types."""
    assert_type(bare(1, b="x"), float)
    assert_type(parentheses(1), list[int])
    assert_type(named(1), str)
    assert_type(plain(1), bytes)
    assert_type(stacked(1), dict[str, int])
    assert_type(allowed(1), str)
    assert_type(announcing(1), str)
    assert_type(consumed("x", left=1), int)
    assert_type(NoStock("pen", left=1), NoStock)
    assert_type(NoStock("pen", 1).left, int)


async def awaited_results() -> None:
    """Results of asynchronous functions, too."""
    assert_type(await awaited(1), str)


def misfits() -> None:
    """Each misfit is an error, and mypy reports an ignore that ignores nothing."""
    bare("x")  # type: ignore[arg-type]
    bare(1, "x")  # type: ignore[call-arg]
    parentheses()  # type: ignore[call-arg]
    named(a="x")  # type: ignore[arg-type]
    plain(1, 2)  # type: ignore[call-arg]
    stacked("x")  # type: ignore[arg-type]
    subscribed(1)  # type: ignore[arg-type]
    consumed("x", right=1)  # type: ignore[call-arg]
    NoStock("pen")  # type: ignore[call-arg]


def declarations() -> None:
    """Decorators stand on what they are for."""
    wamp.callee(5)  # type: ignore[call-overload]
    wamp.callee("com.example.x", allow=5)  # type: ignore[call-overload]
    wamp.topic("com.example.x", publish=5)  # type: ignore[arg-type]
    wamp.callee("com.example.x")(5)  # type: ignore[type-var]
    wamp.subscribe("com.example.x")("text")  # type: ignore[type-var]
    wamp.consume()  # type: ignore[call-arg]
    wamp.error("com.example.x")(int)  # type: ignore[type-var]
    wamp.error("com.example.x")(KeyboardInterrupt)  # type: ignore[type-var]


def contexts() -> None:
    """Proxies have the types of what they stand for."""
    assert_type(invocation.uri, str)
    assert_type(invocation.caller, int | None)
    assert_type(invocation.caller_authrole, str | None)
    assert_type(event.publication, int)
    assert_type(event.publisher_authid, str | None)
    invocation.publication  # type: ignore[attr-defined]  # noqa: B018


def client() -> None:
    """``g`` is Flask's, and has no types; what stands in it has."""
    wampy: Client = g.wampy
    assert_type(wampy.publish("com.example.x", 1, message="x"), int | None)
    wampy.publish("com.example.x", acknowledge="yes")  # type: ignore[call-overload]
    assert_type(wampy.publish("com.example.x", 1, durable=True), str)
    assert_type(wampy.publish("com.example.x", 1, durable="event_id"), str)
    wampy.publish("com.example.x", acknowledge=True, durable=True)  # type: ignore[call-overload]
    wampy.call(5)  # type: ignore[arg-type]


def testing() -> None:
    """What tests are written with."""
    with wamp.test_client(app, authid="ann") as client:
        assert_type(client, WampTestClient)
        assert_type(client.as_caller("bob", "user"), Caller)
        assert_type(client.calls, list[Call])
        assert_type(client.published_to("com.example.topic"), list[Publication])
        assert_type(client.publish("com.example.topic", 1, key=2), int)
        assert_type(client.stream("com.example.rows"), Stream)
        client.stub("com.example.price", returns=1, match="exact")
        client.stub("com.example.price", raises=NoStock("pen", 1))
        client.stub("com.example.price", raises="pen")  # type: ignore[call-overload]

        @client.stub("com.example.price")
        def price(article: str) -> int:
            return len(article)

        assert_type(price("pen"), int)
    wamp.test_client(autid="ann")  # type: ignore[call-arg]
