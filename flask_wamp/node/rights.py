"""What Crossbar.io's static permissions grant, and what browsers need of an application."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

#: The actions of a permission.
ACTIONS: Final = ("call", "register", "publish", "subscribe")
#: The components of a URI that a namespace has at least, as in "com.example.".
FEWEST_COMPONENTS = 2


def namespaces_of(uris: Iterable[str]) -> list[str]:
    """Return the namespaces that hold *uris*, each ending in a dot.

    URIs with the same first two components share the longest namespace that they have in common;
    the last component of a URI is a name in a namespace, never part of it. URIs that are too
    short have none.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for uri in uris:
        words = uri.split(".")[:-1]
        if len(words) < FEWEST_COMPONENTS or not all(words) or words[0] == "wamp":
            continue
        head = tuple(words[:FEWEST_COMPONENTS])
        shared = groups.setdefault(head, words)
        length = next(
            (n for n, (a, b) in enumerate(zip(shared, words, strict=False)) if a != b),
            min(len(shared), len(words)),
        )
        groups[head] = shared[:length]
    return sorted(".".join(words) + "." for words in groups.values())


def browser_permissions(
    namespaces: Sequence[str], procedures: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Return the permissions of strangers: to call and subscribe below *namespaces*.

    :param procedures: URIs that stand in none of them and may be called.
    """
    alone = [uri for uri in procedures if not uri.startswith(tuple(namespaces))]
    return [
        # Whatever is not granted is denied without a trace: denials of URIs that no rule is for
        # are kept in the router's memory, one for each URI that a stranger thinks of.
        _permission("", "prefix"),
        # With it a caller that falls behind lets a stream pause.
        _permission("flask_wamp.", "prefix", "call"),
        *(_permission(namespace, "prefix", "call", "subscribe") for namespace in namespaces),
        *(_permission(uri, "exact", "call") for uri in sorted(set(alone))),
    ]


def _permission(uri: str, match: str, *allowed: str) -> dict[str, Any]:
    permission: dict[str, Any] = {
        "uri": uri,
        "match": match,
        "allow": {action: action in allowed for action in ACTIONS},
    }
    if allowed:
        permission["disclose"] = {"caller": True, "publisher": True}
    return {**permission, "cache": False}


def matching(permission: Mapping[str, Any]) -> tuple[str, str]:
    """Return URI and match policy of a permission; a star stands for a policy where none does."""
    uri, match = str(permission.get("uri", "")), permission.get("match")
    if isinstance(match, str):
        return uri, match
    if uri.endswith("*") and uri.count("*") == 1:
        return uri[:-1], "prefix"
    return (uri.replace("*", ""), "wildcard") if "*" in uri else (uri, "exact")


def rule_for(role: Mapping[str, Any], uri: str) -> Mapping[str, Any] | None:
    """Return the permission of *role* that decides about *uri*, or None.

    The one with the longest URI that *uri* begins with does, and none where that one is exact
    and another URI (Crossbar.io 26.10, ``router/role.py``). Wildcards are left out.
    """
    best: tuple[str, str, Mapping[str, Any]] | None = None
    for permission in _mappings(role.get("permissions")):
        pattern, match = matching(permission)
        if match == "wildcard" or not uri.startswith(pattern):
            continue
        if best is None or len(pattern) >= len(best[0]):
            best = pattern, match, permission
    if best is None or (best[1] != "prefix" and best[0] != uri):
        return None
    return best[2]


def may(role: Mapping[str, Any], action: str, uri: str) -> bool:
    """Tell whether *role* may do *action* on *uri*."""
    permission = rule_for(role, uri)
    return permission is not None and grants(permission, action)


def grants(permission: Mapping[str, Any], action: str) -> bool:
    """Tell whether a permission allows *action*."""
    allow = permission.get("allow")
    return isinstance(allow, Mapping) and allow.get(action) is True


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
