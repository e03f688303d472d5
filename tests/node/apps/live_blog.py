"""The tutorial's application at a node: one process for its pages, another for its views."""

from typing import Any

from flask import session

from flask_wamp import ReadOnlySession
from flask_wamp.crossbar import ViewsSession, WebSession

from .blog import create_app, wamp

app = create_app(WAMP_TIMEOUT=15)


@wamp.callee("com.blog.mark", allow="everyone")
def mark() -> str:
    """Try to change the session, and return what one is told."""
    try:
        session["marked"] = True
    except ReadOnlySession as told:
        return str(told)
    return "changed"


@wamp.callee("com.blog.cookies", allow="everyone")
def cookies() -> Any:
    """Return what is in the session of the caller's page."""
    return sorted(session)


class Web(WebSession):
    """The web side."""

    application = f"{__name__}:app"


class Views(ViewsSession):
    """Serves the views."""

    application = f"{__name__}:app"
