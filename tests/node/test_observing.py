"""``/readyz`` outside the node's process, as under gunicorn, with a router that is there."""

from collections.abc import Callable
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


def awaited(http: FlaskClient, is_so: Callable[[int, Any], bool], what: str) -> tuple[int, Any]:
    """Return the first answer that is so: a look in which nothing comes for a second says that."""

    def ask() -> tuple[int, Any] | None:
        found = asked(http)
        return found if is_so(*found) else None

    found = wait_until(ask, what)
    assert found is not None
    return found


def test_process_is_ready_when_its_procedures_are_registered(make_app: MakeApp) -> None:
    app, wamp = make_app("observing")
    wamp.callee("com.observing.exact")(lambda: 1)
    wamp.callee("com.observing.prefix", match="prefix")(lambda: 1)
    app.register_blueprint(health(awaited=["com.test.add", "com.serving.add"]))
    http = app.test_client()
    assert awaited(
        http, lambda _, answer: answer["missing"] == ["procedures"], "the process has connected"
    ) == (
        503,
        {
            "ready": False,
            "missing": ["procedures"],
            "detail": {"procedures": ["com.observing.exact", "com.observing.prefix"]},
        },
    )
    wamp.start(app)
    found = awaited(http, lambda status, _: status == 200, "the process is ready")
    assert found == (200, {"ready": True, "missing": [], "detail": {}})
    wamp.stop(app)
    wait_until(lambda: asked(http)[0] == 503, "the process is not ready any more")


def test_process_without_a_router_is_not_ready(make_app: MakeApp, peers_node: CrossbarNode) -> None:
    url = f"unix:{peers_node.directory / 'nobody.sock'}"
    app, _wamp = make_app("observing", WAMP_URL=url)
    app.register_blueprint(health())
    status, answer = awaited(
        app.test_client(),
        lambda _, answer: "No such file" in answer["detail"]["router"][0],
        "the process has tried to connect",
    )
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
        _, answer = awaited(
            http, lambda _, answer: answer["missing"] == ["processes"], "the supervisor is asked"
        )
        assert answer["detail"] == {
            "processes": ["observed: 1 of 2 processes do not serve (slot 1)"]
        }
        slots[1]["ready"] = True
        wait_until(lambda: asked(http)[0] == 200, "all processes are there")
    finally:
        on_reactor(registration.unregister)
