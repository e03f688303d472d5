"""What browsers need of an application: the namespaces of its URIs, and permissions for them."""

from collections.abc import Iterable, Sequence
from typing import Any

from ..permissions import ACTIONS

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
