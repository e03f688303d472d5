"""The Flask application that a component is bound to."""

import importlib

from flask import Flask

from .errors import SetupError


def load_application(place: str, *, factories: bool = True) -> Flask:
    """Import the Flask application at *place*, ``"module:object"``.

    :param factories: call the object where it is a factory.
    :raises SetupError: the place names no Flask application, nor a factory of one.
    """
    module, _, name = place.partition(":")
    if not module or not name:
        raise SetupError(
            f"{place!r} is not of the form 'module:object', as in 'flask_app.wsgi:app'"
        )
    found = getattr(importlib.import_module(module), name, None)
    if callable(found) and not isinstance(found, Flask):
        if not factories:
            raise SetupError(
                f"{place!r} is a factory: name the application that the node's WSGI resource "
                "hosts, so that its views get the session"
            )
        found = found()
    if not isinstance(found, Flask):
        raise SetupError(f"there is no Flask application {name!r} in the module {module!r}")
    return found
