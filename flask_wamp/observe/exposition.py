"""The blueprint that shows the metrics: ``app.register_blueprint(metrics())``."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request

from ..state import state_of
from .access import may_see
from .store import forget_dead, shared_directory

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


def metrics(name: str = "wamp_metrics", *, path: str = "/metrics") -> Blueprint:
    """Return a blueprint that shows the metrics to Prometheus, of all processes of the node.

    Strangers get 403: who asks has to be on this machine or, with ``WAMP_METRICS_TOKEN``, to send
    ``Authorization: Bearer`` and the token. Without ``WAMP_METRICS`` it is 404.

    :param name: the blueprint's.
    :param path: where it is.
    """
    blueprint = Blueprint(name, __name__)
    blueprint.add_url_rule(path, "metrics", _show, methods=["GET"])
    return blueprint


def _show() -> Response:
    state = state_of(current_app)
    if not may_see(request, state.config.metrics_token):
        remedy = (
            "ask from this machine"
            if state.config.metrics_token is None
            else "send the token, Authorization: Bearer ..."
        )
        return _text(f"not for everybody: {remedy}\n", 403)
    if not state.config.metrics:
        return _text("there are none: set WAMP_METRICS = True\n", 404)
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    shown = Response(encode(_registry()), content_type=content_type)
    shown.headers["Cache-Control"] = "no-store"
    return shown


def _registry() -> "CollectorRegistry":
    """Return what has all metrics: of this process or, where it counts with others, of all."""
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    directory = shared_directory()
    if directory is None:
        return REGISTRY
    forget_dead(directory)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return registry


def _text(text: str, status: int) -> Response:
    return Response(text, status, {"Cache-Control": "no-store"}, mimetype="text/plain")
