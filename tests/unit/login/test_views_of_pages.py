"""A page's call as a request of its own: cookies, address, browser, and a session to read."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import (
    Flask,
    abort,
    flash,
    g,
    get_flashed_messages,
    redirect,
    request,
    session,
)
from flask.sessions import SessionInterface, SessionMixin
from flask.testing import FlaskClient
from flask_session import Session

from flask_wamp import WAMP, NotAuthorized, NotConnected, ReadOnlySession, SetupError

from ..doubles import Declare, View
from .conftest import AsPage
from .support import application


@pytest.fixture(params=["cookie", "server"])
def kept(request: pytest.FixtureRequest, app: Flask, wamp: WAMP, tmp_path: Path) -> Flask:
    """Return the application, whose sessions are in the cookie, or in files."""
    app.config.update(SECRET_KEY="x" * 32, PERMANENT_SESSION_LIFETIME=timedelta(days=1))
    if request.param == "server":
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path)))
        Session(app)

    @app.post("/set/<int:n>")
    def set_n(n: int) -> str:
        session["n"] = n
        session["cart"] = [1]
        flash("kept for the next page")
        return "set"

    @app.get("/n")
    def get_n() -> Any:
        return {"n": session.get("n"), "cart": session.get("cart")}

    return app


def test_page_request_is_like_its_handshakes(
    app: Flask, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    @declare
    def seen() -> Any:
        return {
            "method": request.method,
            "address": request.remote_addr,
            "browser": request.user_agent.string,
            "languages": list(request.accept_languages.values()),
            "scheme": request.scheme,
            "cookies": dict(request.cookies),
            "endpoint": request.endpoint,
            "authorization": request.authorization,
        }

    http.set_cookie("colour", "blue")
    environ = {
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_USER_AGENT": "page",
        "HTTP_ACCEPT_LANGUAGE": "de",
        "HTTP_AUTHORIZATION": "Basic is for the handshake",
        "wsgi.url_scheme": "https",
    }
    seen_by_page = as_page(http, **environ)("seen")
    assert seen_by_page.pop("endpoint") in (None, "seen")
    expected = {
        "method": "CALL",
        "address": "192.0.2.7",
        "browser": "page",
        "languages": ["de"],
        "scheme": "https",
        "authorization": None,
    }
    assert seen_by_page == {**expected, "cookies": {"colour": "blue"}}
    by_ticket = as_page(http, "ticket", **environ)("seen")
    assert (by_ticket["cookies"], by_ticket["address"]) == ({}, "192.0.2.7")


def test_page_session_is_the_cookies(
    kept: Flask, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    def found() -> Any:
        return [session.get("n"), session.permanent, "n" in session, bool(session)]

    kept.get("/found")(found)

    @declare
    def in_a_call() -> Any:
        return found()

    assert as_page(http)("in_a_call") == http.get("/found").json
    http.post("/set/5")
    page = as_page(http)
    assert page("in_a_call") == http.get("/found").json
    http.post("/set/6")
    # In a cookie it is as it was, on a server as it is.
    assert page("in_a_call")[0] == (6 if "SESSION_TYPE" in kept.config else 5)
    assert as_page(http, "ticket")("in_a_call")[0] is None


WRITES = {
    "item": lambda: session.__setitem__("n", 9),
    "deletion": lambda: session.__delitem__("n"),
    "pop": lambda: session.pop("n"),
    "popitem": lambda: session.popitem(),  # noqa: PLW0108
    "clear": lambda: session.clear(),  # noqa: PLW0108
    "update": lambda: session.update(n=9),
    "setdefault": lambda: session.setdefault("m", 9),
    "merged": lambda: session.__class__.__ior__(session, {"n": 9}),  # type: ignore[attr-defined]
    "flash": lambda: flash("hello"),
    "permanent": lambda: setattr(session, "permanent", True),
    "modified": lambda: setattr(session, "modified", True),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_page_view_that_writes_is_told_where(
    kept: Flask, http: FlaskClient, as_page: AsPage, declare: Declare, write: Any
) -> None:
    @declare
    def change() -> str:
        with pytest.raises(ReadOnlySession, match="no cookie can be set there; change it in a re"):
            write()
        return str(session["n"])

    @declare
    def change_and_fail() -> None:
        write()

    http.post("/set/5")
    page = as_page(http)
    assert page("change") == "5"
    assert page.error("change_and_fail").uri == "wamp.error.runtime_error"
    assert http.get("/n").json == {"n": 5, "cart": [1]}


def test_page_generator_and_async_view_are_told_as_well(
    kept: Flask, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    @declare
    def several() -> Iterator[int]:
        yield 1
        with pytest.raises(ReadOnlySession):
            session["n"] = 9
        yield session["n"]

    @declare
    async def later() -> Any:
        with pytest.raises(ReadOnlySession):
            session["n"] = 9
        return session["n"]

    http.post("/set/5")
    assert [as_page(http)("several"), as_page(http)("later")] == [[1, 5], 5]


def test_page_session_is_nothing_that_guards_can_keep(
    kept: Flask, http: FlaskClient, as_page: AsPage, view: View
) -> None:
    """They may write into it, as they do over HTTP; a later call knows nothing of it."""

    @kept.before_request
    def count() -> None:
        session["seen"] = session.get("seen", 0) + 1

    @kept.after_request
    def note(response: Any) -> Any:
        session["last"] = request.path
        return response

    @view("/seen")
    def seen() -> Any:
        return [session["seen"], session.get("last")]

    http.post("/set/5")
    page = as_page(http)
    assert [page("seen"), page("seen")] == [[2, "/set/5"]] * 2
    with http.session_transaction() as stored:
        assert (stored["seen"], stored["last"]) == (1, "/set/5")


def test_page_flashed_messages_are_for_the_next_page(
    kept: Flask, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    @declare
    def messages() -> Any:
        return get_flashed_messages()

    http.post("/set/5")
    assert as_page(http)("messages") == []


def test_page_plain_procedure_has_no_guards_and_its_teardown(
    app: Flask, wamp: WAMP, http: FlaskClient, as_page: AsPage
) -> None:
    ended: list[Any] = []
    app.before_request(lambda: ("no", 403))
    app.teardown_request(ended.append)

    @wamp.callee
    def plain() -> Any:
        return [request.path, request.endpoint, "user" in g]

    assert as_page(http)("plain") == ["/ws", None, False]
    assert ended == [None]


def test_page_session_without_a_secret_key(
    http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    @declare
    def write() -> str:
        with pytest.raises(RuntimeError, match="no secret key was set"):
            session["n"] = 1
        return "told"

    assert as_page(http)("write") == "told"
    assert as_page(http, "ticket")("write") == "told"


class Unchangeable(list, SessionMixin):  # type: ignore[type-arg, misc]
    """A session whose memory has another layout than Flask's own."""

    def pop(self, *_args: Any) -> Any:
        """Return nothing."""


