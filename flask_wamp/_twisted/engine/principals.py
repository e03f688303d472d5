"""The sessions and the roles of a realm, as the router's process knows them.

Crossbar.io 26.10.1: an in-memory session has its router in ``_transport._router``, and a router its
sessions by id in ``_session_id_to_session``, those of an authid in ``_authid_to_sessions``, its roles in
``_roles``, and its worker in ``_factory._worker``, whose ``realms`` have the configuration of each role
(``crossbar/router/router.py``, ``crossbar/worker/router.py``). None of it has a public name. It can be
left alone once a dynamic authenticator may ask what a role can do; ``tests/node/test_login.py``
tells where a name has changed.
"""

from collections.abc import Mapping
from typing import Any


def roles_of(in_memory: Any) -> dict[str, Mapping[str, Any]]:
    """Return the roles of a realm, with the configuration of each.

    :param in_memory: a session of a router component.
    """
    router = in_memory._transport._router  # noqa: SLF001
    configured: dict[str, Mapping[str, Any]] = {}
    for realm in router._factory._worker.realms.values():  # noqa: SLF001
        if realm.config["name"] == router.realm:
            configured.update((role.config["name"], role.config) for role in realm.roles.values())
    return {name: config for name, config in configured.items() if name in router._roles}  # noqa: SLF001


def sessions_of(in_memory: Any, authid: str) -> list[int]:
    """Return the sessions of *authid* that have joined the realm."""
    router = in_memory._transport._router  # noqa: SLF001
    there = router._authid_to_sessions.get(authid, ())  # noqa: SLF001
    return [session._session_id for session in there if session._session_id]  # noqa: SLF001


def may_register(role: Mapping[str, Any]) -> bool:
    """Tell whether a role, by its configuration, may register anything, or nobody knows."""
    if "authorizer" in role:
        return True
    permissions = role.get("permissions") or ()
    return any((each.get("allow") or {}).get("register", False) for each in permissions)
