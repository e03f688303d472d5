"""Declarations: what is taken, and what is refused where it is declared."""

import functools
from collections.abc import Callable
from typing import Any, Self

import pytest

from flask_wamp.declare.declared import SubscriptionOptions, describe
from flask_wamp.declare.registry import Registry
from flask_wamp.errors import DeclarationError, SetupError

from ..doubles import refusal


def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


def other(a: int) -> int:
    """Return what is given."""
    return a


def twin_named_add() -> Any:
    """Return another function that is called ``add``."""

    def add() -> None:
        """Do nothing."""

    return add


@pytest.fixture
def registry() -> Registry:
    """Return a registry without declarations."""
    return Registry()


def test_registry_describes_a_function_by_name_and_place() -> None:
    line = add.__code__.co_firstlineno
    assert describe(add) == f"{__name__}.add ({__file__}:{line})"


def test_registry_describes_what_has_no_code() -> None:
    assert describe(KeyError) == "builtins.KeyError"
    assert "functools.partial" in describe(functools.partial(add, 1))


def test_registry_default_name_stands_behind_the_prefix(registry: Registry) -> None:
    procedure = registry.add_procedure(add)
    assert registry.resolved("") == {("add", "exact"): procedure}
    assert registry.resolved("com.example.") == {("com.example.add", "exact"): procedure}


def test_registry_explicit_uri_stands_without_the_prefix(registry: Registry) -> None:
    procedure = registry.add_procedure(add, "com.example.sum")
    assert registry.resolved("shop.") == {("com.example.sum", "exact"): procedure}


def test_registry_one_function_under_two_uris(registry: Registry) -> None:
    registry.add_procedure(add)
    registry.add_procedure(add, "com.example.sum")
    assert set(registry.resolved("")) == {("add", "exact"), ("com.example.sum", "exact")}


@pytest.mark.parametrize("uri", [None, "com.example.add"])
def test_registry_duplicate_names_both_functions_and_files(
    registry: Registry, uri: str | None
) -> None:
    twin = twin_named_add()
    registry.add_procedure(add, uri)
    text = refusal(DeclarationError, registry.add_procedure, twin, uri)
    assert repr(uri or "add") in text
    assert describe(add) in text
    assert describe(twin) in text
    assert text.index(describe(add)) < text.index(describe(twin))
    assert len(registry.procedures) == 1


def test_registry_same_function_twice_is_a_duplicate(registry: Registry) -> None:
    registry.add_procedure(add)
    with pytest.raises(DeclarationError, match="declared twice"):
        registry.add_procedure(add)


def test_registry_default_name_and_same_explicit_uri_collide_only_without_prefix(
    registry: Registry,
) -> None:
    registry.add_procedure(add)
    registry.add_procedure(other, "add")
    registry.add_prefix("com.example.")
    with pytest.raises(DeclarationError, match="'add' is declared twice"):
        registry.add_prefix("")


def test_registry_prefix_collision_at_init(registry: Registry) -> None:
    registry.add_procedure(add)
    registry.add_procedure(other, "com.example.add")
    text = refusal(DeclarationError, registry.add_prefix, "com.example.")
    assert "'com.example.add'" in text
    assert describe(add) in text
    assert describe(other) in text


def test_registry_prefix_collision_at_declaration(registry: Registry) -> None:
    registry.add_prefix("com.example.")
    registry.add_procedure(add)
    with pytest.raises(DeclarationError, match=r"'com\.example\.add' is declared twice"):
        registry.add_procedure(other, "com.example.add")
    assert len(registry.procedures) == 1


def test_registry_refused_prefix_is_forgotten(registry: Registry) -> None:
    """An application that was refused does not forbid what other applications may have."""
    registry.add_procedure(add)
    registry.add_procedure(other, "com.add")
    with pytest.raises(DeclarationError):
        registry.add_prefix("com.")
    registry.add_procedure(twin_named_add(), "com.other")
    registry.add_procedure(other)


