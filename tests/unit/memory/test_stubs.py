"""Stubs: what stands for the procedures of others."""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.exceptions import NotFound

from flask_wamp import (
    WAMP,
    ApplicationError,
    CallResult,
    CallTimeout,
    Canceled,
    InvalidArgument,
    NoSuchProcedure,
    NotAuthorized,
    NotConnected,
    OptionError,
    PayloadError,
    RemoteError,
    WAMPError,
)
from flask_wamp.testing import Call, NotStubbed, WampTestClient

from ..doubles import refusal

PRICE = "com.other.price"


class NoStock(Exception):
    """Declared in the tests, with arguments of its own."""

    def __init__(self, article: str, left: int = 0) -> None:
        super().__init__(f"{left} of {article}")
        self.article, self.left = article, left


class Plain(Exception):
    """Declared in the tests."""


@pytest.fixture
def ask(app: Flask, wamp: WAMP, client: WampTestClient) -> Iterator[Callable[..., Any]]:
    """Return what calls the price, as the application does."""
    wamp.error("com.other.no_stock")(NoStock)
    wamp.error("com.other.plain")(Plain)
    with app.app_context():
        yield lambda *args, **kwargs: g.wampy.call(PRICE, *args, **kwargs)


Ask = Callable[..., Any]


# --- without a stub


def test_unstubbed_call_says_which_stub_to_write(ask: Ask, client: WampTestClient) -> None:
    text = refusal(NotStubbed, ask, "tea")
    assert f"calls {PRICE!r}, which it does not serve itself" in text
    assert f"client.stub({PRICE!r}, returns=...)" in text
    assert "NoSuchProcedure" in text
    # Whether the application asks for the outcome or not.
    for use in (lambda: g.wampy.start_call(PRICE), lambda: g.wampy.stream(PRICE)):
        assert refusal(NotStubbed, use) == text
    assert client.calls == [Call(PRICE, "tea"), Call(PRICE), Call(PRICE)]


@pytest.mark.parametrize("testing", [True, False])
def test_unstubbed_call_is_not_hidden_by_what_copes_with_errors(
    app: Flask, wamp: WAMP, client: WampTestClient, http: FlaskClient, testing: bool
) -> None:
    def price() -> Any:
        try:
            return {"price": g.wampy.call(PRICE)}
        except WAMPError:
            return {"price": None}

    app.get("/price")(price)
    wamp.callee(price)
    app.testing = testing
    with pytest.raises(NotStubbed):
        client.call("price")
    app.testing = True
    with pytest.raises(NotStubbed):
        http.get("/price")


@pytest.mark.parametrize(
    ("use", "uri"),
    [
        (lambda: g.wampy.meta.count_sessions(authroles=["a"]), "wamp.session.count"),
        (lambda: g.wampy.meta.callee_of("x"), "wamp.registration.match"),
        (lambda: g.wampy.meta.kill(7), "wamp.session.kill"),
    ],
)
def test_unstubbed_meta_api_says_so(ask: Ask, use: Callable[[], Any], uri: str) -> None:
    text = refusal(NotStubbed, use)
    assert f"no router in memory that answers {uri!r}" in text


def test_stubbed_meta_api(ask: Ask, client: WampTestClient) -> None:
    client.stub("wamp.session.count", returns=3)
    assert g.wampy.meta.count_sessions(authroles=["backend"]) == 3
    client.stub("wamp.session.kill", raises=RemoteError("wamp.error.no_such_session"))
    assert g.wampy.meta.kill(7) is False
    assert client.calls_of("wamp.session.count") == [Call("wamp.session.count", ["backend"])]


# --- answers


def test_stub_returns_what_has_travelled(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, returns={"net": (1, 2), "on": dt.date(2026, 1, 2)})
    first = ask()
    assert first == {"net": [1, 2], "on": "Fri, 02 Jan 2026 00:00:00 GMT"}
    first["net"].append(3)
    assert ask()["net"] == [1, 2]
    client.stub(PRICE, returns=None)
    assert ask() is None
    client.stub(PRICE, returns=CallResult((1, 2), {"a": (3,)}))
    assert ask() == CallResult((1, 2), {"a": [3]})


def test_stub_function_gets_what_has_travelled(ask: Ask, client: WampTestClient) -> None:
    @client.stub(PRICE)
    def price(article: str, *, options: Any = ()) -> Any:
        options.append("mine")
        return article, options

    given = [(1, 2)]
    assert ask("tea", options=given) == ["tea", [[1, 2], "mine"]]
    assert given == [(1, 2)]
    assert price("tea", options=[]) == ("tea", ["mine"])
    client.stub(PRICE, lambda: "another")
    assert ask() == "another"

    @client.stub(PRICE)
    async def later() -> str:
        return "later"

    assert ask() == "later"


