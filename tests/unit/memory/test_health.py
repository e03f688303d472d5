"""``/readyz`` and ``/metrics`` of an application under test."""

import pytest
from flask import Flask, g

from flask_wamp import WAMP, NoSuchProcedure
from flask_wamp.errors import RemoteError
from flask_wamp.observe import health, metrics
from flask_wamp.testing import WampTestClient


@pytest.fixture
def app() -> Flask:
    """Return an application that is watched."""
    app = Flask("shop")
    app.testing = True
    app.config["WAMP_METRICS"] = True
    app.register_blueprint(health(awaited=["com.bank.pay"]))
    app.register_blueprint(metrics())
    return app


@pytest.fixture
def wamp(app: Flask) -> WAMP:
    """Return its extension."""
    wamp = WAMP(app)
    wamp.callee("com.shop.stock")(lambda: 3)
    wamp.callee("com.shop", match="prefix")(lambda: 4)
    return wamp


def test_application_is_ready_with_stubs_for_what_it_awaits(
    app: Flask, client: WampTestClient
) -> None:
    http = app.test_client()
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "missing": ["procedures"],
        "detail": {"procedures": ["com.bank.pay"]},
    }
    client.stub("com.bank.pay", returns=1)
    assert http.get("/readyz").status_code == 200
    assert "flask_wamp_ready 1.0" in http.get("/metrics").text


def test_application_that_is_disconnected_is_not_ready(app: Flask, client: WampTestClient) -> None:
    client.stub("com.bank.pay", returns=1)
    http = app.test_client()
    assert http.get("/readyz").status_code == 200
    client.disconnect()
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json and answer.json["missing"]) == (503, ["router"])
    assert "flask_wamp_ready 0.0" in http.get("/metrics").text
    client.reconnect()
    assert http.get("/readyz").status_code == 200


def test_next_test_has_its_own_registrations(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    client.stub("com.bank.pay", returns=1)
    http = app.test_client()
    assert http.get("/readyz").status_code == 200
    with wamp.test_client(app) as other:
        assert http.get("/readyz").status_code == 503
        other.stub("com.bank.", match="prefix", returns=1)
        other.stub("com.bank.pay", returns=2)
        assert http.get("/readyz").status_code == 200


def test_registrations_in_memory(app: Flask, client: WampTestClient) -> None:
    client.stub("com.bank.pay", returns=1)
    with app.app_context():
        listed = g.wampy.meta.registrations()
        found = {
            match: [g.wampy.call("wamp.registration.get", each)["uri"] for each in numbers]
            for match, numbers in listed.items()
        }
        assert found == {
            "exact": ["com.shop.stock", "com.bank.pay"],
            "prefix": ["com.shop"],
            "wildcard": [],
        }
        with pytest.raises(RemoteError, match="no registration 0"):
            g.wampy.call("wamp.registration.get", 0)
        client.stub("wamp.registration.list", raises=NoSuchProcedure)
        with pytest.raises(NoSuchProcedure):
            g.wampy.meta.registrations()
