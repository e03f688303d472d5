"""Logging in: what goes to the router, what it may not do, and how often it is asked."""

import base64
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp._twisted.connection import connector as connector_module
from flask_wamp._twisted.connection.connector import LONGEST_REFUSED_DELAY, Connector
from flask_wamp.config import WampConfig

from ..doubles import FarEnd, Turns, welcome

TICKET = "a ticket"


class World(FarEnd):
    """A connector that logs in, its test reactor, and the router at the other end."""

    def __init__(self, turns: Turns, **config: Any) -> None:
        super().__init__()
        self.reactor.callFromThread = turns.call_from_thread
        self.turns = turns
        self.log: list[str] = []
        self.connector = Connector(
            self.reactor,
            WampConfig.from_mapping({"WAMP_URL": "unix:/run/router.sock", **config}),
            connecting=lambda: None,
            joined=lambda session: self.log.append("joined"),
            lost=lambda lost: self.log.append(lost[-1].reason),
        )
        self.connector.connect()

    def hello(self) -> message.Hello:
        """Accept the attempt, and return what the session says first."""
        self.accept()
        self.shake_hands()
        (hello,) = self.sent()
        assert isinstance(hello, message.Hello)
        return hello

    def answer(self) -> str:
        """Return the answer to a challenge."""
        self.turns.run_until(self.wire.value)
        (answer,) = self.sent()
        assert isinstance(answer, message.Authenticate)
        return str(answer.signature)

    def fails(self) -> str:
        """Return why the connector has closed the transport."""
        self.turns.run_until(lambda: self.reactor.advance(0) or self.wire.aborted)
        self.lose()
        assert "joined" not in self.log
        return self.log[-1]

    def refuse_login(self, text: str = "no") -> None:
        """Refuse the login."""
        self.receive(message.Abort("wamp.error.not_authorized", text))
        self.lose()


@pytest.fixture
def make(turns: Turns) -> Callable[..., World]:
    """Give a function that makes worlds."""
    return lambda **config: World(turns, **config)


SHOP = {"WAMP_AUTHID": "shop", "WAMP_TICKET": TICKET}


def test_login_without_credentials_says_nothing_of_them(make: Callable[..., World]) -> None:
    hello = make().hello()
    assert (hello.authid, hello.authmethods, hello.authextra) == (None, None, None)


def test_login_by_ticket(make: Callable[..., World]) -> None:
    world = make(**SHOP)
    hello = world.hello()
    assert (hello.realm, hello.authid, hello.authmethods) == ("realm1", "shop", ["ticket"])
    assert TICKET not in repr(hello)
    world.receive(message.Challenge("ticket"))
    assert world.answer() == TICKET
    world.receive(welcome())
    assert world.log == ["joined"]


def test_login_asks_the_function_each_time_and_off_the_reactors_thread(
    make: Callable[..., World],
) -> None:
    threads: list[str] = []

    def ticket() -> str:
        threads.append(threading.current_thread().name)
        return f"ticket {len(threads)}"

    world = make(**{**SHOP, "WAMP_TICKET": ticket})
    for number in (1, 2):
        world.hello()
        world.receive(message.Challenge("ticket"))
        assert world.answer() == f"ticket {number}"
        world.receive(welcome())
        world.lose()
        world.reactor.advance(world.delay)
    assert threads == ["flask-wamp login"] * 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "the login failed: the function WAMP_TICKET returned no text"),
        (b"bytes", "the login failed: the function WAMP_TICKET returned no text"),
        ("", "the login failed: the function WAMP_TICKET returned no text"),
    ],
)
def test_login_function_that_gives_none(make: Callable[..., World], given: Any, text: str) -> None:
    world = make(**{**SHOP, "WAMP_TICKET": lambda: given})
    world.hello()
    world.receive(message.Challenge("ticket"))
    assert world.fails() == text


