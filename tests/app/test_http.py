"""Every route of the application over HTTP, as JSON and as a browser's form."""

import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_app import create_app, views
from flask_wamp import NotConnected
from flask_wamp.state import state_of

from .conftest import SEASONS, RecordingLink, log_in

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SEED = "Which season do you like best?"


def votes_of(client: FlaskClient, poll_id: int = 1) -> dict[str, int]:
    choices = client.get(f"/polls/{poll_id}").get_json()["choices"]
    return {choice["text"]: choice["votes"] for choice in choices}


def create(client: FlaskClient, question: str = "Tea or coffee?") -> dict[str, Any]:
    body = {"question": question, "choices": ["Tea", "Coffee"]}
    response = log_in(client).post("/polls", json=body)
    assert response.status_code == 200
    created: dict[str, Any] = response.get_json()
    return created


# --- the page


def test_page_of_a_first_start_has_a_poll_to_vote_on(client: FlaskClient) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert SEED in response.text
    for season in SEASONS:
        assert f'<span class="text" data-text>{season}</span>' in response.text
    assert "No other polls yet" in response.text


def test_page_shows_the_newest_poll_and_links_the_others(client: FlaskClient) -> None:
    created = create(client)

    response = client.get("/")

    assert f'data-poll-id="{created["id"]}"' in response.text
    assert f'<a href="/?poll=1">{SEED}</a>' in response.text


def test_page_shows_the_poll_that_is_asked_for(client: FlaskClient) -> None:
    create(client)

    response = client.get("/?poll=1")

    assert 'data-poll-id="1"' in response.text
    assert '<a href="/?poll=2">Tea or coffee?</a>' in response.text


def test_page_lists_the_twenty_newest_others(client: FlaskClient) -> None:
    for number in range(2, 24):
        create(client, f"Question {number}?")

    response = client.get("/")

    listed = [number for number in range(1, 24) if f'"/?poll={number}"' in response.text]
    assert listed == list(range(3, 23))
    assert response.text.index('"/?poll=22"') < response.text.index('"/?poll=3"')


def test_page_shows_the_numbers(client: FlaskClient) -> None:
    for _ in range(5):
        client.post("/polls/1/votes", json={"choice": SEASONS["Winter"]})
    for _ in range(3):
        client.post("/polls/1/votes", json={"choice": SEASONS["Summer"]})

    page = client.get("/").text

    # 62.5 and 37.5 per cent are rounded up, as the page's script does.
    for votes, percent in ((5, 63), (3, 38)):
        assert f"<strong data-votes>{votes}</strong" in page
        assert f"<span data-percent>{percent}%</span>" in page
        assert f'<rect width="{percent}%"' in page
    assert "<strong data-total>8</strong>" in page


def test_page_has_the_sentence_of_the_summary_service(
    client: FlaskClient, link: RecordingLink
) -> None:
    link.answers["com.example.summary.poll"] = lambda poll_id: {"text": f"Sum of poll {poll_id}."}

    assert '<span id="summary">Sum of poll 1.</span>' in client.get("/").text


@pytest.mark.parametrize("answer", [None, "text", {}, []])
def test_page_is_complete_without_a_sentence(
    client: FlaskClient, link: RecordingLink, answer: object
) -> None:
    link.answers["com.example.summary.poll"] = lambda _poll_id: answer

    response = client.get("/")

    assert response.status_code == 200
    assert '<span id="summary"></span>' in response.text
    assert SEED in response.text


@pytest.mark.parametrize("poll_id", ["2", "-1", str(2**63), str(10**30)])
def test_page_of_an_unknown_poll_is_404(client: FlaskClient, poll_id: str) -> None:
    response = client.get(f"/?poll={poll_id}", headers=HTML)

    assert response.status_code == 404
    assert f"<h1>There is no poll {poll_id}.</h1>" in response.text


@pytest.mark.parametrize("poll_id", ["", "0", "one", "9" * 5000])
def test_page_without_a_number_shows_the_newest(client: FlaskClient, poll_id: str) -> None:
    response = client.get(f"/?poll={poll_id}")

    assert response.status_code == 200
    assert 'data-poll-id="1"' in response.text


