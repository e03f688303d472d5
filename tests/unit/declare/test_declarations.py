"""Options of declarations, refused where they are written, and namespaces."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, DeclarationError, Namespace, SetupError
from flask_wamp.declare.declared import (
    INVOKE_POLICIES,
    ProcedureOptions,
    SubscriptionOptions,
    describe,
)
from flask_wamp.declare.registry import Registry
from flask_wamp.state import state_of

from ..doubles import Caller, refusal

WHOLE = "give a whole number from 1, as in 4"
FLAG = "give True or False"


def add(a: int = 0, b: int = 0) -> int:
    """Return the sum."""
    return a + b


def handle(*_payload: Any) -> None:
    """Do nothing."""


def registry_of(app: Flask) -> Registry:
    """Return what was declared for *app*."""
    return state_of(app).registry


def procedures_of(app: Flask) -> dict[str, ProcedureOptions]:
    """Return the options of the procedures of *app*, by URI."""
    return {each.uri(""): each.options for each in registry_of(app).procedures}


def subscriptions_of(app: Flask) -> dict[str, SubscriptionOptions]:
    """Return the options of the subscriptions of *app*, by topic."""
    return {each.topic: each.options for each in registry_of(app).subscriptions}


@pytest.fixture(params=["wamp", "below wamp", "standalone", "below standalone"])
def declare_in(request: pytest.FixtureRequest, wamp: WAMP) -> WAMP | Namespace:
    """Return each of those that declare."""
    made: dict[str, Callable[[], WAMP | Namespace]] = {
        "wamp": lambda: wamp,
        "below wamp": lambda: wamp.namespace("com.shop"),
        "standalone": lambda: Namespace("com.shop"),
        "below standalone": lambda: Namespace("com").namespace("shop"),
    }
    return made[request.param]()


def wrong(option: str, values: Iterable[Any], problem: str, **others: Any) -> list[Any]:
    """Return options with each of *values*, and what is said about it."""
    return [({**others, option: value}, f"{option}={value!r}: {problem}") for value in values]


# --- options of procedures


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        *wrong(
            "invoke",
            ["all", "", "Single", 1, True],
            "give one of 'single', 'first', 'last', 'roundrobin', 'random'",
        ),
        *wrong("concurrency", [0, -1, True, "x", "4", 1.0, [4]], WHOLE),
        *wrong(
            "queue",
            [-1, False, "x", 1.5],
            "give a whole number from 0, as in 10",
            concurrency=1,
        ),
        ({"queue": 5}, "concurrency=... limits: give that as well"),
        ({"queue": 0}, "queue=0 says how many calls wait"),
        *wrong("request", [1, "no"], FLAG),
        *wrong("force_reregister", [1, None, "yes"], FLAG),
        *(
            (
                {"force_reregister": True, "invoke": invoke},
                f"takes a procedure over, invoke={invoke!r} shares it: give one of them",
            )
            for invoke in INVOKE_POLICIES[1:]
        ),
        ({"match": "regex"}, "match is one of exact, prefix, wildcard"),
        ({"match": None}, "match is one of exact, prefix, wildcard"),
    ],
)
def test_declarations_callee_refuses_with_a_remedy(
    app: Flask, declare_in: WAMP | Namespace, options: dict[str, Any], problem: str
) -> None:
    text = refusal(DeclarationError, declare_in.callee("com.shop.add", **options), add)
    assert "com.shop.add" in text
    assert describe(add) in text
    assert problem in text
    assert procedures_of(app) == {}


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, ProcedureOptions()),
        ({"request": False}, ProcedureOptions(request=False)),
        (
            {"invoke": "single", "force_reregister": True},
            ProcedureOptions(invoke="single", force_reregister=True),
        ),
        *(({"invoke": invoke}, ProcedureOptions(invoke=invoke)) for invoke in INVOKE_POLICIES),
        ({"concurrency": 1}, ProcedureOptions(concurrency=1)),
        ({"concurrency": 2, "queue": 0}, ProcedureOptions(concurrency=2, queue=0)),
    ],
)
def test_declarations_callee_takes(
    app: Flask, wamp: WAMP, options: dict[str, Any], kept: ProcedureOptions
) -> None:
    assert wamp.callee("com.shop.add", **options)(add) is add
    assert procedures_of(app) == {"com.shop.add": kept}


@pytest.mark.parametrize(
    ("uri", "remedy"),
    [
        ("com.shop.", 'match="prefix"'),
        ("com..stock", 'match="wildcard"'),
        (".com", 'match="wildcard"'),
    ],
)
def test_declarations_pattern_without_match_names_the_one_that_is_meant(
    wamp: WAMP, uri: str, remedy: str
) -> None:
    with pytest.raises(DeclarationError, match=remedy):
        wamp.callee(uri)(lambda: None)


@pytest.mark.parametrize(
    ("uri", "match", "reason"),
    [
        ("com.shop.add", "wildcard", "an empty component, as in 'com.shop..stock'"),
        ("com..add", "exact", "words joined by dots"),
        ("com..add", "prefix", "words joined by dots"),
        ("com.shop..", "prefix", "words joined by dots"),
        ("", "prefix", "words joined by dots"),
        (".", "wildcard", "names at least one component"),
        ("", "wildcard", "names at least one component"),
        ("wamp.", "prefix", "belong to the protocol"),
        ("wamp..get", "wildcard", "belong to the protocol"),
        ("com shop.", "prefix", "without spaces"),
    ],
)
def test_declarations_patterns_that_are_refused(
    app: Flask, wamp: WAMP, uri: str, match: str, reason: str
) -> None:
    text = refusal(DeclarationError, wamp.callee(uri, match=match), add)
    assert f"@wamp.callee: {uri!r} on {describe(add)} is invalid: " in text
    assert reason in text
    text = refusal(DeclarationError, wamp.subscribe(uri, match=match), handle)
    assert f"@wamp.subscribe: {uri!r} on {describe(handle)} is invalid: " in text
    assert reason in text
    assert procedures_of(app) == {}
    assert subscriptions_of(app) == {}


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("com.shop", "prefix"),
        ("com.shop.", "prefix"),
        ("com..add", "wildcard"),
        (".add", "wildcard"),
        ("add.", "wildcard"),
    ],
)
def test_declarations_patterns_that_are_taken(app: Flask, wamp: WAMP, uri: str, match: str) -> None:
    wamp.callee(uri, match=match)(add)
    wamp.subscribe(uri, match=match)(handle)
    assert procedures_of(app) == {uri: ProcedureOptions(match=match)}
    assert subscriptions_of(app) == {uri: SubscriptionOptions(match=match)}


def test_declarations_one_uri_once_for_each_match(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop")(add)
    wamp.callee("com.shop", match="prefix")(add)
    assert list(registry_of(app).resolved("")) == [
        ("com.shop", "exact"),
        ("com.shop", "prefix"),
    ]
    with pytest.raises(DeclarationError, match=r"'com\.shop' is declared twice"):
        wamp.callee("com.shop", match="prefix")(add)


def test_declarations_asynchronous_generator_is_refused(wamp: WAMP) -> None:
    """Also where it is wrapped."""

    async def count() -> AsyncIterator[int]:
        yield 1

    @functools.wraps(count)
    def wrapping() -> Any:
        return count()

    for function in (count, wrapping):
        text = refusal(DeclarationError, wamp.callee, function)
        assert describe(function) in text
        assert "an asynchronous generator cannot be a procedure: make it a generator" in text


def test_declarations_coroutine_function_is_no_generator(app: Flask, wamp: WAMP) -> None:
    @wamp.callee
    async def sleep() -> None:
        await asyncio.sleep(0)

    assert list(procedures_of(app)) == ["sleep"]


# --- options of subscriptions


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        *wrong("concurrency", [0, -1, True, "x", None, 1.0], WHOLE),
        *wrong("get_retained", [1, "yes", []], FLAG),
        *wrong("queue", [0, -1, True, "x", None, 1.0], "give a whole number from 1, as in 10_000"),
        *wrong("overflow", ["drop", "", 1, []], "give one of 'spill', 'block', 'drop_oldest', 'e"),
        ({"match": "regex"}, "match is one of exact, prefix, wildcard"),
    ],
)
@pytest.mark.parametrize("decorator", ["subscribe", "consume"])
def test_declarations_subscribe_refuses_with_a_remedy(
    app: Flask,
    declare_in: WAMP | Namespace,
    decorator: str,
    options: dict[str, Any],
    problem: str,
) -> None:
    decorate = getattr(declare_in, decorator)("com.shop.sold", **options)
    text = refusal(DeclarationError, decorate, handle)
    assert "com.shop.sold" in text
    assert describe(handle) in text
    assert problem in text
    assert subscriptions_of(app) == {}


@pytest.mark.parametrize("decorator", ["subscribe", "consume"])
def test_declarations_subscribe_takes(app: Flask, wamp: WAMP, decorator: str) -> None:
    subscribe = getattr(wamp, decorator)
    given: dict[str, Any] = {"match": "prefix", "get_retained": True, "concurrency": 4}
    given |= {"queue": 7, "overflow": "block"}
    assert subscribe("com.shop.", **given)(handle)
    assert subscriptions_of(app) == {"com.shop.": SubscriptionOptions(**given)}


def test_declarations_events_that_overflow_are_kept_by_default(app: Flask, wamp: WAMP) -> None:
    wamp.subscribe("com.shop.sold")(handle)
    (options,) = subscriptions_of(app).values()
    assert (options.queue, options.overflow) == (10_000, "spill")


# --- namespaces


def test_declarations_namespace_stands_before_every_name(app: Flask, wamp: WAMP) -> None:
    shop = wamp.namespace("com.shop")

    class NoStock(Exception):
        pass

    assert shop.callee(add) is add
    assert shop.callee("sum")(add) is add
    assert shop.callee("price.of")(add) is add
    assert shop.subscribe("sold")(handle) is handle
    assert shop.consume(topic="bought")(handle) is handle
    assert shop.error("no_stock")(NoStock) is NoStock
    assert set(procedures_of(app)) == {"com.shop.add", "com.shop.sum", "com.shop.price.of"}
    assert set(subscriptions_of(app)) == {"com.shop.sold", "com.shop.bought"}
    assert registry_of(app).error_of(NoStock(1)) == ("com.shop.no_stock", (1,), {})


def test_declarations_namespace_stands_without_the_prefix_of_the_application() -> None:
    app = Flask("shop")
    app.config["WAMP_URI_PREFIX"] = "prefix"
    wamp = WAMP(app)
    wamp.namespace("com.shop").callee(add)
    assert set(registry_of(app).resolved("prefix.")) == {("com.shop.add", "exact")}


def test_declarations_namespace_before_the_application() -> None:
    """As the decorators of the extension itself."""
    wamp = WAMP()
    shop = wamp.namespace("com.shop")
    shop.callee(add)
    app = Flask("shop")
    wamp.init_app(app)
    shop.subscribe("sold")(handle)
    assert set(procedures_of(app)) == {"com.shop.add"}
    assert set(subscriptions_of(app)) == {"com.shop.sold"}


def test_declarations_namespaces_nest(app: Flask, wamp: WAMP) -> None:
    orders = wamp.namespace("com.shop").namespace("orders")
    parts = orders.namespace("parts.small")
    orders.callee(add)
    parts.callee(add)
    assert (orders.uri, parts.uri) == ("com.shop.orders", "com.shop.orders.parts.small")
    assert set(procedures_of(app)) == {"com.shop.orders.add", "com.shop.orders.parts.small.add"}
    assert repr(orders) == "<Namespace 'com.shop.orders'>"


def test_declarations_namespace_gives_defaults_that_are_overridden(app: Flask, wamp: WAMP) -> None:
    shop = wamp.namespace(
        "com.shop", request=False, invoke="random", concurrency=4, queue=5, overflow="error"
    )
    shop.callee(add)
    shop.subscribe("sold")(handle)
    shop.callee("a", request=True, invoke="single")(add)
    shop.callee("b", concurrency=1, queue=0)(add)
    shop.subscribe("bought", overflow="spill")(handle)
    assert procedures_of(app) == {
        "com.shop.add": ProcedureOptions(False, invoke="random", concurrency=4, queue=5),
        "com.shop.a": ProcedureOptions(invoke="single", concurrency=4, queue=5),
        "com.shop.b": ProcedureOptions(False, invoke="random", concurrency=1, queue=0),
    }
    assert subscriptions_of(app) == {
        "com.shop.sold": SubscriptionOptions(overflow="error"),
        "com.shop.bought": SubscriptionOptions(),
    }


@pytest.mark.parametrize("standalone", [True, False])
def test_declarations_namespace_inherits_and_overrides_defaults(
    app: Flask, wamp: WAMP, standalone: bool
) -> None:
    defaults: dict[str, Any] = {"request": False, "concurrency": 4, "get_retained": True}
    shop = (
        Namespace("com.shop", **defaults) if standalone else wamp.namespace("com.shop", **defaults)
    )
    orders = shop.namespace("orders", invoke="first", concurrency=2, get_retained=False)
    orders.callee(add)
    orders.subscribe("sold")(handle)
    orders.namespace("parts", request=True, queue=3).callee(add)
    if standalone:
        wamp.register_namespace(shop)
    assert procedures_of(app) == {
        "com.shop.orders.add": ProcedureOptions(request=False, invoke="first", concurrency=2),
        "com.shop.orders.parts.add": ProcedureOptions(invoke="first", concurrency=2, queue=3),
    }
    assert subscriptions_of(app) == {"com.shop.orders.sold": SubscriptionOptions()}


def test_declarations_namespace_default_meets_the_option_of_a_procedure(wamp: WAMP) -> None:
    shop = wamp.namespace("com.shop", invoke="random")
    with pytest.raises(DeclarationError, match="invoke='random' shares it"):
        shop.callee("add", force_reregister=True)(add)


@pytest.mark.parametrize(
    ("defaults", "problem"),
    [
        *wrong("invoke", ["all"], "give one of"),
        *wrong("concurrency", [0], WHOLE),
        ({"queue": 5}, "limits: give that as well"),
        *wrong("request", ["no"], FLAG),
        *wrong("get_retained", [1], FLAG),
        *wrong("overflow", ["drop"], "give one of 'spill'"),
    ],
)
def test_declarations_namespace_refuses_its_own_defaults(
    wamp: WAMP, defaults: dict[str, Any], problem: str
) -> None:
    for make in (Namespace, wamp.namespace):
        text = refusal(DeclarationError, make, "com.shop", **defaults)
        assert text.startswith("the namespace 'com.shop' cannot have ")
        assert problem in text


@pytest.mark.parametrize("uri", ["", "com shop", "com.", ".shop", "wamp", "wamp.shop", None, 5])
def test_declarations_namespace_of_an_invalid_name(wamp: WAMP, uri: Any) -> None:
    for make in (Namespace, wamp.namespace):
        text = refusal(DeclarationError, make, uri)
        assert text.startswith(f"the namespace {uri!r} is invalid: ")


@pytest.mark.parametrize("name", ["", "a b", "x.", None, 5])
def test_declarations_invalid_names_in_a_namespace(app: Flask, wamp: WAMP, name: Any) -> None:
    """None and 5 are no names, and must not become ``com.shop.None`` and ``com.shop.5``."""
    shop = wamp.namespace("com.shop")
    refusal(DeclarationError, shop.namespace, name)
    refusal(DeclarationError, shop.subscribe(name), handle)
    refusal(DeclarationError, shop.error(name), type("NoStock", (Exception,), {}))
    if name is not None:
        refusal(DeclarationError, shop.callee(name), add)
    assert procedures_of(app) == {}
    assert subscriptions_of(app) == {}


def test_declarations_namespace_of_what_has_no_name(wamp: WAMP) -> None:
    with pytest.raises(DeclarationError, match=r"has no name: give one, callee\('add'\)"):
        wamp.namespace("com.shop").callee(functools.partial(add, 1))


@pytest.mark.parametrize(
    ("decorator", "remedy"), [("subscribe", "name the topic"), ("error", "name the URI")]
)
def test_declarations_namespace_decorators_without_parentheses(
    wamp: WAMP, decorator: str, remedy: str
) -> None:
    with pytest.raises(DeclarationError, match=remedy):
        getattr(wamp.namespace("com.shop"), decorator)(handle)


def test_declarations_patterns_in_a_namespace(app: Flask, wamp: WAMP) -> None:
    shop = wamp.namespace("com.shop")
    shop.callee(".stock", match="wildcard")(add)
    shop.callee("", match="prefix")(add)
    shop.callee("parts", match="prefix")(add)
    shop.subscribe(".sold", match="wildcard")(handle)
    with pytest.raises(DeclarationError, match="has an empty component"):
        shop.callee("stock", match="wildcard")(add)
    assert {(uri, options.match) for uri, options in procedures_of(app).items()} == {
        ("com.shop..stock", "wildcard"),
        ("com.shop.", "prefix"),
        ("com.shop.parts", "prefix"),
    }
    assert set(subscriptions_of(app)) == {"com.shop..sold"}


@pytest.mark.parametrize("namespace_first", [True, False])
def test_declarations_name_in_a_namespace_that_is_taken(wamp: WAMP, namespace_first: bool) -> None:
    def other() -> None: ...

    decorators = [wamp.namespace("com.shop").callee("add"), wamp.callee("com.shop.add")]
    one, two = decorators if namespace_first else reversed(decorators)
    one(add)
    text = refusal(DeclarationError, two, other)
    assert "'com.shop.add' is declared twice" in text
    assert describe(add) in text
    assert describe(other) in text


def test_declarations_two_namespaces_of_one_name(app: Flask, wamp: WAMP) -> None:
    wamp.namespace("com.shop").callee("a")(add)
    again = wamp.namespace("com.shop")
    again.callee("b")(add)
    with pytest.raises(DeclarationError, match="declared twice"):
        again.callee("a")(add)
    assert set(procedures_of(app)) == {"com.shop.a", "com.shop.b"}


# --- standalone namespaces


def test_declarations_standalone_namespace_of_two_extensions() -> None:
    shop = Namespace("com.shop", concurrency=2)

    @shop.error("no_stock")
    class NoStock(Exception):
        pass

    @shop.callee
    def buy() -> None:
        raise NoStock("pen")

    shop.subscribe("sold")(handle)
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        WAMP(app).register_namespace(shop)
    for app in apps:
        assert procedures_of(app) == {"com.shop.buy": ProcedureOptions(concurrency=2)}
        assert set(subscriptions_of(app)) == {"com.shop.sold"}
        assert Caller(app).error("com.shop.buy").uri == "com.shop.no_stock"


def test_declarations_made_after_the_namespace_was_registered() -> None:
    shop = Namespace("com.shop")
    below = shop.namespace("parts")
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        WAMP(app).register_namespace(shop)
    shop.callee(add)
    below.callee(add)
    shop.namespace("later").subscribe("sold")(handle)
    for app in apps:
        assert set(procedures_of(app)) == {"com.shop.add", "com.shop.parts.add"}
        assert set(subscriptions_of(app)) == {"com.shop.later.sold"}


def test_declarations_standalone_namespace_refuses_where_it_is_written() -> None:
    """Without an extension that could."""
    shop = Namespace("com.shop")
    shop.callee("add")(add)
    with pytest.raises(DeclarationError, match=r"'com\.shop\.add' is declared twice"):
        shop.callee("add")(add)
    with pytest.raises(DeclarationError, match="invoke='all'"):
        shop.callee("other", invoke="all")(add)
    with pytest.raises(DeclarationError, match="stands on an exception class"):
        shop.error("no_stock")(int)  # type: ignore[type-var]
    app = Flask("shop")
    WAMP(app).register_namespace(shop)
    assert set(procedures_of(app)) == {"com.shop.add"}


def test_declarations_standalone_namespace_whose_name_is_taken(app: Flask, wamp: WAMP) -> None:
    shop = Namespace("com.shop")
    shop.callee("add")(add)
    wamp.callee("com.shop.add")(add)
    with pytest.raises(DeclarationError, match=r"'com\.shop\.add' is declared twice"):
        wamp.register_namespace(shop)


def test_declarations_namespace_registered_twice_is_refused(app: Flask, wamp: WAMP) -> None:
    """Each event would be handled twice."""
    shop = Namespace("com.shop")
    shop.subscribe("sold")(handle)
    wamp.register_namespace(shop)
    with pytest.raises(DeclarationError):
        wamp.register_namespace(shop)
    assert len(registry_of(app).subscriptions) == 1


def test_declarations_error_of_a_namespace_that_is_taken(wamp: WAMP) -> None:
    class One(Exception):
        pass

    class Two(Exception):
        pass

    shop = wamp.namespace("com.shop")
    shop.error("x")(One)
    with pytest.raises(DeclarationError, match=r"'com\.shop\.x' .* is taken by"):
        wamp.error("com.shop.x")(Two)
    with pytest.raises(DeclarationError, match="has an error URI already"):
        shop.error("y")(One)


def test_declarations_late_ones_of_a_namespace_are_refused(wamp: WAMP, app: Flask) -> None:
    shop = Namespace("com.shop")
    wamp.register_namespace(shop)
    registry_of(app).freeze("WAMP.start()")
    with pytest.raises(SetupError, match=r"'com\.shop\.add' .*after WAMP\.start\(\)"):
        shop.callee(add)
    late = Namespace("com.late")
    late.callee(add)
    with pytest.raises(SetupError, match=r"'com\.late\.add' .*after WAMP\.start\(\)"):
        wamp.register_namespace(late)
    assert procedures_of(app) == {}


# --- watchers of the session


@pytest.mark.parametrize("name", ["on_join", "on_leave"])
def test_declarations_watcher_takes_one_argument(app: Flask, wamp: WAMP, name: str) -> None:
    declare = getattr(wamp, name)

    def one(session: Any) -> None: ...
    def optional(session: Any = None, /, *more: Any) -> None: ...
    def anything(*args: Any, **kwargs: Any) -> None: ...

    for function in (one, optional, anything):
        assert declare(function) is function
    registry = registry_of(app)
    watchers = {"on_join": registry.on_join, "on_leave": registry.on_leave}
    assert watchers.pop(name) == [one, optional, anything]
    assert list(watchers.values()) == [[]]


def none() -> None: ...
def two(session: Any, other: Any) -> None: ...
def named(*, session: Any) -> None: ...


@pytest.mark.parametrize("function", [none, two, named])
@pytest.mark.parametrize("name", ["on_join", "on_leave"])
def test_declarations_watcher_of_another_signature_is_refused(
    app: Flask, wamp: WAMP, name: str, function: Any
) -> None:
    assert refusal(DeclarationError, getattr(wamp, name), function) == (
        f"@wamp.{name}: {describe(function)} takes one argument, the session: "
        f"def {function.__name__}(session)"
    )
    assert registry_of(app).on_join == registry_of(app).on_leave == []
