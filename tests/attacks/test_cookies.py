"""Cookies that are not, or not any more, those of a user who is logged in."""

import time
from typing import Any

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from tests.attempts import attempt
from tests.node.logins import REFUSED, member
from tests.node.support import HELLO, LIMIT, WELCOME, RawPeer

from .app import KEY
from .conftest import Fort

pytestmark = pytest.mark.node

MONTH = 31 * 24 * 3600


def session_cookie(content: dict[str, Any], key: str = KEY) -> str:
    """Return the header of a cookie as Flask makes it."""
    app = Flask("forger")
    app.secret_key = key
    signer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return f"session={signer.dumps(content)}"


def alice() -> dict[str, Any]:
    """Return what the session of a user has in it."""
    login = f"{time.time_ns() // 10**6}.a-login-that-the-node-has-not-seen"
    return {"_user_id": "alice", "_fresh": True, "_wamp_login": login}


def test_cookie_of_these_tests_is_the_applications(fort: Fort) -> None:
    """What the others change is right in everything else."""
    assert fort.person(cookie=session_cookie(alice())) == ("user", "alice")


@attempt("login", "a cookie that another key has signed", "a visitor, who may do what visitors may")
def test_cookie_of_another_key(fort: Fort) -> None:
    for key in ("another key", "", KEY[:-1]):
        if key:
            assert fort.person(cookie=session_cookie(alice(), key))[0] == "anonymous"


@attempt(
    "login",
    "a cookie that was forged, truncated, or is none at all",
    "a visitor, who may do what visitors may",
)
@pytest.mark.parametrize("how", ["content", "signature", "truncated", "unsigned", "rubbish"])
def test_cookie_that_was_changed(fort: Fort, how: str) -> None:
    good, root = session_cookie(alice()), session_cookie({**alice(), "_user_id": "root"}, "x")
    body, stamp, signature = good.rsplit(".", 2)
    cookie = {
        "content": f"{root.rsplit('.', 2)[0]}.{stamp}.{signature}",
        "signature": f"{body}.{stamp}.{'A' * len(signature)}",
        "truncated": good[:-2],
        "unsigned": body,
        "rubbish": "session=%00\xff;session",
    }[how]
    assert fort.person(cookie=cookie)[0] == "anonymous"


@attempt("login", "a cookie that has expired", "a visitor, who may do what visitors may")
def test_cookie_that_has_expired(fort: Fort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: int(time.time()) - MONTH - 1)
    cookie = session_cookie(alice())
    monkeypatch.undo()
    assert fort.person(cookie=cookie)[0] == "anonymous"


@attempt(
    "login",
    "a cookie that was kept, and is sent after logging out",
    "the sessions end at once; whoever comes with it is refused",
)
def test_cookie_after_logging_out(fort: Fort) -> None:
    person, other = fort.logged_in(), fort.logged_in()
    cookie = person.cookie
    with (
        member(fort.url, cookie=cookie) as page,
        member(fort.url, cookie=other.cookie) as bystander,
    ):
        assert page.call("com.fort.hall") == "in"
        person.post("logout")
        assert page.session.left.result(LIMIT) == "wamp.close.killed"
        assert fort.refusal(cookie=cookie) == REFUSED
        assert fort.refusal(cookie=cookie, origin=fort.node.url.rstrip("/")) == REFUSED
        assert bystander.call("com.fort.hall") == "in"
    assert fort.person(cookie=person.cookie)[0] == "anonymous"


@attempt("login", "the cookie of a user who was deleted", "a visitor, who may do what visitors may")
def test_cookie_of_a_deleted_user(fort: Fort) -> None:
    person = fort.logged_in()
    assert fort.person(cookie=person.cookie)[0] == "user"
    person.post("delete")
    assert fort.person(cookie=person.cookie)[0] == "anonymous"


@attempt(
    "login",
    "the cookie of a user, without the id by which logging out knows it",
    "`wamp.error.not_authorized`",
)
@pytest.mark.parametrize("login", [None, 1, "", "0", "1.x", "x" * 300, "1." + "x" * 300])
def test_cookie_without_a_login_id(fort: Fort, login: Any) -> None:
    content = {key: value for key, value in alice().items() if key != "_wamp_login"}
    if login is not None:
        content["_wamp_login"] = login
    assert fort.refusal(cookie=session_cookie(content)) == REFUSED


@attempt(
    "login",
    "a cookie of another page's, whose login is not for WebSockets of that origin",
    "a visitor where the origin may connect, else no connection",
)
def test_cookie_with_the_origin_of_another_page(fort: Fort) -> None:
    cookie = fort.logged_in().cookie
    port = fort.node.port
    assert fort.person(cookie=cookie, origin=f"http://127.0.0.1:{port}")[0] == "user"
    # The name that this machine has as well is another site.
    assert fort.person(cookie=cookie, origin=f"http://localhost:{port}")[0] == "anonymous"
    for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", "null", "file://", "x"):
        with pytest.raises(ConnectionRefusedError):
            RawPeer(fort.url, origin=origin)


@attempt(
    "login", "a login in the HELLO: `authrole`, `authid`, `authextra`", "the router's own word"
)
def test_login_that_a_hello_claims(fort: Fort) -> None:
    for claim in (
        {"authrole": "backend", "authid": "root"},
        {"authrole": "trusted"},
        {"authextra": {"authrole": "admin", "x_cb_node": "x", "cookie": session_cookie(alice())}},
        {"authmethods": ["anonymous"], "authrole": "admin", "authid": "root"},
    ):
        peer = RawPeer(fort.url)
        answer = peer.request([HELLO, "realm1", {"roles": {"caller": {}}, **claim}])
        assert answer[0] == WELCOME
        assert answer[2]["authrole"] == "anonymous"
        assert answer[2]["authid"] != "root"
        peer.close()
