"""An application, and a way to call its procedures without a router."""

import pytest
from flask import Flask

from flask_wamp import WAMP

from .doubles import Caller


@pytest.fixture
def app() -> Flask:
    """Return a bare application."""
    return Flask("shop")


@pytest.fixture
def wamp(app: Flask) -> WAMP:
    """Return the extension, set up for the application."""
    return WAMP(app)


@pytest.fixture
def call(app: Flask, wamp: WAMP) -> Caller:
    """Return what calls the application's procedures."""
    return Caller(app)