@pytest.mark.parametrize("uri", ["", "com add", "com..add", "wamp.add", 5, "com.add."])
def test_registry_invalid_uri_names_the_function(uri: Any) -> None:
    text = refusal(DeclarationError, Registry().add_procedure, add, uri)
    assert f"@wamp.callee: {uri!r} on {describe(add)} is invalid" in text


def test_registry_nameless_procedure_needs_a_uri(registry: Registry) -> None:
    partial = functools.partial(add, 1)
    with pytest.raises(DeclarationError, match="has no name: give a URI"):
        registry.add_procedure(partial)
    assert registry.add_procedure(partial, "com.example.inc").function is partial


@pytest.mark.parametrize(
    "function",
    [max, getattr, functools.partial(max, 1), functools.wraps(max)(lambda *_: None)],
)
def test_registry_refuses_what_does_not_say_what_it_takes(
    registry: Registry, function: Callable[..., Any]
) -> None:
    """Nobody could tell whether the arguments of a call fit; it would fail where it is served."""
    for add_one, decorator in (
        (registry.add_procedure, "callee"),
        (registry.add_subscription, "subscribe"),
    ):
        text = refusal(DeclarationError, add_one, function, "com.example.x")
        assert text.startswith(f"@wamp.{decorator}: {function!r} does not say what arguments")
        assert "a function of your own" in text
    assert not registry.procedures
    assert not registry.subscriptions


def test_registry_takes_what_is_built_in_and_says_what_it_takes(registry: Registry) -> None:
    assert registry.add_procedure(len, "com.example.length").function is len
    registry.add_watcher(max, joins=True)
    assert registry.on_join == [max]


def test_registry_refuses_what_is_no_function(registry: Registry) -> None:
    nothing: Any = 5
    with pytest.raises(DeclarationError, match=r"^@wamp\.callee stands on a function, not on 5$"):
        registry.add_procedure(nothing, "com.example.x")
    with pytest.raises(DeclarationError, match=r"^@wamp\.subscribe stands on a function, not on"):
        registry.add_subscription(nothing, "com.example.x")


def test_registry_topic_has_many_handlers(registry: Registry) -> None:
    registry.add_subscription(add, "com.example.sold")
    registry.add_subscription(other, "com.example.sold")
    registry.add_subscription(add, "com.example.sold")
    assert [s.function for s in registry.subscriptions] == [add, other, add]


@pytest.mark.parametrize("topic", ["", "com sold", "wamp", "wamp.", "wamp..on_join", None])
def test_registry_invalid_topic_names_the_function(topic: Any) -> None:
    text = refusal(DeclarationError, Registry().add_subscription, add, topic)
    assert f"@wamp.subscribe: {topic!r} on {describe(add)}" in text


def test_registry_topic_of_the_meta_api(registry: Registry) -> None:
    registry.add_subscription(add, "wamp.session.on_join")
    assert [s.topic for s in registry.subscriptions] == ["wamp.session.on_join"]


@pytest.mark.parametrize(
    ("topic", "match"),
    [("wamp.session.on_join", "prefix"), ("wamp.", "prefix"), ("wamp..on_join", "wildcard")],
)
def test_registry_pattern_of_topics_of_the_meta_api_names_the_function(
    topic: str, match: str
) -> None:
    text = refusal(
        DeclarationError, Registry().add_subscription, add, topic, SubscriptionOptions(match=match)
    )
    assert f"@wamp.subscribe: {topic!r} on {describe(add)}" in text


def test_registry_late_declarations_are_refused(registry: Registry) -> None:
    registry.add_procedure(add)
    registry.freeze("WAMP.start()")
    with pytest.raises(SetupError, match=r"the procedure 'other' .* after WAMP\.start\(\)"):
        registry.add_procedure(other)
    with pytest.raises(SetupError, match=r"subscription to 'com\.x' .*import the module"):
        registry.add_subscription(other, "com.x")
    assert len(registry.procedures) == 1
    assert not registry.subscriptions


def test_registry_late_error_is_taken(registry: Registry) -> None:
    """A mapping is looked up at each error, so it may come at any time."""
    registry.freeze("WAMP.start()")

    class Late(Exception):
        pass

    registry.add_error(Late, "com.example.late")
    assert registry.error_of(Late("x")) == ("com.example.late", ("x",), {})


