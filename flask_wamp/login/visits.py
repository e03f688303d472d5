"""A call as a request of Flask's, made by the page whose session it came through."""

from typing import Any, Final

from flask import Flask
from flask.ctx import RequestContext

from ..context import METHOD
from .callers import Peer
from .door import COOKIE
from .names import VISITOR

#: What a call has of its session's handshake; the host is what the view's route says.
_OF_CALLER: Final = (
    "REMOTE_ADDR",
    "wsgi.url_scheme",
    "HTTP_USER_AGENT",
    "HTTP_ACCEPT_LANGUAGE",
)


def environ_of(peer: Peer) -> dict[str, str]:
    """Return what of the handshake is said of each call of *peer*.

    Cookies are among it where the session was let in by them; who has come by a ticket, say, may
    have sent those of somebody else.
    """
    keys = (*_OF_CALLER, "HTTP_COOKIE") if peer.method == COOKIE else _OF_CALLER
    environ = peer.handshake.environ
    return {key: environ[key] for key in keys if key in environ}


def request_of(app: Flask, peer: Peer) -> RequestContext:
    """Return the request that a call of a procedure is that has no route."""
    place = {
        key: value
        for key, value in peer.handshake.environ.items()
        if key in ("HTTP_HOST", "PATH_INFO")
    }
    # Named again, so that nothing else of the handshake comes along, cookies that do not count.
    bare = type(peer.handshake)({**place, **environ_of(peer)})
    return app.request_context(bare.request_environ(REQUEST_METHOD=METHOD))


def log_in(app: Flask, session: Any, peer: Peer) -> None:
    """Let Flask-Login find the user who has come without a cookie, by the request's *session*.

    It has not seen the login, so it is not a fresh one. As of Flask-Login 0.6.3 a session with
    ``_user_id`` is that user's; one that is ``permanent`` loses no user to the "strong" protection
    of sessions, which would miss its own mark of the browser here.
    """
    manager: Any = getattr(app, "login_manager", None)
    if manager is None or peer.method == COOKIE or peer.authrole == VISITOR:
        return
    if app.session_interface.is_null_session(session):
        # Without a secret key there is no login over HTTP either.
        return
    session["_user_id"] = peer.authid
    session["_fresh"] = False
    session.permanent = True
