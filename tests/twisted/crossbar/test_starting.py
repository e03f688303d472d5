"""Calls that come while a node starts wait for the process that will serve them."""

from collections.abc import Callable
from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.task import Clock

from flask_wamp.crossbar.starting import MOST_OF_ONE, MOST_WAITING, Starting

ADD, BUY, OTHER = "com.test.add", "com.test.buy", "com.other"
PAGE = 1


class Router:
    """A router of a node that starts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.missing = {(ADD, "exact"), (BUY, "exact"), ("com.test.of.", "prefix")}
        self.sessions = {PAGE, 2}
        self.done: list[str] = []
        self.refused: list[tuple[int, str]] = []
        self.is_shown = True
        self.starting = Starting(self, self.clock, lambda: self.missing)  # type: ignore[arg-type]

    def show(
        self,
        keeps: Callable[[int, message.Call, Callable[[], None]], bool],
        cancels: Callable[[int, message.Cancel], bool],
    ) -> None:
        """Show calls."""
        self._keeps, self._cancels = keeps, cancels

    def show_no_more(self) -> None:
        """Show none."""
        self.is_shown = False

    def has(self, session: int) -> bool:
        """Tell whether a session is there."""
        return session in self.sessions

    def refuse(self, session: int, call: message.Call, uri: str, text: str) -> None:
        """Note an error."""
        assert text
        if session in self.sessions:
            self.refused.append((call.request, uri))

    def call(self, uri: str, number: int = 1, session: int = PAGE, **details: Any) -> None:
        """Take a call of a peer."""
        call = message.Call(number, uri, **details)
        if not self._keeps(session, call, lambda: self.done.append(uri)):
            self.done.append(uri)

    def cancel(self, number: int) -> bool:
        """Take a peer's word that it wants no answer."""
        return self._cancels(PAGE, message.Cancel(number))

    def register(self, uri: str) -> None:
        """Let a process serve a procedure."""
        self.missing = {found for found in self.missing if found[0] != uri}
        self.starting.looked()


@pytest.fixture
def router() -> Router:
    """Give a router."""
    return Router()


def test_call_waits_for_its_procedure_and_no_other(router: Router) -> None:
    router.call(BUY, 1)
    router.call(ADD, 2)
    router.call(OTHER, 3)
    router.call("com.test.of.alice", 4)
    assert router.done == [OTHER]
    router.register(ADD)
    assert router.done == [OTHER, ADD]
    router.call(ADD, 5)
    assert router.done == [OTHER, ADD, ADD]
    router.register("com.test.of.")
    assert router.done[3:] == ["com.test.of.alice"]


def test_calls_go_on_in_order_when_none_is_to_wait_longer(router: Router) -> None:
    for number, uri in enumerate((ADD, BUY, ADD)):
        router.call(uri, number)
    router.starting.end()
    assert router.done == [ADD, BUY, ADD]
    assert not router.is_shown


def test_call_of_a_session_that_has_gone_is_dropped(router: Router) -> None:
    router.call(ADD, 1, session=2)
    router.call(ADD, 1)
    router.sessions.remove(2)
    router.register(ADD)
    assert router.done == [ADD]


def test_call_that_is_canceled_never_runs(router: Router) -> None:
    router.call(ADD, 7)
    assert router.cancel(7)
    assert not router.cancel(7)
    router.register(ADD)
    assert (router.done, router.refused) == ([], [(7, "wamp.error.canceled")])


def test_call_waits_no_longer_than_its_timeout(router: Router) -> None:
    router.call(ADD, 1, timeout=2)
    router.call(BUY, 2, timeout=2)
    router.clock.advance(1.9)
    router.register(BUY)
    router.clock.advance(0.1)
    assert (router.done, router.refused) == ([BUY], [(1, "wamp.error.canceled")])
    assert not router.clock.getDelayedCalls()


def test_calls_are_answered_when_the_node_stops(router: Router) -> None:
    router.call(ADD, 1, timeout=5)
    router.starting.stop()
    assert (router.done, router.refused) == ([], [(1, "wamp.error.unavailable")])
    assert not router.clock.getDelayedCalls()
    assert not router.is_shown


@pytest.mark.parametrize("details", [{"args": ["x" * 20_000]}, {"kwargs": {"a": [0] * 300}}])
def test_long_call_does_not_wait(router: Router, details: dict[str, Any]) -> None:
    router.call(ADD, 1, **details)
    assert router.done == [ADD]


def test_calls_that_wait_are_bounded(router: Router) -> None:
    for number in range(MOST_OF_ONE + 1):
        router.call(ADD, number)
    assert router.done == [ADD]
    router.sessions.update(range(100, 100 + MOST_WAITING))
    for session in range(100, 100 + MOST_WAITING - MOST_OF_ONE):
        router.call(BUY, 1, session)
    assert router.done == [ADD]
    router.call(BUY, 1, session=2)
    assert router.done == [ADD, BUY]
    # Those who have left make room.
    router.sessions.remove(100)
    router.call(BUY, 2, session=2)
    assert router.done == [ADD, BUY]
