"""The metrics, and what counts them for an application. Imported where ``WAMP_METRICS`` is on."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flask import Flask
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from ..metering import EventLoad, Load
from ..signals import session_joined, session_left

#: Seconds between two looks at what runs and waits.
LOOK = 1.0
#: Seconds that the buckets of durations end at.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Error URIs that are told apart, of those that an application may choose at run time.
MOST_OUTCOMES = 50
#: What the others are.
OTHER = "other"


class Metrics:
    """The metrics of a process; there is one of it, since the library's registry is one."""

    def __init__(self) -> None:
        self.calls = Counter(
            "flask_wamp_calls",
            "Calls that were answered, by procedure and outcome: ok, or an error URI.",
            ("procedure", "outcome"),
        )
        self.call_seconds = Histogram(
            "flask_wamp_call_duration_seconds",
            "From a call's arrival in the process until its answer, waiting included.",
            ("procedure",),
            buckets=BUCKETS,
        )
        self.refused = Counter(
            "flask_wamp_calls_refused",
            "Calls that were refused because too many were there already.",
            ("procedure",),
        )
        self.running = _gauge("flask_wamp_calls_in_flight", "Calls that have no answer yet.")
        self.waiting = _gauge("flask_wamp_calls_waiting", "Those of them that wait for a place.")
        self.events = Counter(
            "flask_wamp_events", "Events that were handled.", ("topic", "outcome")
        )
        self.event_seconds = Histogram(
            "flask_wamp_event_duration_seconds",
            "What a handler took for an event.",
            ("topic",),
            buckets=BUCKETS,
        )
        self.events_dropped = Counter(
            "flask_wamp_events_dropped",
            "Events that were dropped because too many waited for their handler.",
            ("topic",),
        )
        self.events_spilled = Counter(
            "flask_wamp_events_spilled",
            "Events that had to wait on disk, since too many waited for their handler.",
            ("topic",),
        )
        self.events_blocked = Counter(
            "flask_wamp_events_blocked_seconds",
            "Seconds for which a handler has kept its process from reading what the router sends.",
            ("topic",),
        )
        self.events_waiting = _gauge(
            "flask_wamp_events_waiting", "Events that wait for their handlers."
        )
        self.sent = Counter(
            "flask_wamp_requests",
            "Calls and publishes of the application, by outcome: ok, an error of "
            "WAMP's, error, not_connected, timeout.",
            ("kind", "outcome"),
        )
        self.sent_seconds = Histogram(
            "flask_wamp_request_duration_seconds",
            "What these took.",
            ("kind",),
            buckets=BUCKETS,
        )
        self.sessions = _gauge(
            "flask_wamp_sessions", "Sessions that have joined: links that are up."
        )
        self.reconnects = Counter(
            "flask_wamp_reconnects",
            "Sessions that a process has joined after it had lost one.",
            ("application",),
        )
        self.denials = Counter(
            "flask_wamp_denials", "What the router has denied to peers.", ("role", "action")
        )
        self.complaints = Counter(
            "flask_wamp_peer_complaints",
            "What the router has refused to peers or ended them for, refused logins among it.",
            ("kind",),
        )


def _gauge(name: str, text: str) -> Gauge:
    # The sum over the processes that live.
    return Gauge(name, text, ("application",), multiprocess_mode="livesum")


def metrics_for(directory: Path | None) -> Metrics:
    """Return the metrics of this process, which counts in *directory*.

    Those that were made for another one, before this process knew its node, are there no more.
    """
    global _made  # noqa: PLW0603 - a process has one registry
    if _made is None or _made[0] != directory:
        if _made is not None:
            for metric in vars(_made[1]).values():
                REGISTRY.unregister(metric)
        _made = directory, Metrics()
    return _made[1]


_made: tuple[Path | None, Metrics] | None = None


