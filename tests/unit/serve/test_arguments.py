"""Arguments that fit, and those that do not."""

import functools
import inspect
import random
from collections.abc import Callable
from typing import Any

import pytest

from flask_wamp.errors import ApplicationError
from flask_wamp.serve.arguments import Arguments, invalid_argument


def none() -> None: ...
def one(a: Any) -> None: ...
def two(a: Any, b: Any) -> None: ...
def defaults(a: Any, b: Any = 1, c: Any = 2) -> None: ...
def all_defaults(a: Any = 0, b: Any = 1) -> None: ...
def only_positional(a: Any, b: Any = 1, /) -> None: ...
def positional_first(a: Any, /, b: Any) -> None: ...
def keyword_only(a: Any, *, b: Any) -> None: ...
def keyword_default(a: Any, *, b: Any = 1) -> None: ...
def any_positional(*args: Any) -> None: ...
def any_keyword(**kwargs: Any) -> None: ...
def anything(*args: Any, **kwargs: Any) -> None: ...
def mixed(a: Any, /, b: Any, c: Any = 1, *args: Any, d: Any, **kwargs: Any) -> None: ...
def named_like_ours(self: Any, args: Any, kwargs: Any = 1) -> None: ...


@functools.wraps(two)
def wrapping(*args: Any, **kwargs: Any) -> None: ...


FUNCTIONS: list[Callable[..., None]] = [
    none, one, two, defaults, all_defaults, only_positional, positional_first, keyword_only,
    keyword_default, any_positional, any_keyword, anything, mixed, named_like_ours, wrapping,
    functools.partial(two, 1), functools.partial(two, b=1),
]  # fmt: skip
NAMES = ["a", "b", "c", "d", "self", "args", "kwargs", "other", "not a name", "it's", ""]


def misfit(function: Callable[..., Any], *args: Any, **kwargs: Any) -> ApplicationError:
    """Return the error for arguments that do not fit."""
    with pytest.raises(ApplicationError) as caught:
        Arguments(function).check(list(args), kwargs)
    assert caught.value.uri == "wamp.error.invalid_argument"
    assert caught.value.kwargs["status"] == 400
    assert caught.value.kwargs["description"] == caught.value.args[0]
    return caught.value


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: getattr(f, "__name__", "partial"))
def test_arguments_fit_exactly_when_python_binds_them(function: Callable[..., None]) -> None:
    """The quick way for simple signatures is as strict as ``inspect.Signature.bind``."""
    generator = random.Random(7)
    arguments = Arguments(function)
    signature = inspect.signature(function)
    outcomes = set()
    for _ in range(400):
        args = [object() for _ in range(generator.choice((0, 0, 1, 1, 2, 2, 3, 4)))]
        names = generator.sample(NAMES, generator.choice((0, 0, 0, 1, 1, 2, 3)))
        kwargs = {name: object() for name in names}
        try:
            expected = signature.bind(*args, **kwargs)
        except TypeError:
            outcomes.add("misfit")
            with pytest.raises(ApplicationError):
                arguments.check(args, kwargs)
            with pytest.raises(ApplicationError):
                arguments.bind(args, kwargs)
        else:
            outcomes.add("fit")
            arguments.check(args, kwargs)
            assert arguments.bind(args, kwargs).arguments == expected.arguments
    assert outcomes == ({"fit"} if function is anything else {"fit", "misfit"})


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "parameter"),
    [
        (one, (), {}, "a"),
        (two, (1,), {}, "b"),
        (two, (), {"b": 1}, "a"),
        (two, (1, 2), {"c": 3}, "c"),
        (two, (1, 2), {"b": 3}, "b"),
        (none, (), {"a": 1}, "a"),
        (keyword_only, (1,), {}, "b"),
        (keyword_default, (1,), {"c": 1}, "c"),
        (only_positional, (), {"a": 1}, "a"),
        (positional_first, (1,), {}, "b"),
        (mixed, (1, 2), {}, "d"),
        (wrapping, (1,), {}, "b"),
    ],
)
def test_arguments_misfit_names_the_parameter(
    function: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any], parameter: str
) -> None:
    error = misfit(function, *args, **kwargs)
    assert error.kwargs["parameter"] == parameter
    assert repr(parameter) in error.args[0]


@pytest.mark.parametrize(
    ("function", "given", "text"),
    [
        (none, 1, "takes 0 (none), got 1"),
        (two, 3, "takes 2 (a, b), got 3"),
        (defaults, 5, "takes 3 (a, b, c), got 5"),
        (keyword_only, 2, "takes 1 (a), got 2"),
        (only_positional, 3, "takes 2 (a, b), got 3"),
    ],
)
def test_arguments_too_many_names_the_parameters(
    function: Callable[..., None], given: int, text: str
) -> None:
    keywords = {"b": 1} if function is keyword_only else {}
    assert text in misfit(function, *range(given), **keywords).args[0]


def test_arguments_names() -> None:
    arguments = Arguments(mixed)
    assert arguments.names == {"b", "c", "d"}
    assert arguments.any_keyword == "kwargs"
    assert Arguments(two).any_keyword is None


def test_arguments_error_without_a_parameter() -> None:
    assert invalid_argument("no").kwargs == {"status": 400, "description": "no"}
    assert invalid_argument("no", "a").kwargs["parameter"] == "a"
