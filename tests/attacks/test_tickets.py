"""Tickets that are none, or somebody else's."""

import secrets
import time

import pytest
from flask import Flask

from flask_wamp.login.tickets import issue_ticket
from tests.attempts import attempt
from tests.node.logins import REFUSED

from .app import KEY
from .conftest import Fort

pytestmark = pytest.mark.node


def forged(key: str = KEY, authid: str = "alice", role: str = "user", expires: float = 60) -> str:
    """Return a ticket of an application with that key."""
    app = Flask("forger")
    app.secret_key = key
    return issue_ticket(app, authid, role, expires, once=False)


def test_ticket_of_these_tests_is_the_applications(fort: Fort) -> None:
    """What the others change is right in everything else."""
    assert fort.person("ticket", authid="alice", ticket=forged()) == ("user", "alice")


@attempt("login", "a ticket that another key has signed", "`wamp.error.not_authorized`")
def test_ticket_of_another_key(fort: Fort) -> None:
    for key in ("another key", KEY[:-1]):
        assert fort.refusal("ticket", authid="alice", ticket=forged(key)) == REFUSED


@attempt("login", "a ticket that has expired", "`wamp.error.not_authorized`")
def test_ticket_that_has_expired(fort: Fort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_wamp.login.tickets._now", lambda: int(time.time() * 1000) - 61_000)
    late = forged()
    monkeypatch.undo()
    assert fort.refusal("ticket", authid="alice", ticket=late) == REFUSED


@attempt("login", "a ticket from the future", "`wamp.error.not_authorized`")
def test_ticket_that_was_not_made_yet(fort: Fort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_wamp.login.tickets._now", lambda: int(time.time() * 1000) + 3600_000)
    early = forged()
    monkeypatch.undo()
    assert fort.refusal("ticket", authid="alice", ticket=early) == REFUSED


@attempt("login", "somebody else's ticket", "`wamp.error.not_authorized`")
def test_ticket_of_somebody_else(fort: Fort) -> None:
    ticket = fort.ticket("alice")
    for authid in ("root", "Alice", "alice ", "x" * 200):
        assert fort.refusal("ticket", authid=authid, ticket=ticket) == REFUSED
    # What was refused has not used it up.
    assert fort.person("ticket", authid="alice", ticket=ticket) == ("user", "alice")


@attempt("login", "a ticket that was used", "`wamp.error.not_authorized`")
def test_ticket_that_was_used(fort: Fort) -> None:
    ticket = fort.ticket("alice")
    assert fort.person("ticket", authid="alice", ticket=ticket) == ("user", "alice")
    assert fort.refusal("ticket", authid="alice", ticket=ticket) == REFUSED


@attempt("login", "a cookie as a ticket, or a ticket as a cookie", "nobody is let in as a user")
def test_ticket_is_no_cookie(fort: Fort) -> None:
    value = fort.logged_in("alice").cookie.partition("=")[2]
    assert fort.refusal("ticket", authid="alice", ticket=value) == REFUSED
    cookie = f"session={fort.ticket('alice', many=True)}"
    assert fort.person(cookie=cookie)[0] == "anonymous"


@attempt("login", "a ticket that says `backend` or `trusted`", "`wamp.error.not_authorized`")
def test_ticket_for_services(fort: Fort, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an application might issue it that takes the role from a form."""
    monkeypatch.setattr("flask_wamp.login.tickets.problem_of_role", lambda role: None)
    for role in ("backend", "trusted", "nobody", ""):
        ticket = forged(role=role)
        assert fort.refusal("ticket", authid="alice", ticket=ticket) == REFUSED


@attempt(
    "login", "guesses of tickets, each with its cookies", "no cookie counts where a ticket is asked"
)
def test_ticket_with_the_cookie_of_somebody(fort: Fort) -> None:
    cookie = fort.logged_in("alice").cookie
    guess = secrets.token_urlsafe(30)
    assert fort.refusal("ticket", authid="alice", ticket=guess, cookie=cookie) == REFUSED
