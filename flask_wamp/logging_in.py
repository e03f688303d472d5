"""Logging in: the part of ``WAMP`` that says who a session is, and ends the sessions of a login."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask

from .call.options import Options
from .declare.registry import Registry
from .errors import DeclarationError, SetupError
from .login.credentials import METHODS
from .login.logins import END
from .login.names import problem_of_authid
from .login.tickets import issue_ticket
from .state import State

F = TypeVar("F", bound=Callable[..., Any])


class Logins(ABC):
    """Says who the sessions of an application's pages are."""

    _registry: Registry

    def authenticate(self, function: F) -> F:
        """Declare a function that says who a page is: ``@wamp.authenticate``.

        It runs in a request context made of the WebSocket's handshake, behind the application's
        ``before_request`` functions, so ``session``, ``g`` and Flask-Login's ``current_user`` are
        what they are in a view. It takes no argument, or the handshake, a
        :class:`~flask_wamp.login.Handshake`. It returns role and authid, ``("user", "7")``, or
        a role alone, ``"anonymous"`` for a visitor, or None to refuse; ``abort(401)`` and
        ``abort(403)`` refuse too. It has three seconds.

        Without one, a user of Flask-Login is ``("user", current_user.get_id())``, and everybody
        else ``"anonymous"``.

        :raises DeclarationError: it takes other arguments, or there is one already.
        """
        self._registry.set_authenticator(function)
        return function

    def credentials(self, method: str) -> Callable[[F], F]:
        """Declare a function that knows credentials: ``@wamp.credentials("wampcra")``.

        It gets an authid and returns a dict with the ``role``, and None for an authid that it does not
        know. The other keys are, by *method*:

        - ``"wampcra"``: ``secret``, and ``salt``, ``iterations``, ``keylen`` where it is salted;
        - ``"scram"``: ``salt``, ``stored_key``, ``server_key``, ``iterations``, ``memory``, ``kdf``;
        - ``"cryptosign"``: ``public_keys``, a list of hexadecimal Ed25519 keys.

        With ``"tls"`` it gets the client's certificate, a dict, and returns role and authid, as
        :meth:`authenticate`'s does.

        :raises DeclarationError: there is no such method, or there is a function for it already.
        """
        if method not in METHODS:
            names = ", ".join(map(repr, METHODS))
            raise DeclarationError(
                f"@wamp.credentials({method!r}): there is no such method: give one of {names}"
            )

        def declare(function: F) -> F:
            self._registry.set_credentials(method, function)
            return function

        return declare

    def issue_ticket(
        self,
        authid: str,
        role: str = "user",
        *,
        expires: float = 60,
        once: bool = True,
        app: Flask | None = None,
    ) -> str:
        """Return a ticket with which a client without a cookie logs in as *authid*.

        It is signed with the application's ``SECRET_KEY``; the client joins with the authmethod
        ``ticket``.

        :param expires: seconds that it is valid.
        :param once: it is valid for one login.
        :param app: by default the current application, or the only one.
        :raises OptionError: nobody can have that authid or role, or the time cannot be.
        :raises SetupError: the application has no ``SECRET_KEY``.
        """
        return issue_ticket(self._state(app).app, authid, role, expires, once)

    def end_sessions(self, authid: str, *, app: Flask | None = None) -> int:
        """Log *authid* out of WAMP, everywhere.

        First the logins and tickets that *authid* has had until now are revoked, so a cookie that
        somebody kept is refused; then every session is ended, whatever its client does.

        :param app: by default the current application, or the only one.
        :returns: how many sessions were ended.
        :raises NotConnected: there is no router.
        :raises RemoteError: the router's process could not do it.
        """
        return self._end({"authid": authid}, app)

    def reauthenticate(self, authid: str, *, app: Flask | None = None) -> int:
        """End the sessions of *authid*, and leave the login valid: its pages come back.

        They get the role that the application gives now; see :meth:`end_sessions`.
        """
        return self._end({"authid": authid, "revoke": False}, app)

    def _end(self, whom: dict[str, Any], app: Flask | None) -> int:
        problem = problem_of_authid(whom["authid"])
        if problem:
            raise SetupError(f"there are no such sessions: {problem}")
        state = self._state(app)
        options = Options(timeout=state.config.timeout)
        return int(state.link().call(END, [whom], {}, options))

    @abstractmethod
    def _state(self, app: Flask | None) -> State:
        """Return what is kept for *app*, by default for the current or only application."""