def test_page_escapes_what_people_entered(client: FlaskClient) -> None:
    text = "<script>alert(1)</script>"
    log_in(client).post("/polls", json={"question": text, "choices": [text, "\"'><img src=x>"]})

    for page in (client.get("/").text, client.get("/?poll=1").text):
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert "<img" not in page


def test_page_needs_no_script(client: FlaskClient) -> None:
    page = log_in(client).get("/").text
    assert '<form id="vote" method="post" action="/polls/1/votes">' in page
    assert '<form class="create" method="post" action="/polls">' in page
    assert "live updates are off" in page


# --- voting


def test_vote_as_json_returns_the_results(client: FlaskClient) -> None:
    response = client.post("/polls/1/votes", json={"choice": 3})

    assert response.status_code == 200
    assert response.get_json() == {
        "id": 1,
        "question": SEED,
        "closed": False,
        "total": 1,
        "choices": [
            {"id": number, "text": season, "votes": int(number == 3)}
            for season, number in SEASONS.items()
        ],
    }


def test_vote_as_form_leads_back_to_the_page(client: FlaskClient) -> None:
    response = client.post("/polls/1/votes", data={"choice": "2"}, headers=HTML)

    assert (response.status_code, response.location) == (303, "/?poll=1")
    assert votes_of(client) == {"Spring": 0, "Summer": 1, "Autumn": 0, "Winter": 0}


def test_vote_as_form_of_a_client_that_wants_json(client: FlaskClient) -> None:
    response = client.post(
        "/polls/1/votes", data={"choice": "2"}, headers={"Accept": "application/json"}
    )

    assert response.status_code == 200
    assert response.get_json()["total"] == 1


def test_vote_is_published_for_pages_and_services(client: FlaskClient, link: RecordingLink) -> None:
    results = client.post("/polls/1/votes", json={"choice": 3}).get_json()

    assert link.published == [
        ("com.example.polls.1.results", results),
        ("com.example.polls.voted", {"poll_id": 1, "choice": 3, "total": 1}),
    ]


@pytest.mark.parametrize("choice", [None, "", "1", "one", True, 1.0, [1], {"id": 1}])
def test_vote_for_what_is_no_number_is_refused(
    client: FlaskClient, link: RecordingLink, choice: object
) -> None:
    response = client.post("/polls/1/votes", json={"choice": choice})

    assert response.status_code == 400
    assert response.get_json() == {
        "error": "The choice has to be the number of one of the poll's choices."
    }
    assert client.get("/polls/1").get_json()["total"] == 0
    assert link.published == []


@pytest.mark.parametrize("choice", [0, -1, 5, 2**63, 10**40])
def test_vote_for_an_unknown_choice_is_refused(client: FlaskClient, choice: int) -> None:
    response = client.post("/polls/1/votes", json={"choice": choice})

    assert response.status_code == 400
    assert response.get_json() == {"error": f"Poll 1 has no choice {choice}."}


def test_vote_for_another_polls_choice_is_refused(client: FlaskClient) -> None:
    created = create(client)

    response = client.post("/polls/1/votes", json={"choice": created["choices"][0]["id"]})

    assert response.status_code == 400
    assert votes_of(client, created["id"]) == {"Tea": 0, "Coffee": 0}


@pytest.mark.parametrize("form", [{}, {"choice": ""}, {"choice": "Spring"}, {"choice": "9" * 5000}])
def test_vote_as_form_without_a_number_shows_the_error(
    client: FlaskClient, form: dict[str, str]
) -> None:
    response = client.post("/polls/1/votes", data=form, headers=HTML)

    assert response.status_code == 400
    assert "<h1>The choice has to be the number of one of the poll&#39;s choices.</h1>" in (
        response.text
    )
    assert client.get("/polls/1").get_json()["total"] == 0


