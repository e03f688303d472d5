"""Typed arguments: what arrives is checked against a view's annotations, and converted to them.

Pydantic does the work. It is imported for the first function that has something to check.
"""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import GenericAlias, SimpleNamespace
from typing import TYPE_CHECKING, Any, ParamSpecArgs, ParamSpecKwargs, TypeVar, get_type_hints

from ..declare.declared import describe
from ..errors import DeclarationError

if TYPE_CHECKING:
    from pydantic import ValidationError

#: How many mismatches are listed; one more entry tells how many there are besides.
MAX_ERRORS = 50
#: Mismatches of one argument beyond this are only counted. Pydantic lists all of them or none, and
#: a message of 1 MB may hold 500 000: a second and 300 MB.
MAX_LISTED = 1000
MAX_TEXT = 500
MAX_STEP = 100

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class ArgumentErrors(Exception):
    """Arguments do not fit the view's annotations; the text is one line.

    :param found: the mismatches of each argument that has any.
    :ivar errors: ``[{"loc": ["order", "quantity"], "type": "greater_than", "msg": "..."}, ...]``,
        as JSON can carry it. Behind 50 mismatches stands an entry of the type
        ``too_many_errors``, which tells how many more there are.
    """

    def __init__(self, found: list[list[dict[str, Any]]]) -> None:
        super().__init__(found)
        listed = [mismatch for mismatches in found for mismatch in mismatches]
        self.errors = listed[:MAX_ERRORS]
        if len(listed) > MAX_ERRORS:
            self.errors.append(_too_many([], f"{len(listed) - MAX_ERRORS} more mismatches"))

    def __str__(self) -> str:
        count = len(self.args[0])
        start = "1 argument does not fit" if count == 1 else f"{count} arguments do not fit"
        parts = (": ".join([*_path(error["loc"]), error["msg"]]) for error in self.errors)
        return _cut(" ".join(f"{start}: {'; '.join(parts)}".split()), MAX_TEXT)


@dataclass(frozen=True, slots=True)
class _Check:
    """What converts the arguments that a parameter takes.

    :ivar place: what the locations of its mismatches start with.
    """

    place: list[str]
    run: Callable[[Any], Any]


