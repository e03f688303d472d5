"""Applications whose users log in, and the cookies of their pages."""

from typing import Any

from flask import Flask

from flask_wamp import WAMP
from flask_wamp.login import Handshake

LOGIN = "1700000000000.abcdefghijk"
KEY = "a key of these tests, and of no other"


def application(**config: Any) -> tuple[Flask, WAMP]:
    """Return an application that can sign."""
    app = Flask(__name__)
    app.config.from_mapping(SECRET_KEY=KEY, **config)
    return app, WAMP(app)


def cookie(app: Flask, *, key: str | None = None, **session: Any) -> str:
    """Return the Cookie header of a page with this Flask session."""
    signer = Flask(__name__)
    signer.secret_key = key or app.secret_key
    interface: Any = signer.session_interface
    return f"session={interface.get_signing_serializer(signer).dumps(session)}"


def page(app: Flask, header: str | None = None, **session: Any) -> Handshake:
    """Return the handshake of a page with this Flask session, or this Cookie header."""
    headers = {"host": "localhost", "user-agent": "page"}
    if header is not None or session:
        headers["cookie"] = header or cookie(app, **session)
    return Handshake.from_headers(app, headers, address="192.0.2.7", path="/ws")