def test_registry_error_without_declarations() -> None:
    assert Registry().error_of(KeyError("x")) is None
    assert Registry().exception_from("com.example.x", (), {}) is None


def test_registry_error_of_a_class_that_is_not_declared(registry: Registry) -> None:
    class Declared(Exception):
        pass

    registry.add_error(Declared, "com.example.declared")
    assert registry.error_of(KeyError("x")) is None
    assert registry.exception_from("com.example.other", (), {}) is None


def test_registry_error_travels_with_the_arguments_of_its_constructor(registry: Registry) -> None:
    class NoStock(Exception):
        def __init__(self, article: str, *, left: int = 0) -> None:
            super().__init__(f"only {left} of {article}")
            self.article = article
            self.left = left

    registry.add_error(NoStock, "com.example.no_stock")
    uri, args, kwargs = registry.error_of(NoStock("pen", left=2)) or ("", (), {})
    assert (uri, args, kwargs) == ("com.example.no_stock", ("pen",), {"left": 2})

    again = registry.exception_from(uri, args, kwargs)
    assert type(again) is NoStock
    assert (again.article, again.left, str(again)) == ("pen", 2, "only 2 of pen")


def test_registry_error_with_a_constructor_of_its_own_making(registry: Registry) -> None:
    """``__new__`` of the class runs as before, and gets the arguments."""

    class Counted(Exception):
        made = 0

        def __new__(cls, *args: Any, **kwargs: Any) -> Self:
            Counted.made += 1
            return super().__new__(cls, *args, **kwargs)

    registry.add_error(Counted, "com.example.counted")
    assert registry.error_of(Counted(1, 2)) == ("com.example.counted", (1, 2), {})
    assert Counted.made == 1


def test_registry_error_of_a_subclass(registry: Registry) -> None:
    class Refused(Exception):
        pass

    class Expired(Refused):
        pass

    class Stolen(Refused):
        pass

    registry.add_error(Refused, "com.example.refused")
    registry.add_error(Expired, "com.example.expired")
    assert registry.error_of(Expired("x")) == ("com.example.expired", ("x",), {})
    assert registry.error_of(Stolen("y")) == ("com.example.refused", ("y",), {})
    assert type(registry.exception_from("com.example.refused", ("y",), {})) is Refused
    assert type(registry.exception_from("com.example.expired", ("x",), {})) is Expired


def test_registry_error_made_before_it_was_declared(registry: Registry) -> None:
    class Early(Exception):
        pass

    early = Early("x", 1)
    registry.add_error(Early, "com.example.early")
    assert registry.error_of(early) == ("com.example.early", ("x", 1), {})


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2), {}), ((1,), {"nonsense": 1})])
def test_registry_error_whose_constructor_fails(
    registry: Registry, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """A payload that the class does not take makes no exception of that class."""

    class NoStock(Exception):
        def __init__(self, article: str) -> None:
            super().__init__(article)

    registry.add_error(NoStock, "com.example.no_stock")
    assert registry.exception_from("com.example.no_stock", args, kwargs) is None


def test_registry_duplicate_error_uri_names_both_classes(registry: Registry) -> None:
    class One(Exception):
        pass

    class Two(Exception):
        pass

    registry.add_error(One, "com.example.x")
    text = refusal(DeclarationError, registry.add_error, Two, "com.example.x")
    assert describe(One) in text
    assert describe(Two) in text


def test_registry_error_class_has_one_uri(registry: Registry) -> None:
    class One(Exception):
        pass

    registry.add_error(One, "com.example.x")
    with pytest.raises(DeclarationError, match=r"One has an error URI already"):
        registry.add_error(One, "com.example.y")


@pytest.mark.parametrize("uri", ["", "no stock", "wamp.error.runtime_error"])
def test_registry_invalid_error_uri(uri: str) -> None:
    class One(Exception):
        pass

    with pytest.raises(DeclarationError, match=r"@wamp\.error"):
        Registry().add_error(One, uri)
