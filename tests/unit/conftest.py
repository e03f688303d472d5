"""An application, and a way to call its procedures without a router."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_wamp import WAMP
from flask_wamp.state import state_of

from .doubles import Caller, Declare, RecordingLink, View


@pytest.fixture
def app() -> Flask:
    """Return a bare application."""
    return Flask("shop")


@pytest.fixture
def wamp(app: Flask) -> WAMP:
    """Return the extension, set up for the application."""
    return WAMP(app)


@pytest.fixture
def http(app: Flask, wamp: WAMP) -> FlaskClient:
    """Return what asks the application over HTTP."""
    return app.test_client()


@pytest.fixture
def call(app: Flask, wamp: WAMP) -> Caller:
    """Return what calls the application's procedures."""
    return Caller(app)


@pytest.fixture
def link(app: Flask, wamp: WAMP) -> RecordingLink:
    """Return the application's link."""
    link = RecordingLink("answer")
    state_of(app).slot.attach(link)
    return link


@pytest.fixture
def view(app: Flask, wamp: WAMP) -> View:
    """Return what declares a view of a rule that is a procedure as well."""

    def view(rule: str, **options: Any) -> Declare:
        return lambda function: app.route(rule, **options)(wamp.callee(function))

    return view


@pytest.fixture(params=["plain", "route"])
def declare(request: pytest.FixtureRequest, wamp: WAMP, view: View) -> Declare:
    """Return what declares a procedure, one of them a route as well."""
    if request.param == "plain":
        return wamp.callee
    return lambda function: view(f"/{function.__name__}")(function)
