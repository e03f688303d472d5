"""The login id of a Flask session: when there is one, and when it is revoked."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import Flask, session
from flask.testing import FlaskClient
from flask_session import Session

from flask_wamp import WAMP, CallTimeout, NotConnected, RemoteError
from flask_wamp.login.authenticator import LOGIN_KEY
from flask_wamp.login.logins import END
from flask_wamp.state import state_of

from ..doubles import Caller, RecordingLink


@pytest.fixture(params=["cookie", "server"])
def shop(request: pytest.FixtureRequest, app: Flask, wamp: WAMP, tmp_path: Path) -> Flask:
    """Return the application with pages that log in and out in the usual ways."""
    app.config["SECRET_KEY"] = "x" * 32
    if request.param == "server":
        app.config.update(
            SESSION_TYPE="cachelib",
            SESSION_CACHELIB=FileSystemCache(str(tmp_path)),
            SESSION_PERMANENT=False,
        )
        Session(app)
    app.add_url_rule("/public", endpoint="public", view_func=lambda: "for everybody")
    app.add_url_rule("/read", endpoint="read", view_func=lambda: str(session.get("user_id")))

    @app.post("/put/<key>/<value>")
    def put(key: str, value: str) -> str:
        session[key] = value
        return "put"

    @app.post("/pop/<key>")
    def pop(key: str) -> str:
        session.pop(key, None)
        return "popped"

    @app.post("/put-dict")
    def put_dict() -> str:
        session["user"] = {"name": "ann", "seen": time.time()}
        return "put"

    @app.post("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    @app.post("/login/<user>")
    def login(user: str) -> str:
        session.clear()
        session["user_id"] = user
        return "in"

    @app.post("/fails")
    def fails() -> str:
        session.clear()
        raise RuntimeError

    return app


def login_of(http: FlaskClient) -> Any:
    """Return the login id of a client's session."""
    with http.session_transaction() as kept:
        return kept.get(LOGIN_KEY)


def revoked(link: RecordingLink) -> list[Any]:
    """Return the logins that were revoked."""
    assert {uri for uri, *_ in link.calls} <= {END}
    return [args[0]["login"] for _uri, args, _kwargs, _options in link.calls]