RAISED: list[tuple[Any, type[Exception], dict[str, Any]]] = [
    (CallTimeout, CallTimeout, {}),
    (CallTimeout("too slow"), CallTimeout, {"args": ("too slow",)}),
    (NotConnected, NotConnected, {}),
    (NoSuchProcedure, NoSuchProcedure, {"uri": "wamp.error.no_such_procedure"}),
    (NotAuthorized, NotAuthorized, {"uri": "wamp.error.not_authorized"}),
    (InvalidArgument, InvalidArgument, {"uri": "wamp.error.invalid_argument"}),
    (Canceled, Canceled, {"uri": "wamp.error.canceled"}),
    (
        RemoteError("com.x", [1, (2,)], {"a": (3,)}),
        RemoteError,
        {"uri": "com.x", "args": (1, [2]), "kwargs": {"a": [3]}},
    ),
    (RemoteError("wamp.error.no_such_procedure"), NoSuchProcedure, {}),
    (RemoteError("com.other.no_stock", ["tea", 2]), NoStock, {"article": "tea", "left": 2}),
    (RemoteError("com.other.no_stock", [], {"a": 1}), RemoteError, {"kwargs": {"a": 1}}),
    (ApplicationError("com.y", b=(1,)), RemoteError, {"uri": "com.y", "kwargs": {"b": [1]}}),
    (partial(NoStock, "tea", left=3), NoStock, {"article": "tea", "left": 3}),
    (Plain, Plain, {"args": ()}),
    (NotFound("gone"), RemoteError, {"uri": "wamp.error.not_found"}),
    (NotFound, RemoteError, {"uri": "wamp.error.not_found"}),
]


@pytest.mark.parametrize(("given", "kind", "has"), RAISED)
def test_stub_raises_what_a_call_raises(
    ask: Ask, client: WampTestClient, given: Any, kind: type[Exception], has: dict[str, Any]
) -> None:
    if isinstance(given, partial):
        # Made once the class is declared.
        given = given()
    error: Any = given
    client.stub(PRICE, raises=error)
    calls: list[Callable[[], Any]] = [
        ask,
        lambda: g.wampy.start_call(PRICE).result(),
        lambda: g.wampy.gather([g.wampy.start_call(PRICE)]),
        lambda: next(g.wampy.stream(PRICE)),
    ]
    for call in calls:
        with pytest.raises(kind) as raised:
            call()
        assert type(raised.value) is kind
        assert raised.value.__cause__ is not raised.value
        assert {name: getattr(raised.value, name) for name in has} == has
    if isinstance(error, Exception):

        @client.stub(PRICE)
        def fail() -> None:
            raise error

        with pytest.raises(kind):
            ask()


def test_stub_function_that_is_wrong_fails_the_test(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, lambda article: {}[article])
    with pytest.raises(KeyError, match="tea"):
        ask("tea")
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        ask()
    client.stub(PRICE, object)
    with pytest.raises(PayloadError, match=f"the answer of the stub '{PRICE}' cannot travel"):
        ask()


def test_stub_answers_one_after_another(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, answers=[1, CallTimeout, NoStock("tea"), None])
    assert ask() == 1
    with pytest.raises(CallTimeout):
        ask()
    with pytest.raises(NoStock):
        ask()
    assert ask() is None
    assert "has 4 answers, and this is one call more" in refusal(NotStubbed, ask)
    assert "one call more" in refusal(NotStubbed, lambda: g.wampy.start_call(PRICE))


@pytest.mark.parametrize(
    ("answer", "streamed", "called"),
    [
        ({"progress": [1, (2,)]}, [1, [2]], [1, [2]]),
        ({"progress": [1], "returns": "end"}, [1, "end"], [1, "end"]),
        ({"progress": []}, [], []),
        ({"returns": "end"}, ["end"], "end"),
        ({"returns": None}, [], None),
        ({"progress": [CallResult((1, 2))]}, [CallResult((1, 2))], [CallResult((1, 2))]),
    ],
)
def test_stub_gives_progressive_results(
    ask: Ask, client: WampTestClient, answer: dict[str, Any], streamed: list[Any], called: Any
) -> None:
    client.stub(PRICE, **answer)
    for _ in range(2):
        assert list(g.wampy.stream(PRICE)) == streamed
        assert ask() == called


def test_stub_gives_progressive_results_and_fails(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, progress=[1, 2], raises=CallTimeout)
    results = g.wampy.stream(PRICE)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(CallTimeout):
        next(results)
    with pytest.raises(CallTimeout):
        ask()


def test_stub_that_is_a_generator_is_closed_when_it_is_left(
    ask: Ask, client: WampTestClient
) -> None:
    did: list[Any] = []

    @client.stub(PRICE)
    def price() -> Iterator[int]:
        try:
            for number in range(1_000_000):
                did.append(number)
                yield number
        finally:
            did.append("closed")

    with g.wampy.stream(PRICE) as results:
        assert next(results) == 0
    assert did == [0, "closed"]


