"""Whom to let in: every way to log in, as the application and what was revoked have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask
from werkzeug.exceptions import Forbidden, NotFound, Unauthorized

from ..declare.registry import Registry
from ..errors import ApplicationError, SetupError
from .authenticator import Authenticator, person_of
from .credentials import METHODS, Challenges
from .entering import Refused, entered
from .handshake import Handshake, is_own_origin
from .names import problem_of_authid
from .tickets import read_ticket

#: What a page logs in with, which joins with the authmethod ``anonymous``.
COOKIE = "cookie"


class Revoked(Protocol):
    """What is valid no more."""

    def is_revoked(self, authid: str, made: int, login: str | None = None) -> bool:
        """Tell whether a login or ticket of *authid* that was *made* then has ended."""

    def use(self, number: str, expires: int) -> bool:
        """Use the ticket of that *number* up; False where it was used before."""


@dataclass(frozen=True, slots=True)
class Request:
    """A session's wish to be let in.

    :ivar method: the authmethod, as in ``ticket``.
    :ivar authid: who the client says it is.
    :ivar ticket: its ticket; *public_key* its word for its key; *certificate* that of its transport.
    """

    method: str
    authid: Any
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    address: str = ""
    secure: bool = False
    ticket: Any = field(repr=False, default=None)
    public_key: Any = None
    certificate: Any = None

    @classmethod
    def from_details(cls, authid: Any, details: Mapping[str, Any]) -> "Request":
        """Read what Crossbar.io tells a dynamic authenticator."""
        transport: Mapping[str, Any] = details.get("transport") or {}
        extra = details.get("authextra")
        return cls(
            str(details.get("authmethod")),
            authid,
            transport.get("http_headers_received") or {},
            _address(transport.get("peer")),
            bool(transport.get("is_secure")),
            details.get("ticket"),
            extra.get("pubkey") if isinstance(extra, Mapping) else None,
            transport.get("peer_cert"),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is let in.

    :ivar method: how: :data:`COOKIE`, or the authmethod.
    :ivar login: the id of the login in the Flask session, None where there is none.
    :ivar answer: what else the router needs to challenge the client; never shown.
    :ivar is_known: False where the challenge is made up, and cannot be met.
    """

    handshake: Handshake
    method: str
    authrole: str
    authid: str
    login: str | None = None
    answer: Mapping[str, Any] = field(repr=False, default_factory=dict)
    is_known: bool = True


class Door:
    """Decides whom an application lets in; for threads, since the application takes its time."""

    def __init__(self, app: Flask, registry: Registry, revoked: Revoked) -> None:
        self._app = app
        self._registry = registry
        self._revoked = revoked
        self._authenticator = Authenticator(app, registry)
        self._challenges = Challenges()

    def enter(self, request: Request) -> Entry:
        """Return who it is.

        :raises Refused: whoever it is, is not let in; the text is for the log.
        :raises Exception: the application failed, which refuses as well.
        """
        handshake = Handshake.from_headers(
            self._app, request.headers, address=request.address, secure=request.secure
        )
        if request.method == "anonymous":
            return self._page(handshake)
        # Who brings another proof is not who the browser's cookie says.
        handshake = handshake.without_cookies()
        if request.method == "ticket":
            return self._ticket(handshake, request)
        if request.method not in METHODS:
            raise Refused("there is no such method")
        function = self._registry.credentials.get(request.method)
        if function is None:
            raise SetupError(
                f"the node offers the method {request.method!r}, and nobody knows credentials: put "
                f"@wamp.credentials({request.method!r}) on a function, or take it off the node"
            )
        if request.method == "tls":
            return self._certificate(handshake, request, function)
        return self._challenge(handshake, request, function)

    def _page(self, handshake: Handshake) -> Entry:
        accepted = self._authenticator.accept(handshake)
        login = accepted.login
        if login and self._revoked.is_revoked(accepted.authid, accepted.made, login):
            raise Refused("the login has ended")
        return Entry(accepted.handshake, COOKIE, accepted.authrole, accepted.authid, login)

    def _ticket(self, handshake: Handshake, request: Request) -> Entry:
        ticket = read_ticket(self._app, request.ticket, request.authid)
        if self._revoked.is_revoked(ticket.authid, ticket.made):
            raise Refused("the ticket was revoked")
        if ticket.once and not self._revoked.use(ticket.number, ticket.expires):
            raise Refused("the ticket was used before")
        return Entry(handshake, "ticket", ticket.authrole, ticket.authid)

    def _certificate(
        self, handshake: Handshake, request: Request, function: Callable[..., Any]
    ) -> Entry:
        if not isinstance(request.certificate, Mapping):
            raise Refused("there is no client certificate")
        origin = request.headers.get("origin")
        if origin is not None and not is_own_origin(origin, handshake.environ):
            # Browsers show it to the WebSocket of any page, as they send cookies.
            raise Refused("a page of another site came with the certificate of its visitor")
        known = self._known(handshake, function, dict(request.certificate))
        return Entry(handshake, request.method, *person_of(known))

    def _challenge(
        self, handshake: Handshake, request: Request, function: Callable[..., Any]
    ) -> Entry:
        problem = problem_of_authid(request.authid)
        if problem:
            raise Refused(problem)
        known = self._known(handshake, function, request.authid)
        principal = self._challenges.principal(
            request.method, request.authid, known, request.public_key
        )
        return Entry(
            handshake,
            request.method,
            principal.authrole,
            request.authid,
            answer=principal.answer,
            is_known=principal.is_known,
        )

    def _known(self, handshake: Handshake, function: Callable[..., Any], who: Any) -> Any:
        """Return what the application knows, None where it knows nobody."""
        try:
            with entered(self._app, handshake, guarded=False):
                return self._app.ensure_sync(function)(who)
        except (Unauthorized, Forbidden, NotFound, ApplicationError):
            return None


def _address(peer: Any) -> str:
    """Return the address in Crossbar.io's word for a peer, as in ``tcp4:192.0.2.1:4000``."""
    kind, _, rest = str(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("tcp4", "tcp6") else ""
