"""Which redirects are denials: those of whoever stands before a view that has not run."""

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

from .entrance import Visit

#: What the endpoint of a page is called where users log in, behind its blueprint.
LOGIN_WORDS: Final = frozenset({"login", "log_in", "signin", "sign_in"})


def is_denial(app: Flask, visit: Visit, location: str | None) -> bool:
    """Tell whether a redirect to *location* has kept the caller from the view.

    Where it cannot be told whether the view has run, one to the page where users log in has.
    """
    if visit.began is None:
        return leads_to_login(app, location)
    return not visit.began


def leads_to_login(app: Flask, location: str | None) -> bool:
    """Tell whether *location* is where users of *app* log in."""
    try:
        path = unquote(urlsplit(location or "").path)
    except ValueError:
        return False
    try:
        endpoint, _values = app.url_map.bind("localhost").match(path, "GET")
    except HTTPException:
        endpoint = ""
    known = _login_views(app)
    word = endpoint.rpartition(".")[2].lower()
    return word in LOGIN_WORDS or endpoint in known or path in known


def _login_views(app: Flask) -> set[str]:
    """Return the endpoints, or paths, that Flask-Login sends people to."""
    manager: Any = getattr(app, "login_manager", None)
    if manager is None:
        return set()
    views = (manager.login_view, manager.refresh_view, *manager.blueprint_login_views.values())
    return {view for view in views if view}