def test_stub_that_times_out_is_awaited_in_vain(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, raises=CallTimeout)
    call = g.wampy.start_call(PRICE)
    assert not call.done()
    with pytest.raises(CallTimeout):
        call.result(timeout=60)
    call.cancel()
    assert call.done()
    with pytest.raises(Canceled):
        call.result()


# --- which stub


def test_stub_goes_before_the_applications_own_procedure(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    wamp.callee("com.shop.tax")(lambda: "own")
    wamp.callee("com.shop.ask")(lambda: g.wampy.call("com.shop.tax"))
    client.stub("com.shop.tax", returns="stub")
    assert client.call("com.shop.ask") == "stub"
    # What a test calls is what it tests.
    assert client.call("com.shop.tax") == "own"
    client.remove_stub("com.shop.tax")
    assert client.call("com.shop.ask") == "own"


def test_stub_of_a_pattern(ask: Ask, client: WampTestClient) -> None:
    client.stub("com.", returns="prefix", match="prefix")
    client.stub("com.other.", returns="longer prefix", match="prefix")
    client.stub("com..price", returns="wildcard", match="wildcard")
    client.stub("org..price", returns="wildcard of org", match="wildcard")
    client.stub("com.other.price", returns="exact")
    uris = ("com.other.price", "com.other.tax", "com.one.price", "com.x", "org.one.price")
    assert [g.wampy.call(uri) for uri in uris] == [
        "exact", "longer prefix", "prefix", "prefix", "wildcard of org",
    ]  # fmt: skip
    with pytest.raises(NotStubbed):
        g.wampy.call("org.one.two.price")


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    (("a..b",), {"returns": 1}, "a URI is made of words"),
    ((5,), {"returns": 1}, "a URI is a str"),
    (("com.shop.",), {"returns": 1}, 'match="prefix" serves all that begins so'),
    (("com.shop",), {"returns": 1, "match": "wildcard"}, "a wildcard pattern has an empty"),
    (("com.shop",), {"returns": 1, "match": "fuzzy"}, "match is one of"),
    (("wamp.session.",), {"returns": 1, "match": "prefix"}, "belong to the protocol"),
    ((PRICE, 5), {}, "give a function, or one answer"),
    ((PRICE,), {"returns": 1, "raises": CallTimeout}, "give returns= or raises=, not both"),
    ((PRICE,), {"answers": [1], "returns": 1}, "give it alone"),
    ((PRICE, print), {"returns": 1}, "give a function, or one answer"),
    ((PRICE,), {"answers": "abc"}, "give a list"),
    ((PRICE,), {"progress": 5}, "give a list"),
    ((PRICE,), {"progress": [ValueError]}, "is for raises="),
    ((PRICE,), {"returns": ValueError("x")}, "is for raises="),
    ((PRICE,), {"returns": (each for each in [1])}, "progress="),
    ((PRICE,), {"raises": "timeout"}, "give an exception"),
    ((PRICE,), {"raises": RemoteError}, "under which URI?"),
    ((PRICE,), {"raises": ApplicationError}, "is not made without arguments"),
    ((PRICE,), {"raises": NoStock}, "is not made without arguments: give raises=NoStock(...)"),
    ((PRICE,), {"raises": ValueError}, "no call is answered so"),
    ((PRICE,), {"raises": KeyboardInterrupt}, "give an Exception"),
]


@pytest.mark.parametrize(("args", "kwargs", "text"), REFUSED)
def test_stub_that_cannot_be_is_refused_where_it_is_written(
    ask: Ask, client: WampTestClient, args: tuple[Any, ...], kwargs: dict[str, Any], text: str
) -> None:
    assert text in refusal(OptionError, client.stub, *args, **kwargs)
    with pytest.raises(NotStubbed):
        ask()


def test_stub_that_cannot_travel_is_refused_where_it_is_written(client: WampTestClient) -> None:
    for answer in (
        {"returns": object()},
        {"answers": [object()]},
        {"progress": [object()]},
        {"raises": RemoteError("com.x", [object()])},
    ):
        with pytest.raises(PayloadError, match="cannot travel: a object"):
            client.stub(PRICE, **answer)


def test_stub_that_is_not_there_cannot_be_removed(client: WampTestClient) -> None:
    assert "no such stub" in refusal(OptionError, client.remove_stub, PRICE)


def test_stub_may_be_written_before_the_client_is_in_use(app: Flask, wamp: WAMP) -> None:
    client = wamp.test_client()
    client.stub(PRICE, returns=1)
    with client, app.app_context():
        assert g.wampy.call(PRICE) == 1


def test_stub_raises_each_time_as_if_for_the_first(ask: Ask, client: WampTestClient) -> None:
    client.stub(PRICE, raises=CallTimeout)

    def depth() -> int:
        with pytest.raises(CallTimeout) as raised:
            ask()
        return len(raised.traceback)

    assert depth() == depth() == depth()
