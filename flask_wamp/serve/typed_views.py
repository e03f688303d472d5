"""The HTTP side of typed arguments: views that are procedures as well, checked alike.

Flask hands a view the variables of its URL. Where an annotation has something to check, the view
gets them converted, and what the URL leaves open from a JSON body, as a caller's keyword arguments
do over WAMP; what does not fit is a 400 with the same list.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, json, request
from werkzeug.exceptions import BadRequest

from ..context import METHOD
from ..declare.declared import Procedure
from ..declare.registry import Registry
from .arguments import Arguments
from .routes import endpoints_of
from .validation import ArgumentErrors, Validator, validator_of


class InvalidArguments(BadRequest):
    """The arguments of a view do not fit its annotations; the body is JSON.

    :ivar errors: what is wrong: dicts of ``loc`` (a list), ``type`` and ``msg``.
    """

    def __init__(self, misfits: ArgumentErrors) -> None:
        super().__init__(str(misfits))
        self.errors = misfits.errors

    def get_body(self, *_args: Any) -> str:
        """Return the body."""
        return json.dumps({"status": 400, "description": self.description, "errors": self.errors})

    def get_headers(self, *_args: Any) -> list[tuple[str, str]]:
        """Return the headers."""
        return [("Content-Type", "application/json")]


def init_app(app: Flask, registry: Registry) -> None:
    """Check the arguments of *app*'s views that are procedures of *registry*."""
    views = _TypedViews(app, registry)
    app.before_request(views.prepare)


class _TypedViews:
    """Puts a check before each view that needs one, once all of them are known."""

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._registry = registry
        self._prepared: list[Procedure] = []
        self._done: set[Procedure] = set()
        self._checked: set[str] = set()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Look at the procedures that were declared since the last request."""
        procedures = self._registry.procedures
        if procedures is self._prepared:
            return
        with self._lock:
            for procedure in procedures:
                if procedure not in self._done:
                    self._check(procedure)
                    self._done.add(procedure)
            self._prepared = procedures

    def _check(self, procedure: Procedure) -> None:
        endpoints = set(endpoints_of(self._app, procedure.function)) - self._checked
        validator = validator_of(procedure.function) if endpoints else None
        if validator is None:
            return
        arguments = Arguments(procedure.function)
        for endpoint in endpoints:
            view = self._app.view_functions[endpoint]
            run = self._app.ensure_sync(view)
            self._app.view_functions[endpoint] = _checked(view, run, validator, arguments)
        self._checked |= endpoints


def _checked(
    view: Callable[..., Any],
    run: Callable[..., Any],
    validator: Validator,
    arguments: Arguments,
) -> Callable[..., Any]:
    """Return *view* with its arguments checked, unless it answers a call, which checks them.

    :param run: the view, to be called from a synchronous function.
    """

    # Of the view itself, so that it is still found to be the procedure's.
    @wraps(view)
    def checked(*args: Any, **values: Any) -> Any:
        if request.method == METHOD:
            return run(*args, **values)
        body = _json_body()
        if isinstance(body, dict):
            named = body.keys() & arguments.names - values.keys()
            values.update({name: body[name] for name in named})
        found = [[_missing(name)] for name in arguments.required if name not in values]
        try:
            values = validator.validate_named(values)
        except ArgumentErrors as error:
            found += error.args[0]
        if found:
            raise InvalidArguments(ArgumentErrors(found))
        return run(**values)

    # What it wraps may be a coroutine function, which this is not.
    return checked


def _json_body() -> Any:
    """Return what the request's JSON says; None where there is none, or it cannot be read."""
    try:
        return request.get_json(silent=True) if request.is_json else None
    except RecursionError:
        return None


def _missing(name: str) -> dict[str, Any]:
    return {"loc": [name], "type": "missing", "msg": "Field required"}
