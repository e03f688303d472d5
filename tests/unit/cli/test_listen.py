"""Events on their way from the thread that handles them to the one that prints."""

import time
from typing import Any

import pytest

from flask_wamp.cli import listen
from flask_wamp.cli.listen import Events
from flask_wamp.context import Event, current_event


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    """Return where two events can wait."""
    monkeypatch.setattr(listen, "MAX_WAITING", 2)
    return Events()


def deliver(events: Events, *args: Any, **kwargs: Any) -> None:
    """Let an event be handled."""
    token = current_event.set(Event("com.shop.sold", 7))
    try:
        events.handle(*args, **kwargs)
    finally:
        current_event.reset(token)


def test_events_keep_their_order_and_what_they_carry(events: Events) -> None:
    deliver(events, 1)
    deliver(events, 2, key=3)
    event = Event("com.shop.sold", 7)
    assert events.next(None) == (event, (1,), {})
    assert events.next(0.0) == (event, (2,), {"key": 3})
    assert events.next(0.0) is None


def test_events_are_awaited_until_the_deadline(events: Events) -> None:
    begun = time.monotonic()
    assert events.next(begun + 0.05) is None
    assert time.monotonic() >= begun + 0.05


def test_events_that_no_place_is_left_for_are_dropped_and_counted(
    events: Events, capsys: pytest.CaptureFixture[str]
) -> None:
    """The thread that handles events must not wait for whoever reads the output."""
    for number in range(5):
        deliver(events, number)
    assert [events.next(0.0), events.next(0.0), events.next(0.0)] == [
        (Event("com.shop.sold", 7), (0,), {}),
        (Event("com.shop.sold", 7), (1,), {}),
        None,
    ]
    assert capsys.readouterr().err == "3 events were dropped: the output is too slow\n"
