"""Logging in over HTTP, and what is for those alone who are."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_app import create_app, db, users
from flask_app.keys import secret_key
from flask_wamp import ApplicationError
from tests.attempts import attempt

from .conftest import PASSWORD, Call, RecordingLink, log_in

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
WRONG = "There is no user of that name and password."
ANN = {"name": "Ann", "password": PASSWORD}
POLL = {"question": "Tea or coffee?", "choices": ["Tea", "Coffee"]}


@pytest.fixture
def ann(app: Flask) -> FlaskClient:
    """Return the browser of somebody who is logged in."""
    return log_in(app.test_client(), "Ann")


@pytest.fixture
def bob(app: Flask) -> FlaskClient:
    """Return the browser of somebody else who is."""
    return log_in(app.test_client(), "Bob")


def error(response: TestResponse) -> tuple[int, str]:
    """Return status and text of a refusal."""
    return response.status_code, response.get_json()["error"]


# --- who it is


def test_register_logs_in(client: FlaskClient) -> None:
    response = client.post("/auth/register", data=ANN, headers=HTML)

    assert (response.status_code, response.location) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert '<span id="user">Ann</span>' in client.get("/").text


def test_login_and_logout(app: Flask, ann: FlaskClient) -> None:
    other = app.test_client()
    assert "Log in" in other.get("/").text
    response = other.post("/auth/login", data=ANN, headers=HTML)
    assert (response.status_code, response.location) == (303, "/")
    assert '<span id="user">Ann</span>' in other.get("/").text

    response = other.post("/auth/logout", headers=HTML, data={})
    assert (response.status_code, response.location) == (303, "/")
    assert 'id="user"' not in other.get("/").text
    assert '<span id="user">Ann</span>' in ann.get("/").text


def test_login_of_a_program(app: Flask, ann: FlaskClient) -> None:
    program = app.test_client()
    assert program.post("/auth/login", json=ANN).get_json() == {"id": 1, "name": "Ann"}
    assert program.post("/polls", json=POLL).status_code == 200
    assert program.post("/auth/logout", json={}).get_json() == {}
    assert program.post("/polls", json=POLL).status_code == 401


@pytest.mark.parametrize("name", ["ann", " ANN ", "Ａｎｎ"])
def test_names_that_look_alike_are_one(app: Flask, ann: FlaskClient, name: str) -> None:
    other = app.test_client()
    assert other.post("/auth/login", json={**ANN, "name": name}).get_json()["name"] == "Ann"
    status, text = error(app.test_client().post("/auth/register", json={**ANN, "name": name}))
    assert (status, text[:17]) == (409, "Somebody has the ")


@pytest.mark.parametrize(
    "entered",
    [
        {"name": "Ann", "password": "another password"},
        {"name": "Ann", "password": PASSWORD + " "},
        {"name": "Ann", "password": ""},
        {"name": "Ann", "password": None},
        {"name": "Ann"},
        {"name": "Nobody", "password": PASSWORD},
        {"name": "nobody", "password": "nobody"},
        {"name": "", "password": PASSWORD},
        {"name": ["Ann"], "password": PASSWORD},
        {"name": "\x00\ud800", "password": PASSWORD},
        {"name": "x" * 10_000, "password": "x" * 10_000},
        {},
    ],
)
def test_login_that_is_wrong_tells_nothing(
    app: Flask, ann: FlaskClient, entered: dict[str, object]
) -> None:
    other = app.test_client()
    response = other.post("/auth/login", json=entered)
    assert error(response) == (401, WRONG)
    assert "Set-Cookie" not in response.headers
    assert 'id="user"' not in other.get("/").text


def test_login_that_is_wrong_is_a_page_for_browsers(client: FlaskClient) -> None:
    response = client.post("/auth/login", data=ANN, headers=HTML)
    assert response.status_code == 401
    assert f"<h1>{WRONG}</h1>" in response.text


@pytest.mark.parametrize(
    ("entered", "text"),
    [
        ({**ANN, "name": ""}, "The name has to be text of 1 to 40 characters."),
        ({**ANN, "name": "x" * 41}, "The name has to be text of 1 to 40 characters."),
        ({**ANN, "name": "a\x00"}, "The name has to be text of 1 to 40 characters."),
        ({**ANN, "name": 7}, "The name has to be text of 1 to 40 characters."),
        ({**ANN, "password": "1234567"}, "The password has to be text of 8 to 200 characters."),
        ({**ANN, "password": "x" * 201}, "The password has to be text of 8 to 200 characters."),
        ({**ANN, "password": None}, "The password has to be text of 8 to 200 characters."),
    ],
)
def test_register_refuses(client: FlaskClient, entered: dict[str, object], text: str) -> None:
    assert error(client.post("/auth/register", json=entered)) == (400, text)


def test_password_is_stored_as_nobody_can_read_it(database: Path, ann: FlaskClient) -> None:
    with closing(db.connect(database)) as connection:
        (stored,) = connection.execute("SELECT password FROM user").fetchone()
    assert stored.startswith("scrypt:")
    assert PASSWORD.encode() not in database.read_bytes()


def test_login_begins_the_session_anew(app: Flask) -> None:
    """What stood in the cookie before is not taken over."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["planted"] = True
    client.post("/auth/register", json=ANN)
    with client.session_transaction() as session:
        assert session["user_id"] == 1
        assert "planted" not in session


