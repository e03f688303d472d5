"""What the calls of pages hold until they are answered."""

from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp.crossbar import held
from flask_wamp.crossbar.held import PART, SMALL, Held


def call(*args: Any, **kwargs: Any) -> Any:
    """Return a call."""
    return message.Call(1, "com.test", args=list(args), kwargs=kwargs)


def test_held_counts_large_calls_until_they_are_forgotten() -> None:
    counted = Held()
    small, large = call(1), call("x", [1, 2], a={"b": [3]})
    assert counted.admits(small, SMALL)
    assert counted.bytes == 0
    assert counted.admits(large, SMALL + 1)
    # Two lists of arguments, two values and what is in them.
    assert counted.bytes == SMALL + 1 + PART * (2 + 3 + 2 + 1 + 1)
    assert large.marshal()[4:] == [["x", [1, 2]], {"a": {"b": [3]}}]
    waiting = [large]
    del large
    assert counted.bytes > 0
    waiting.clear()
    assert counted.bytes == 0


def test_held_has_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_HELD", 100_000)
    counted, calls = Held(), [call("x") for _ in range(4)]
    assert [counted.admits(each, 40_000) for each in calls] == [True, True, False, False]
    # A small one has.
    assert counted.admits(calls[2], SMALL)
    del calls[0]
    assert counted.admits(calls[2], 40_000)


def test_held_counts_what_values_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list costs one byte on its way, and 64 when it is there."""
    monkeypatch.setattr(held, "MAX_HELD", 100_000)
    assert Held().admits(call("x" * 20_000), 20_000)
    assert not Held().admits(call([[]] * 20_000), 20_000)
