"""Do a call's arguments fit the view's signature? Answered before the view runs."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from ..errors import INVALID_ARGUMENT, ApplicationError
from .validation import ArgumentErrors

_QUOTED_NAME = re.compile(r"'([^']+)'")
_SIMPLE = inspect.Parameter.POSITIONAL_OR_KEYWORD
_UNNAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


class Arguments:
    """A function's parameters, prepared once so that the check of a call costs next to nothing."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function)
        parameters = list(self._signature.parameters.values())
        self.names = frozenset(
            p.name for p in parameters if p.kind in (_SIMPLE, inspect.Parameter.KEYWORD_ONLY)
        )
        #: The name of ``**kwargs``, or None.
        self.any_keyword = next(
            (p.name for p in parameters if p.kind is inspect.Parameter.VAR_KEYWORD), None
        )
        self.defaults: dict[str, Any] = {
            p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty
        }
        self._has_unnamed = any(p.kind in _UNNAMED for p in parameters)
        self._simple = all(p.kind is _SIMPLE for p in parameters)
        #: The names of the parameters that have to be given.
        self.required = tuple(
            p.name
            for p in parameters
            if p.default is inspect.Parameter.empty
            and p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        )
        self._positional = [
            p.name for p in parameters if p.kind in (_SIMPLE, inspect.Parameter.POSITIONAL_ONLY)
        ]

    def check(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Refuse arguments that do not fit.

        :raises ApplicationError: ``wamp.error.invalid_argument``, naming the parameter.
        """
        if not kwargs and self._simple and len(self.required) <= len(args) <= len(self._positional):
            return
        self.bind(args, kwargs)

    def unfilled(self, values: dict[str, Any], args: list[Any]) -> dict[str, Any]:
        """Return those of *values* that name a parameter which *args* leave open."""
        open_names = self.names.difference(self._positional[: len(args)])
        return {key: value for key, value in values.items() if key in open_names}

    def bind(self, args: list[Any], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        """Return the arguments by the parameters that take them.

        :raises ApplicationError: ``wamp.error.invalid_argument``, naming the parameter.
        """
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise self._misfit(str(error), args) from None

    def by_name(
        self, args: list[Any] | tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments, those by position as keywords where the function has names for all.

        Flask gives views theirs so, and decorators count on it.
        """
        if self._has_unnamed:
            return tuple(args), kwargs
        return (), {**dict(zip(self._positional, args, strict=False)), **kwargs}

    def _misfit(self, reason: str, args: list[Any]) -> ApplicationError:
        if reason == "too many positional arguments":
            names = ", ".join(self._positional) or "none"
            reason = f"{reason}: takes {len(self._positional)} ({names}), got {len(args)}"
        named = _QUOTED_NAME.search(reason)
        return invalid_argument(reason, named[1] if named else None)


def wants_names(function: Callable[..., Any]) -> bool:
    """Tell whether a decorator on *function* takes keyword arguments alone.

    The guard of Flask's tutorial is one: ``def wrapped_view(**kwargs)``.
    """
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        own = inspect.signature(function, follow_wrapped=False).parameters.values()
        kinds = {parameter.kind for parameter in own}
        if kinds == {inspect.Parameter.VAR_KEYWORD}:
            return True
        function = inner
    return False


def invalid_argument(reason: str, parameter: str | None = None) -> ApplicationError:
    """Return the error for arguments that do not fit, naming the *parameter* where it is known."""
    keywords: dict[str, Any] = {"status": 400, "description": reason}
    if parameter is not None:
        keywords["parameter"] = parameter
    return ApplicationError(INVALID_ARGUMENT, reason, **keywords)


def invalid_arguments(misfits: ArgumentErrors) -> ApplicationError:
    """Return the error for arguments that their annotations refuse, with the list of *misfits*."""
    text = str(misfits)
    return ApplicationError(
        INVALID_ARGUMENT, text, status=400, description=text, errors=misfits.errors
    )
