"""Arguments that are checked against annotations, and converted to them."""

import dataclasses
import enum
import functools
import inspect
import json
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, ParamSpec, TypeVar
from uuid import UUID

import pytest
from annotated_types import Lt
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from typing_extensions import TypedDict

from flask_wamp.errors import DeclarationError
from flask_wamp.serve.validation import ArgumentErrors, Validator, validator_of

from ..doubles import run_program

T = TypeVar("T")
N = TypeVar("N", bound=int)
P = ParamSpec("P")
Positive = Annotated[int, Field(gt=0)]


class Order(BaseModel):
    sku: str
    quantity: Positive
    note: str | None = None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: str


class Tree(BaseModel):
    child: "Tree | None" = None


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Size(TypedDict):
    width: int


class Unknown:
    """No type that pydantic knows."""


def no_types(a, b=1, *args, **kwargs): ...  # type: ignore[no-untyped-def]
def anything(a: Any, b: object, *args: Any, **kwargs: object) -> Order: ...  # type: ignore[empty-body]
def generic(a: T, b: N, *args: T) -> T: ...  # type: ignore[empty-body]
def forwarding(*args: P.args, **kwargs: P.kwargs) -> None: ...  # type: ignore[valid-type]
def two(a: int, b: int) -> None: ...
def half(a, b: int, c=2, *, d: int = 0): ...  # type: ignore[no-untyped-def]
def order_on(order: Order, day: date) -> None: ...
def items(a: int, *args: int, b: int = 0) -> None: ...
def only_items(*args: int) -> None: ...
def options(a: int, **kwargs: int) -> None: ...
def everything(a: int, /, b: int, *args: int, c: int, **kwargs: int) -> None: ...


def validator(function: Callable[..., Any]) -> Validator:
    """Return the validator of a function that has one."""
    made = validator_of(function)
    assert made is not None
    return made


def taking(annotation: Any) -> Validator:
    """Return the validator of a function whose one parameter ``a`` has this annotation."""

    def view(a): ...  # type: ignore[no-untyped-def]

    view.__annotations__["a"] = annotation
    return validator(view)


def converted(annotation: Any, value: Any) -> Any:
    """Return what *value* becomes where *annotation* is asked for."""
    args, kwargs = taking(annotation).validate([value], {})
    assert kwargs == {}
    return args[0]


def misfit(function: Callable[..., Any] | Validator, *args: Any, **kwargs: Any) -> ArgumentErrors:
    """Return the error for arguments that do not fit."""
    made = function if isinstance(function, Validator) else validator(function)
    with pytest.raises(ArgumentErrors) as caught:
        made.validate(list(args), kwargs)
    for error in caught.value.errors:
        assert error.keys() == {"loc", "type", "msg"}
    assert json.loads(json.dumps(caught.value.errors)) == caught.value.errors
    return caught.value


def places(error: ArgumentErrors) -> list[list[Any]]:
    """Return where the mismatches are."""
    return [each["loc"] for each in error.errors]


def defined(source: str, **names: Any) -> dict[str, Any]:
    """Return what a module with this *source* defines; its annotations are strings."""
    namespace: dict[str, Any] = {"__name__": "shop.views", **names}
    exec(f"from __future__ import annotations\n{source}", namespace)  # noqa: S102
    return namespace


# What is checked


@pytest.mark.parametrize("function", [no_types, anything, generic, forwarding, lambda: None])
def test_validation_nothing_to_check(function: Callable[..., Any]) -> None:
    assert validator_of(function) is None


def test_validation_names_what_it_checks() -> None:
    assert validator(half).names == {"b", "d"}
    assert validator(everything).names == {"a", "b", "c", "args", "kwargs"}


def test_validation_leaves_alone_what_has_no_annotation() -> None:
    sent = object()
    assert validator(half).validate([sent, "1", sent], {"d": "2"}) == ([sent, 1, sent], {"d": 2})


def test_validation_without_annotations_does_not_import_pydantic() -> None:
    printed = run_program(
        """
        from __future__ import annotations
        import sys
        from typing import Any, TypeVar
        from flask_wamp.serve.validation import validator_of

        T = TypeVar("T")

        def bare(a, b=1, *args, **kwargs): ...
        def anything(a: Any, b: object, c: T, **kwargs: Any) -> Missing: ...
        def typed(a: int): ...

        assert validator_of(bare) is None and validator_of(anything) is None
        print("pydantic" in sys.modules)
        assert validator_of(typed).validate(["1"], {}) == ([1], {})
        print("pydantic" in sys.modules)
        """
    )
    assert printed.split() == ["False", "True"]


# Conversion


