"""What waits for a session while the router is away, what does not, and what the log says."""

import gc
import re
from collections import Counter
from functools import partial
from typing import Any

import pytest
from autobahn.wamp import message
from flask import g

from flask_wamp import Canceled, NotConnected
from flask_wamp._twisted.connection import lobby
from flask_wamp._twisted.connection.background import BackgroundLink
from flask_wamp.state import state_of

from ..doubles import TIMEOUT
from .test_background import Process, process

__all__ = ["process"]


def waiting(process: Process) -> int:
    """Return how many calls and publishes wait for a session."""
    link = state_of(process.app).link()
    assert isinstance(link, BackgroundLink)
    return len(link._lobby)


def wait_for(process: Process, count: int) -> None:
    """Wait until so many wait for a session."""
    process.turns.run_until(lambda: waiting(process) == count)


def call(uri: str) -> Any:
    """Call *uri*."""
    return g.wampy.call(uri)


def test_background_calls_wait_while_the_router_is_away_and_go_out_in_order(
    process: Process,
) -> None:
    answers = [process.begin(partial(call, "com.example.x0"))]
    process.dialled()
    process.refuse()
    for number in (1, 2):
        wait_for(process, number)
        answers.append(process.begin(partial(call, f"com.example.x{number}")))
    wait_for(process, 3)
    process.reactor.advance(process.delay)
    process.dialled(2)
    process.refuse()
    process.connect_again(3)
    process.turns.run_pending()
    calls = process.sent()
    assert [sent.procedure for sent in calls] == [f"com.example.x{number}" for number in range(3)]
    for sent, answer in zip(calls, answers, strict=True):
        process.receive(message.Result(sent.request, args=[sent.procedure]))
        assert process.outcome(answer) == sent.procedure
    assert waiting(process) == 0


def test_background_call_whose_time_is_over_is_never_sent(process: Process) -> None:
    quick = process.begin(lambda: g.wampy.with_options(timeout=0.5).call("com.example.x"))
    process.dialled()
    process.refuse()
    with pytest.raises(NotConnected, match=r"within 0\.5 s: .*refused.*not sent") as caught:
        process.outcome(quick)
    assert not caught.value.may_have_run
    process.connect_again(2)
    process.turns.run_pending()
    assert process.sent() == []


def test_background_refused_login_is_nothing_to_wait_for(process: Process) -> None:
    first = process.begin(lambda: g.wampy.call("com.example.x"))
    process.dialled()
    process.accept()
    process.shake_hands()
    process.sent()
    process.receive(message.Abort("wamp.error.not_authorized", "who are you?"))
    process.lose()
    with pytest.raises(NotConnected, match="refused the login to 'realm1'") as caught:
        process.outcome(first)
    assert not caught.value.may_have_run
    with pytest.raises(NotConnected, match="refused the login to 'realm1'"):
        process.outcome(process.begin(lambda: g.wampy.call("com.example.x")))
    assert process.attempts == 1

    # What comes during the next attempt waits for that one.
    process.reactor.advance(process.delay)
    process.dialled(2)
    second = process.begin(lambda: g.wampy.call("com.example.x"))
    process.join()
    asked = process.next_message(message.Call)
    process.receive(message.Result(asked.request, args=[6]))
    assert process.outcome(second) == 6


def test_background_open_fails_with_the_first_round(process: Process) -> None:
    state = state_of(process.app)
    link = BackgroundLink(state)
    state.slot.attach(link)
    opening = process.begin(lambda: link.open(TIMEOUT))
    process.dialled()
    process.refuse()
    with pytest.raises(NotConnected, match="refused"):
        process.outcome(opening)


