"""``/metrics``: who may read it, and that Prometheus can."""

import re
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from flask_wamp import WAMP, ConfigError, NotConnected
from flask_wamp.observe import metrics
from flask_wamp.state import state_of

from ..doubles import RecordingLink

TOKEN = "a-token-of-sufficient-length"
FAR = {"REMOTE_ADDR": "192.0.2.7"}


def made(**config: Any) -> Flask:
    """Return an application with the blueprint."""
    app = Flask("shop")
    app.config.from_mapping({"WAMP_METRICS": True, **config})
    WAMP(app)
    state_of(app).slot.attach(RecordingLink({"exact": []}))
    app.register_blueprint(metrics())
    return app


def test_metrics_can_be_parsed() -> None:
    app = made()
    meter = state_of(app).dispatcher.meter
    assert meter is not None
    meter.called("com.exposition.a", 0.1, None)
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type.startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    ours = {name for name in families if name.startswith("flask_wamp_")}
    # Base units, and words that Prometheus's own linter takes.
    assert all(re.fullmatch(r"[a-z][a-z_]+[a-z]", name) for name in ours)
    assert not [name for name in ours if name.endswith(("_ms", "_milliseconds", "_total"))]
    assert all(families[name].documentation for name in ours)
    assert "flask_wamp_ready" in ours
    calls = families["flask_wamp_calls"].samples
    assert {"procedure": "com.exposition.a", "outcome": "ok"} in [each.labels for each in calls]


def test_without_the_setting_there_are_none() -> None:
    answer = made(WAMP_METRICS=False).test_client().get("/metrics")
    assert (answer.status_code, answer.text) == (404, "there are none: set WAMP_METRICS = True\n")


@pytest.mark.parametrize("is_on", [True, False])
def test_strangers_read_nothing(is_on: bool) -> None:
    http = made(WAMP_METRICS=is_on).test_client()
    for how in (
        {"environ_base": FAR},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"environ_base": FAR, "headers": {"Authorization": f"Bearer {TOKEN}"}},
    ):
        answer = http.get("/metrics", **how)
        assert (answer.status_code, answer.text) == (
            403,
            "not for everybody: ask from this machine\n",
        )


def test_with_a_token_it_takes_the_token() -> None:
    http = made(WAMP_METRICS_TOKEN=TOKEN).test_client()
    header = {"Authorization": f"Bearer {TOKEN}"}
    assert http.get("/metrics", environ_base=FAR, headers=header).status_code == 200
    for sent in ({}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": "Bearer"}):
        answer = http.get("/metrics", headers=sent)
        assert answer.status_code == 403
        assert TOKEN not in answer.text


@pytest.mark.parametrize("token", ["", "short", "has spaces in it, and more", 17])
def test_token_that_can_be_guessed_is_refused(token: Any) -> None:
    with pytest.raises(ConfigError, match="16 characters or more") as raised:
        made(WAMP_METRICS_TOKEN=token)
    assert not token or str(token) == "17" or str(token) not in str(raised.value)


def test_metrics_are_there_where_the_router_is_not() -> None:
    app = made()
    state_of(app).slot.attach(RecordingLink(NotConnected("away")))
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    assert "\nflask_wamp_ready 0.0\n" in answer.text
