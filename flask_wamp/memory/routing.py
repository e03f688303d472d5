"""Which registration a router takes for a call (WAMP spec, 10.2.6)."""

from collections.abc import Collection

from ..uris import uri_matches

#: A URI or pattern, and how it matches.
Key = tuple[str, str]


def best(keys: Collection[Key], uri: str) -> Key | None:
    """Return the key that Crossbar.io takes for *uri*, or None.

    That is the exact one, else the longest prefix, else the first wildcard.
    """
    if (uri, "exact") in keys:
        return uri, "exact"
    prefixes = [key for key in keys if key[1] == "prefix" and uri_matches(uri, *key)]
    if prefixes:
        return max(prefixes, key=lambda key: len(key[0]))
    wildcards = (key for key in keys if key[1] == "wildcard" and uri_matches(uri, *key))
    return next(wildcards, None)