def test_logins_session_with_content_has_one(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    before = time.time() * 1000 - 1
    http.post("/put/colour/blue")
    login = login_of(http)
    assert re.fullmatch(r"[0-9]{13}\.[A-Za-z0-9_-]{32}", login)
    assert before <= int(login.partition(".")[0]) <= time.time() * 1000
    http.post("/put/colour/red")
    assert login_of(http) == login
    other = shop.test_client()
    other.post("/put/colour/blue")
    assert login_of(other) != login
    assert revoked(link) == []


def test_logins_session_that_loses_the_last_of_its_content_has_ended(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    # As a view does that logs out of a session with keys of its own.
    http.post("/put/account/7")
    login = login_of(http)
    http.post("/pop/account")
    assert login_of(http) is None
    assert revoked(link) == [login]


@pytest.mark.parametrize("path", ["/public", "/read", "/nowhere"])
def test_logins_visitor_without_a_session_gets_none(
    shop: Flask, http: FlaskClient, path: str
) -> None:
    assert "Set-Cookie" not in http.get(path).headers
    assert state_of(shop).slot.link is None


def test_logins_page_that_looks_at_no_session_depends_on_no_cookie(
    shop: Flask, http: FlaskClient
) -> None:
    with http.session_transaction() as kept:
        kept["user_id"] = "7"

    def cookie_headers() -> set[str]:
        return set(http.get("/public").headers.keys()) & {"Vary", "Set-Cookie"}

    assert cookie_headers() == set()
    assert login_of(http) is None
    # The first that looks at it gives it one, of a login from before this extension as well.
    assert http.get("/read").headers["Vary"] == "Cookie"
    assert login_of(http) is not None
    assert cookie_headers() == set()


def test_logins_login_gets_a_new_one_and_logout_revokes_it(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    http.post("/put/cart/full")
    visitor = login_of(http)
    http.post("/login/7")
    first = login_of(http)
    assert first not in (None, visitor)
    http.post("/login/8")
    second = login_of(http)
    assert second not in (None, first)
    http.post("/clear")
    assert login_of(http) is None
    assert revoked(link) == [first, second]
    http.post("/clear")
    assert len(link.calls) == 2
    assert {options.timeout for *_, options in link.calls} == {3.0}


@pytest.mark.parametrize("key", ["_user_id", "user_id", "username", "user"])
def test_logins_whose_user_is_taken_out_has_ended(
    shop: Flask, http: FlaskClient, link: RecordingLink, key: str
) -> None:
    http.post("/put/cart/full")
    visitor = login_of(http)
    http.post(f"/put/{key}/ann")
    ann = login_of(http)
    http.post(f"/put/{key}/bob")
    bob = login_of(http)
    http.post(f"/pop/{key}")
    assert revoked(link) == [ann, bob]
    assert login_of(http) not in (None, visitor, ann, bob)


def test_logins_visitor_who_logs_in_needs_no_router(shop: Flask, http: FlaskClient) -> None:
    http.post("/put/cart/full")
    http.post("/login/7")
    assert login_of(http) is not None
    assert state_of(shop).slot.link is None


def test_logins_user_by_a_name_that_nobody_knows_ends_with_the_session(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    http.post("/put/member/7")
    login = login_of(http)
    http.post("/clear")
    assert revoked(link) == [login]


def test_logins_details_of_a_user_may_change(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    http.post("/put-dict")
    login = login_of(http)
    http.post("/put-dict")
    assert login_of(http) == login
    http.post("/pop/user")
    assert revoked(link) == [login]


def test_logins_request_that_fails_logs_out_as_well(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    http.post("/login/7")
    login = login_of(http)
    assert http.post("/fails").status_code == 500
    assert revoked(link) == [login]


def test_logins_forged_id_is_nothing_to_revoke(
    shop: Flask, http: FlaskClient, link: RecordingLink
) -> None:
    with http.session_transaction() as kept:
        kept.update({"user_id": "7", LOGIN_KEY: ["no text"]})
    http.post("/clear")
    assert link.calls == []


@pytest.mark.parametrize(
    "failure",
    [NotConnected("the router is away"), CallTimeout("late"), RemoteError("wamp.error.x")],
    ids=str,
)
def test_logins_logout_where_the_router_is_away(
    shop: Flask, http: FlaskClient, link: RecordingLink, failure: Exception, caplog: Any
) -> None:
    link.answer = failure
    http.post("/login/7")
    login = login_of(http)
    assert http.post("/clear").status_code == 200
    assert login_of(http) is None
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("A login has ended, and the router does not know")
    assert login not in caplog.text


def test_logins_logout_at_a_router_that_lets_nobody_in_by_cookies(
    shop: Flask, http: FlaskClient, link: RecordingLink, caplog: Any
) -> None:
    link.answer = RemoteError.from_uri("wamp.error.no_such_procedure")
    http.post("/login/7")
    http.post("/clear")
    assert len(link.calls) == 1
    assert caplog.records == []


def test_logins_call_leaves_them_alone(
    shop: Flask, wamp: WAMP, http: FlaskClient, link: RecordingLink
) -> None:
    @shop.get("/called")
    @wamp.callee
    def called() -> str:
        return str(session.get("user_id"))

    assert Caller(shop)("called") == "None"
    assert link.calls == []


def test_logins_requests_that_do_not_begin_as_others_do(shop: Flask, link: RecordingLink) -> None:
    """Code that runs a part of a request, in a test say."""
    with shop.test_request_context("/put/user_id/7", method="POST"):
        session["user_id"] = "7"
        response = shop.process_response(shop.make_response("x"))
        assert LOGIN_KEY in session
        assert "Set-Cookie" in response.headers
    assert link.calls == []
