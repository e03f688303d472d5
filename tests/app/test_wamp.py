"""The application's procedures, called as the dispatcher calls them: no node is needed."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from flask_wamp import ApplicationError

from .conftest import Call, RecordingLink

RESULTS = "com.example.polls.results"
SUMMARY = "com.example.polls.summary"
VOTE = "com.example.polls.vote"


def refusal(call: Call, uri: str, *args: Any, **kwargs: Any) -> tuple[str, str, int]:
    """Return URI, text and status of the error that a call is answered with."""
    with pytest.raises(ApplicationError) as raised:
        call(uri, *args, **kwargs)
    error = raised.value
    assert error.kwargs["description"] == error.args[0]
    return error.uri, error.args[0], error.kwargs["status"]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {"poll_id": 1, "choice": 3}), ((1,), {"choice": 3}), ((1, 3), {})],
)
def test_vote_counts_once(
    call: Call,
    client: FlaskClient,
    link: RecordingLink,
    args: tuple[int, ...],
    kwargs: dict[str, int],
) -> None:
    results = call(VOTE, *args, **kwargs)

    assert results["total"] == 1
    assert [choice["votes"] for choice in results["choices"]] == [0, 0, 1, 0]
    assert client.get("/polls/1").get_json() == results
    assert link.published == [
        ("com.example.polls.1.results", results),
        ("com.example.polls.voted", {"poll_id": 1, "choice": 3, "total": 1}),
    ]


def test_results_are_those_of_http(call: Call, client: FlaskClient) -> None:
    client.post("/polls/1/votes", json={"choice": 2})

    assert call(RESULTS, poll_id=1) == call(RESULTS, 1) == client.get("/polls/1").get_json()


def test_summary_asks_the_service(call: Call, link: RecordingLink) -> None:
    link.answers["com.example.summary.poll"] = lambda poll_id: {"text": f"Sum of {poll_id}."}

    assert call(SUMMARY, poll_id=1) == {"text": "Sum of 1."}


def test_summary_without_the_service_is_unavailable(call: Call) -> None:
    assert refusal(call, SUMMARY, poll_id=1) == (
        "wamp.error.unavailable",
        "The summary service does not answer right now.",
        503,
    )


@pytest.mark.parametrize("poll_id", [0, 2, 2**63, 10**30])
@pytest.mark.parametrize("uri", [RESULTS, SUMMARY, VOTE])
def test_unknown_poll_is_not_found(call: Call, uri: str, poll_id: int) -> None:
    extra = {"choice": 1} if uri == VOTE else {}

    assert refusal(call, uri, poll_id=poll_id, **extra) == (
        "wamp.error.not_found",
        f"There is no poll {poll_id}.",
        404,
    )


@pytest.mark.parametrize("poll_id", [-1, "one", None, [1], {"id": 1}])
def test_what_is_no_poll_number_is_an_invalid_argument(call: Call, poll_id: object) -> None:
    with pytest.raises(ApplicationError) as raised:
        call(VOTE, poll_id=poll_id, choice=1)

    assert raised.value.uri == "wamp.error.invalid_argument"
    assert "poll_id" in raised.value.args[0]
    assert call(RESULTS, 1)["total"] == 0


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (None, "The choice has to be the number of one of the poll's choices."),
        ("1", "The choice has to be the number of one of the poll's choices."),
        (True, "The choice has to be the number of one of the poll's choices."),
        (5, "Poll 1 has no choice 5."),
        (2**70, f"Poll 1 has no choice {2**70}."),
    ],
)
def test_choice_that_cannot_be_is_an_invalid_argument(
    call: Call, link: RecordingLink, choice: object, text: str
) -> None:
    assert refusal(call, VOTE, poll_id=1, choice=choice) == (
        "wamp.error.invalid_argument",
        text,
        400,
    )
    assert call(RESULTS, 1)["total"] == 0
    assert link.published == []


def test_missing_poll_is_named(call: Call) -> None:
    with pytest.raises(ApplicationError) as raised:
        call(RESULTS)

    assert raised.value.uri == "wamp.error.invalid_argument"
    assert "poll_id" in raised.value.args[0]