def test_background_lobby_has_an_end(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "LOBBY", 3)

    def start_many() -> list[Any]:
        return [g.wampy.start_call("com.example.x") for _ in range(5)]

    started = process.outcome(process.begin(start_many))
    process.dialled()
    process.refuse()
    process.turns.run_pending()
    assert [call.done() for call in started] == [False, False, False, True, True]
    with pytest.raises(NotConnected, match="3 calls and publishes wait for a session already"):
        started[3].result()
    # What is given up makes room.
    started[0].cancel()
    with pytest.raises(Canceled) as caught:
        started[0].result()
    assert not caught.value.may_have_run
    process.turns.run_pending()
    one_more = process.outcome(process.begin(lambda: g.wampy.start_call("com.example.x")))
    process.turns.run_pending()
    assert not one_more.done()


def test_background_stop_ends_what_waits_for_a_session(process: Process) -> None:
    call = process.begin(lambda: g.wampy.call("com.example.x"))
    process.dialled()
    process.refuse()
    process.turns.run_until(lambda: waiting(process) == 1)
    link = state_of(process.app).link()
    assert isinstance(link, BackgroundLink)
    process.outcome(process.begin(process.wamp.stop))
    with pytest.raises(NotConnected, match=r"wamp\.stop\(\); it was not sent"):
        process.outcome(call)
    assert len(link._lobby) == 0


def test_background_stream_waits_for_a_session(process: Process) -> None:
    taking = process.begin(lambda: list(g.wampy.stream("com.example.x")))
    process.dialled()
    process.refuse()
    process.connect_again(2)
    call = process.next_message(message.Call)
    process.receive(message.Result(call.request, args=[5]))
    assert process.outcome(taking) == [5]


def test_background_absence_is_a_line_a_minute(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flask_wamp")
    process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.connect()
    process.next_message(message.Publish)
    process.lose()
    began, attempt = process.reactor.seconds(), 1
    while process.reactor.seconds() - began < 200:
        assert process.delay <= 2.5
        attempt += 1
        process.reactor.advance(process.delay)
        process.dialled(attempt)
        process.refuse()
    process.connect_again(attempt + 1)
    lines = [record.message for record in caplog.records if record.name == "flask_wamp"]
    assert len(lines) == 6, lines
    assert "was lost" in lines[1]
    assert all("no connection for" in line and "refused" in line for line in lines[2:5])
    assert re.search(r"connected to unix:.* again, after 20\d\.", lines[5])
    assert attempt > 90


# --- again and again


def objects() -> Counter[str]:
    """Return how many objects there are of our classes and of Autobahn's."""
    gc.collect()
    kinds = (type(each) for each in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in kinds
        if str(kind.__module__).startswith(("flask_wamp", "autobahn"))
    )


def test_background_200_losses_leave_nothing_behind(process: Process) -> None:
    """In a reactor of the test's own; ``tests/node/test_links.py`` has a router and its sockets."""
    process.wamp.subscribe("com.example.topic")(lambda: None)
    process.wamp.callee("com.example.x")(lambda: 1)
    started = process.begin(process.wamp.start)
    process.connect()

    def register() -> None:
        process.turns.run_until(process.wire.value)
        registered, subscribed = process.sent()
        process.receive(message.Registered(registered.request, 1))
        process.receive(message.Subscribed(subscribed.request, 2))

    def lose(attempt: int) -> None:
        held = process.begin(partial(call, "com.example.y"))
        process.next_message(message.Call)
        process.lose()
        with pytest.raises(NotConnected):
            process.outcome(held)
        process.connect_again(attempt)
        register()

    register()
    process.outcome(started)
    for attempt in range(2, 12):
        lose(attempt)
    process.reactor.unixClients[:-1] = []
    before, timers = objects(), len(process.reactor.getDelayedCalls())
    for _ in range(200):
        # The test reactor keeps what was dialled.
        del process.reactor.unixClients[1:], process.reactor.connectors[:]
        lose(2)
    after = objects()
    grown = {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind] > 5}
    assert grown == {}
    assert len(process.reactor.getDelayedCalls()) == timers
    link = state_of(process.app).link()
    assert isinstance(link, BackgroundLink)
    assert len(link._waiting) == 0
    assert link.sessions == 211
