"""What a URI of a procedure, topic or error may look like (WAMP spec, 2.1.1, loose rules)."""

import re
from functools import lru_cache

MAX_LENGTH = 255

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
