"""Pages that call: applications with logins, and who calls them."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_wamp.login.callers import Peer
from flask_wamp.login.door import COOKIE
from flask_wamp.login.handshake import Handshake
from flask_wamp.memory.pages import handshake_of

from ..doubles import Caller

#: Takes a test client of Flask's, and how its session has come in; returns what calls.
AsPage = Callable[..., Caller]


@pytest.fixture
def as_page(app: Flask, wamp: object) -> AsPage:
    """Return what makes a page of the cookies of a test client."""

    def as_page(
        http: FlaskClient,
        method: str = COOKIE,
        authid: str = "7",
        authrole: str = "user",
        **environ: str,
    ) -> Caller:
        handshake = Handshake({**handshake_of(app, http).environ, **environ})
        return Caller(app, Peer(handshake, method, authid, authrole))

    return as_page