@pytest.mark.parametrize("user_id", ["1", 2, None, [1], 2**70])
def test_cookie_of_nobody_is_a_visitors(app: Flask, ann: FlaskClient, user_id: object) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["user_id"] = user_id
    assert error(client.post("/polls", json=POLL)) == (401, "Log in first.")


def test_cookie_of_a_deleted_user_is_a_visitors(
    app: Flask, database: Path, ann: FlaskClient
) -> None:
    """And of nobody who comes later, for ids are not given out again."""
    with closing(db.connect(database)) as connection:
        connection.execute("DELETE FROM user")
    log_in(app.test_client(), "Bob")
    assert ann.post("/polls", json=POLL).status_code == 401
    assert 'id="user"' not in ann.get("/").text


def test_cookie_that_is_forged_is_a_visitors(app: Flask, ann: FlaskClient) -> None:
    """Of an application with another key."""
    other = create_app({"DATABASE": app.config["DATABASE"], "SECRET_KEY": "another key"})
    client = other.test_client()
    with client.session_transaction() as session:
        session["user_id"] = 1
    cookie = client.get_cookie("session")
    assert cookie is not None
    stranger = app.test_client()
    stranger.set_cookie("session", cookie.value)
    assert stranger.post("/polls", json=POLL).status_code == 401


@attempt("pages", "a form of another site that logs in or out (the poll)", "403")
@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/logout"])
def test_other_sites_log_nobody_in_or_out(ann: FlaskClient, path: str) -> None:
    response = ann.post(path, data=ANN, headers={**HTML, "Origin": "http://evil.example"})
    assert response.status_code == 403
    assert '<span id="user">Ann</span>' in ann.get("/").text


