"""What a URI or a pattern may look like (WAMP spec, 2.1.1, loose rules; 10.2.6, 10.3.4)."""

import re
from functools import lru_cache

MAX_LENGTH = 255
#: How a registration or subscription may match URIs.
MATCHES = ("exact", "prefix", "wildcard")

_LOOSE = re.compile(r"[^\s.#]+(\.[^\s.#]+)*\Z")


def malformed_uri(uri: object) -> str | None:
    """Tell what is wrong with the form of *uri*, or None."""
    if not isinstance(uri, str):
        return f"a URI is a str, not {type(uri).__name__}"
    return _malformed(uri)


@lru_cache(maxsize=4096)
def _malformed(uri: str) -> str | None:
    if len(uri) > MAX_LENGTH:
        return f"a URI has at most {MAX_LENGTH} characters"
    if not _LOOSE.match(uri):
        return "a URI is made of words joined by dots, without spaces or '#'"
    if not uri.isascii() and not uri.isprintable():
        return "a URI is made of printable characters"
    return None


def invalid_uri(uri: object) -> str | None:
    """Tell why *uri* cannot be declared by an application, or None.

    The namespace ``wamp.`` belongs to the protocol.
    """
    malformed = malformed_uri(uri)
    if malformed:
        return malformed
    if uri == "wamp" or str(uri).startswith("wamp."):
        return "URIs below 'wamp.' belong to the protocol"
    return None


def invalid_pattern(uri: object, match: str) -> str | None:
    """Tell why *uri* cannot be declared with this *match* policy, or None.

    A prefix may end in a dot; a wildcard pattern has at least one empty component.
    """
    if match not in MATCHES:
        return f"match is one of {', '.join(MATCHES)}"
    if not isinstance(uri, str):
        return invalid_uri(uri)
    if match == "exact":
        reason = invalid_uri(uri)
        if reason and invalid_pattern(uri, "prefix") is None:
            return f'{reason}; match="prefix" serves all that begins so'
        if reason and invalid_pattern(uri, "wildcard") is None:
            return f'{reason}; match="wildcard" lets empty components stand for any word'
        return reason
    if match == "prefix":
        return invalid_uri(uri.removesuffix("."))
    words = uri.split(".")
    if "" not in words:
        return "a wildcard pattern has an empty component, as in 'com.shop..stock'"
    if not any(words):
        return "a wildcard pattern names at least one component"
    return invalid_uri(".".join(word or "x" for word in words))


def invalid_topic(topic: object, match: str) -> str | None:
    """Tell why *topic* cannot be subscribed to with this *match* policy, or None.

    The meta API's events are below ``wamp.``, and are there to be subscribed to.
    """
    if not isinstance(topic, str) or not topic.startswith("wamp."):
        return invalid_pattern(topic, match)
    if match == "exact":
        return malformed_uri(topic)
    return (
        "topics below 'wamp.' belong to the protocol: subscribe to each by its name, without match"
    )


def pattern_parts(pattern: str, match: str, uri: str) -> tuple[str, ...]:
    """Return the components of *uri* that *pattern* leaves open.

    For a wildcard pattern these are the ones in place of its empty components, for a prefix those
    that follow it.
    """
    if match == "wildcard":
        pairs = zip(pattern.split("."), uri.split("."), strict=False)
        return tuple(word for component, word in pairs if not component)
    if match == "prefix":
        rest = uri[len(pattern) :].removeprefix(".")
        return tuple(rest.split(".")) if rest else ()
    return ()


def uri_matches(uri: str, pattern: str, match: str) -> bool:
    """Tell whether a registration or subscription with this *pattern* is for *uri*."""
    if match == "prefix":
        return uri.startswith(pattern)
    if match == "wildcard":
        words, components = uri.split("."), pattern.split(".")
        return len(words) == len(components) and all(
            component in ("", word) for word, component in zip(words, components, strict=True)
        )
    return uri == pattern
