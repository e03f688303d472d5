"""Roles of a realm that this package decides about, in the router's process.

Crossbar.io 26.10.1: a router asks the object that it has for a role, ``crossbar/router/role.py``
(``RouterRole.authorize``), with the options of the message, and may be given such objects,
``crossbar/router/router.py`` (``add_role``, ``_roles``); who logs in is asked of the worker as well,
``crossbar/worker/router.py`` (``has_role``, ``start_router_realm_role``, ``realms``,
``realm_to_id``), which a session in memory reaches by ``_transport._router._factory.worker``. None
of it is public but the configuration, whose static permissions ignore how a subscription matches,
and whose dynamic authorizers are slower, and answer before they are there. This can go once
Crossbar.io takes an authorizer in its own process that sees the options;
``tests/twisted/crossbar/test_authorization.py`` tells where a name has changed, and then a node
does not start.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from autobahn.wamp.message import Call, Publish, Register, Subscribe
from crossbar.router.role import RouterRole
from twisted.internet.defer import Deferred

from ...context import Access
from ...errors import SetupError
from .recursion import restore_recursion_limit

# Whoever imports this, and makes no session: the import of Crossbar.io above has raised it.
restore_recursion_limit()

#: Decides: True, False, or what will be one of them. The text names an option that is not known.
Decide = Callable[[Access, str], "bool | Deferred[bool]"]

#: The options that a governed role may use, by action: what we know the meaning of.
_PAYLOAD: Final = frozenset({"transaction_hash", "enc_algo", "enc_key", "enc_serializer"})
KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "call": _PAYLOAD | {"timeout", "receive_progress"},
    "publish": _PAYLOAD
    | {"acknowledge", "retain", "exclude_me"}
    | {f"{what}{of}" for what in ("exclude", "eligible") for of in ("", "_authid", "_authrole")},
    "subscribe": frozenset({"match", "get_retained"}),
    "register": frozenset(),
}


class GovernedRole(RouterRole):
    """A role that has what *decide* says, and is known to those whom it calls."""

    def __init__(self, router: Any, name: str, decide: Decide) -> None:
        super().__init__(router, name)  # type: ignore[no-untyped-call]
        self._decide = decide

    def authorize(self, session: Any, uri: str, action: str, options: Mapping[str, Any]) -> Any:
        """Return what the router takes for an answer; a Deferred where somebody is asked."""
        try:
            # Who somebody claims to be, or what a router may know that we do not.
            unknown = next((name for name in options if name not in KNOWN[action]), "")
            answer = self._decide(access_of(session, uri, action, options), unknown)
        except Exception:  # noqa: BLE001
            # The router would tell the text to the session.
            self.log.failure("flask-wamp: who may do what cannot be told, so nobody may")
            answer = False
        if not isinstance(answer, Deferred):
            return authorization(action, allow=answer is True)
        outcome: Deferred[Any] = Deferred()

        def settle(said: object) -> None:
            # Only to a session that is still there: the router calls for one that has left.
            if self.router._session_id_to_session.get(session._session_id) is session:  # noqa: SLF001
                outcome.callback(authorization(action, allow=said is True))

        answer.addBoth(settle)
        return outcome


class GuardedRole(RouterRole):
    """A role of the configuration, which has its permissions where *allows* has no objection.

    :ivar inner: the role as Crossbar.io made it.
    """

    def __init__(self, router: Any, inner: Any, allows: Callable[[Access], bool]) -> None:
        super().__init__(router, inner.uri)  # type: ignore[no-untyped-call]
        self.inner = inner
        self._allows = allows

    def authorize(self, session: Any, uri: str, action: str, options: Mapping[str, Any]) -> Any:
        """Return what the router takes for an answer."""
        try:
            allows = self._allows(access_of(session, uri, action, options))
        except Exception:  # noqa: BLE001
            # As above.
            self.log.failure("flask-wamp: who may do what cannot be told, so nobody may")
            allows = False
        if not allows:
            return authorization(action, allow=False)
        # The router looks into its cache first, which forgets nothing and knows no options.
        return {**self.inner.authorize(session, uri, action, options), "cache": False}


class RealmRoles:
    """The roles of the realm that a session in memory is in.

    :raises SetupError: the engine is not the one that we know.
    """

    def __init__(self, in_memory: Any) -> None:
        try:
            transport = in_memory._transport  # noqa: SLF001
            self.own = str(transport._authrole)  # noqa: SLF001
            self._router = transport._router  # noqa: SLF001
            self._roles = self._router._roles  # noqa: SLF001
            self._realm = str(self._router.realm)
            self._worker = self._router._factory.worker  # noqa: SLF001
            self._realm_id = self._worker.realm_to_id[self._realm]
            started = self._worker.realms[self._realm_id].roles.values()
            self.configured: dict[str, Mapping[str, Any]] = {
                role.config["name"]: role.config for role in started
            }
            self._check()
        except (AttributeError, LookupError, TypeError) as error:
            raise _unknown(f"{type(error).__name__}: {error}") from error

    def govern(self, name: str, decide: Decide) -> None:
        """Let *decide* say what the role *name* may do; it is started where it is not there.

        :raises SetupError: the engine does not take it.
        """
        try:
            if name not in self.configured:
                self._start(name)
            self._put(GovernedRole(self._router, name, decide))
        except SetupError:
            raise
        except Exception as error:
            raise _unknown(f"{type(error).__name__}: {error}") from error

    def guard(self, name: str, allows: Callable[[Access], bool]) -> None:
        """Let *allows* refuse what the role *name* may do by its configuration.

        :raises SetupError: the engine does not take it.
        """
        self._put(GuardedRole(self._router, self._roles[name], allows))

    def _start(self, name: str) -> None:
        config = {"name": name, "permissions": []}
        self._worker.start_router_realm_role(self._realm_id, f"flask_wamp.{name}", config)
        if not self._worker.has_role(self._realm, name):
            raise _unknown(f"the role {name!r} was started and is not there")

    def _put(self, role: Any) -> None:
        self._router.add_role(role)
        if self._roles.get(role.uri) is not role:
            raise _unknown(f"the router does not take the role {role.uri!r}")

    def _check(self) -> None:
        """Look at what is used later, when somebody is asked."""
        names = ("_session_id_to_session", "add_role", "authorize")
        missing = [name for name in names if not hasattr(self._router, name)]
        kinds = (Call, Publish, Register, Subscribe)
        missing += [kind.__name__ for kind in kinds if not hasattr(kind, "marshal_options")]
        if missing:
            raise AttributeError(", ".join(missing))


def configured_role(role: Any) -> Any:
    """Return the router's own object for a role, below those that object to what it allows."""
    while isinstance(role, GuardedRole):
        role = role.inner
    return role


def access_of(session: Any, uri: str, action: str, options: Mapping[str, Any]) -> Access:
    """Return what a session of the router wants to do."""
    return Access(
        action,
        uri,
        str(options.get("match") or "exact"),
        bool(options.get("retain")),
        session._session_id,  # noqa: SLF001
        session._authid,  # noqa: SLF001
        session._authrole,  # noqa: SLF001
    )


def authorization(action: str, *, allow: bool) -> dict[str, bool]:
    """Return an answer as the router takes it; it is not to be kept."""
    answer = {"allow": allow, "cache": False}
    if action in ("call", "publish"):
        answer["disclose"] = True
    return answer


def _unknown(what: str) -> SetupError:
    return SetupError(
        f"this Crossbar.io does not let flask-wamp decide who may do what ({what}), so the node does "
        "not start: install the version that flask-wamp names, pip install 'flask-wamp[node]'"
    )
