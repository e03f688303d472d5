"""The blueprint that says whether the process is there, and the node ready."""

from collections.abc import Iterable
from typing import Literal

from flask import Blueprint, Response, current_app, jsonify, request

from ..state import state_of
from .access import may_see
from .readiness import Checks, Report

#: Who is told what is missing, by name.
Detail = Literal["local", "everybody", "nobody"]


def health(
    name: str = "wamp_health",
    *,
    live: str = "/healthz",
    ready: str = "/readyz",
    detail: Detail = "local",
    awaited: Iterable[str] = (),
) -> Blueprint:
    """Return a blueprint for whoever watches the node: ``app.register_blueprint(health())``.

    ``/healthz`` answers 200 where the process answers at all. ``/readyz`` answers 200 where the link
    to the router is up, every procedure of the application is registered, every serving process is
    there, the node is not stopping, and events that are to last are delivered; else 503. Both have
    JSON, ``{"ready": false, "missing": ["procedures"], "detail": {...}}``.

    It asks the router at most once a second, however often it is asked, and has the answer within
    about a second.

    :param name: the blueprint's.
    :param live: where the process says that it is there.
    :param ready: where the node says that it is ready.
    :param detail: who reads names of procedures and processes: ``"local"``, whoever has connected
        from this machine or has ``WAMP_METRICS_TOKEN``, ``"everybody"`` or ``"nobody"``.
    :param awaited: procedures of other services that the node is not ready without; ``WebSession``'s
        are awaited in any case.
    """
    if detail not in ("local", "everybody", "nobody"):
        raise ValueError(f"health(detail={detail!r}): give 'local', 'everybody' or 'nobody'")
    checks = Checks(awaited)
    blueprint = Blueprint(name, __name__)

    def is_ready() -> Response:
        report = checks.report(state_of(current_app))
        return _answer(_shown(report, detail), 200 if report.ready else 503)

    blueprint.add_url_rule(live, "live", _is_live, methods=["GET"])
    blueprint.add_url_rule(ready, "ready", is_ready, methods=["GET"])
    return blueprint


def _is_live() -> Response:
    return _answer({"alive": True}, 200)


def _shown(report: Report, detail: Detail) -> dict[str, object]:
    shown: dict[str, object] = {"ready": report.ready, "missing": sorted(report.missing)}
    token = state_of(current_app).config.metrics_token
    if detail == "everybody" or (detail == "local" and may_see(request, token)):
        shown["detail"] = report.missing
    return shown


def _answer(shown: dict[str, object], status: int) -> Response:
    response = jsonify(shown)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
