"""What answers on the port of plain HTTP."""

from pathlib import Path
from typing import Any

import pytest
from twisted.web.test.requesthelper import DummyRequest

from flask_wamp import SetupError
from flask_wamp.crossbar import ToHttps


def answer(
    resource: ToHttps, uri: str, host: str | None = "shop.example", method: str = "GET"
) -> Any:
    """Return the request after it was answered; its body is in ``body``."""
    make: Any = DummyRequest
    request = make(uri.encode().split(b"?")[0].lstrip(b"/").split(b"/"))
    request.uri, request.method, request.postpath = uri.encode(), method.encode(), request.postpath
    if host is not None:
        request.requestHeaders.addRawHeader("host", host)
    request.body = resource.render(request)
    return request


def location(request: Any) -> str:
    (found,) = request.responseHeaders.getRawHeaders("location")
    return str(found)


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("shop.example", 443, "https://shop.example"),
        ("shop.example:8080", 8443, "https://shop.example:8443"),
        ("192.0.2.7:8080", 443, "https://192.0.2.7"),
        ("[::1]:8080", 8443, "https://[::1]:8443"),
    ],
)
def test_to_https_keeps_host_and_address(host: str, port: int, expected: str) -> None:
    for method in ("GET", "HEAD", "POST"):
        found = answer(ToHttps({"port": port}), "/polls/3?x=1&y=%20", host, method)
        assert found.responseCode == 308
        assert location(found) == f"{expected}/polls/3?x=1&y=%20"


@pytest.mark.parametrize("host", [None, "", "shop.example/x", "a@b", "a b", "[::1", "é.example"])
def test_to_https_without_a_host_that_is_one(host: str | None) -> None:
    found = answer(ToHttps(), "/", host)
    assert found.responseCode == 400
    assert not found.responseHeaders.hasHeader("location")


def test_to_https_leads_nowhere_else() -> None:
    assert location(answer(ToHttps(), "//evil.example/")) == "https://shop.example//evil.example/"
    assert answer(ToHttps(), "http://evil.example/").responseCode == 400
    assert location(answer(ToHttps(), '/"<x>\\')) == "https://shop.example/%22%3Cx%3E%5C"


def test_to_https_answers_challenges(tmp_path: Path) -> None:
    (tmp_path / "the_token-1").write_text("the_token-1.thumbprint")
    (tmp_path.parent / "secret").write_text("secret")
    resource = ToHttps({"challenges": str(tmp_path)})
    below = "/.well-known/acme-challenge"
    assert answer(resource, f"{below}/the_token-1").body == b"the_token-1.thumbprint"
    for token in ("other", "../secret", "", "the_token-1/", "%2e%2e", "x" * 129):
        found = answer(resource, f"{below}/{token}")
        assert (found.responseCode, found.body) == (404, b"There is no such challenge.\n")
    assert answer(ToHttps(), f"{below}/the_token-1").responseCode == 404


@pytest.mark.parametrize(
    "extra", [{"port": "443"}, {"port": 0}, {"port": 70000}, {"challenges": 1}]
)
def test_to_https_of_another_type(extra: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match="has to be"):
        ToHttps(extra)
