"""A shop, and its test client."""

from collections.abc import Iterator

import pytest
from flask import Flask

from flask_wamp import WAMP
from flask_wamp.testing import WampTestClient


@pytest.fixture
def app() -> Flask:
    """Return a bare application, which tests."""
    app = Flask("shop")
    app.testing = True
    return app


@pytest.fixture
def client(app: Flask, wamp: WAMP) -> Iterator[WampTestClient]:
    """Return the application's test client, in use."""
    with wamp.test_client(app) as client:
        yield client