@pytest.mark.parametrize(
    ("annotation", "sent", "expected"),
    [
        (int, 1, 1),
        (int, "1", 1),
        (int, 1.0, 1),
        (float, 1, 1.0),
        (bool, "true", True),
        (str, "a", "a"),
        (bytes, b"\xff", b"\xff"),
        (list[int], ["1", 2], [1, 2]),
        (tuple[int, str], ["1", "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 1], {1}),
        (dict[str, date], {"a": "2026-01-02"}, {"a": date(2026, 1, 2)}),
        (date, "2026-01-02", date(2026, 1, 2)),
        (Colour, "red", Colour.RED),
        (Literal["a", 1], 1, 1),
        (Positive, "3", 3),
        (Annotated[Any, BeforeValidator(str.upper)], "a", "A"),
        (UUID, "01234567-89ab-cdef-0123-456789abcdef", UUID("0123456789abcdef" * 2)),
        (Decimal, "1.50", Decimal("1.50")),
        (Order, {"sku": "a", "quantity": "2"}, Order(sku="a", quantity=2)),
        (list[Point], [{"x": 1}], [Point(1)]),
        (Point, {"x": "1", "y": 2}, Point(1, 2)),
        (Size, {"width": "1"}, {"width": 1}),
        (int | None, None, None),
        (None, None, None),
        (Tree, {"child": {}}, Tree(child=Tree())),
    ],
)
def test_validation_converts(annotation: Any, sent: Any, expected: Any) -> None:
    result = converted(annotation, sent)
    assert result == expected
    assert type(result) is type(expected)


def test_validation_takes_what_is_converted_already() -> None:
    order = Order(sku="a", quantity=1)
    args, _ = validator(order_on).validate([order, date(2026, 1, 2)], {})
    assert args[0] is order
    assert args[1] == date(2026, 1, 2)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (two, ["1", "2"], {}, ([1, 2], {})),
        (two, ["1"], {"b": "2"}, ([1], {"b": 2})),
        (two, [], {"b": "2", "a": "1"}, ([], {"b": 2, "a": 1})),
        (half, ["1", "2"], {}, (["1", 2], {})),
        (half, ["1"], {"b": "2", "c": "3"}, (["1"], {"b": 2, "c": "3"})),
        (only_items, [], {}, ([], {})),
        (only_items, ["1", "2"], {}, ([1, 2], {})),
        (items, ["1"], {}, ([1], {})),
        (items, ["1", "2", "3"], {"b": "4"}, ([1, 2, 3], {"b": 4})),
        (options, ["1"], {}, ([1], {})),
        (options, [], {"a": "1", "b": "2", "": "3"}, ([], {"a": 1, "b": 2, "": 3})),
        (everything, ["1", "2", "3"], {"c": "4", "a": "5"}, ([1, 2, 3], {"c": 4, "a": 5})),
        (everything, ["1"], {"b": "2", "c": "3", "args": "4"}, ([1], {"b": 2, "c": 3, "args": 4})),
        (functools.partial(two, 1), ["2"], {}, ([2], {})),
        (functools.partial(two, b=1), ["2"], {"b": "3"}, ([2], {"b": 3})),
    ],
)
def test_validation_of_every_kind_of_parameter(
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    expected: tuple[list[Any], dict[str, Any]],
) -> None:
    """Arguments stay positional or named, and the call's own lists are not touched."""
    before = (list(args), dict(kwargs))
    assert validator(function).validate(args, kwargs) == expected
    assert (args, kwargs) == before


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (["1", "2", "3", "4"], {"c": "5", "d": "6"}),
        (["1"], {"b": "2", "c": "3"}),
        (["1", "2"], {"c": "3", "a": "4"}),
    ],
)
def test_validation_of_bound_arguments_is_that_of_calls(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    made = validator(everything)
    signature = inspect.signature(everything)
    bound = signature.bind(*args, **kwargs)
    made.validate_bound(bound)
    converted_args, converted_kwargs = made.validate(args, kwargs)
    assert bound == signature.bind(*converted_args, **converted_kwargs)


def test_validation_does_not_check_defaults() -> None:
    def view(a: int = "x", *, b: date = "y") -> None: ...  # type: ignore[assignment]

    assert validator(view).validate([], {}) == ([], {})
    assert validator(view).validate_named({}) == {}
    bound = inspect.signature(view).bind()
    validator(view).validate_bound(bound)
    assert bound.arguments == {}


def test_validation_of_named_values() -> None:
    values = {"a": "1", "other": "x"}
    assert validator(two).validate_named(values) == {"a": 1, "other": "x"}
    assert values == {"a": "1", "other": "x"}
    assert validator(options).validate_named({"a": "1", "b": "2"}) == {"a": 1, "b": 2}
    with pytest.raises(ArgumentErrors) as caught:
        validator(options).validate_named({"a": "x", "b": "y"})
    assert places(caught.value) == [["a"], ["b"]]


# Mismatches


def test_validation_finds_every_mismatch() -> None:
    error = misfit(order_on, {"quantity": 0}, day="tomorrow")
    assert [(e["loc"], e["type"]) for e in error.errors] == [
        (["order", "sku"], "missing"),
        (["order", "quantity"], "greater_than"),
        (["day"], "date_from_datetime_parsing"),
    ]
    assert str(error).startswith(
        "2 arguments do not fit: order.sku: Field required; "
        "order.quantity: Input should be greater than 0; day: Input should be a valid date"
    )


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (two, ("x", 1), {}, [["a"]]),
        (two, ("x",), {"b": "y"}, [["a"], ["b"]]),
        (items, (1, "x", 2, "y"), {"b": "z"}, [["args", 0], ["args", 2], ["b"]]),
        (only_items, ("x",), {}, [["args", 0]]),
        (options, ("x",), {"b": "y", "kwargs": "z"}, [["a"], ["b"], ["kwargs"]]),
        (everything, (1, 2), {"c": 3, "a": "x"}, [["a"]]),
    ],
)
def test_validation_says_where(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    expected: list[list[Any]],
) -> None:
    assert places(misfit(function, *args, **kwargs)) == expected
    bound = inspect.signature(function).bind(*args, **kwargs)
    with pytest.raises(ArgumentErrors) as caught:
        validator(function).validate_bound(bound)
    assert places(caught.value) == expected


