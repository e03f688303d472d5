"""The request that opened a session, as Flask sees it."""

from flask import Flask, request, session

from flask_wamp.login.handshake import Handshake


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