class OtherSessions(SessionInterface):
    """What opens such sessions."""

    def open_session(self, app: Flask, request: Any) -> Any:
        """Return one."""
        return Unchangeable()

    def save_session(self, app: Flask, session: Any, response: Any) -> None:
        """Keep nothing."""


def test_page_session_that_cannot_be_kept_from_writing_is_refused(
    app: Flask, http: FlaskClient, as_page: AsPage, declare: Declare, caplog: Any
) -> None:
    app.session_interface = OtherSessions()

    @declare
    def view() -> int:
        return 1

    assert as_page(http).error("view").uri == "wamp.error.runtime_error"
    assert "make it a subclass of dict" in caplog.text
    assert SetupError.__name__ in caplog.text


def test_page_guard_of_its_own_that_redirects(
    app: Flask, http: FlaskClient, as_page: AsPage, declare: Declare
) -> None:
    @declare
    def elsewhere() -> Any:
        return redirect("/login")

    assert as_page(http).error("elsewhere").uri == "wamp.error.redirect"


def test_page_of_an_application_that_says_nobody_who_it_is_ends_with_the_login() -> None:
    """Its pages are visitors' to the router, and users' to the guards of the views."""
    app, wamp = application()

    @app.before_request
    def load_logged_in_user() -> None:
        g.user = session.get("user_id")

    @app.post("/login")
    def login() -> str:
        session["user_id"] = "ann"
        return "in"

    @app.post("/logout")
    def logout() -> str:
        session.clear()
        return "out"

    @app.get("/name")
    @wamp.callee("com.name", allow="everyone")
    def name() -> str:
        if g.user is None:
            abort(401)
        return str(g.user)

    http = app.test_client()
    http.post("/login")
    kept = http.get_cookie("session")
    assert kept is not None
    with wamp.test_client(app, http=http) as page:
        assert (page.session.authrole, page.call("com.name")) == ("anonymous", "ann")
        http.post("/logout")
        with pytest.raises(NotConnected, match="has ended this session"):
            page.call("com.name")
        http.set_cookie("session", kept.value)
        with pytest.raises(NotAuthorized, match="the login was refused"):
            page.as_page(http)
