"""Who may do a thing: roles, everyone, nobody, or whom a function lets. Standard library only."""

import inspect
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from .place import Place

#: The words for every role, and for none but the services.
EVERYONE, NOBODY = "everyone", "nobody"
#: The role of those who do not log in.
VISITOR: Final = "anonymous"
#: The roles of services, which may do everything.
SERVICES: Final = ("backend", "trusted")

#: Is asked with a :class:`~flask_wamp.Access`; only True allows.
Ask = Callable[[Any], Any]
#: What stands behind ``allow=``, ``publish=`` and ``subscribe=``.
Allowed = str | Iterable[str] | Ask | None
#: Whether a role may do a thing; a function that has to be asked.
Decision = bool | Ask

#: What may name a role: 64 characters at most.
ROLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_EXAMPLES = (
    'give a role, allow="user"; roles, allow=["user", "admin"]; "everyone"; "nobody"; or a function '
    "of one argument, the flask_wamp.Access"
)


@dataclass(frozen=True, slots=True)
class Allow:
    """Who may do a thing, besides the services.

    :ivar roles: these may; ``everyone`` stands for each.
    :ivar function: is asked, whatever the role.
    """

    roles: frozenset[str] = frozenset()
    function: Ask | None = None

    @classmethod
    def of(cls, given: Allowed) -> "Allow":
        """Return what a declaration has *given*, which has no :func:`problem_with`."""
        if given is None or given == NOBODY:
            return cls()
        if isinstance(given, str):
            return cls(frozenset([given]))
        if callable(given):
            return cls(function=given)
        return cls(frozenset(given))

    def decide(self, role: str) -> Decision:
        """Tell whether *role* may, or return the function that has to be asked."""
        if self.function is not None:
            return self.function
        return role in self.roles or EVERYONE in self.roles

    @property
    def asked(self) -> str | None:
        """The name of the function that is asked, or None."""
        return None if self.function is None else Place.of(self.function).name

    def spelled_with(self, role: str, option: str) -> str:
        """Return the *option* to write so that *role* may as well, and who may by now still does."""
        roles = sorted({*self.roles, role})
        if roles == [VISITOR]:
            # Pages of users are to do what those of visitors may.
            roles = [EVERYONE]
        return f"{option}={json.dumps(roles if len(roles) > 1 else roles[0])}"

    def named(self) -> frozenset[str]:
        """Return the roles that stand here by name."""
        return self.roles - {EVERYONE}

    def __str__(self) -> str:
        """Return who may, for tables."""
        if self.function is not None:
            return f"whom {self.asked} lets"
        return ", ".join(sorted(self.roles)) or NOBODY


#: What nothing was said of.
SERVICES_ALONE: Final = Allow()


def problem_with(given: object, option: str = "allow") -> str | None:
    """Tell why *given* cannot say who may, and what to write, or None."""
    text = f"{option}={given!r}"
    examples = _EXAMPLES.replace("allow=", f"{option}=")
    if given is None:
        return None
    if isinstance(given, str):
        return _role_problem(given, text, examples)
    if callable(given):
        return _function_problem(given, text, examples)
    if not isinstance(given, list | tuple | set | frozenset):
        return f"{text}: {examples}"
    if not given:
        return f'{text}: for services alone write {option}="nobody", or leave it out'
    for role in given:
        if not isinstance(role, str) or role in (EVERYONE, NOBODY):
            return f"{text}: a list has roles, and {role!r} is none: {examples}"
        problem = _role_problem(role, text, examples)
        if problem:
            return problem
    return None


def _role_problem(role: str, text: str, examples: str) -> str | None:
    if role in SERVICES:
        return f"{text}: services of the role {role!r} may do everything: leave it out"
    if not ROLE.fullmatch(role):
        return f"{text}: {role!r} is no role: {examples}"
    return None


def _function_problem(function: Any, text: str, examples: str) -> str | None:
    if isinstance(function, type):
        return f"{text}: {examples}"
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return f"{text}: the function takes one argument, the flask_wamp.Access"
    except ValueError:
        # What is built in may have no signature to look at.
        return None
    return None
