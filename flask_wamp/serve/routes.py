"""Which procedures are views of the application as well."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from ..context import METHOD
from ..declare.declared import Procedure


@dataclass(frozen=True, slots=True)
class Route:
    """A procedure that is a view as well.

    :ivar view: the outermost function, decorators included.
    :ivar function: the same, which may be called from a synchronous function.
    :ivar methods: an HTTP method of each of the view's rules, by which a path is matched.
    :ivar variables: the variable parts of all of the view's rules.
    :ivar defaults: the values that the rules give.
    """

    endpoint: str
    view: Callable[..., Any]
    function: Callable[..., Any]
    methods: tuple[str, ...]
    variables: frozenset[str]
    defaults: dict[str, Any]


def route_of(app: Flask, procedure: Procedure) -> Route | None:
    """Return the route that *procedure* is in *app*, or None.

    Decorators may stand between ``@app.route`` and ``@wamp.callee``; the outermost function is
    the one that runs, so that what guards one way in guards the other.
    """
    function = procedure.function
    inside_procedure = _with_wrapped(function)
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is None:
            continue
        if function in _with_wrapped(view):
            return _route(app, rule, view)
        if view in inside_procedure:
            return _route(app, rule, function)
    return None


def endpoints_of(app: Flask, function: Callable[..., Any]) -> list[str]:
    """Return the endpoints whose view is *function*, whichever of them wraps the other."""
    inside = _with_wrapped(function)
    return [
        endpoint
        for endpoint, view in app.view_functions.items()
        if function in _with_wrapped(view) or view in inside
    ]


def _with_wrapped(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """Return *function* and what it wraps, outermost first."""
    chain = [function]
    while (inner := getattr(chain[-1], "__wrapped__", None)) is not None:
        chain.append(inner)
    return chain


def _route(app: Flask, rule: Rule, function: Callable[..., Any]) -> Route:
    rules = [other for other in app.url_map.iter_rules() if other.endpoint == rule.endpoint]
    defaults: dict[str, Any] = {}
    for other in rules:
        defaults = {**(other.defaults or {}), **defaults}
    return Route(
        endpoint=rule.endpoint,
        view=function,
        function=app.ensure_sync(function),
        methods=tuple(dict.fromkeys(_method_of(other) for other in rules)),
        variables=frozenset[str]().union(*(other.arguments for other in rules)),
        defaults=defaults,
    )


def _method_of(rule: Rule) -> str:
    return min((rule.methods or {METHOD}) - {"HEAD", "OPTIONS"}, default="GET")