class Validator:
    """Checks and converts a function's arguments; made by :func:`validator_of`.

    The arguments fit the signature, see :class:`~flask_wamp.serve.arguments.Arguments`. A parameter that
    is left to its default is not checked.

    :ivar names: the parameters that are checked.
    """

    def __init__(self, parameters: list[inspect.Parameter], checks: dict[str, _Check]) -> None:
        from pydantic import ValidationError

        self._mismatch: type[ValidationError] = ValidationError
        self.names = frozenset(checks)
        self._checks = checks
        self._taken = frozenset(p.name for p in parameters if p.kind in _NAMED)
        self._named = {name: check for name, check in checks.items() if name in self._taken}
        self._others: _Check | None = None
        self._positional: list[tuple[int, int | slice, _Check]] = []
        for index, parameter in enumerate(parameters):
            check = checks.get(parameter.name)
            if check is None:
                continue
            if parameter.kind in _POSITIONAL:
                self._positional.append((index, index, check))
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                self._positional.append((index, slice(index, None), check))
            elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
                self._others = check

    def validate(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call, converted; they stay positional or named as they came.

        :raises ArgumentErrors: what does not fit, all of it.
        """
        found: list[list[dict[str, Any]]] = []
        converted = list(args)
        for start, place, check in self._positional:
            if start >= len(args):
                break
            converted[place] = self._convert(args[place], check, found)
        named = self._convert_named(kwargs, found) if kwargs else {}
        if found:
            raise ArgumentErrors(found)
        return converted, named

    def validate_bound(self, bound: inspect.BoundArguments) -> None:
        """Convert *bound* arguments in place; defaults are not among them.

        :raises ArgumentErrors: what does not fit, all of it.
        """
        found: list[list[dict[str, Any]]] = []
        for name, check in self._checks.items():
            if name in bound.arguments:
                bound.arguments[name] = self._convert(bound.arguments[name], check, found)
        if found:
            raise ArgumentErrors(found)

    def validate_named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return *values*, each for the parameter of its name, converted.

        Other names go to ``**kwargs``, and are checked where that is annotated.

        :raises ArgumentErrors: what does not fit, all of it.
        """
        found: list[list[dict[str, Any]]] = []
        converted = self._convert_named(values, found)
        if found:
            raise ArgumentErrors(found)
        return converted

    def _convert_named(
        self, values: Mapping[str, Any], found: list[list[dict[str, Any]]]
    ) -> dict[str, Any]:
        converted = dict(values)
        for name, check in self._named.items():
            if name in values:
                converted[name] = self._convert(values[name], check, found)
        if self._others is not None:
            others = {name: values[name] for name in values if name not in self._taken}
            converted.update(self._convert(others, self._others, found))
        return converted

    def _convert(self, value: Any, check: _Check, found: list[list[dict[str, Any]]]) -> Any:
        """Return *value* converted, or as it is where *found* says what is wrong with it."""
        try:
            return check.run(value)
        except self._mismatch as failure:
            found.append(_mismatches(check.place, failure))
            return value


def validator_of(function: Callable[..., Any]) -> Validator | None:
    """Return what checks the arguments of *function*, or None where there is nothing to check.

    A parameter is checked unless its annotation is missing, ``Any``, ``object`` or a type
    variable. An annotation that is a string is looked up in the module of the innermost function,
    the one that decorators wrap.

    :raises DeclarationError: an annotation cannot be resolved, or pydantic cannot check it.
    """
    parameters = list(inspect.signature(function).parameters.values())
    checks = {
        parameter.name: check
        for parameter in parameters
        if parameter.annotation is not inspect.Parameter.empty
        and (check := _check_of(_innermost(function), parameter)) is not None
    }
    return Validator(parameters, checks) if checks else None


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that decorators and ``functools.partial`` wrap, an object's __call__."""
    while True:
        function = inspect.unwrap(function)
        if not isinstance(function, functools.partial):
            return function if hasattr(function, "__globals__") else type(function).__call__
        function = function.func


def _check_of(function: Callable[..., Any], parameter: inspect.Parameter) -> _Check | None:
    # Alone: the other annotations, the return value's among them, need not be resolvable.
    alone = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    names = getattr(function, "__globals__", {})
    try:
        annotation = get_type_hints(alone, names, include_extras=True)[parameter.name]
        if annotation is Any or annotation is object:
            return None
        if isinstance(annotation, TypeVar | ParamSpecArgs | ParamSpecKwargs):
            return None
        from pydantic import TypeAdapter

        place = [parameter.name]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            annotation = GenericAlias(tuple, (annotation, ...))
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            # The name that the caller chose says where a mismatch is.
            place, annotation = [], GenericAlias(dict, (Any, annotation))
        return _Check(place, TypeAdapter(annotation).validator.validate_python)
    except Exception as error:
        # An annotation is any expression, and a type's own hooks run here: anything may be raised.
        # Of its text the first sentence: pydantic goes on about its models, and with a link.
        reason = re.split(r"\. |\n", str(error), maxsplit=1)[0]
        raise DeclarationError(
            f"the parameter {parameter.name!r} of {describe(function)} is annotated with "
            f"{inspect.formatannotation(parameter.annotation)}, which cannot be checked: {reason}: "
            "import or define the type at the top of the module, where it is there at runtime, or "
            "annotate Any"
        ) from error


def _mismatches(place: list[str], failure: "ValidationError") -> list[dict[str, Any]]:
    """Return what is wrong with one argument."""
    count = failure.error_count()
    if count > MAX_LISTED:
        return [_too_many(place, f"{count} mismatches")]
    # A step of the location may be a key of any length that the peer chose.
    return [
        {
            "loc": [*place, *(_cut(s, MAX_STEP) if isinstance(s, str) else s for s in e["loc"])],
            "type": e["type"],
            "msg": _cut(e["msg"], MAX_TEXT),
        }
        for e in failure.errors(include_url=False, include_context=False, include_input=False)
    ]


def _path(location: list[str | int]) -> list[str]:
    return [".".join(map(str, location))] if location else []


def _too_many(place: list[str], text: str) -> dict[str, Any]:
    return {"loc": place, "type": "too_many_errors", "msg": text}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
