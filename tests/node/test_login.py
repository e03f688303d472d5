"""Who a page is at a node: the login of the Flask application, and the end of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .logins import REFUSED, Member, Person, member, members_config
from .support import LIMIT, connected, wait_until

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file that tells the application the roles of users."""
    return tmp_path_factory.mktemp("roles") / "roles"


@pytest.fixture(scope="module")
def node(roles: Path) -> Iterator[CrossbarNode]:
    """Run the node that the members log in to."""
    with CrossbarNode(members_config(), env={"MEMBERS_ROLES": str(roles)}) as node:
        yield node


@pytest.fixture
def person(node: CrossbarNode) -> Person:
    """Give a browser."""
    return Person(node)


def logged_in(node: CrossbarNode, name: str) -> Person:
    """Return a browser whose user has logged in."""
    person = Person(node)
    person.post(f"login/{name}")
    return person


def refusal(node: CrossbarNode, method: str | None = None, **given: Any) -> str:
    """Return what the router says to who is not let in."""
    with pytest.raises(ConnectionError) as raised:
        Member.log_in(node.ws_url, method, **given).close()
    return str(raised.value)


def test_login_of_a_page_is_that_of_its_flask_session(node: CrossbarNode) -> None:
    person = logged_in(node, "alice")
    with member(node.ws_url, cookie=person.cookie) as page:
        assert page.person == ("user", "alice")
        assert page.call("com.members.who") == ["alice", "user"]


def test_login_of_a_page_without_a_cookie_is_a_visitors(node: CrossbarNode) -> None:
    with member(node.ws_url) as one, member(node.ws_url) as other:
        assert one.person[0] == other.person[0] == "anonymous"
        assert one.person[1] != other.person[1]


@attempt("pages", "a page of another origin brings the cookie", "a visitor")
@pytest.mark.parametrize(
    ("origin", "role"),
    [
        ("http://127.0.0.1:{port}", "user"),
        ("http://localhost:{port}", "anonymous"),
    ],
)
def test_login_counts_for_the_page_of_its_own_origin(
    node: CrossbarNode, origin: str, role: str
) -> None:
    """Both origins may connect; the cookie is one of the host 127.0.0.1."""
    person = logged_in(node, "alice")
    with member(node.ws_url, cookie=person.cookie, origin=origin.format(port=node.port)) as page:
        assert page.person[0] == role


@attempt("login", "the cookie of a deleted user", "a visitor")
def test_login_of_a_deleted_user_is_a_visitors(node: CrossbarNode) -> None:
    with member(node.ws_url, cookie=logged_in(node, "deleted").cookie) as page:
        assert page.person[0] == "anonymous"


@attempt(
    "login",
    "an authenticator that returns a role which may register, or one with a static authorizer",
    "`wamp.error.not_authorized`",
)
@pytest.mark.parametrize(
    "mood", ["raises", "nonsense", "exits", "aborts", "role-trusted", "role-backend",
             "role-service", "role-asked", "role-nobody"],
)  # fmt: skip
def test_login_is_refused_with_one_text(node: CrossbarNode, mood: str) -> None:
    before = len(node.log)
    assert refusal(node, cookie=f"mood={mood}") == REFUSED
    log = node.log[before:]
    assert log.count("a login was refused: ") <= 1
    assert node.log.count("RuntimeError: a secret of the application") <= 1


@attempt("login", "an authenticator that hangs for longer than 3 s", "a refusal")
def test_login_is_not_asked_for_longer_than_its_deadline(node: CrossbarNode) -> None:
    began = time.monotonic()
    assert refusal(node, cookie="mood=hangs") == REFUSED
    assert 2.5 < time.monotonic() - began < LIMIT / 2
    with member(node.ws_url) as page:
        assert page.person[0] == "anonymous"


@attempt("limits", "authenticators that hang, one after another", "others log in")
def test_login_of_others_goes_on_while_authenticators_hang(node: CrossbarNode) -> None:
    hanging = [Member.try_to(node.ws_url, cookie="mood=hangs") for _ in range(12)]
    for session in hanging:
        with pytest.raises(ConnectionError):
            session.joined.result(LIMIT)
    with member(node.ws_url, cookie=logged_in(node, "alice").cookie) as page:
        assert page.person == ("user", "alice")


@attempt("login", "the realm of the router itself", "a refusal")
def test_login_to_another_realm_is_refused(node: CrossbarNode) -> None:
    assert "refused" in refusal(node, realm="crossbar")


