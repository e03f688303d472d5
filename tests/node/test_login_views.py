"""Flask's tutorial application at a node: what its guards, its session and its logout are there."""

import itertools
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp.node import CrossbarNode
from flask_wamp.state import state_of
from tests.attempts import attempt

from .apps.blog import create_app, wamp
from .logins import DYNAMIC, METHODS, REFUSED, Member, Person, member
from .support import APPS, LIMIT, node_config

pytestmark = [pytest.mark.node, pytest.mark.slow]

_names = (f"user{number}" for number in itertools.count(1))


class Reader(Person):
    """A browser that fills in the application's forms."""

    def submit(self, path: str, **form: str) -> str:
        """Submit a form, and return where that leads."""
        data = urllib.parse.urlencode(form).encode()
        with self._opener.open(self._node.url + path, data, timeout=LIMIT) as page:
            return str(urllib.parse.urlsplit(page.url).path)

    def visit(self, path: str) -> str:
        """Return a page."""
        with self._opener.open(self._node.url + path, timeout=LIMIT) as page:
            return str(page.read().decode())

    def log_in(self) -> str:
        """Register somebody and log in; return the name."""
        name = next(_names)
        assert self.submit("auth/register", username=name, password="x") == "/auth/login"
        assert self.submit("auth/login", username=name, password="x") == "/"
        return name


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the application's database."""
    return tmp_path_factory.mktemp("blog") / "blog.sqlite"


@pytest.fixture(scope="module")
def node(database: Path) -> Iterator[CrossbarNode]:
    """Run the application."""
    place = f"{APPS}.live_blog"
    config = node_config(web=f"{place}.Web", views=[f"{place}.Views"], wsgi=place, governed=True)
    router = config["workers"][0]
    router["transports"][0]["paths"]["ws"]["auth"] = {each: dict(DYNAMIC) for each in METHODS}
    with CrossbarNode(config, env={"BLOG_DATABASE": str(database)}) as node:
        yield node


@pytest.fixture
def reader(node: CrossbarNode) -> Reader:
    """Give a browser."""
    return Reader(node)


def error_of(page: Member, uri: str, *args: Any, **kwargs: Any) -> Any:
    """Return the error that answers a call."""
    with pytest.raises(ApplicationError) as raised:
        page.call(uri, *args, **kwargs)
    return raised.value


@attempt(
    "rights",
    "calling a view behind Flask's `login_required` as a visitor",
    "`wamp.error.not_authorized`",
)
def test_login_view_guard_denies_a_visitor(node: CrossbarNode) -> None:
    with member(node.ws_url) as page:
        assert page.call("com.blog.index")["user"] is None
        error = error_of(page, "com.blog.create", "x")
        assert error.error == "wamp.error.not_authorized"


def test_login_view_guard_lets_a_user_in(node: CrossbarNode, reader: Reader) -> None:
    name = reader.log_in()
    with member(node.ws_url, cookie=reader.cookie) as page:
        assert page.call("com.blog.create", "Hi", body="there") == {"title": "Hi", "author": name}
        assert page.call("com.blog.index")["user"] == name
        assert ["Hi", name] in page.call("com.blog.index")["posts"]
        assert error_of(page, "com.blog.delete", 10_000).error == "wamp.error.not_found"


def test_login_view_session_is_the_pages_and_cannot_be_changed(
    node: CrossbarNode, reader: Reader
) -> None:
    reader.log_in()
    with member(node.ws_url, cookie=reader.cookie) as page:
        assert page.call("com.blog.cookies") == ["_wamp_login", "user_id"]
        assert page.call("com.blog.mark").startswith("the session cannot be changed in a call")
    with member(node.ws_url) as visitor:
        assert visitor.call("com.blog.cookies") == []


def test_login_view_logout_ends_the_sessions_and_the_cookie(
    node: CrossbarNode, reader: Reader
) -> None:
    reader.log_in()
    other = Reader(node)
    name = other.log_in()
    cookie = reader.cookie
    with (
        member(node.ws_url, cookie=cookie) as page,
        member(node.ws_url, cookie=other.cookie) as unconcerned,
    ):
        assert page.call("com.blog.index")["user"]
        reader.visit("auth/logout")
        assert page.session.left.result(LIMIT)
        assert unconcerned.call("com.blog.index")["user"] == name
    with pytest.raises(ConnectionError) as refused:
        Member.log_in(node.ws_url, cookie=cookie)
    assert str(refused.value) == REFUSED
    with member(node.ws_url, cookie=reader.cookie) as page:
        assert page.person[0] == "anonymous"


def test_login_view_new_login_is_another(node: CrossbarNode, reader: Reader) -> None:
    reader.log_in()
    with member(node.ws_url, cookie=reader.cookie) as page:
        name = reader.log_in()
        assert page.session.left.result(LIMIT)
    with member(node.ws_url, cookie=reader.cookie) as page:
        assert page.call("com.blog.index")["user"] == name


@attempt(
    "login",
    "staying, when the user logs out in a process that is not the node's",
    "the sessions end, and the cookie is refused",
)
def test_login_view_logout_in_another_process_ends_the_sessions(
    node: CrossbarNode, database: Path
) -> None:
    """As under gunicorn, where the pages are not the node's."""
    app = create_app(DATABASE=str(database), WAMP_URL=node.backend_url, WAMP_TIMEOUT=LIMIT)
    http, form = app.test_client(), {"username": next(_names), "password": "x"}
    http.post("/auth/register", data=form)
    http.post("/auth/login", data=form)
    assert state_of(app).slot.link is None
    cookie = http.get_cookie("session")
    assert cookie is not None
    header = f"session={cookie.value}"
    try:
        with member(node.ws_url, cookie=header) as page:
            assert page.call("com.blog.index")["user"] == form["username"]
            http.get("/auth/logout")
            assert page.session.left.result(LIMIT)
        with pytest.raises(ConnectionError):
            Member.log_in(node.ws_url, cookie=header)
    finally:
        wamp.stop(app)
