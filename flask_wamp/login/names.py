"""What may name a person, and what may name a role."""

import secrets
import unicodedata
from typing import Any, Final

from ..declare import allow

#: Characters of an authid.
MAX_AUTHID: Final = 256
#: The role of who has not logged in.
VISITOR: Final = allow.VISITOR
#: The role that may do everything, which Crossbar.io gives to its own sessions.
TRUSTED: Final = "trusted"


def problem_of_authid(authid: Any) -> str | None:
    """Tell why *authid* cannot name anybody, and what to do; None where it can."""
    if not isinstance(authid, str):
        return f"the authid is of the type {type(authid).__name__}: give a str, as in str(user.id)"
    if not 0 < len(authid) <= MAX_AUTHID:
        return f"the authid has {len(authid)} characters: give 1 to {MAX_AUTHID}"
    if any(unicodedata.category(character).startswith("C") for character in authid):
        return "the authid has control characters: give printable ones"
    return None


def problem_of_role(role: Any) -> str | None:
    """Tell why *role* cannot be given to anybody, and what to do; None where it can."""
    if not isinstance(role, str):
        return f"the role is of the type {type(role).__name__}: give a str, as in 'user'"
    if not allow.ROLE.fullmatch(role):
        return "the role is no name: give letters, digits, '_', '-' and '.', 64 at most"
    if role == TRUSTED:
        return "the role 'trusted' may do everything: it is the router's own"
    return None


def random_authid() -> str:
    """Return a name for somebody who has none."""
    return secrets.token_urlsafe(18)
