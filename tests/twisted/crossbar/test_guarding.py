"""How long peers have to log in."""

from typing import Any

from autobahn.wamp.message import Hello
from autobahn.wamp.role import RoleCallerFeatures
from twisted.internet.task import Clock

from flask_wamp.crossbar.guarding import JOIN_WITHIN, LOGINS_AT_ONCE, Guard
from flask_wamp.crossbar.unread import LOOK, MAX_UNSENT_OF_SERVICE


class Peer:
    """A session of a transport."""

    transport = object()
    session_id = None
    guarded: Any = None

    def unsent(self) -> int:
        """Return the bytes that wait for it."""
        return self.waiting

    def __init__(self, guard: Guard) -> None:
        self.heard: list[Any] = []
        self.is_closed = False
        self.waiting = 0
        untyped: Any = self
        guard.opened(untyped)
        guard.passes(
            untyped, Hello("realm1", {"caller": RoleCallerFeatures()}, authmethods=["ticket"])
        )

    def method_for(self, offered: list[str] | None) -> str:
        """Return the method that the router takes."""
        return (offered or ["anonymous"])[0]

    def go_on(self, msg: Any) -> None:
        """Take a message that the guard lets pass."""
        self.heard.append(msg)

    def close(self, _code: int, _reason: str) -> None:
        """Close the connection."""
        self.is_closed = True

    def drop(self) -> None:
        """Cut it off."""


def test_time_to_join_stands_still_for_who_stands_in_line() -> None:
    clock = Clock()
    guard = Guard(clock)
    guard.address_of = lambda _session: "192.0.2.1"
    inside = [Peer(guard) for _ in range(LOGINS_AT_ONCE)]
    waiting: Any = Peer(guard)
    assert all(peer.heard for peer in inside)
    clock.advance(JOIN_WITHIN / 2)
    gone: Any = inside[0]
    clock.pump([JOIN_WITHIN / 2 + 1, 0])
    assert all(peer.is_closed for peer in inside)
    assert (waiting.heard, waiting.is_closed) == ([], False)
    guard.closed(gone)
    clock.advance(0)
    assert waiting.heard
    clock.pump([JOIN_WITHIN - 1, 0])
    assert not waiting.is_closed
    clock.pump([1, 0])
    assert waiting.is_closed


def test_who_leaves_the_line_has_no_time_running() -> None:
    clock = Clock()
    guard = Guard(clock)
    guard.address_of = lambda _session: "192.0.2.1"
    inside: Any = [Peer(guard) for _ in range(LOGINS_AT_ONCE)]
    waiting: Any = Peer(guard)
    guard.closed(waiting)
    for peer in inside:
        guard.closed(peer)
    clock.advance(0)
    assert not waiting.heard
    assert clock.getDelayedCalls() == []


def test_services_may_let_more_wait_but_not_without_end() -> None:
    said: list[str] = []
    clock = Clock()
    guard: Any = Guard(clock)
    guard.complaints.say = lambda what, line: said.append(f"{what}: {line}")
    guard.address_of = lambda _session: None
    guard.is_service = lambda session: session is service
    service: Any = Peer(guard)
    stranger: Any = Peer(guard)
    for peer in (service, stranger):
        guard.joined(peer)
        peer.waiting = MAX_UNSENT_OF_SERVICE
    clock.advance(LOOK)
    assert (service.is_closed, stranger.is_closed) == (False, True)
    service.waiting += 1
    clock.advance(LOOK)
    assert service.is_closed
    assert ["256 MiB" in line for line in said] == [False, True]
    guard.closed(service)
    guard.closed(stranger)
