"""Who a page is: the function of the application, or Flask-Login, and what it may return."""

from pathlib import Path
from typing import Any

import pytest
from cachelib.file import FileSystemCache
from flask import Flask, abort, g, redirect, request, session
from flask_login import LoginManager, UserMixin, login_user
from flask_session import Session

from flask_wamp import WAMP, ApplicationError, DeclarationError
from flask_wamp.login import Handshake
from flask_wamp.login.authenticator import Accepted, Authenticator
from flask_wamp.login.entering import Refused
from flask_wamp.login.names import MAX_AUTHID
from flask_wamp.state import state_of

from .support import LOGIN, application, cookie, page


def authenticator(app: Flask) -> Authenticator:
    """Return the one of *app*."""
    return Authenticator(app, state_of(app).registry)


def answering(answer: Any) -> tuple[Flask, WAMP]:
    """Return an application whose function returns *answer*, or raises it."""
    app, wamp = application()

    @wamp.authenticate
    def who() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return app, wamp


class User(UserMixin):
    """A user of Flask-Login."""

    def __init__(self, number: str) -> None:
        self.id = number

    @property
    def is_active(self) -> bool:
        """Whether the user may log in."""
        return bool(self.id != "blocked")


def with_flask_login() -> Flask:
    """Return an application with Flask-Login, whose user "gone" was deleted."""
    app, _wamp = application()
    manager = LoginManager(app)

    @manager.user_loader
    def load(number: str) -> User | None:
        return None if number == "gone" else User(number)

    return app


def flask_login_page(app: Flask, number: str, **more: Any) -> Handshake:
    """Return the handshake of a page whose user has logged in."""
    return page(app, _user_id=number, _fresh=True, _wamp_login=LOGIN, **more)


def test_authenticator_without_flask_login_takes_all_for_visitors() -> None:
    app, _wamp = application()
    first = authenticator(app).accept(page(app))
    assert first.authrole == "anonymous"
    assert first.login is None
    assert first.authid != authenticator(app).accept(page(app)).authid


def test_authenticator_knows_the_user_of_flask_login() -> None:
    app = with_flask_login()
    handshake = flask_login_page(app, "7")
    accepted = authenticator(app).accept(handshake)
    assert accepted == Accepted("user", "7", handshake, LOGIN, 1700000000000)
    assert authenticator(app).decide(flask_login_page(app, "7")) == ("user", "7")


def test_authenticator_knows_a_session_that_the_server_keeps(tmp_path: Path) -> None:
    app = with_flask_login()
    app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path)))
    Session(app)

    @app.post("/login")
    def login() -> str:
        login_user(User("7"))
        session["_wamp_login"] = LOGIN
        return ""

    @app.post("/logout")
    def logout() -> str:
        session.clear()
        return ""

    client = app.test_client()
    client.post("/login")
    kept = client.get_cookie("session")
    assert kept is not None
    handshake = page(app, f"session={kept.value}")
    accepted = authenticator(app).accept(handshake)
    assert accepted == Accepted("user", "7", handshake, LOGIN, 1700000000000)
    client.post("/logout")
    assert authenticator(app).accept(handshake).authrole == "anonymous"
    assert authenticator(app).accept(page(app, "session=invented")).authrole == "anonymous"


@pytest.mark.parametrize("number", ["gone", "blocked"])
def test_authenticator_takes_who_cannot_log_in_for_a_visitor(number: str) -> None:
    app = with_flask_login()
    assert authenticator(app).accept(flask_login_page(app, number)).authrole == "anonymous"


def test_authenticator_heeds_the_session_protection_of_flask_login() -> None:
    app = with_flask_login()
    app.config["SESSION_PROTECTION"] = "strong"
    app.login_manager.session_protection = "strong"  # type: ignore[attr-defined]
    stolen = flask_login_page(app, "7", _id="of another browser")
    assert authenticator(app).accept(stolen).authrole == "anonymous"


@pytest.mark.parametrize("change", ["forge", "truncate", "foreign key"])
def test_authenticator_takes_a_cookie_that_is_not_the_applications_for_none(change: str) -> None:
    app = with_flask_login()
    content: dict[str, Any] = {"_user_id": "7", "_fresh": True, "_wamp_login": LOGIN}
    good = cookie(app, **content)
    header = {
        "forge": good.replace("session=", "session=x"),
        "truncate": good[:-1],
        "foreign key": cookie(app, key="another key", **content),
    }[change]
    assert authenticator(app).accept(page(app, good)).authrole == "user"
    assert authenticator(app).accept(page(app, header)).authrole == "anonymous"


@pytest.mark.parametrize("login", [None, "", "x.abcdefghijk", "17.short", 17, "1" * 99])
def test_authenticator_refuses_a_user_whose_login_has_no_id(login: Any) -> None:
    app = with_flask_login()
    with pytest.raises(Refused, match="no login id"):
        authenticator(app).accept(page(app, _user_id="7", _fresh=True, _wamp_login=login))


