"""Flask's tutorial application, made live: its own guards, both ways in, in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_wamp import NotAuthorized, NotConnected, RemoteError
from flask_wamp.testing import WampTestClient

from ...node.apps import blog

Enter = Callable[[str], FlaskClient]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Return the application, with a database of its own."""
    return blog.create_app(DATABASE=str(tmp_path / "blog.sqlite"), TESTING=True)


@pytest.fixture
def enter(app: Flask) -> Enter:
    """Return what registers somebody and logs them in over HTTP."""

    def enter(name: str) -> FlaskClient:
        http = app.test_client()
        form = {"username": name, "password": "secret"}
        assert http.post("/auth/register", data=form).status_code == 302
        assert http.post("/auth/login", data=form).headers["Location"] == "/"
        return http

    return enter


def test_blog_visitor_is_denied_what_needs_a_login(app: Flask) -> None:
    http = app.test_client()
    assert http.get("/create").headers["Location"] == "/auth/login"
    with blog.wamp.test_client(app, http=http) as page:
        assert (page.session.authrole, page.call("com.blog.index")["user"]) == ("anonymous", None)
        with pytest.raises(NotAuthorized) as caught:
            page.call("com.blog.create", title="x")
    assert caught.value.kwargs == {"status": 302, "location": "/auth/login"}


def test_blog_page_of_a_user_is_that_user(app: Flask, enter: Enter) -> None:
    http = enter("ann")
    with blog.wamp.test_client(app, http=http) as page:
        assert (page.session.authrole, page.session.authid) == ("user", "1")
        assert page.call("com.blog.create", title="Hi") == {"title": "Hi", "author": "ann"}
        assert page.call("com.blog.index") == {"user": "ann", "posts": [["Hi", "ann"]]}
        # What guards a view within it guards it here.
        other = page.as_page(enter("bob"))
        with pytest.raises(NotAuthorized):
            other.call("com.blog.delete", id=1)
        assert http.get("/").json == page.call("com.blog.index")


def test_blog_view_that_has_run_and_redirects_has_not_denied(app: Flask, enter: Enter) -> None:
    with blog.wamp.test_client(app, http=enter("ann")) as page:
        page.call("com.blog.create", title="Hi")
        with pytest.raises(RemoteError) as caught:
            page.call("com.blog.delete", id=1)
        assert caught.value.uri == "wamp.error.redirect"
        assert page.call("com.blog.index")["posts"] == []


def test_blog_logging_out_ends_the_pages_sessions(app: Flask, enter: Enter) -> None:
    http, bob = enter("ann"), enter("bob")
    cookie = http.get_cookie("session")
    assert cookie is not None
    with blog.wamp.test_client(app, http=http) as page:
        other, same = page.as_page(bob), page.as_page(http)
        http.get("/auth/logout")
        for ended in (page, same):
            with pytest.raises(NotConnected, match="as its login has"):
                ended.call("com.blog.index")
        assert other.call("com.blog.index")["user"] == "bob"

        assert page.as_page(http).call("com.blog.index")["user"] is None
        # The cookie as it was is good for HTTP, and for no session.
        http.set_cookie("session", cookie.value)
        assert http.get("/").json["user"] == "ann"  # type: ignore[index]
        with pytest.raises(NotAuthorized, match="the login was refused"):
            page.as_page(http)


def test_blog_as_another_user_the_page_comes_anew(app: Flask, enter: Enter) -> None:
    http = enter("ann")
    enter("bob")
    with blog.wamp.test_client(app, http=http) as page:
        http.post("/auth/login", data={"username": "bob", "password": "secret"})
        with pytest.raises(NotConnected):
            page.call("com.blog.index")
        assert page.as_page(http).call("com.blog.index")["user"] == "bob"


def test_blog_application_ends_sessions(app: Flask, enter: Enter) -> None:
    http = enter("ann")
    with blog.wamp.test_client(app, http=http) as page:
        assert blog.wamp.reauthenticate("1", app=app) == 1
        with pytest.raises(NotConnected):
            page.publish("com.blog.said", 1)
        again = page.as_page(http)
        assert again.call("com.blog.index")["user"] == "ann"
        assert blog.wamp.end_sessions("1", app=app) == 1
        with pytest.raises(NotConnected):
            again.call("com.blog.index")
        with pytest.raises(NotAuthorized):
            page.as_page(http)
        assert page.calls == []


def test_blog_session_is_no_page_where_the_client_has_none(app: Flask) -> None:
    with WampTestClient(app, authid="ann", authrole="user") as client:
        assert client.call("com.blog.index")["user"] is None
        with pytest.raises(NotAuthorized):
            client.call("com.blog.create", title="x")
