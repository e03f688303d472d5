"""The request that opened a session, as Flask sees it."""

from typing import Any

import pytest
from flask import Flask, request, session
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_wamp.login.handshake import MAX_HEADER, Handshake


def test_handshake_is_a_request_of_flask() -> None:
    app = Flask(__name__)
    app.secret_key = "x" * 32
    cookie = app.session_interface.get_signing_serializer(app).dumps({"user_id": 7})  # type: ignore[attr-defined]
    handshake = Handshake(
        {
            "REMOTE_ADDR": "192.0.2.7",
            "PATH_INFO": "/ws",
            "wsgi.url_scheme": "https",
            "HTTP_HOST": "shop.example",
            "HTTP_COOKIE": f"session={cookie}",
            "HTTP_USER_AGENT": "page",
        }
    )
    with app.request_context(handshake.request_environ(REQUEST_METHOD="CALL")):
        assert session["user_id"] == 7
        assert request.url == "https://shop.example/ws"
        assert (request.method, request.remote_addr) == ("CALL", "192.0.2.7")
        assert request.user_agent.string == "page"
        assert request.get_data() == b""


def test_handshake_shows_no_cookie() -> None:
    assert "secret" not in repr(Handshake({"HTTP_COOKIE": "session=secret"}))


def handshake(app: Flask | None = None, **headers: str) -> Handshake:
    """Return the handshake with these headers, from 192.0.2.1."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Handshake.from_headers(app or Flask(__name__), names, address="192.0.2.1", path="/ws")


def test_handshake_keeps_who_asks_and_nothing_else() -> None:
    made = handshake(
        host="shop.example", cookie="a=1", user_agent="page", x_token="secret", upgrade="websocket"
    )
    assert made.environ == {
        "REMOTE_ADDR": "192.0.2.1",
        "PATH_INFO": "/ws",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "shop.example",
        "HTTP_COOKIE": "a=1",
        "HTTP_USER_AGENT": "page",
    }


@pytest.mark.parametrize(
    "origin",
    [
        "http://shop.example",
        "http://shop.example:80",
        "HTTP://SHOP.example",
        "ws://shop.example",
        None,
    ],
)
def test_handshake_keeps_the_cookies_of_its_own_page(origin: str | None) -> None:
    headers = {"host": "shop.example", "cookie": "a=1"}
    if origin is not None:
        headers["origin"] = origin
    assert handshake(None, **headers).environ["HTTP_COOKIE"] == "a=1"


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://shop.example",
        "http://shop.example:8080",
        "http://shop.example.evil.example",
        "http://evil.example/shop.example",
        "http://shop.example@evil.example",
        "http://evil.example@shop.example",
        "http://[",
        "http://shop.example:x",
        "file://",
        "shop.example",
    ],
)
def test_handshake_drops_the_cookies_of_another_page(origin: str) -> None:
    made = handshake(host="shop.example", cookie="a=1", authorization="Basic YTox", origin=origin)
    assert "HTTP_AUTHORIZATION" not in made.environ
    assert "HTTP_COOKIE" not in made.environ


def test_handshake_without_a_host_has_no_page_of_its_own() -> None:
    assert "HTTP_COOKIE" not in handshake(cookie="a=1", origin="http://localhost").environ


def test_handshake_knows_its_proxies_as_the_application_does() -> None:
    app = Flask(__name__)
    forwarded = {
        "host": "127.0.0.1:8080",
        "origin": "https://shop.example",
        "cookie": "a=1",
        "x_forwarded_for": "198.51.100.1, 203.0.113.9",
        "x_forwarded_proto": "https",
        "x_forwarded_host": "shop.example",
    }
    untold = handshake(app, **forwarded)
    assert untold.environ["REMOTE_ADDR"] == "192.0.2.1"
    assert "HTTP_COOKIE" not in untold.environ

    def outermost(environ: Any, start: Any) -> Any:
        raise AssertionError("the application is not to be called")

    outermost.app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[attr-defined]
    app.wsgi_app = outermost  # type: ignore[assignment,method-assign,unused-ignore]
    told = handshake(app, **forwarded)
    assert told.environ["REMOTE_ADDR"] == "203.0.113.9"
    assert told.environ["wsgi.url_scheme"] == "https"
    assert told.environ["HTTP_HOST"] == "shop.example"
    assert told.environ["HTTP_COOKIE"] == "a=1"


def test_handshake_drops_what_is_too_long_or_means_another_header() -> None:
    made = Handshake.from_headers(
        Flask(__name__), {"cookie": "x" * (MAX_HEADER + 1), "user_agent": "x"}
    )
    assert made.environ == {"REMOTE_ADDR": "", "PATH_INFO": "/", "wsgi.url_scheme": "http"}


def test_handshake_with_an_endless_origin_has_no_cookies() -> None:
    made = handshake(host="shop.example", cookie="a=1", origin="x" * (MAX_HEADER + 1))
    assert "HTTP_COOKIE" not in made.environ
