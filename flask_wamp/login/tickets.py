"""Tickets: a proof, for a client without a cookie, of who it is, for a while."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask
from itsdangerous import BadData, URLSafeSerializer

from ..errors import OptionError, SetupError
from .entering import Refused
from .names import problem_of_authid, problem_of_role

#: Characters of a ticket; with the longest authid it has about 1,500.
MAX_TICKET: Final = 2048
#: Seconds that a ticket may be valid: 30 days.
MAX_EXPIRES: Final = 30 * 86_400
_SALT: Final = "flask-wamp.ticket"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket says.

    :ivar number: a random one, by which a ticket for one use is known.
    :ivar made: when it was issued, in Unix milliseconds, as is *expires*.
    """

    authid: str
    authrole: str
    number: str
    made: int
    expires: int
    once: bool


def issue_ticket(app: Flask, authid: str, role: str, expires: float, once: bool) -> str:
    """Return a ticket, signed with the application's key.

    :param expires: seconds that it is valid.
    :raises OptionError: nobody can have that authid or role, or the time cannot be.
    :raises SetupError: the application has no ``SECRET_KEY``.
    """
    problem = problem_of_authid(authid) or problem_of_role(role)
    if problem:
        raise OptionError(f"wamp.issue_ticket: {problem}")
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise OptionError(f"wamp.issue_ticket(expires={expires!r}): give seconds, as in 60")
    if not 0 < expires <= MAX_EXPIRES:
        raise OptionError(
            f"wamp.issue_ticket(expires={expires!r}): give seconds above 0 and up to {MAX_EXPIRES}"
        )
    made = _now()
    content = {
        "a": authid,
        "r": role,
        "n": secrets.token_urlsafe(18),
        "m": made,
        "e": made + int(expires * 1000),
        "o": bool(once),
    }
    return str(_signer(app).dumps(content))


def read_ticket(app: Flask, ticket: Any, authid: Any) -> Ticket:
    """Return what a *ticket* says that *authid* logs in with.

    :raises Refused: it is not valid, for whatever reason, or somebody else's.
    """
    if not isinstance(ticket, str) or not 0 < len(ticket) <= MAX_TICKET:
        raise Refused("the ticket is none")
    try:
        content = _signer(app).loads(ticket)
    except (BadData, SetupError, ValueError):
        # ValueError: what is no ASCII cannot be compared.
        raise Refused("the ticket is not signed with the application's key") from None
    read = _content_of(content)
    if not isinstance(authid, str) or not _is_same(authid, read.authid):
        raise Refused("the ticket is another authid's")
    if not read.made <= _now() + 60_000 or not _now() < read.expires:
        raise Refused("the ticket has expired")
    return read


def _content_of(content: Any) -> Ticket:
    if not isinstance(content, Mapping):
        raise Refused("the ticket says nothing")
    try:
        return Ticket(
            str(content["a"]),
            str(content["r"]),
            str(content["n"]),
            int(content["m"]),
            int(content["e"]),
            content["o"] is not False,
        )
    except (KeyError, TypeError, ValueError):
        raise Refused("the ticket says something else") from None


def _signer(app: Flask) -> URLSafeSerializer:
    """Return what signs with the ``SECRET_KEY``, and takes ``SECRET_KEY_FALLBACKS`` as well."""
    if not app.secret_key:
        raise SetupError(
            "wamp.issue_ticket() signs with the application's SECRET_KEY, and there is none: set "
            "one, as made by python -c 'import secrets; print(secrets.token_hex())'"
        )
    # The last one signs.
    keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key]
    return URLSafeSerializer(
        keys,
        salt=_SALT,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _now() -> int:
    return time.time_ns() // 1_000_000
