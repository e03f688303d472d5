"""The summary service, a second Flask application."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from component import summary
from flask_wamp import ApplicationError, NoSuchProcedure
from flask_wamp.context import Event
from flask_wamp.state import state_of
from tests.unit.doubles import run_program

from .conftest import Call, RecordingLink, caller

POLL = "com.example.summary.poll"
VOTED = "com.example.polls.voted"


def results(**votes: int) -> dict[str, Any]:
    choices = [
        {"id": number, "text": text, "votes": count}
        for number, (text, count) in enumerate(votes.items(), 1)
    ]
    return {"id": 1, "question": "Which?", "total": sum(votes.values()), "choices": choices}


@pytest.fixture
def service(link: RecordingLink) -> Iterator[RecordingLink]:
    """Return the link of the service, which has seen no votes."""
    slot = state_of(summary.app).slot
    before = slot.link
    slot.attach(link)
    summary.votes_seen.clear()
    yield link
    summary.votes_seen.clear()
    slot.attach(before)


@pytest.fixture
def call_service(service: RecordingLink) -> Call:
    return caller(summary.app)


def voted(poll_id: int, number: int = 1) -> None:
    """Let the service have an event as the router delivers it."""
    state = state_of(summary.app)
    (subscription,) = state.registry.subscriptions
    assert subscription.topic == VOTED
    state.dispatcher.handle(
        subscription, Event(VOTED, number), [], {"poll_id": poll_id, "choice": 1, "total": number}
    )


@pytest.mark.parametrize(
    ("votes", "sentence"),
    [
        ({"Tea": 0, "Coffee": 0}, "Nobody has voted yet."),
        ({"Tea": 1, "Coffee": 0}, "Tea leads with 100 % of 1 vote."),
        ({"Tea": 1, "Coffee": 3}, "Coffee leads with 75 % of 4 votes."),
        ({"Tea": 2, "Coffee": 1}, "Tea leads with 67 % of 3 votes."),
        ({"Tea": 2, "Coffee": 2}, "Tea and Coffee are level at 2 of 4 votes."),
        ({"a": 1, "b": 1, "c": 1, "d": 0}, "a and b and c are level at 1 of 3 votes."),
        # Halves are rounded up, as the page does: it would show 63% beside this sentence.
        ({"Tea": 5, "Coffee": 3}, "Tea leads with 63 % of 8 votes."),
    ],
)
def test_sentence(votes: dict[str, int], sentence: str) -> None:
    assert summary.sentence(results(**votes)) == sentence


def test_summary_asks_the_application_and_counts(
    call_service: Call, service: RecordingLink
) -> None:
    service.answers["com.example.polls.results"] = lambda poll_id: {
        **results(Tea=2, Coffee=1),
        "id": poll_id,
    }
    for number in (1, 2, 3):
        voted(poll_id=7, number=number)
    voted(poll_id=8)

    text = "Tea leads with 67 % of 3 votes."
    assert call_service(POLL, 7) == {"poll": 7, "text": text, "votes_seen": 3}
    assert call_service(POLL, poll_id=8) == {"poll": 8, "text": text, "votes_seen": 1}
    assert call_service(POLL, 9) == {"poll": 9, "text": text, "votes_seen": 0}


def test_asking_about_a_poll_without_votes_keeps_nothing(
    call_service: Call, service: RecordingLink
) -> None:
    """Anybody may ask; what has no votes must not grow the service."""
    service.answers["com.example.polls.results"] = lambda poll_id: results(Tea=0)

    call_service(POLL, 9)

    assert not summary.votes_seen


def test_votes_at_once_are_all_counted(call_service: Call, service: RecordingLink) -> None:
    service.answers["com.example.polls.results"] = lambda poll_id: results(Tea=400)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: voted(7, number), range(400)))

    assert call_service(POLL, 7)["votes_seen"] == 400


def test_event_of_another_shape_is_logged_and_the_next_one_counts(
    call_service: Call, service: RecordingLink, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers["com.example.polls.results"] = lambda poll_id: results(Tea=1)
    state = state_of(summary.app)
    (subscription,) = state.registry.subscriptions

    state.dispatcher.handle(subscription, Event(VOTED, 1), [], {"choice": 1})
    voted(7)

    assert "poll_id" in caplog.text
    assert call_service(POLL, 7)["votes_seen"] == 1


@pytest.mark.usefixtures("service")
def test_failure_of_the_application_is_not_explained_to_callers(
    call_service: Call, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ApplicationError) as raised:
        call_service(POLL, 1)

    assert raised.value.uri == "wamp.error.runtime_error"
    assert raised.value.kwargs["id"] in caplog.text
    assert any(
        record.exc_info is not None and isinstance(record.exc_info[1], NoSuchProcedure)
        for record in caplog.records
    )


def test_summary_service_brings_no_crossbar_along() -> None:
    """Its processes serve; the sessions beside it are for the node's workers."""
    program = "import sys, component.summary; print('crossbar' in sys.modules)"
    assert run_program(program).strip() == "False"
