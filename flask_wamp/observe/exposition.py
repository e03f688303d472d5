"""The blueprint that shows the metrics: ``app.register_blueprint(metrics())``."""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request

from ..state import state_of
from .access import may_see
from .readiness import Checks, Report
from .store import forget_dead, shared_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric


def metrics(name: str = "wamp_metrics", *, path: str = "/metrics") -> Blueprint:
    """Return a blueprint that shows the metrics to Prometheus, of all processes of the node.

    Strangers get 403: who asks has to be on this machine or, with ``WAMP_METRICS_TOKEN``, to send
    ``Authorization: Bearer`` and the token. Without ``WAMP_METRICS`` it is 404.

    :param name: the blueprint's.
    :param path: where it is.
    """
    checks = Checks()
    blueprint = Blueprint(name, __name__)
    blueprint.add_url_rule(path, "metrics", lambda: _show(checks), methods=["GET"])
    return blueprint


def _show(checks: Checks) -> Response:
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
    shown = Response(encode(_registry(checks.report(state))), content_type=content_type)
    shown.headers["Cache-Control"] = "no-store"
    return shown


def _registry(report: Report) -> "CollectorRegistry":
    """Return what has all metrics: of this process or, where it counts with others, of all."""
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    directory = shared_directory()
    if directory is None:
        registry.register(REGISTRY)
    else:
        forget_dead(directory)
        MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    registry.register(_Seen(report))
    return registry


class _Seen:
    """Makes metrics of what the router and the supervisors have just told."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> "Iterator[Metric]":
        """Return them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        report = self._report
        yield GaugeMetricFamily(
            "flask_wamp_ready",
            "Whether the node was ready, as /readyz says it.",
            value=float(report.ready),
        )
        yield GaugeMetricFamily(
            "flask_wamp_procedures_missing",
            "Procedures of the application, and awaited ones, that nobody has registered.",
            value=len(report.missing.get("procedures", ())),
        )
        if report.waiting is not None:
            yield GaugeMetricFamily(
                "flask_wamp_outbox_waiting",
                "Durable events that are written and not sent.",
                value=report.waiting.events,
            )
            yield GaugeMetricFamily(
                "flask_wamp_outbox_oldest_seconds",
                "For how long the oldest of them has waited.",
                value=report.waiting.oldest or 0.0,
            )
            yield GaugeMetricFamily(
                "flask_wamp_outbox_set_aside",
                "Durable events that were set aside, as the router refuses them.",
                value=report.waiting.set_aside,
            )
        label = ["supervisor"]
        wanted = GaugeMetricFamily(
            "flask_wamp_supervised_processes", "Serving processes that are to be.", labels=label
        )
        ready = GaugeMetricFamily(
            "flask_wamp_supervised_processes_ready", "Those of them that serve.", labels=label
        )
        restarts = CounterMetricFamily(
            "flask_wamp_process_restarts",
            "Serving processes that were started because one had ended.",
            labels=label,
        )
        replacements = CounterMetricFamily(
            "flask_wamp_process_replacements",
            "Serving processes that have taken over from one: recycled, reloaded.",
            labels=label,
        )
        for name, supervised in report.supervisors.items():
            wanted.add_metric([name], supervised.processes)
            ready.add_metric([name], supervised.processes - len(supervised.absent))
            restarts.add_metric([name], supervised.restarts)
            replacements.add_metric([name], supervised.replacements)
        yield from (wanted, ready, restarts, replacements)


def _text(text: str, status: int) -> Response:
    return Response(text, status, {"Cache-Control": "no-store"}, mimetype="text/plain")
