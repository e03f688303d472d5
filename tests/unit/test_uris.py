"""What a URI may look like."""

import pytest

from flask_wamp.uris import (
    MATCHES,
    MAX_LENGTH,
    invalid_pattern,
    invalid_uri,
    malformed_uri,
    pattern_parts,
    uri_matches,
)

WORDS = "a URI is made of words joined by dots, without spaces or '#'"
LONG = f"a URI has at most {MAX_LENGTH} characters"
PRINTABLE = "a URI is made of printable characters"
PROTOCOL = "URIs below 'wamp.' belong to the protocol"
EMPTY = "a wildcard pattern has an empty component, as in 'com.shop..stock'"
ONE = "a wildcard pattern names at least one component"
PREFIX = f'{WORDS}; match="prefix" serves all that begins so'
WILDCARD = f'{WORDS}; match="wildcard" lets empty components stand for any word'


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
        ("", WORDS),
        (".", WORDS),
        ("com..add", WORDS),
        (".add", WORDS),
        ("add.", WORDS),
        ("com add", WORDS),
        ("com.add\n", WORDS),
        ("com#add", WORDS),
        ("x" * (MAX_LENGTH + 1), LONG),
        ("add\u200b", PRINTABLE),
        ("add\ud800", PRINTABLE),
        (None, "a URI is a str, not NoneType"),
        (5, "a URI is a str, not int"),
        (b"com.add", "a URI is a str, not bytes"),
        (["com.add"], "a URI is a str, not list"),
    ],
)
def test_uris_malformed(uri: object, reason: str) -> None:
    assert invalid_uri(uri) == malformed_uri(uri) == reason


@pytest.mark.parametrize("uri", ["wamp", "wamp.session.count"])
def test_uris_of_the_protocol_are_called_and_not_declared(uri: str) -> None:
    assert malformed_uri(uri) is None
    assert invalid_uri(uri) == PROTOCOL


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
        ("." + "x" * (MAX_LENGTH - 2), "wildcard"),
    ],
)
def test_uris_patterns_accepted(uri: str, match: str) -> None:
    assert invalid_pattern(uri, match) is None


@pytest.mark.parametrize(
    ("uri", "match", "reason"),
    [
        ("com.shop", "regex", "match is one of exact, prefix, wildcard"),
        ("com.shop", "", "match is one of exact, prefix, wildcard"),
        ("com.", "exact", PREFIX),
        ("com..stock", "exact", WILDCARD),
        ("com shop", "exact", WORDS),
        ("wamp", "exact", PROTOCOL),
        ("", "prefix", WORDS),
        (".", "prefix", WORDS),
        ("com..", "prefix", WORDS),
        (".com", "prefix", WORDS),
        ("com #", "prefix", WORDS),
        ("wamp", "prefix", PROTOCOL),
        ("wamp.session.", "prefix", PROTOCOL),
        ("com.shop", "wildcard", EMPTY),
        ("", "wildcard", ONE),
        ("...", "wildcard", ONE),
        ("com..a b", "wildcard", WORDS),
        ("com..a\u200b", "wildcard", PRINTABLE),
        ("wamp..get", "wildcard", PROTOCOL),
        ("x." * MAX_LENGTH, "wildcard", LONG),
        *((5, match, "a URI is a str, not int") for match in MATCHES),
        *((b"com.", match, "a URI is a str, not bytes") for match in MATCHES),
    ],
)
def test_uris_patterns_refused(uri: object, match: str, reason: str) -> None:
    assert invalid_pattern(uri, match) == reason


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


@pytest.mark.parametrize(
    ("uri", "pattern", "match", "expected"),
    [
        ("com.shop", "com.shop", "exact", True),
        ("com.shop.", "com.shop", "exact", False),
        ("com.shop.tea", "com.shop", "exact", False),
        ("com.shop", "com.shop", "prefix", True),
        ("com.shopping", "com.shop", "prefix", True),
        ("com.shop.tea", "com.shop.", "prefix", True),
        ("com.shop", "com.shop.", "prefix", False),
        ("org.com.shop", "com.shop", "prefix", False),
        ("com.shop.stock", "com..stock", "wildcard", True),
        ("com.shop.stock", "..stock", "wildcard", True),
        ("com.shop.stock", "com.shop.", "wildcard", True),
        ("com.shop.price", "com..stock", "wildcard", False),
        ("com.shop.tea.stock", "com..stock", "wildcard", False),
        ("com.stock", "com..stock", "wildcard", False),
    ],
)
def test_uris_match_patterns(uri: str, pattern: str, match: str, expected: bool) -> None:
    assert uri_matches(uri, pattern, match) is expected
