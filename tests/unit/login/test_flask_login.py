"""Flask-Login's guards in a call: unchanged, whatever mode its sessions are protected in."""

from typing import Any

import pytest
from flask import Flask, g, session
from flask.testing import FlaskClient
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
)

from flask_wamp import WAMP
from flask_wamp.login.logins import END

from ..doubles import Caller, Declare, RecordingLink
from .conftest import AsPage

DENIED = "wamp.error.not_authorized"


class User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number


@pytest.fixture(params=["basic", "strong"])
def manager(request: pytest.FixtureRequest, app: Flask, wamp: WAMP) -> LoginManager:
    """Return the application's Flask-Login, with a page to log in."""
    app.config.update(SECRET_KEY="x" * 32, SESSION_PROTECTION=request.param)
    manager = LoginManager(app)
    manager.login_view = "enter"
    manager.refresh_view = "again"
    manager.user_loader(lambda number: User(number) if number in ("7", "8") else None)

    @app.post("/enter")
    def enter() -> str:
        login_user(User("7"), remember=True)
        return "in"

    @app.post("/again")
    def again() -> str:
        login_user(User("7"))
        return "again"

    @app.post("/leave")
    def leave() -> str:
        logout_user()
        return "out"

    return manager


@pytest.fixture
def guarded(manager: LoginManager, declare: Declare) -> list[str]:
    """Return the URIs of views that Flask-Login guards; once procedures, once routes as well."""

    @declare
    @login_required
    def mine() -> dict[str, Any]:
        return {"user": current_user.get_id(), "fresh": login_fresh()}

    @declare
    @fresh_login_required
    def secret() -> str:
        return str(current_user.get_id())

    @declare
    def whoever() -> Any:
        return current_user.get_id()

    return ["mine", "secret"]


def test_flask_login_page_is_its_user(
    http: FlaskClient, as_page: AsPage, guarded: list[str]
) -> None:
    http.post("/enter")
    page = as_page(http)
    assert page("mine") == {"user": "7", "fresh": True}
    assert (page("secret"), page("whoever")) == ("7", "7")


def test_flask_login_visitor_is_denied(
    http: FlaskClient, as_page: AsPage, guarded: list[str]
) -> None:
    page = as_page(http, authrole="anonymous")
    for uri in guarded:
        error = page.error(uri)
        assert (error.uri, error.kwargs["status"]) == (DENIED, 302)
    assert page("whoever") is None


def test_flask_login_visitor_is_denied_by_a_handler_of_the_applications(
    manager: LoginManager, http: FlaskClient, as_page: AsPage, guarded: list[str]
) -> None:
    manager.unauthorized_handler(lambda: ("no", 401))
    assert as_page(http).error("mine").uri == DENIED


def test_flask_login_remembered_user_is_not_fresh(
    http: FlaskClient, as_page: AsPage, guarded: list[str]
) -> None:
    """Flask-Login notes it in the session, in the middle of a view that asks for the user."""
    http.post("/enter")
    http.delete_cookie("session")
    page = as_page(http)
    assert page("whoever") == "7"
    assert page("mine") == {"user": "7", "fresh": False}
    error = page.error("secret")
    assert error.uri == DENIED
    assert error.kwargs["location"].startswith("/again?next=")


def test_flask_login_session_of_another_browser(
    manager: LoginManager, app: Flask, http: FlaskClient, as_page: AsPage, guarded: list[str]
) -> None:
    http.post("/enter")
    http.delete_cookie("remember_token")
    http.environ_base["HTTP_USER_AGENT"] = "somebody else's"
    page = as_page(http)
    if app.config["SESSION_PROTECTION"] == "basic":
        assert page("mine") == {"user": "7", "fresh": False}
    else:
        assert page.error("mine").uri == DENIED
    assert page.error("secret").uri == DENIED


@pytest.mark.parametrize("method", ["ticket", "wampcra", "tls"])
def test_flask_login_user_without_a_cookie_is_not_fresh(
    http: FlaskClient, as_page: AsPage, guarded: list[str], method: str
) -> None:
    """Whoever sends cookies beside it is not whom they name."""
    http.post("/enter")
    page = as_page(http, method, authid="8")
    assert page("mine") == {"user": "8", "fresh": False}
    assert page.error("secret").uri == DENIED
    assert as_page(http, method, authid="9").error("mine").uri == DENIED
    assert as_page(http, method, authid="8", authrole="anonymous")("whoever") is None


def test_flask_login_view_cannot_log_in_or_out(
    manager: LoginManager, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    told = []

    @declare
    def enter_here() -> str:
        try:
            login_user(User("8"))
        except RuntimeError as error:
            told.append(str(error))
        return str(current_user.get_id())

    @declare
    def leave_here() -> str:
        try:
            logout_user()
        except RuntimeError as error:
            told.append(str(error))
        return str(session["_user_id"])

    http.post("/enter")
    page = as_page(http)
    assert [page("enter_here"), page("leave_here")] == ["7", "7"]
    assert [text.partition(":")[0] for text in told] == [
        "the session cannot be changed in a call"
    ] * 2


def test_flask_login_view_may_refuse_as_flask_login_does(
    manager: LoginManager, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    """It has run, so this is a redirect; what is flashed for the next page is nobody's."""

    @declare
    def half() -> Any:
        return manager.unauthorized()

    assert as_page(http).error("half").uri == "wamp.error.redirect"


def test_flask_login_service_is_nobody(guarded: list[str], call: Caller, app: Flask) -> None:
    """As before: a procedure without a route has no request."""
    assert call.peer is None
    with app.test_request_context():
        assert not current_user.is_authenticated
        assert "wampy" in g


def test_flask_login_ends_and_renews_the_login(
    manager: LoginManager, http: FlaskClient, link: RecordingLink
) -> None:
    def login() -> Any:
        with http.session_transaction() as kept:
            return kept.get("_wamp_login")

    http.post("/enter")
    first = login()
    assert first
    assert link.calls == []
    # The same user again: the old one may have been revoked meanwhile.
    http.post("/again")
    second = login()
    assert second not in (None, first)
    http.post("/leave")
    assert login() is None
    assert [(uri, *args) for uri, args, _kwargs, _options in link.calls] == [
        (END, {"login": first}),
        (END, {"login": second}),
    ]


def test_flask_login_user_whom_each_request_logs_in_keeps_the_login(
    app: Flask, manager: LoginManager, http: FlaskClient, link: RecordingLink
) -> None:
    """As an application does whose proxy says who it is."""

    @app.before_request
    def log_in() -> None:
        login_user(User("7"))

    app.add_url_rule("/page", endpoint="page", view_func=lambda: "page")
    http.get("/page")
    http.get("/page")
    assert link.calls == []