def test_vote_in_an_unknown_poll_is_404(client: FlaskClient, link: RecordingLink) -> None:
    as_json = client.post("/polls/7/votes", json={"choice": 1})
    as_form = client.post("/polls/7/votes", data={"choice": "1"}, headers=HTML)

    assert as_json.status_code == as_form.status_code == 404
    assert as_json.get_json() == {"error": "There is no poll 7."}
    assert "<h1>There is no poll 7.</h1>" in as_form.text
    assert link.published == []


@pytest.mark.parametrize(
    "body", ["", "choice", "[]", "1", "null", '"1"', '{"choice": 1', "[" * 60_000]
)
def test_body_that_is_no_json_object_is_refused(client: FlaskClient, body: str) -> None:
    response = client.post("/polls/1/votes", data=body, content_type="application/json")

    assert response.status_code == 400
    assert response.get_json() == {"error": "The body has to be a JSON object."}


def test_body_of_a_type_that_is_neither_is_refused(client: FlaskClient) -> None:
    response = client.post("/polls/1/votes", data='{"choice": 1}', content_type="text/plain")

    assert response.status_code == 400
    assert votes_of(client)["Spring"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"choice": 1, "filling": "x" * 70_000}},
        {"data": {"choice": "1", "filling": "x" * 70_000}},
    ],
)
def test_body_that_is_too_large_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    assert client.post("/polls/1/votes", **body).status_code == 413
    assert votes_of(client)["Spring"] == 0


# --- creating


def test_create_as_json_returns_the_poll(client: FlaskClient, link: RecordingLink) -> None:
    created = create(client)

    assert created == {
        "id": 2,
        "question": "Tea or coffee?",
        "closed": False,
        "total": 0,
        "choices": [{"id": 5, "text": "Tea", "votes": 0}, {"id": 6, "text": "Coffee", "votes": 0}],
    }
    assert client.get("/polls/2").get_json() == created
    assert link.published == [
        ("com.example.polls.created", {"id": 2, "question": "Tea or coffee?"})
    ]


def test_create_as_form_leads_to_the_new_poll(client: FlaskClient) -> None:
    form = {"question": " Tea\tor  coffee? ", "choices": "Tea\r\n\r\n  Black   coffee \r\n \r\n"}

    response = log_in(client).post("/polls", data=form, headers=HTML)

    assert (response.status_code, response.location) == (303, "/?poll=2")
    created = client.get("/polls/2").get_json()
    assert created["question"] == "Tea or coffee?"
    assert [choice["text"] for choice in created["choices"]] == ["Tea", "Black coffee"]


@pytest.mark.parametrize("question", ["x" * 200, "😀" * 200, "  " + "y" * 200 + "\n"])
def test_create_takes_two_hundred_characters(client: FlaskClient, question: str) -> None:
    assert create(client, question)["question"] == question.strip()


@pytest.mark.parametrize(
    "question",
    ["", " \t\n", "x" * 201, "x" * 10_000, None, 7, ["x"], "a\x00b", "\ud800"],
    ids=["empty", "blank", "201", "10000", "none", "number", "list", "control", "half"],
)
def test_create_refuses_a_question(
    client: FlaskClient, link: RecordingLink, question: object
) -> None:
    response = log_in(client).post("/polls", json={"question": question, "choices": ["a", "b"]})

    assert response.status_code == 400
    assert response.get_json() == {"error": "The question has to be text of 1 to 200 characters."}
    assert client.get("/polls/2").status_code == 404
    assert link.published == []


