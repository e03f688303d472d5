"""What a URI may look like."""

import pytest

from flask_wamp.uris import MAX_LENGTH, invalid_uri, malformed_uri


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
