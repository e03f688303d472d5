"""The pages of a test: whose sessions they have, as a node's router process would know it."""

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import EnvironBuilder, FlaskClient

from ..context import Invocation
from ..declare.registry import Registry
from ..errors import INVALID_ARGUMENT, NOT_AUTHORIZED, NotConnected, RemoteError
from ..login.authenticator import Authenticator
from ..login.callers import Peer
from ..login.door import COOKIE
from ..login.entering import Refused
from ..login.handshake import KEPT, Handshake
from ..login.logins import END


@dataclass(frozen=True, slots=True)
class Page:
    """A page that has opened a session.

    :ivar login: the id of the login in its Flask session; None for visitors.
    """

    peer: Peer
    login: str | None


class Pages:
    """Lets pages in, knows who calls, and ends the sessions of those who log out."""

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._authenticator = Authenticator(app, registry)
        self._pages: dict[int, Page] = {}
        self._ended: set[int] = set()
        self._revoked: set[str] = set()
        self._revoked_at: dict[str, int] = {}

    def let_in(self, http: FlaskClient) -> Page:
        """Return the page that a test client of Flask's has open.

        :raises NotAuthorized: the application does not let it in.
        """
        handshake = handshake_of(self._app, http)
        try:
            accepted = self._authenticator.accept(handshake)
        except Refused as refusal:
            raise _refusal() from refusal
        authid, login = accepted.authid, accepted.login
        if login is not None and (
            login in self._revoked or accepted.made <= self._revoked_at.get(authid, 0)
        ):
            raise _refusal()
        return Page(Peer(accepted.handshake, COOKIE, authid, accepted.authrole), login)

    def add(self, number: int, page: Page) -> None:
        """A page has opened the session *number*."""
        self._pages[number] = page

    def of(self, invocation: Invocation) -> Peer | None:
        """Return who called, as the dispatcher asks."""
        page = self._pages.get(invocation.caller or 0)
        return None if page is None else page.peer

    def refuse_ended(self, number: int) -> None:
        """Refuse what a session asks for that has been ended.

        :raises NotConnected: it has.
        """
        if number in self._ended:
            raise NotConnected(
                "the application has ended this session, as its login has: open a page anew, "
                "wamp.test_client(http=...) or client.as_page(http)",
                may_have_run=False,
            )

    def answer(self, uri: str, args: list[Any]) -> Any:
        """Answer what the application asks of the router's process; see :data:`ANSWERED`."""
        whom = args[0] if len(args) == 1 else None
        if uri not in ANSWERED or not isinstance(whom, Mapping):
            raise RemoteError.from_uri(INVALID_ARGUMENT, ["takes whose sessions are to end"])
        if "login" in whom:
            self._revoked.add(whom["login"])
            return self._end(lambda page: page.login == whom["login"])
        authid = whom["authid"]
        if whom.get("revoke", True):
            self._revoked_at[authid] = _now()
        return self._end(lambda page: page.peer.authid == authid)

    def _end(self, is_meant: Callable[[Page], bool]) -> int:
        meant = {number for number, page in self._open() if is_meant(page)}
        self._ended |= meant
        return len(meant)

    def _open(self) -> Iterable[tuple[int, Page]]:
        return [each for each in self._pages.items() if each[0] not in self._ended]


#: What a router in memory answers of what a router's process does.
ANSWERED = frozenset({END})


def handshake_of(app: Flask, http: FlaskClient) -> Handshake:
    """Return the handshake of a page that *http* has open: its cookies, address and browser."""
    builder = EnvironBuilder(app, path="/ws", environ_base=http.environ_base)
    environ = builder.get_environ()
    # A copy with the same cookies, which asks nobody, adds them.
    probe: Any = copy.copy(http)
    probe.application = _no_application
    probe.run_wsgi_app(environ)
    return Handshake({key: str(environ[key]) for key in KEPT if key in environ})


def _now() -> int:
    """Return the time in Unix milliseconds, once it is over: who logs in next, does so later."""
    now = time.time_ns() // 10**6
    while time.time_ns() // 10**6 == now:
        time.sleep(0.0002)
    return now


def _no_application(_environ: Any, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


def _refusal() -> RemoteError:
    return RemoteError.from_uri(NOT_AUTHORIZED, ["the login was refused"])
