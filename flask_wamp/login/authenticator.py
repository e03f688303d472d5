"""Who a page is: what ``@wamp.authenticate`` says, or Flask-Login."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, session
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized

from ..declare.registry import Registry
from ..errors import ApplicationError
from .entering import Refused, entered
from .handshake import Handshake
from .names import VISITOR, problem_of_authid, problem_of_role, random_authid

#: Where the Flask session has the login's id, ``"<unix ms>.<random>"``.
LOGIN_KEY: Final = "_wamp_login"
#: What a logged-in user is, where the application says nothing else.
USER: Final = "user"
#: What is no content of a session.
_NOTHING: Final = frozenset({"_permanent"})
_LOGIN: Final = re.compile(r"([0-9]{1,15})\.[A-Za-z0-9_-]{8,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Whom the application takes somebody for.

    :ivar handshake: what views are to see of it: without the cookies of a session whose end nobody
        would know.
    :ivar login: the id of the login in the Flask session, None where there is none.
    :ivar made: when that login was, in Unix milliseconds.
    """

    authrole: str
    authid: str
    handshake: Handshake
    login: str | None = None
    made: int = 0


class Authenticator:
    """Asks an application who opened a session."""

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    def decide(self, handshake: Handshake) -> tuple[str, str] | None:
        """Return role and authid, or None where the session is refused.

        Whether the login was revoked meanwhile is not known here.

        :raises Exception: the application failed, which refuses as well.
        """
        try:
            accepted = self.accept(handshake)
        except Refused:
            return None
        return accepted.authrole, accepted.authid

    def accept(self, handshake: Handshake) -> Accepted:
        """Return who it is.

        :raises Refused: the application does not want the session, on purpose.
        :raises Exception: the application failed, which refuses as well.
        """
        try:
            with entered(self._app, handshake, guarded=True):
                authrole, authid = person_of(self._answer(handshake))
                has_session = bool(session.keys() - _NOTHING)
                login = login_of_session() if has_session else None
        except (Unauthorized, Forbidden, ApplicationError) as error:
            raise Refused(f"the application refuses with {type(error).__name__}") from None
        except HTTPException as error:
            if error.code is not None and error.code >= 500:
                raise
            raise Refused(f"the application answers {error.code}") from None
        if login is not None:
            return Accepted(authrole, authid, handshake, *login)
        if not has_session:
            return Accepted(authrole, authid, handshake)
        if authrole != VISITOR:
            raise Refused(
                "the Flask session has no login id: it gets one with the next HTTP request"
            )
        # Its guards may know a user by the session, whatever the role is.
        return Accepted(authrole, authid, handshake.without_cookies())

    def _answer(self, handshake: Handshake) -> Any:
        function = self._registry.authenticator
        if function is None:
            return flask_login_user(self._app)
        run: Callable[..., Any] = self._app.ensure_sync(function)
        return run(handshake) if self._registry.authenticator_takes_handshake else run()


def flask_login_user(app: Flask) -> str | tuple[str, str]:
    """Return the user of Flask-Login, or a visitor where there is none, or no Flask-Login."""
    if not hasattr(app, "login_manager"):
        return VISITOR
    from flask_login import current_user

    if not (current_user.is_authenticated and current_user.is_active):
        return VISITOR
    return USER, current_user.get_id()


def login_of_session() -> tuple[str, int] | None:
    """Return the login id of the current session, and when it was made, in Unix milliseconds."""
    login = session.get(LOGIN_KEY)
    found = _LOGIN.fullmatch(login) if isinstance(login, str) else None
    return None if found is None else (found[0], int(found[1]))


def person_of(answer: Any) -> tuple[str, str]:
    """Return role and authid of what an authenticator has returned.

    :raises Refused: it returned None or False.
    :raises TypeError: it returned nonsense; the text is for the log.
    """
    if answer is None or answer is False:
        raise Refused("the application refuses")
    if isinstance(answer, str):
        answer = (answer, random_authid())
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        kind = type(answer).__name__
        raise TypeError(
            f"the authenticator returned a {kind}: return a role and an authid, "
            '("user", str(user.id)), the role of a visitor, "anonymous", or None to refuse'
        )
    authrole, authid = answer
    problem = problem_of_role(authrole) or problem_of_authid(authid)
    if problem:
        raise TypeError(f"the authenticator's answer cannot be: {problem}")
    return str(authrole), str(authid)
