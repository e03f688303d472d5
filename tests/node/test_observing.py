"""``/readyz`` outside the node's process, as under gunicorn, with a router that is there."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from flask_wamp.node import CrossbarNode
from flask_wamp.observe import health

from .support import MakeApp, Peer, on_reactor, wait_until

pytestmark = pytest.mark.node


def asked(http: FlaskClient) -> tuple[int, Any]:
    """Return status and answer of /readyz."""
    answer = http.get("/readyz")
    return answer.status_code, answer.json


def test_process_is_ready_when_its_procedures_are_registered(make_app: MakeApp) -> None:
    app, wamp = make_app("observing")
    wamp.callee("com.observing.exact")(lambda: 1)
    wamp.callee("com.observing.prefix", match="prefix")(lambda: 1)
    app.register_blueprint(health(awaited=["com.test.add", "com.serving.add"]))
    http = app.test_client()
    wait_until(lambda: asked(http)[1]["missing"] == ["procedures"], "the process has connected")
    assert asked(http) == (
        503,
        {
            "ready": False,
            "missing": ["procedures"],
            "detail": {"procedures": ["com.observing.exact", "com.observing.prefix"]},
        },
    )
    wamp.start(app)
    wait_until(lambda: asked(http)[0] == 200, "the process is ready")
    assert asked(http) == (200, {"ready": True, "missing": [], "detail": {}})
    wamp.stop(app)
    wait_until(lambda: asked(http)[0] == 503, "the process is not ready any more")


def test_process_without_a_router_is_not_ready(make_app: MakeApp, peers_node: CrossbarNode) -> None:
    url = f"unix:{peers_node.directory / 'nobody.sock'}"
    app, _wamp = make_app("observing", WAMP_URL=url)
    app.register_blueprint(health())
    status, answer = asked(app.test_client())
    assert (status, answer["missing"]) == (503, ["router"])
    assert "nobody.sock" in answer["detail"]["router"][0]


def test_supervisor_is_asked_for_its_processes(make_app: MakeApp, trusted: Peer) -> None:
    app, _wamp = make_app("observing")
    app.register_blueprint(health())
    http = app.test_client()
    wait_until(lambda: asked(http)[0] == 200, "the process has connected")
    slots = [
        {"slot": number, "ready": number == 0, "restarts": 0, "generation": 1}
        for number in range(2)
    ]
    registration = trusted.register(
        "flask_wamp.supervisor.observed.status", lambda: {"slots": slots}
    )
    try:
        wait_until(lambda: asked(http)[0] == 503, "the supervisor is asked")
        assert asked(http)[1]["detail"] == {
            "processes": ["observed: 1 of 2 processes do not serve (slot 1)"]
        }
        slots[1]["ready"] = True
        wait_until(lambda: asked(http)[0] == 200, "all processes are there")
    finally:
        on_reactor(registration.unregister)