class PrometheusMeter:
    """Counts for one application; see :class:`~flask_wamp.metering.Meter`.

    :ivar metrics: what it counts with.
    """

    def __init__(self, app: Flask, metrics: Metrics) -> None:
        self.metrics = metrics
        self._name = app.name
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str | None], Any] = {}
        self._durations: dict[str, Any] = {}
        self._events: dict[tuple[str, bool], tuple[Any, Any]] = {}
        self._outcomes: set[str] = set()
        self._load: Load | None = None
        self._totals: dict[tuple[str, str], tuple[float, float, float]] = {}
        self._running = metrics.running.labels(app.name)
        self._waiting = metrics.waiting.labels(app.name)
        self._events_waiting = metrics.events_waiting.labels(app.name)
        self._sessions = metrics.sessions.labels(app.name)
        self._reconnects = metrics.reconnects.labels(app.name)
        self._lost_one = False
        # Blinker keeps no receiver alive; the application's state keeps this.
        session_joined.connect(self._joined, app)
        session_left.connect(self._left, app)

    def called(self, procedure: str, seconds: float, error: str | None) -> None:
        """A call was answered."""
        counter = self._calls.get((procedure, error))
        if counter is None:
            outcome = "ok" if error is None else self._outcome(error)
            counter = self.metrics.calls.labels(procedure, outcome)
            if outcome != OTHER:
                self._calls[procedure, error] = counter
        counter.inc()
        duration = self._durations.get(procedure)
        if duration is None:
            duration = self._durations[procedure] = self.metrics.call_seconds.labels(procedure)
        duration.observe(seconds)

    def refused(self, procedure: str) -> None:
        """A call was refused because too many were there already."""
        self.metrics.refused.labels(procedure).inc()

    def handled(self, topic: str, seconds: float, *, failed: bool) -> None:
        """A handler took *seconds* for an event."""
        found = self._events.get((topic, failed))
        if found is None:
            found = self._events[topic, failed] = (
                self.metrics.events.labels(topic, "error" if failed else "ok"),
                self.metrics.event_seconds.labels(topic),
            )
        found[0].inc()
        found[1].observe(seconds)

    def watch(self, load: Load, call_later: Callable[..., Any]) -> None:
        """Look at *load* once a second, until it is over or another one is watched."""
        self._load = load
        self._look(load, call_later)

    def denied(self, role: str, action: str) -> None:
        """The router has denied something to a peer."""
        self.metrics.denials.labels(role, action).inc()

    def complained(self, kind: str) -> None:
        """The router has refused something to a peer, or ended it."""
        self.metrics.complaints.labels(kind).inc()

    def _look(self, load: Load, call_later: Callable[..., Any]) -> None:
        if load is not self._load:
            return
        events = load.events()
        self._count_events(events)
        if load.over():
            self._load = None
            self._set(0, 0, 0)
            return
        waiting = sum(each.waiting for each in events)
        self._set(load.running_calls(), load.waiting_calls(), waiting)
        call_later(LOOK, self._look, load, call_later)

    def _set(self, running: int, waiting: int, events: int) -> None:
        self._running.set(running)
        self._waiting.set(waiting)
        self._events_waiting.set(events)

    def _count_events(self, events: Sequence[EventLoad]) -> None:
        """Count what has been dropped, spilled and blocked since the last look."""
        metrics = self.metrics
        counters = (metrics.events_dropped, metrics.events_spilled, metrics.events_blocked)
        for each in events:
            key = each.topic, each.handler
            totals = (each.dropped, each.spilled, each.blocked)
            before = self._totals.get(key, (0, 0, 0))
            if any(now < then for now, then in zip(totals, before, strict=True)):
                before = (0, 0, 0)  # it was removed, and is there again
            self._totals[key] = totals
            for counter, now, then in zip(counters, totals, before, strict=True):
                if now > then:
                    counter.labels(each.topic).inc(now - then)

    def _outcome(self, error: str) -> str:
        """Return what stands for an error URI: views may make up any number of them."""
        with self._lock:
            if error not in self._outcomes:
                if len(self._outcomes) >= MOST_OUTCOMES:
                    return OTHER
                self._outcomes.add(error)
        return error

    def _joined(self, _app: Flask, **_details: object) -> None:
        self._sessions.set(1)
        if self._lost_one:
            self._reconnects.inc()

    def _left(self, _app: Flask, **_details: object) -> None:
        self._sessions.set(0)
        self._lost_one = True