@pytest.mark.parametrize("question", ["", "   ", "x" * 201, "x" * 10_000])
def test_create_as_form_shows_what_is_wrong_with_the_question(
    client: FlaskClient, question: str
) -> None:
    form = {"question": question, "choices": "a\nb"}

    response = log_in(client).post("/polls", data=form, headers=HTML)

    assert response.status_code == 400
    assert response.mimetype == "text/html"
    assert "<h1>The question has to be text of 1 to 200 characters.</h1>" in response.text
    assert client.get("/polls/2").status_code == 404


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        (None, "A poll needs a list of 2 to 8 choices."),
        ("Tea\nCoffee", "A poll needs a list of 2 to 8 choices."),
        ([], "A poll needs a list of 2 to 8 choices."),
        (["Tea"], "A poll needs a list of 2 to 8 choices."),
        (list("abcdefghi"), "A poll needs a list of 2 to 8 choices."),
        (["Tea", ""], "Each choice has to be text of 1 to 100 characters."),
        (["Tea", 7], "Each choice has to be text of 1 to 100 characters."),
        (["Tea", "x" * 101], "Each choice has to be text of 1 to 100 characters."),
        (["Tea", "a\x07b"], "Each choice has to be text of 1 to 100 characters."),
        (["Tea", "  TEA "], "The choices have to differ from each other."),
        (["Straße", "STRASSE"], "The choices have to differ from each other."),
    ],
)
def test_create_refuses_choices(client: FlaskClient, choices: object, error: str) -> None:
    response = log_in(client).post("/polls", json={"question": "Which?", "choices": choices})

    assert response.status_code == 400
    assert response.get_json() == {"error": error}
    assert client.get("/polls/2").status_code == 404


def test_create_takes_eight_choices_of_a_hundred_characters(client: FlaskClient) -> None:
    choices = [letter * 100 for letter in "abcdefgh"]

    created = (
        log_in(client).post("/polls", json={"question": "Which?", "choices": choices}).get_json()
    )

    assert [choice["text"] for choice in created["choices"]] == choices


# --- results and summary


def test_results_of_an_unknown_poll_are_404(client: FlaskClient) -> None:
    for poll_id in ("0", "2", str(2**63), "9" * 400):
        response = client.get(f"/polls/{poll_id}")
        assert response.status_code == 404
        assert response.get_json() == {"error": f"There is no poll {poll_id}."}


def test_summary_is_what_the_service_says(client: FlaskClient, link: RecordingLink) -> None:
    reply = {"poll": 1, "text": "Nobody has voted yet.", "votes_seen": 0}
    link.answers["com.example.summary.poll"] = lambda poll_id: {**reply, "poll": poll_id}

    response = client.get("/polls/1/summary")

    assert response.status_code == 200
    assert response.get_json() == reply