@pytest.mark.parametrize("path", ["/auth/login", "/auth/register"])
def test_forms_are_pages(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert 'type="password"' in response.text
    assert "Set-Cookie" not in response.headers


def test_logout_is_no_link(ann: FlaskClient) -> None:
    """An image of another site's page would log people out."""
    assert ann.get("/auth/logout").status_code == 405


# --- what is for whom


def test_visitor_creates_no_poll(client: FlaskClient, call: Call, link: RecordingLink) -> None:
    assert error(client.post("/polls", json=POLL)) == (401, "Log in first.")
    response = client.post("/polls", data=POLL, headers=HTML)
    assert (response.status_code, response.location) == (303, "/auth/login")
    with pytest.raises(ApplicationError) as raised:
        call("com.example.polls.create", **POLL)
    assert (raised.value.uri, raised.value.args) == (
        "wamp.error.not_authorized",
        ("Log in first.",),
    )
    assert client.get("/polls/2").status_code == 404
    assert link.published == []


def test_page_offers_what_one_may(client: FlaskClient, ann: FlaskClient, bob: FlaskClient) -> None:
    ann.post("/polls", json=POLL)
    for reader, creates, closes in ((client, False, False), (bob, True, False), (ann, True, True)):
        page = reader.get("/").text
        assert ("Create poll" in page) is creates
        assert ("Close this poll" in page) is closes


def test_owner_closes_a_poll(ann: FlaskClient, client: FlaskClient, link: RecordingLink) -> None:
    poll = ann.post("/polls", json=POLL).get_json()
    assert poll["closed"] is False
    link.published.clear()

    closed = ann.post("/polls/2/close", json={}).get_json()

    assert closed == {**poll, "closed": True}
    assert link.published == [("com.example.polls.2.results", closed)]
    assert client.get("/polls/2").get_json() == closed
    page = client.get("/?poll=2").text
    assert '<p id="closed">This poll is closed.</p>' in page
    assert page.count('" disabled\n') == 2
    # A second time changes nothing.
    response = ann.post("/polls/2/close", headers=HTML, data={})
    assert (response.status_code, response.location) == (303, "/?poll=2")


@attempt(
    "rights",
    "closing somebody else's poll, over HTTP and over WAMP",
    "403, `wamp.error.not_authorized`",
)
def test_only_the_owner_closes_a_poll(
    ann: FlaskClient, bob: FlaskClient, client: FlaskClient, call: Call, link: RecordingLink
) -> None:
    ann.post("/polls", json=POLL)
    link.published.clear()
    only = "Only who has created the poll may close it."

    assert error(bob.post("/polls/2/close", json={})) == (403, only)
    # Nobody has created the first one.
    assert error(ann.post("/polls/1/close", json={})) == (403, only)
    assert error(client.post("/polls/2/close", json={})) == (401, "Log in first.")
    assert error(ann.post("/polls/3/close", json={})) == (404, "There is no poll 3.")
    with pytest.raises(ApplicationError) as raised:
        call("com.example.polls.close", 2)
    assert raised.value.uri == "wamp.error.not_authorized"
    assert client.get("/polls/2").get_json()["closed"] is False
    assert link.published == []


def test_closed_poll_takes_no_vote(ann: FlaskClient, call: Call, link: RecordingLink) -> None:
    poll = ann.post("/polls", json=POLL).get_json()
    ann.post("/polls/2/close", json={})
    link.published.clear()
    choice = poll["choices"][0]["id"]

    assert error(ann.post("/polls/2/votes", json={"choice": choice})) == (
        409,
        "The poll is closed.",
    )
    with pytest.raises(ApplicationError) as raised:
        call("com.example.polls.vote", 2, choice)
    assert (raised.value.uri, raised.value.args) == (
        "wamp.error.conflict",
        ("The poll is closed.",),
    )
    assert ann.get("/polls/2").get_json()["total"] == 0
    assert link.published == []


# --- the database from before, and the key


def test_polls_from_before_there_were_users_are_kept(database: Path) -> None:
    database.parent.mkdir()
    with closing(sqlite3.connect(database, isolation_level=None)) as old:
        for statement in db.MIGRATIONS[0]:
            old.execute(statement)
        old.execute("UPDATE choice SET votes = 3 WHERE id = 2")
    with closing(db.connect(database)) as connection:
        assert db.version(connection) == len(db.MIGRATIONS)
        assert users.register(connection, "Ann", PASSWORD)["id"] == 1
    app = create_app({"DATABASE": str(database)})
    results = app.test_client().get("/polls/1").get_json()
    assert (results["total"], results["closed"]) == (3, False)


def test_key_is_one_for_all_processes_and_readable_by_none_else(tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret_key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(secret_key, [path] * 8))
    assert keys == {path.read_text()}
    assert len(path.read_text()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret_key"]


def test_key_of_the_environment_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Path
) -> None:
    monkeypatch.setenv("FLASK_SECRET_KEY", "a key of one's own")
    assert create_app({"DATABASE": str(database)}).config["SECRET_KEY"] == "a key of one's own"
    assert not database.parent.exists()
