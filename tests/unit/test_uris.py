"""What a URI may look like."""

import pytest

from flask_wamp.uris import (
    MATCHES,
    MAX_LENGTH,
    invalid_pattern,
    invalid_uri,
    malformed_uri,
    pattern_parts,
)


@pytest.mark.parametrize(
    "uri",
    ["a", "add", "com.example.add", "com.example.add-2_b", "größe", "com.例.add", "x" * MAX_LENGTH],
)
def test_uris_accepted(uri: str) -> None:
    assert malformed_uri(uri) is None
    assert invalid_uri(uri) is None


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("", "words joined by dots"),
        (".", "words joined by dots"),
        ("com..add", "words joined by dots"),
        (".add", "words joined by dots"),
        ("add.", "words joined by dots"),
        ("com add", "without spaces"),
        ("com.add\n", "without spaces"),
        ("com#add", "without spaces or '#'"),
        ("x" * (MAX_LENGTH + 1), f"at most {MAX_LENGTH} characters"),
        ("add\u200b", "printable"),
        ("add\ud800", "printable"),
        (None, "a str, not NoneType"),
        (5, "a str, not int"),
        (b"com.add", "a str, not bytes"),
        (["com.add"], "a str, not list"),
    ],
)
def test_uris_malformed(uri: object, reason: str) -> None:
    assert reason in (malformed_uri(uri) or "")
    assert invalid_uri(uri) == malformed_uri(uri)


@pytest.mark.parametrize("uri", ["wamp", "wamp.", "wamp.session.count"])
def test_uris_of_the_protocol_are_not_declared(uri: str) -> None:
    assert invalid_uri(uri)


@pytest.mark.parametrize("uri", ["wamp", "wamp.session.count"])
def test_uris_of_the_protocol_are_called(uri: str) -> None:
    assert malformed_uri(uri) is None


@pytest.mark.parametrize("uri", ["wampy", "wampy.rpc", "com.wamp.add"])
def test_uris_beside_the_protocol(uri: str) -> None:
    assert invalid_uri(uri) is None


# --- patterns


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("com.shop", "exact"),
        ("com.shop", "prefix"),
        ("com.shop.", "prefix"),
        ("c", "prefix"),
        ("com..stock", "wildcard"),
        (".stock", "wildcard"),
        ("com.", "wildcard"),
        ("..a..", "wildcard"),
        ("com..größe", "wildcard"),
        ("x" * (MAX_LENGTH - 1) + ".", "prefix"),
    ],
)
def test_uris_patterns_accepted(uri: str, match: str) -> None:
    assert invalid_pattern(uri, match) is None


@pytest.mark.parametrize(
    ("uri", "match", "reason"),
    [
        ("com.shop", "regex", "match is one of exact, prefix, wildcard"),
        ("com.shop", "", "match is one of"),
        ("com.", "exact", "words joined by dots"),
        ("", "prefix", "words joined by dots"),
        (".", "prefix", "words joined by dots"),
        ("com..", "prefix", "words joined by dots"),
        (".com", "prefix", "words joined by dots"),
        ("com #", "prefix", "without spaces or '#'"),
        ("wamp", "prefix", "belong to the protocol"),
        ("wamp.session.", "prefix", "belong to the protocol"),
        ("com.shop", "wildcard", "an empty component, as in 'com.shop..stock'"),
        ("", "wildcard", "names at least one component"),
        ("...", "wildcard", "names at least one component"),
        ("com..a b", "wildcard", "without spaces"),
        ("com..a\u200b", "wildcard", "printable"),
        ("wamp..get", "wildcard", "belong to the protocol"),
        ("x." * MAX_LENGTH, "wildcard", f"at most {MAX_LENGTH} characters"),
        *((uri, match, "a URI is a str, not ") for uri in (None, 5, b"com.") for match in MATCHES),
    ],
)
def test_uris_patterns_refused(uri: object, match: str, reason: str) -> None:
    assert reason in (invalid_pattern(uri, match) or "")


@pytest.mark.parametrize(
    ("pattern", "match", "uri", "parts"),
    [
        ("com.shop", "exact", "com.shop", ()),
        ("com.shop", "prefix", "com.shop", ()),
        ("com.shop.", "prefix", "com.shop.a", ("a",)),
        ("com.shop", "prefix", "com.shop.a.b", ("a", "b")),
        ("com.shop", "prefix", "com.shopping.a", ("ping", "a")),
        ("com..stock", "wildcard", "com.pen.stock", ("pen",)),
        (".shop.", "wildcard", "com.shop.pen", ("com", "pen")),
        ("com..stock.", "wildcard", "com.com.stock.stock", ("com", "stock")),
    ],
)
def test_uris_parts_that_a_pattern_leaves_open(
    pattern: str, match: str, uri: str, parts: tuple[str, ...]
) -> None:
    assert pattern_parts(pattern, match, uri) == parts