def test_validation_text_of_one_argument() -> None:
    text = str(misfit(two, "x", 1))
    assert text == (
        "1 argument does not fit: a: Input should be a valid integer, unable to parse string as an "
        "integer"
    )


def test_validation_mismatch_has_no_values_and_no_objects() -> None:
    def refuse(value: str) -> str:
        raise ValueError("we do not\nsell that")

    error = misfit(taking(Annotated[str, AfterValidator(refuse)]), "secret")
    assert error.errors == [
        {"loc": ["a"], "type": "value_error", "msg": "Value error, we do not\nsell that"}
    ]
    assert str(error) == "1 argument does not fit: a: Value error, we do not sell that"
    assert "secret" not in json.dumps(misfit(order_on, "secret", "secret").errors)
    assert error.__context__ is None


def test_validation_passes_on_what_a_validator_raises() -> None:
    def broken(value: str) -> str:
        raise LookupError(value)

    made = taking(Annotated[str, AfterValidator(broken)])
    with pytest.raises(LookupError):
        made.validate(["a"], {})


def test_validation_joins_what_a_validators_own_validation_finds() -> None:
    error = misfit(taking(Annotated[Any, AfterValidator(Order.model_validate)]), {})
    assert places(error) == [["a", "sku"], ["a", "quantity"]]


# What strangers send


def test_validation_lists_fifty_mismatches() -> None:
    errors = misfit(taking(list[int]), ["x"] * 50).errors
    assert len(errors) == 50
    assert errors[-1]["loc"] == ["a", 49]

    error = misfit(two, ["x"], ["y"])
    assert len(error.errors) == 2

    def view(a: list[int], b: list[int]) -> None: ...

    error = misfit(view, ["x"] * 40, ["y"] * 30)
    assert len(error.errors) == 51
    assert error.errors[49]["loc"] == ["b", 9]
    assert error.errors[50] == {
        "loc": [],
        "type": "too_many_errors",
        "msg": "20 more mismatches",
    }
    assert str(error).startswith("2 arguments do not fit: a.0: ")
    assert len(str(error)) == 500


def test_validation_only_counts_thousands_of_mismatches() -> None:
    def view(a: list[int], *args: int) -> None: ...

    assert misfit(view, ["x"] * 1001, "x").errors == [
        {"loc": ["a"], "type": "too_many_errors", "msg": "1001 mismatches"},
        {
            "loc": ["args", 0],
            "type": "int_parsing",
            "msg": "Input should be a valid integer, unable to parse string as an integer",
        },
    ]
    error = misfit(options, 1, **{f"k{number}": "x" for number in range(2000)})
    assert places(error) == [[]]
    assert str(error) == "1 argument does not fit: 2000 mismatches"


def test_validation_cuts_long_texts() -> None:
    def refuse(value: str) -> str:
        raise ValueError("no" * 1000)

    (error,) = misfit(taking(Annotated[str, AfterValidator(refuse)]), "a").errors
    assert len(error["msg"]) == 500
    assert error["msg"].endswith("…")
    (error,) = misfit(taking(Strict), {"sku": "a", "k" * 10_000: 1}).errors
    assert error["type"] == "extra_forbidden"
    assert len(error["loc"][1]) == 100


