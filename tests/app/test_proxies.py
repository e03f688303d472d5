"""The application behind proxies, and what its cookies are."""

import pytest
from flask import Flask, request, session

from flask_app import create_app

#: What nginx, Caddy and Traefik send, as docs/howto/going-public.md sets them up.
FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "poll.example",
}


def seen(app: Flask, headers: dict[str, str]) -> str:
    """Return what the application takes for address, scheme and host of a request."""

    @app.get("/seen")
    def look() -> str:
        return f"{request.remote_addr} {request.scheme} {request.host}"

    return app.test_client().get("/seen", headers=headers).text


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the environment be what a test sets."""
    monkeypatch.delenv("FLASK_PROXIES", raising=False)
    return monkeypatch


def test_nobody_is_believed_without_a_proxy(made: pytest.MonkeyPatch) -> None:
    assert seen(create_app(), FORWARDED) == "127.0.0.1 http localhost"


def test_a_proxy_is_believed(made: pytest.MonkeyPatch) -> None:
    made.setenv("FLASK_PROXIES", "1")
    assert seen(create_app(), FORWARDED) == "203.0.113.9 https poll.example"


def test_what_a_client_adds_is_not_believed(made: pytest.MonkeyPatch) -> None:
    """A proxy puts the address that it sees behind those that came along."""
    forged = {**FORWARDED, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    made.setenv("FLASK_PROXIES", "1")
    assert seen(create_app(), forged).startswith("203.0.113.9 ")
    made.setenv("FLASK_PROXIES", "2")
    assert seen(create_app(), forged).startswith("198.51.100.1 ")


def test_a_proxy_moves_no_paths(made: pytest.MonkeyPatch) -> None:
    made.setenv("FLASK_PROXIES", "1")
    app = create_app()
    app.add_url_rule("/root", view_func=lambda: request.script_root or "none")
    answer = app.test_client().get("/root", headers={"X-Forwarded-Prefix": "/evil"})
    assert answer.text == "none"


def test_cookies_of_the_node_for_production(made: pytest.MonkeyPatch) -> None:
    made.setenv("FLASK_SESSION_COOKIE_SECURE", "true")
    app = create_app({"SECRET_KEY": "a test's"})

    @app.get("/remember")
    def remember() -> str:
        session["seen"] = True
        return ""

    cookie = app.test_client().get("/remember").headers["Set-Cookie"]
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