def test_summary_without_the_service_is_503(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """While the node starts that is no warning; once the service has answered it is one."""
    with caplog.at_level(logging.INFO):
        response = client.get("/polls/1/summary")

    assert response.status_code == 503
    assert response.get_json() == {"error": "The summary service does not answer right now."}
    assert [record.levelname for record in caplog.records] == ["INFO"]
    client.application.extensions[views.SUMMARY_SEEN] = True
    client.get("/polls/1/summary")
    assert caplog.records[-1].levelname == "WARNING"
    assert "No summary of poll 1: wamp.error.no_such_procedure" in caplog.text


def test_summary_of_an_unknown_poll_is_404(client: FlaskClient) -> None:
    assert client.get("/polls/2/summary").status_code == 404


# --- without a router


def test_changes_count_when_the_router_is_away(
    client: FlaskClient, link: RecordingLink, caplog: pytest.LogCaptureFixture
) -> None:
    link.failure = NotConnected("no router")

    assert client.post("/polls/1/votes", json={"choice": 1}).get_json()["total"] == 1
    assert create(client)["id"] == 2
    assert '<span id="summary"></span>' in client.get("/").text
    assert [record.getMessage() for record in caplog.records] == [
        "Nothing published to com.example.polls.1.results: no router",
        "Nothing published to com.example.polls.voted: no router",
        "Nothing published to com.example.polls.created: no router",
    ]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


# --- errors


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/polls/x", 404),
        ("GET", "/polls/-1", 404),
        ("GET", "/polls", 405),
        ("GET", "/polls/1/votes", 405),
        ("POST", "/", 405),
        ("DELETE", "/polls/1", 405),
        ("CALL", "/polls/1", 405),
        ("CALL", "/polls/1/votes", 405),
    ],
)
def test_error_is_json_for_programs_and_a_page_for_browsers(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    data = client.open(path, method=method)
    page = client.open(path, method=method, headers=HTML)

    assert data.status_code == page.status_code == status
    if method != "CALL":
        assert list(data.get_json()) == ["error"]
        assert data.get_json()["error"]
        assert "Show the newest poll" in page.text
    if status == 405:
        assert data.headers["Allow"] == page.headers["Allow"] != ""
    for response in (data, page):
        assert int(response.headers["Content-Length"]) == len(response.data)


def test_failure_tells_the_client_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database that cannot be opened is logged, and is an error of ours."""
    (tmp_path / "file").write_text("")
    broken = create_app({"DATABASE": str(tmp_path / "file" / "polls.sqlite"), "SECRET_KEY": "x"})

    response = broken.test_client().get("/polls/1")

    assert response.status_code == 500
    assert list(response.get_json()) == ["error"]
    assert str(tmp_path) not in response.text
    assert "Exception on /polls/1 [GET]" in caplog.text


# --- other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "polls.example"},
    ],
)
def test_post_of_another_site_changes_nothing(
    client: FlaskClient, link: RecordingLink, headers: dict[str, str]
) -> None:
    form = {"question": "Which?", "choices": "a\nb", "choice": "1"}
    refused = "This request came from another site, so nothing was changed."

    for path in ("/polls/1/votes", "/polls"):
        page = client.post(path, data=form, headers={**HTML, **headers})
        data = client.post(path, json={**form, "choices": ["a", "b"], "choice": 1}, headers=headers)
        assert page.status_code == data.status_code == 403
        assert refused in page.text
        assert data.get_json() == {"error": refused}

    assert votes_of(client)["Spring"] == 0
    assert client.get("/polls/2").status_code == 404
    assert link.published == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "https://polls.example", "X-Forwarded-Host": "polls.example"},
        # What the browser says about the site is worth more than what a proxy made of the host.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://polls.example"},
    ],
)
def test_post_of_our_own_page_counts(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/polls/1/votes", data={"choice": "1"}, headers={**HTML, **headers})

    assert response.status_code == 303
    assert votes_of(client)["Spring"] == 1


def test_link_of_another_site_shows_the_page(client: FlaskClient) -> None:
    assert client.get("/?poll=1", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def every_kind_of_response(client: FlaskClient) -> dict[str, TestResponse]:
    return {
        "page": client.get("/"),
        "json": client.get("/polls/1"),
        "static": client.get("/static/app.js"),
        "redirect": client.post("/polls/1/votes", data={"choice": "1"}, headers=HTML),
        "not found": client.get("/nothing"),
        "refused": client.post("/polls", headers={"Sec-Fetch-Site": "cross-site"}),
    }


def test_security_headers_are_on_every_response(client: FlaskClient) -> None:
    responses = every_kind_of_response(client)

    assert {kind: response.status_code for kind, response in responses.items()} == {
        "page": 200,
        "json": 200,
        "static": 200,
        "redirect": 303,
        "not found": 404,
        "refused": 403,
    }
    for response in responses.values():
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert {
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        } <= set(policy)
        assert not [part for part in policy if "unsafe" in part or "*" in part]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        response.close()


# --- the factory


def test_each_application_has_its_own_database(app: Flask, tmp_path: Path) -> None:
    other = create_app({"DATABASE": str(tmp_path / "other.sqlite")})
    state_of(other).slot.attach(RecordingLink())

    app.test_client().post("/polls/1/votes", json={"choice": 1})

    assert votes_of(app.test_client())["Spring"] == 1
    assert votes_of(other.test_client())["Spring"] == 0


def test_configuration_comes_from_the_environment_and_loses_to_the_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASK_DATABASE", "/somewhere/polls.sqlite")
    monkeypatch.setenv("FLASK_SECRET_KEY", "not written to a file there")
    monkeypatch.setenv("FLASK_WAMP_URL", "ws://router.example:8080/ws")

    from_environment = create_app()
    from_argument = create_app({"DATABASE": "/elsewhere/polls.sqlite"})

    assert from_environment.config["DATABASE"] == "/somewhere/polls.sqlite"
    assert state_of(from_environment).config.addresses[0].host == "router.example"
    assert from_argument.config["DATABASE"] == "/elsewhere/polls.sqlite"