@pytest.mark.parametrize(
    ("annotation", "sent"),
    [
        (int, "\ud800"),
        (date, "\ud800"),
        (Literal["a"], "\ud800"),
        (Strict, {"sku": "a", "\ud800": 1}),
        (dict[Any, int], {"\ud800": "x", b"\xff": "x", None: "x", 2**80: "x", 1.5: "x"}),
        (Colour, []),
        (int, float("nan")),
        (int, float("inf")),
        (int, "9" * 10_000),
        (Decimal, "1" * 10_000 + "x"),
    ],
)
def test_validation_mismatch_of_odd_values_is_json(annotation: Any, sent: Any) -> None:
    error = misfit(taking(annotation), sent)
    json.dumps(error.errors).encode()
    str(error).encode()


def test_validation_of_odd_names() -> None:
    assert validator(options).validate([1], {"\ud800": "1"}) == ([1], {"\ud800": 1})
    str(misfit(options, 1, **{"\ud800": "x"})).encode()


def test_validation_of_deep_values() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"child": deep}
    (error,) = misfit(taking(Tree), deep).errors
    assert error["type"] == "recursion_depth_exceeded"


# Annotations that are strings, and those that cannot be checked


def test_validation_resolves_strings_with_their_extras() -> None:
    view = defined(
        "def view(a: Positive, b: list[Order], *args: Annotated[int, below(5)]) -> Missing: ...",
        Positive=Positive,
        Order=Order,
        Annotated=Annotated,
        below=Lt,
    )["view"]
    error = misfit(view, 0, [{}], 5)
    assert places(error) == [["a"], ["b", 0, "sku"], ["b", 0, "quantity"], ["args", 0]]


def test_validation_resolves_strings_inside_annotations() -> None:
    def view(a: "list['Order']", b: list["Order"]) -> None: ...

    assert places(misfit(view, [{"sku": "a"}], [1])) == [["a", 0, "quantity"], ["b", 0]]


def test_validation_resolves_strings_where_the_wrapped_function_is() -> None:
    decorators = defined(
        """
def logged(function):
    @functools.wraps(function)
    def wrapper(*args: Nobody, **kwargs: Nobody): ...
    return wrapper
""",
        functools=functools,
    )
    view = defined("def view(day: date): ...", date=date)["view"]
    wrapped = decorators["logged"](decorators["logged"](view))
    assert validator(wrapped).validate(["2026-01-02"], {}) == ([date(2026, 1, 2)], {})
    assert validator(functools.partial(wrapped)).names == {"day"}
    assert validator(functools.partial(wrapped)).validate([], {"day": "2026-01-02"}) == (
        [],
        {"day": date(2026, 1, 2)},
    )


def test_validation_of_methods_and_of_objects() -> None:
    names = defined(
        """
class Shop:
    def view(self, day: date): ...
    def __call__(self, day: date): ...
""",
        date=date,
    )
    shop = names["Shop"]()
    for function in (shop, shop.view):
        assert validator(function).validate(["2026-01-02"], {}) == ([date(2026, 1, 2)], {})


def test_validation_refuses_what_it_cannot_resolve() -> None:
    view = defined(
        """
if TYPE_CHECKING:
    from shop.models import Order
def view(a: int, order: Order): ...
""",
        TYPE_CHECKING=False,
    )["view"]
    with pytest.raises(DeclarationError) as caught:
        validator_of(view)
    text = str(caught.value)
    assert "'order'" in text
    assert "shop.views.view (" in text
    assert "annotated with 'Order'" in text
    assert "name 'Order' is not defined" in text
    assert "import or define the type at the top of the module" in text
    assert text.endswith("or annotate Any")
    assert isinstance(caught.value.__cause__, NameError)


@pytest.mark.parametrize(
    "annotation",
    [
        Unknown,
        list[Unknown],
        "the first number",
        "Unknown.Missing",
        "1",
        5,
        BaseException,
        Generic,
    ],
)
def test_validation_refuses_what_pydantic_cannot_check(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"the parameter 'a' of .*view .* annotated with"):
        taking(annotation)


def test_validation_refuses_a_model_that_is_not_whole() -> None:
    names = defined("class Order(BaseModel):\n    lines: list[Missing]", BaseModel=BaseModel)
    with pytest.raises(DeclarationError, match="not fully defined"):
        taking(names["Order"])


def test_validation_refuses_unknown_items() -> None:
    def view(*args: Unknown) -> None: ...
    def other(**kwargs: Unknown) -> None: ...

    with pytest.raises(DeclarationError, match="'args'"):
        validator_of(view)
    with pytest.raises(DeclarationError, match="'kwargs'"):
        validator_of(other)


def test_validation_builds_models_that_wait_to_be_built() -> None:
    class Late(BaseModel):
        model_config = ConfigDict(defer_build=True)

        a: int

    assert converted(Late, {"a": "1"}) == Late(a=1)


def test_validation_says_where_pydantic_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(DeclarationError, match="pydantic"):
        validator_of(two)