def test_authenticator_lets_a_visitor_in_whose_session_has_no_login_id() -> None:
    app = with_flask_login()
    accepted = authenticator(app).accept(page(app, basket=[1], user_id=7))
    assert accepted.authrole == "anonymous"
    # A guard would know a user by it, and nobody the end of his login.
    assert "HTTP_COOKIE" not in accepted.handshake.environ


def test_authenticator_knows_the_login_of_a_visitor_too() -> None:
    """Without @wamp.authenticate everybody is one, and the application's own guards know users."""
    app, _wamp = application()
    handshake = page(app, user_id=7, _wamp_login=LOGIN)
    accepted = authenticator(app).accept(handshake)
    assert (accepted.authrole, accepted.login) == ("anonymous", LOGIN)
    assert accepted.handshake == handshake


def test_authenticator_runs_the_tutorials_loader_before_the_function() -> None:
    app, wamp = application()

    @app.before_request
    def load_logged_in_user() -> None:
        assert request.endpoint is None
        g.user = session.get("user_id")

    @app.route("/<path:everything>")
    def catch_all(everything: str) -> str:
        raise AssertionError("no view is to be run")

    @wamp.authenticate
    def who() -> Any:
        return None if g.user is None else ("user", str(g.user))

    assert authenticator(app).decide(page(app, user_id=7, _wamp_login=LOGIN)) == ("user", "7")
    assert authenticator(app).decide(page(app)) is None


def test_authenticator_gives_the_handshake_to_who_takes_it() -> None:
    app, wamp = application()
    seen: list[Handshake] = []

    @wamp.authenticate
    async def who(handshake: Handshake) -> str:
        seen.append(handshake)
        return "anonymous"

    handshake = page(app)
    authenticator(app).accept(handshake)
    assert seen == [handshake]


@pytest.mark.parametrize("answer", ["redirect", "text"])
def test_authenticator_refuses_where_a_guard_answers(answer: str) -> None:
    app, _wamp = answering("anonymous")
    app.before_request(lambda: redirect("/login") if answer == "redirect" else "closed")
    with pytest.raises(Refused, match="before_request"):
        authenticator(app).accept(page(app))


@pytest.mark.parametrize("code", [401, 403, 404])
def test_authenticator_refuses_quietly_where_a_guard_aborts(code: int) -> None:
    app, _wamp = answering("anonymous")

    @app.before_request
    def guard() -> None:
        abort(code)

    assert authenticator(app).decide(page(app)) is None


def test_authenticator_refuses_a_host_that_is_not_the_applications() -> None:
    app, _wamp = answering("anonymous")
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    assert authenticator(app).decide(page(app)) is None


@pytest.mark.parametrize("answer", [None, False, ApplicationError("com.shop.error.closed")])
def test_authenticator_refuses_quietly(answer: Any) -> None:
    app, _wamp = answering(answer)
    assert authenticator(app).decide(page(app)) is None


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("user")])
def test_authenticator_lets_a_defect_be_seen(error: Exception) -> None:
    app, _wamp = answering(error)
    with pytest.raises(type(error)):
        authenticator(app).decide(page(app))


@pytest.mark.parametrize(
    "answer",
    [
        True,
        7,
        {},
        (),
        ("user",),
        ("user", "7", "8"),
        ("user", 7),
        ("user", None),
        ("user", ""),
        ("user", "x" * (MAX_AUTHID + 1)),
        ("user", "a\nb"),
        ("user", "a\u202eb"),
        ("trusted", "7"),
        "trusted",
        "",
        "a role",
        (None, "7"),
        ("x" * 65, "7"),
    ],
)
def test_authenticator_refuses_nonsense(answer: Any) -> None:
    app, _wamp = answering(answer)
    with pytest.raises(TypeError):
        authenticator(app).decide(page(app))


def test_authenticator_makes_a_name_for_a_role_alone() -> None:
    app, _wamp = answering("guest")
    decided = authenticator(app).decide(page(app))
    assert decided is not None
    assert decided[0] == "guest"
    assert len(decided[1]) >= 16


def test_authenticate_stands_on_one_function_that_takes_the_handshake_at_most() -> None:
    _app, wamp = application()
    with pytest.raises(DeclarationError, match="takes no argument, or the handshake"):
        wamp.authenticate(lambda one, two: None)
    with pytest.raises(DeclarationError, match="stands on a function"):
        wamp.authenticate("user")  # type: ignore[type-var]
    wamp.authenticate(lambda: None)
    with pytest.raises(DeclarationError, match="already"):
        wamp.authenticate(lambda: None)


def test_credentials_stand_on_a_function_for_each_method() -> None:
    _app, wamp = application()
    with pytest.raises(DeclarationError, match="give one of 'wampcra'"):
        wamp.credentials("password")
    with pytest.raises(DeclarationError, match="takes one argument, the authid"):
        wamp.credentials("wampcra")(lambda: None)
    with pytest.raises(DeclarationError, match="takes one argument, the certificate"):
        wamp.credentials("tls")(lambda: None)
    with pytest.raises(DeclarationError, match="stands on a function"):
        wamp.credentials("scram")(None)  # type: ignore[type-var]
    wamp.credentials("scram")(lambda authid: None)
    with pytest.raises(DeclarationError, match="already"):
        wamp.credentials("scram")(lambda authid: None)
