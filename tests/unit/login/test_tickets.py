"""Tickets: who may log in with one, and what is none."""

import time
from typing import Any

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer

from flask_wamp import OptionError, SetupError
from flask_wamp.login import tickets
from flask_wamp.login.entering import Refused
from flask_wamp.login.names import MAX_AUTHID
from flask_wamp.login.tickets import MAX_TICKET, read_ticket

from .support import KEY, application


def test_ticket_says_who_may_log_in() -> None:
    app, wamp = application()
    before = time.time_ns() // 1_000_000
    ticket = wamp.issue_ticket("alice", role="admin", expires=90, once=False)
    read = read_ticket(app, ticket, "alice")
    assert (read.authid, read.authrole, read.once) == ("alice", "admin", False)
    assert before <= read.made == read.expires - 90_000
    other = read_ticket(app, wamp.issue_ticket("alice"), "alice")
    assert (other.authrole, other.once, other.expires - other.made) == ("user", True, 60_000)
    assert other.number != read.number


def test_ticket_is_valid_after_a_new_key_that_has_the_old_one_behind_it() -> None:
    app, wamp = application()
    ticket = wamp.issue_ticket("alice")
    app.secret_key = "the new one"
    with pytest.raises(Refused, match="not signed"):
        read_ticket(app, ticket, "alice")
    app.config["SECRET_KEY_FALLBACKS"] = [KEY]
    assert read_ticket(app, ticket, "alice").authid == "alice"
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert read_ticket(app, wamp.issue_ticket("alice"), "alice").authid == "alice"


def test_ticket_of_the_longest_authid_is_valid() -> None:
    app, wamp = application()
    authid = "".join(chr(0x20000 + (number * 7919) % 40_000) for number in range(MAX_AUTHID))
    assert read_ticket(app, wamp.issue_ticket(authid), authid).authid == authid


@pytest.mark.parametrize("authid", ["bob", "", "Alice", "alice ", None, 7, "\ud800"])
def test_ticket_is_for_its_own_authid(authid: Any) -> None:
    app, wamp = application()
    with pytest.raises(Refused, match="another authid"):
        read_ticket(app, wamp.issue_ticket("alice"), authid)


def test_ticket_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    app, wamp = application()
    ticket = wamp.issue_ticket("alice", expires=60)
    now = tickets._now()
    monkeypatch.setattr(tickets, "_now", lambda: now + 59_000)
    assert read_ticket(app, ticket, "alice")
    monkeypatch.setattr(tickets, "_now", lambda: now + 61_000)
    with pytest.raises(Refused, match="expired"):
        read_ticket(app, ticket, "alice")


def test_ticket_that_was_changed_is_none() -> None:
    app, wamp = application()
    ticket = wamp.issue_ticket("alice")
    changed = [ticket[:place] + "~" + ticket[place + 1 :] for place in range(len(ticket))]
    cut = [ticket[:length] for length in range(len(ticket))]
    for each in (*changed, *cut, ticket + "x", " " + ticket):
        with pytest.raises(Refused):
            read_ticket(app, each, "alice")


@pytest.mark.parametrize("ticket", [None, 7, b"x", "", "é", "\ud800", ".", "x" * (MAX_TICKET + 1)])
def test_ticket_is_a_text_of_the_applications(ticket: Any) -> None:
    app, _wamp = application()
    with pytest.raises(Refused):
        read_ticket(app, ticket, "alice")


@pytest.mark.parametrize("salt", ["cookie-session", "itsdangerous"])
def test_ticket_is_no_other_thing_that_the_key_has_signed(salt: str) -> None:
    app, wamp = application()
    content = URLSafeSerializer(KEY, salt=tickets._SALT).loads_unsafe(wamp.issue_ticket("alice"))[1]
    assert content["a"] == "alice"
    with pytest.raises(Refused, match="not signed"):
        read_ticket(app, str(URLSafeSerializer(KEY, salt=salt).dumps(content)), "alice")


@pytest.mark.parametrize("content", [[], "x", {}, {"a": "alice"}, {"a": "alice", "e": None}])
def test_ticket_that_says_something_else_is_none(content: Any) -> None:
    app, _wamp = application()
    with pytest.raises(Refused):
        read_ticket(app, str(tickets._signer(app).dumps(content)), "alice")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"authid": ""}, "authid"),
        ({"authid": 7}, "authid"),
        ({"authid": "a\tb"}, "control"),
        ({"role": "trusted"}, "trusted"),
        ({"role": None}, "role"),
        ({"expires": 0}, "expires"),
        ({"expires": -1}, "expires"),
        ({"expires": True}, "expires"),
        ({"expires": "60"}, "expires"),
        ({"expires": float("nan")}, "expires"),
        ({"expires": 1e12}, "expires"),
    ],
)
def test_ticket_is_not_issued(options: dict[str, Any], match: str) -> None:
    _app, wamp = application()
    with pytest.raises(OptionError, match=match):
        wamp.issue_ticket(**{"authid": "alice", **options})


def test_ticket_needs_a_key() -> None:
    app, wamp = application()
    app.secret_key = None
    with pytest.raises(SetupError, match="set one"):
        wamp.issue_ticket("alice")
    with pytest.raises(Refused):
        read_ticket(Flask("other"), "x.y", "alice")
