"""Who may do what in the node: the application's declarations, put into its router."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from .._twisted.engine.roles import RealmRoles
from ..context import Access
from ..declare.rights import CurrentRights, remedy
from ..errors import SetupError
from ..permissions import grants, is_governed, sees_no_more
from .denials import Denials


class Ask(Protocol):
    """Asks a function of the application, which may take its time, away from the reactor."""

    def __call__(self, function: Callable[[Access], Any], access: Access) -> "Deferred[bool]":
        """Return what will be True where the function has returned that, and nothing else."""


class Authorization:
    """Gives the roles of a realm their rights.

    Those that the configuration gives no permissions (``[]``) have what the application declares,
    and so have those that only the application names. The others, services, keep the
    configuration's; where they may not register they see by a pattern no more than they may by
    name, and let the router retain nothing.

    :param rights: returns the table.
    :param ask: asks where a function of the application decides.
    """

    def __init__(self, rights: CurrentRights, ask: Ask, denials: Denials) -> None:
        self._rights = rights
        self._ask = ask
        self._denials = denials

    def install(self, in_memory: Any) -> None:
        """Put the roles into the router that a session in memory belongs to.

        :raises SetupError: the engine does not take them, or the configuration has none for
            services.
        """
        roles = RealmRoles(in_memory)
        governed = {name for name, role in roles.configured.items() if is_governed(role)}
        if roles.own in governed:
            raise SetupError(
                f"the component's own role {roles.own!r} has no permissions in the configuration: "
                'services have them there, as the role "backend" of flask wamp init does'
            )
        named = self._rights().roles()
        for name in sorted(named & roles.configured.keys() - governed):
            self._denials.warn(
                f"the role {name!r} has permissions in the node's configuration, so what decorators "
                'allow it counts for nothing: write "permissions": [] there'
            )
        named -= roles.configured.keys()
        for name in sorted({*governed, *named}):
            roles.govern(name, self.decide)
        for name, role in roles.configured.items():
            if name not in governed and "permissions" in role:
                roles.guard(name, self._guard_of(role))

    def decide(self, access: Access, unknown: str) -> "bool | Deferred[bool]":
        """Tell whether *access* is a right of its role.

        :param unknown: an option that nobody here knows, which is no right.
        """
        if unknown:
            self._denials.tell(access, lambda _shown: f"the option {unknown!r} is for services")
            return False
        rights = self._rights()
        role = str(access.authrole)
        said = rights.decide(role, access.action, access.uri, access.match, retain=access.retain)
        if isinstance(said, bool):
            if not said:
                self._deny(access)
            return said
        return self._ask(said, access).addBoth(self._answered, access)

    def _answered(self, said: object, access: Access) -> bool:
        if said is not True:
            self._deny(access)
        return said is True

    def _deny(self, access: Access) -> None:
        rights, role = self._rights(), str(access.authrole)

        def what_would_allow_it(shown: str) -> str:
            # What cannot be shown as it is was never declared: URIs are short and printable.
            return remedy(rights, role, access.action, shown, access.match, retain=access.retain)

        self._denials.tell(access, what_would_allow_it)

    def _guard_of(self, role: Mapping[str, Any]) -> Callable[[Access], bool]:
        serves = any(grants(each, "register") for each in role.get("permissions") or ())

        def allows(access: Access) -> bool:
            if access.retain and not serves:
                text = "services may, and a role that wamp.topic(..., retain=True) governs"
            elif access.action == "subscribe" and access.match != "exact":
                if sees_no_more(role, access.uri, access.match):
                    return True
                text = "its permissions in the configuration have to grant all that it matches"
            else:
                return True
            self._denials.tell(access, lambda _shown: text)
            return False

        return allows
