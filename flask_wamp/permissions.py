"""Which roles a node's configuration lets call, publish and subscribe, as Crossbar.io decides it.

The static permissions of Crossbar.io 26.10.1, ``crossbar/router/role.py``: the longest URI that
begins the one in question decides, and where its match policy is not ``prefix``, nothing is granted
but on that very URI; patterns with ``..`` go before prefixes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

#: The actions of a permission.
ACTIONS: Final = ("call", "register", "publish", "subscribe")


def roles_that_may(config: Mapping[str, Any], realm: str, action: str, uri: str) -> list[str]:
    """Return the roles of *realm* that may *action* on *uri*.

    One that a dynamic authorizer decides about is followed by who that is.

    :param config: a node configuration.
    :param action: one of :data:`ACTIONS`.
    """
    found = []
    for role in roles_of(config, realm):
        name = str(role.get("name"))
        if "authorizer" in role:
            found.append(f"{name} (if {role['authorizer']} says so)")
        elif may(role, action, uri):
            found.append(name)
    return found


def sample_of(uri: str, match: str) -> str:
    """Return a URI that the pattern *uri* matches, for what is asked of URIs."""
    if match == "wildcard":
        return ".".join(word or "x" for word in uri.split("."))
    return f"{uri}x" if match == "prefix" and uri.endswith(".") else uri


def is_governed(role: Mapping[str, Any]) -> bool:
    """Tell whether the application decides what a role of the configuration may do.

    It does where it has the list of permissions, and nothing in it.
    """
    return role.get("permissions") == [] and "authorizer" not in role


def roles_of(config: Mapping[str, Any], realm: str) -> Iterator[Mapping[str, Any]]:
    """Yield the roles of *realm*."""
    for worker in config.get("workers", ()):
        for candidate in worker.get("realms", ()):
            if candidate.get("name") == realm:
                yield from candidate.get("roles", ())


def may(role: Mapping[str, Any], action: str, uri: str) -> bool:
    """Tell whether the static permissions of *role* let it do *action* on *uri*."""
    permission = rule_for(role, uri)
    return permission is not None and grants(permission, action)


def grants(permission: Mapping[str, Any], action: str) -> bool:
    """Tell whether a permission allows *action*."""
    allow = permission.get("allow")
    return isinstance(allow, Mapping) and bool(allow.get(action))


def rule_for(role: Mapping[str, Any], uri: str) -> Mapping[str, Any] | None:
    """Return the permission of *role* that decides about *uri*, or None."""
    plain: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
    wild: dict[str, tuple[str, str, Mapping[str, Any]]] = {}
    for permission in role.get("permissions") or ():
        if not isinstance(permission, Mapping):
            continue
        pattern, match = matching(permission)
        if ".." in pattern:
            wild[pattern.partition("..")[0]] = pattern, match, permission
        else:
            plain[pattern] = pattern, match, permission
    found = _longest(plain, uri)
    if found is not None and found[1] != "prefix" and found[0] != uri:
        found = None
    if found is None or found[1] != "exact":
        better = _longest(wild, uri)
        if better is not None and _fits(better[0], uri):
            found = better
    return None if found is None else found[2]


def matching(permission: Mapping[str, Any]) -> tuple[str, str]:
    """Return URI and match policy of a permission; without one, stars in the URI say what it is."""
    uri, match = str(permission.get("uri", "")), permission.get("match")
    if isinstance(match, str):
        return uri, match
    if "*" not in uri:
        return uri, "exact"
    if uri.count("*") == 1 and uri.endswith("*"):
        return uri[:-1], "prefix"
    return uri.replace("*", ""), "wildcard"


def _longest(
    entries: Mapping[str, tuple[str, str, Mapping[str, Any]]], uri: str
) -> tuple[str, str, Mapping[str, Any]] | None:
    begins = [key for key in entries if uri.startswith(key)]
    return entries[max(begins, key=len)] if begins else None


def _fits(pattern: str, uri: str) -> bool:
    wanted, there = pattern.split("."), uri.split(".")
    return len(wanted) == len(there) and all(
        word == other if word else bool(other) for word, other in zip(wanted, there, strict=True)
    )


def sees_no_more(role: Mapping[str, Any], pattern: str, match: str) -> bool:
    """Tell whether *role* may subscribe to each topic that a pattern matches.

    Crossbar.io looks at the pattern as if it were a topic, so that an exact right to ``com.app``
    would be one to ``com.appendix.secret``, by prefix. What cannot be told for sure is no.

    :param match: ``prefix`` or ``wildcard``; what else a router may know is no.
    """
    words = pattern.split(".")
    if match == "wildcard" and all(words):
        return may(role, "subscribe", pattern)
    if match not in ("prefix", "wildcard"):
        return False
    start = pattern if match == "prefix" else "".join(f"{w}." for w in words[: words.index("")])
    rules = [
        (*matching(permission), grants(permission, "subscribe"))
        for permission in role.get("permissions") or ()
        if isinstance(permission, Mapping)
    ]
    plain = {uri: (kind, granted) for uri, kind, granted in rules if ".." not in uri}
    above = max((uri for uri in plain if start.startswith(uri)), key=len, default=None)
    if above is None or plain[above] != ("prefix", True):
        return False
    # What is below an exact rule and goes on is denied, whatever that rule grants.
    closed = any(
        uri != above and uri.startswith(start) and (kind != "prefix" or not granted)
        for uri, (kind, granted) in plain.items()
    )
    closed_by_wildcard = any(
        ".." in uri and not granted and _may_meet(uri.partition("..")[0], start)
        for uri, _kind, granted in rules
    )
    return not closed and not closed_by_wildcard


def _may_meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
