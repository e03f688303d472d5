"""The login of a Flask session: an id in it, by which the router's process knows that it has ended.

Over HTTP a session that has content gets one, a login gets a new one, and one that is gone when a
request ends is revoked before the response goes out: the WAMP sessions that it has opened end, and
a copy of its cookie opens no other.
"""

import inspect
import secrets
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from importlib.util import find_spec
from typing import Any, Final

from flask import Flask, Response, g, has_request_context, request
from flask.globals import request_ctx

from ..context import current_invocation
from ..errors import NO_SUCH_PROCEDURE, RemoteError, WAMPError
from ..signals import session_joined
from .authenticator import LOGIN_KEY
from .frames import code_of, is_inside

#: The procedure of the router's process that revokes a login, or all of an authid, and ends its sessions.
END: Final = "flask_wamp.login.end"
#: Where sessions say whose they are: those of Flask-Login, of Flask's tutorial and of its quickstart.
WHO: Final = ("_user_id", "user_id", "username", "user")
#: Ended logins that wait for a router; the oldest go first.
MAX_UNTOLD: Final = 10_000
#: What is no content of a session.
_NOTHING: Final = frozenset({LOGIN_KEY, "_permanent"})
_AT_BEGIN: Final = "_wamp_login_at_begin"
_CHANGED: Final = "_wamp_login_changed"

#: Calls a procedure of the router's process with arguments.
Ask = Callable[[str, list[Any]], Any]


def init_app(app: Flask, ask: Ask) -> None:
    """Give the sessions of *app* their login ids.

    :param ask: revokes a login, before the response goes out.
    """
    ended = _Ended(app, ask)
    session_joined.connect(ended.tell_untold, app)
    # Before all others: they may answer, or clear the session.
    app.before_request_funcs.setdefault(None, []).insert(0, _note_begin)

    @app.after_request
    def settle(response: Response) -> Response:
        return _settle(ended, response)

    if find_spec("flask_login") is not None:
        from flask_login import user_logged_in, user_logged_out

        for signal in (user_logged_in, user_logged_out):
            signal.connect(_note_change, app, weak=False)


def _note_begin() -> None:
    session = _session()
    if session is not None:
        setattr(g, _AT_BEGIN, (_login_of(session), _who(session)))


def _note_change(app: Flask, **_more: Any) -> None:
    """Note that a view logs somebody in or out, the same user once more, say.

    What stands before the views may log in the one whom a proxy names, with each request anew.
    """
    view = app.view_functions.get(request.endpoint or "") if has_request_context() else None
    if view is not None and is_inside(code_of(inspect.unwrap(view))):
        setattr(g, _CHANGED, True)


def _settle(ended: "_Ended", response: Response) -> Response:
    """Revoke the login that has ended, and mark the one that has begun."""
    session = _session()
    if session is None:
        return response
    login, who = g.pop(_AT_BEGIN, (None, ()))
    has_content, who_now = _has_content(session), _who(session)
    # What is left alone in a session that has lost all else is gone with it.
    present = _login_of(session) if has_content else None
    # Where the request did not begin as others do, nobody was there before.
    another = bool(g.pop(_CHANGED, False)) or who != who_now
    # A visitor who logs in has had no session of WAMP that ends with a login.
    comes_in = not _is_somebody(who) and _is_somebody(who_now)
    if login is not None and (another or present != login) and not comes_in:
        ended.revoke(str(login))
    # A session that nobody has looked at is left alone: what is answered depends on no cookie.
    is_used = getattr(session, "accessed", True) or getattr(session, "modified", True)
    if not is_used:
        return response
    if has_content:
        if present is None or (another and present == login):
            session[LOGIN_KEY] = f"{time.time_ns() // 10**6}.{secrets.token_urlsafe(24)}"
    elif _login_of(session) is not None:
        del session[LOGIN_KEY]
    return response


class _Ended:
    """Tells the router of logins that have ended; where it is away, once there is one again."""

    def __init__(self, app: Flask, ask: Ask) -> None:
        self._app = app
        self._ask = ask
        self._untold: deque[str] = deque(maxlen=MAX_UNTOLD)

    def revoke(self, login: str) -> None:
        """Revoke a login, before this returns where there is a router."""
        try:
            self._tell(login)
        except WAMPError as error:
            self._untold.append(login)
            self._app.logger.error(
                "A login has ended, and the router does not know: its WAMP sessions go on. %s",
                error,
            )

    def tell_untold(self, _app: Flask, **_session: Any) -> None:
        """A session has joined: tell what could not be told before."""
        while self._untold:
            login = self._untold.popleft()
            try:
                self._tell(login)
            except WAMPError:
                self._untold.appendleft(login)
                return

    def _tell(self, login: str) -> None:
        try:
            self._ask(END, [{"login": login}])
        except RemoteError as error:
            # Where nobody answers, nobody has let the login in either.
            if error.uri != NO_SUCH_PROCEDURE:
                raise


def _session() -> MutableMapping[str, Any] | None:
    """Return the session of a request of HTTP, and leave no mark that somebody has looked at it.

    From Flask 3.1.3 on, whoever takes it from the context makes the response depend on cookies.
    """
    if current_invocation.get(None) is not None:
        return None
    found: Any = getattr(request_ctx, "_session", None)
    session: MutableMapping[str, Any] = request_ctx.session if found is None else found
    return session


def _get(session: MutableMapping[str, Any], key: str) -> Any:
    # Sessions note who calls their own get().
    return dict.get(session, key) if isinstance(session, dict) else session.get(key)


def _login_of(session: MutableMapping[str, Any]) -> str | None:
    login = _get(session, LOGIN_KEY)
    return login if isinstance(login, str) else None


def _who(session: MutableMapping[str, Any]) -> tuple[Any, ...]:
    """Return whose session it is; of what is no plain value, only that it is there."""
    found = (_get(session, key) for key in WHO)
    return tuple(each if each is None or isinstance(each, str | int) else True for each in found)


def _is_somebody(who: tuple[Any, ...]) -> bool:
    return any(each is not None for each in who)


def _has_content(session: MutableMapping[str, Any]) -> bool:
    return any(key not in _NOTHING for key in session)
