"""What is run for a call or an event, as it was prepared at the first of them."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from .arguments import Arguments, invalid_arguments, wants_names
from .entrance import Entrance
from .routes import Route
from .validation import ArgumentErrors, Validator


class Endpoint:
    """A function to run for calls or events: its parameters, and its route, if it has one."""

    __slots__ = ("_by_name", "arguments", "entrance", "function", "route", "validator")

    def __init__(
        self,
        app: Flask,
        function: Callable[..., Any],
        validator: Validator | None,
        route: Route | None = None,
    ) -> None:
        self.route = route
        self.arguments = Arguments(function)
        self.validator = validator
        self.entrance = Entrance(function if route is None else route.view)
        self.function = app.ensure_sync(function)
        self._by_name = wants_names(function)

    def fit(
        self, args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any] | tuple[Any, ...], dict[str, Any]]:
        """Return the arguments, converted to what the annotations say.

        :raises ApplicationError: ``wamp.error.invalid_argument``, saying what does not fit.
        """
        self.arguments.check(args, kwargs)
        if self.validator is not None:
            try:
                args, kwargs = self.validator.validate(args, kwargs)
            except ArgumentErrors as error:
                raise invalid_arguments(error) from None
        return self.arguments.by_name(args, kwargs) if self._by_name else (args, kwargs)
