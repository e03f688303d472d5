"""What is counted, and under which labels; in one process, with the library's own registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask, g
from prometheus_client import REGISTRY

from flask_wamp import WAMP, CallTimeout, NotConnected, RemoteError, SessionInfo
from flask_wamp.observe.meter import LOOK, MOST_OUTCOMES
from flask_wamp.signals import session_joined, session_left
from flask_wamp.state import State, state_of

from ..doubles import RecordingLink


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Flask:
    """Return an application with metrics, whose name no other test has."""
    app = Flask(request.node.name)
    app.config["WAMP_METRICS"] = True
    WAMP(app)
    return app


@pytest.fixture
def state(app: Flask) -> State:
    """Return what the extension keeps for it."""
    return state_of(app)


def value(name: str, labels: Mapping[str, str]) -> float | None:
    """Return a sample of this process."""
    return REGISTRY.get_sample_value(f"flask_wamp_{name}", dict(labels))


def counted(name: str, **labels: str) -> float:
    """Return a sample of this process, or 0 where there is none."""
    return value(name, labels) or 0.0


def test_without_the_setting_nothing_is_counted() -> None:
    app = Flask("shop")
    WAMP(app)
    state = state_of(app)
    assert state.dispatcher.meter is None
    link = RecordingLink()
    state.slot.attach(link)
    assert state.link() is link


def test_calls_are_counted_by_procedure_and_outcome(state: State) -> None:
    meter = state.dispatcher.meter
    assert meter is not None
    for seconds, error in ((0.02, None), (0.3, None), (9.0, "com.shop.no_stock")):
        meter.called("com.meter.a", seconds, error)
    assert counted("calls_total", procedure="com.meter.a", outcome="ok") == 2
    assert counted("calls_total", procedure="com.meter.a", outcome="com.shop.no_stock") == 1
    buckets = {
        le: counted("call_duration_seconds_bucket", procedure="com.meter.a", le=le)
        for le in ("0.01", "0.025", "0.5", "5.0", "10.0")
    }
    assert buckets == {"0.01": 0, "0.025": 1, "0.5": 2, "5.0": 2, "10.0": 3}
    assert counted("call_duration_seconds_sum", procedure="com.meter.a") == pytest.approx(9.32)


def test_error_uris_that_are_made_up_have_no_series_each(state: State) -> None:
    """A view may put what it was sent into the URI of its error."""
    meter = state.dispatcher.meter
    assert meter is not None
    for number in range(10 * MOST_OUTCOMES):
        meter.called("com.meter.many", 0.1, f"com.shop.error.{number}")
    outcomes = {
        sample.labels["outcome"]: sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "flask_wamp_calls_total"
        and sample.labels["procedure"] == "com.meter.many"
    }
    assert len(outcomes) == MOST_OUTCOMES + 1
    assert outcomes["other"] == 9 * MOST_OUTCOMES
    assert sum(outcomes.values()) == 10 * MOST_OUTCOMES


def test_events_are_counted(state: State) -> None:
    meter = state.dispatcher.meter
    assert meter is not None
    meter.handled("com.meter.topic", 0.2, failed=False)
    meter.handled("com.meter.topic", 0.2, failed=True)
    assert counted("events_total", topic="com.meter.topic", outcome="ok") == 1
    assert counted("events_total", topic="com.meter.topic", outcome="error") == 1
    assert counted("event_duration_seconds_count", topic="com.meter.topic") == 2


@dataclass
class Events:
    """How the events of a handler fare."""

    waiting: int
    dropped: int = 0
    spilled: int = 0
    blocked: float = 0.0
    topic: str = "com.meter.slow"
    handler: str = "app.handle"


class Load:
    """Something to do."""

    def __init__(self) -> None:
        self.has_ended = False
        self.to_do = (3, 2, 1)

    def over(self) -> bool:
        return self.has_ended

    def running_calls(self) -> int:
        return self.to_do[0]

    def waiting_calls(self) -> int:
        return self.to_do[1]

    def events(self) -> list[Events]:
        return [Events(self.to_do[2])]


def test_load_is_looked_at_until_it_is_over(app: Flask, state: State) -> None:
    meter = state.dispatcher.meter
    assert meter is not None
    later: list[tuple[float, Any, tuple[Any, ...]]] = []

    def turn() -> None:
        _seconds, work, arguments = later.pop(0)
        work(*arguments)

    def seen() -> tuple[float, ...]:
        names = ("calls_in_flight", "calls_waiting", "events_waiting")
        return tuple(counted(name, application=app.name) for name in names)

    load, successor = Load(), Load()
    meter.watch(load, lambda seconds, work, *args: later.append((seconds, work, args)))
    assert seen() == (3, 2, 1)
    load.to_do = (0, 0, 5)
    assert later[0][0] == LOOK
    turn()
    assert seen() == (0, 0, 5)
    # The session is lost, and the next one is there before anybody has looked.
    load.has_ended = True
    meter.watch(successor, lambda seconds, work, *args: later.append((seconds, work, args)))
    turn()
    assert seen() == (3, 2, 1)
    successor.has_ended = True
    turn()
    assert seen() == (0, 0, 0)
    assert later == []


def test_events_that_found_no_room_are_counted_once(state: State) -> None:
    meter = state.dispatcher.meter
    assert meter is not None
    load = Load()
    there = [Events(5, dropped=2, spilled=3, blocked=1.5)]
    load.events = lambda: there  # type: ignore[method-assign]
    later: list[Any] = []
    meter.watch(load, lambda seconds, work, *args: later.append(lambda: work(*args)))

    def seen() -> tuple[float, ...]:
        names = ("dropped", "spilled", "blocked_seconds")
        return tuple(counted(f"events_{name}_total", topic="com.meter.slow") for name in names)

    assert seen() == (2, 3, 1.5)
    for found, expected in (
        ([Events(5, dropped=2, spilled=3, blocked=2.0)], (2, 3, 2.0)),
        ([Events(0, dropped=4, spilled=3, blocked=2.0)], (4, 3, 2.0)),
        # Removed, and declared anew.
        ([Events(0, dropped=1)], (5, 3, 2.0)),
        ([], (5, 3, 2.0)),
    ):
        there[:] = found
        later.pop()()
        assert seen() == expected


def test_sessions_and_reconnects(app: Flask) -> None:
    info = SessionInfo(1, "realm1", None, None)

    def seen() -> tuple[float, float]:
        name = app.name
        return counted("sessions", application=name), counted("reconnects_total", application=name)

    assert seen() == (0, 0)
    session_joined.send(app, session=info)
    assert seen() == (1, 0)
    session_left.send(app, session=info)
    assert seen() == (0, 0)
    session_joined.send(app, session=info)
    assert seen() == (1, 1)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("stock", "ok"),
        (NotConnected("away"), "not_connected"),
        (CallTimeout("late"), "timeout"),
        (RemoteError.from_uri("wamp.error.no_such_procedure"), "no_such_procedure"),
        (RemoteError.from_uri("com.shop.error.of.user.17"), "error"),
    ],
)
def test_what_goes_out_is_counted_by_outcome(app: Flask, answer: Any, outcome: str) -> None:
    state_of(app).slot.attach(RecordingLink(answer))

    def sent(kind: str) -> float:
        return counted("requests_total", kind=kind, outcome=outcome)

    before = sent("call"), sent("publish")
    durations = counted("request_duration_seconds_count", kind="call")
    with app.app_context():
        for work in (g.wampy.call, g.wampy.publish):
            if isinstance(answer, Exception):
                with pytest.raises(type(answer)):
                    work("com.meter.out")
            else:
                assert work("com.meter.out") == answer
    assert (sent("call"), sent("publish")) == (before[0] + 1, before[1] + 1)
    assert counted("request_duration_seconds_count", kind="call") == durations + 1