@attempt(
    "login",
    "a page that ignores GOODBYE, whose user logs out everywhere",
    "it is cut off, and its cookie is refused",
)
def test_login_ends_with_the_users_sessions_and_for_good(node: CrossbarNode) -> None:
    person, other = logged_in(node, "bob"), logged_in(node, "alice")
    cookie = person.cookie
    page = Member.log_in(node.ws_url, cookie=cookie)
    stubborn = Member.log_in(node.ws_url, cookie=cookie)
    stubborn.session.ignores_goodbye = True
    with member(node.ws_url, cookie=other.cookie) as alice:
        assert person.post_json("logout") == {"ended": 2}
        assert page.session.left.result(LIMIT) == "wamp.close.killed"
        stubborn.session.left.result(LIMIT)
        assert refusal(node, cookie=cookie) == REFUSED
        assert alice.call("com.members.who") == ["alice", "user"]
    person.post("login/bob")
    with member(node.ws_url, cookie=person.cookie) as page:
        assert page.person == ("user", "bob")


def test_login_ends_from_the_process_that_serves(node: CrossbarNode) -> None:
    person = logged_in(node, "carol")
    page = Member.log_in(node.ws_url, cookie=person.cookie)
    with member(node.ws_url, cookie=logged_in(node, "alice").cookie) as alice:
        assert alice.call("com.members.end", "carol") == 1
        assert alice.call("com.members.end", "carol") == 0
    page.session.left.result(LIMIT)
    assert refusal(node, cookie=person.cookie) == REFUSED


@attempt(
    "rights",
    "going on with a role that was taken away",
    "the session ends at once; the page comes back with what it is now",
)
def test_login_gets_a_new_role_at_once(node: CrossbarNode, roles: Path) -> None:
    person = logged_in(node, "dora")
    page = Member.log_in(node.ws_url, cookie=person.cookie)
    assert page.person == ("user", "dora")
    roles.write_text("dora admin\n")
    assert person.post_json("reauthenticate/dora") == {"ended": 1}
    # As if the network had gone: clients come back by themselves.
    assert page.session.left.result(LIMIT) != "wamp.close.killed"
    with member(node.ws_url, cookie=person.cookie) as page:
        assert page.person == ("admin", "dora")


@pytest.mark.slow
@attempt(
    "login",
    "a cookie of before logging out, after the node was killed and started anew",
    "`wamp.error.not_authorized`",
)
def test_login_that_has_ended_has_ended_after_a_restart(roles: Path) -> None:
    node = CrossbarNode(members_config())
    with node:
        person, other = logged_in(node, "bob"), logged_in(node, "alice")
        cookie = person.cookie
        person.post("logout")
        file = node.directory / "flask-wamp-logins.sqlite3"
        assert {path.stat().st_mode & 0o777 for path in node.directory.glob(f"{file.name}*")} == {
            0o600
        }
        node.kill()
        node.start()
        assert refusal(node, cookie=cookie) == REFUSED
        with member(node.ws_url, cookie=other.cookie) as page:
            assert page.person == ("user", "alice")


@attempt(
    "rights",
    "calling the procedures by which the router asks who somebody is",
    "`wamp.error.not_authorized`",
)
@pytest.mark.parametrize("procedure", ["authenticate", "handshake", "end"])
def test_login_procedures_are_not_for_browsers(node: CrossbarNode, procedure: str) -> None:
    arguments: dict[str, list[Any]] = {
        "authenticate": ["realm1", "alice", {"session": 1, "authmethod": "anonymous"}],
        "handshake": [1],
        "end": [{"authid": "alice"}],
    }
    with member(node.ws_url) as page, pytest.raises(Exception, match="not_authorized"):
        page.call(f"flask_wamp.login.{procedure}", *arguments[procedure])


def test_login_tells_a_service_who_is_behind_a_session(node: CrossbarNode) -> None:
    cookie = logged_in(node, "alice").cookie
    trusted = f"ws://127.0.0.1:{node.port}/trusted"
    with connected(trusted) as service:
        with member(node.ws_url, cookie=cookie, headers={"X-Forwarded-For": "192.0.2.7"}) as page:
            told = service.call("flask_wamp.login.handshake", page.id)
            assert told == {
                "environ": {
                    "REMOTE_ADDR": "192.0.2.7",
                    "PATH_INFO": "/",
                    "wsgi.url_scheme": "http",
                    "HTTP_HOST": f"127.0.0.1:{node.port}",
                    "HTTP_COOKIE": cookie,
                    "HTTP_USER_AGENT": told["environ"]["HTTP_USER_AGENT"],
                },
                "method": "cookie",
                "authid": "alice",
                "authrole": "user",
            }
        wait_until(
            lambda: service.call("flask_wamp.login.handshake", page.id) is None,
            "the session is forgotten",
        )
        assert service.call("flask_wamp.login.handshake", service.id) is None
        with pytest.raises(Exception, match="not_authorized"):
            service.call("flask_wamp.login.authenticate", "realm1", "alice", {"session": 1})