def test_login_function_that_raises_says_so_in_the_log(
    make: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    def ticket() -> str:
        raise LookupError("none today")

    world = make(**{**SHOP, "WAMP_TICKET": ticket})
    world.hello()
    world.receive(message.Challenge("ticket"))
    assert "the function WAMP_TICKET raised LookupError, see the log" in world.fails()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "none today" in caplog.text
    assert world.wire.value() == b""


def test_login_answer_that_comes_too_late_goes_nowhere(
    make: Callable[..., World], turns: Turns
) -> None:
    go_on = threading.Event()
    world = make(**{**SHOP, "WAMP_TICKET": lambda: go_on.wait(20) and TICKET})
    world.hello()
    world.receive(message.Challenge("ticket"))
    world.lose()
    world.reactor.advance(world.delay)
    world.hello()
    go_on.set()
    world.receive(message.Challenge("ticket"))
    assert world.answer() == TICKET


@pytest.mark.parametrize(
    ("do", "text"),
    [
        (welcome, "let the session in by 'anonymous' and without a challenge"),
        (lambda: message.Challenge("wampcra", {"challenge": "x"}), "asks for 'wampcra', not for"),
    ],
    ids=["welcome", "another challenge"],
)
def test_login_that_the_router_makes_something_else_of(
    make: Callable[..., World], do: Callable[[], Any], text: str
) -> None:
    world = make(**SHOP)
    world.hello()
    world.receive(do())
    assert text in world.fails()
    assert TICKET not in repr(world.wire.value())


def test_login_is_asked_for_once(make: Callable[..., World]) -> None:
    world = make(**SHOP)
    world.hello()
    world.receive(message.Challenge("ticket"))
    world.answer()
    world.receive(message.Challenge("ticket"))
    assert "asks for 'ticket', not for 'ticket' once" in world.fails()


def test_login_of_scram_takes_no_welcome_without_a_proof(make: Callable[..., World]) -> None:
    world = make(WAMP_AUTHID="shop", WAMP_SECRET="s", WAMP_AUTHMETHOD="scram")
    nonce = world.hello().authextra["nonce"]
    extra = {"nonce": nonce, "kdf": "argon2id-13", "salt": base64.b64encode(b"x" * 16).decode()}
    world.receive(message.Challenge("scram", {**extra, "iterations": 1, "memory": 64}))
    world.answer()
    world.receive(welcome())
    assert "the router does not prove that it knows the password" in world.fails()


def test_login_that_is_asked_for_and_not_there(make: Callable[..., World]) -> None:
    world = make()
    world.hello()
    world.receive(message.Challenge("ticket"))
    assert "asks for 'ticket', and there are no credentials: set WAMP_AUTHID" in world.fails()


def test_login_refused_says_why_without_the_ticket(make: Callable[..., World]) -> None:
    world = make(**SHOP)
    world.hello()
    world.receive(message.Challenge("ticket"))
    world.answer()
    world.refuse_login(f"the ticket {TICKET!r} is wrong")
    assert world.log == [
        "the router refused the login to 'realm1': wamp.error.not_authorized: the ticket '***' is wrong"
    ]


def test_login_refused_is_tried_again_less_and_less_often(make: Callable[..., World]) -> None:
    """From a second on, up to half a minute; once it is let in, a loss is made good at once."""
    world = make(**SHOP)
    delays = []
    for _ in range(12):
        world.hello()
        world.refuse_login()
        delays.append(world.delay)
        world.reactor.advance(world.delay)
    assert delays[0] >= 0.5
    assert sum(delays[:4]) < sum(delays[4:8]) < sum(delays[8:])
    assert 0.5 * LONGEST_REFUSED_DELAY <= delays[-1] <= LONGEST_REFUSED_DELAY
    world.hello()
    world.receive(message.Challenge("ticket"))
    world.answer()
    world.receive(welcome())
    world.lose()
    assert world.delay <= 1.2 * connector_module.FIRST_DELAY


def test_login_after_a_refusal_does_not_wait_long_for_a_router_that_is_away(
    make: Callable[..., World],
) -> None:
    world = make(**SHOP)
    for _ in range(12):
        world.hello()
        world.refuse_login()
        world.reactor.advance(world.delay)
    world.refuse()
    world.reactor.advance(world.delay)
    world.refuse()
    assert world.delay <= 1.2 * connector_module.LONGEST_DELAY
