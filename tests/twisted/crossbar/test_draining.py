"""The router's process takes nothing new, and finishes what it has accepted."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from flask_wamp._twisted.engine.router_sessions import GuardedSession
from flask_wamp._twisted.serve.leaving import SYSTEM_SHUTDOWN
from flask_wamp.crossbar import accepted
from flask_wamp.crossbar.draining import FLUSH, LOOK, Draining
from flask_wamp.crossbar.guarding import Guard


class Accepted:
    """What has been accepted, as the test says."""

    def __init__(self, calls: int = 0, requests: int = 0) -> None:
        self.closed = False
        self.pending = calls
        self.running = requests
        self.on_its_way = False
        self.errors: list[tuple[str, str]] = []
        self.goodbyes: list[str] = []

    def close(self) -> None:
        """Note that nothing new is let in."""
        self.closed = True

    def calls(self) -> int:
        """Return the calls."""
        return self.pending

    def requests(self) -> int:
        """Return the requests."""
        return self.running

    def unsent(self) -> bool:
        """Tell whether anything is on its way."""
        return self.on_its_way

    def answer_calls(self, uri: str, text: str) -> int:
        """Note the error."""
        self.errors.append((uri, text))
        answered, self.pending = self.pending, 0
        return answered

    def say_goodbye(self, reason: str, text: str) -> None:
        """Note the reason; it is on its way."""
        self.goodbyes.append(reason)


class Node:
    """A router's process that drains."""

    def __init__(self, accepted: Accepted, grace: float = 10.0) -> None:
        self.accepted = accepted
        self.clock = Clock()
        self.done: list[None] = []
        Draining(accepted, self.clock, grace).begin().addCallback(self.done.append)

    def wait(self, seconds: float) -> bool:
        """Let some time pass, look by look, and tell whether it is done."""
        self.clock.pump([LOOK] * round(seconds / LOOK))
        return bool(self.done)


def test_nothing_that_runs_holds_nothing_up() -> None:
    node = Node(Accepted())
    assert node.accepted.closed
    assert node.wait(0.2)
    assert node.accepted.errors == []


def test_calls_and_requests_are_waited_for() -> None:
    node = Node(Accepted(calls=1, requests=1))
    assert not node.wait(3)
    node.accepted.pending = 0
    assert not node.wait(3)
    node.accepted.running = 0
    assert node.wait(0.2)
    assert node.accepted.errors == []


def test_what_begins_another_call_is_not_done_between_the_two() -> None:
    """A view's result is on its way to a thread that calls next."""
    node = Node(Accepted(calls=1))
    node.accepted.pending = 0
    node.clock.advance(LOOK)
    node.accepted.pending = 1
    assert not node.wait(3)


def test_peers_get_their_answers_before_the_end_but_do_not_hold_it_up() -> None:
    node = Node(Accepted())
    node.accepted.on_its_way = True
    assert not node.wait(0.5)
    node.accepted.on_its_way = False
    assert node.wait(0.2)
    slow = Node(Accepted())
    slow.accepted.on_its_way = True
    assert slow.wait(FLUSH + 0.5)


def test_services_are_told_when_what_was_accepted_is_finished_and_before_the_end() -> None:
    node = Node(Accepted(calls=1))
    node.accepted.on_its_way = True
    assert not node.wait(3)
    assert node.accepted.goodbyes == []
    node.accepted.pending = 0
    assert not node.wait(0.2)
    assert node.accepted.goodbyes == [SYSTEM_SHUTDOWN]
    node.accepted.on_its_way = False
    assert node.wait(0.2)


class Peer(GuardedSession):
    """A session that has joined, from somewhere."""

    def __init__(self, address: str | None) -> None:
        self._transport: Any = SimpleNamespace(
            transport=SimpleNamespace(getPeer=lambda: SimpleNamespace(host=address))
        )
        self.told: list[tuple[str | None, str | None]] = []

    def leave(self, reason: str | None = None, message: str | None = None) -> None:
        """Note what it is told."""
        self.told.append((reason, message))


def test_goodbye_is_for_services_on_unix_sockets() -> None:
    """Clients in browsers may take it for the end, and not connect to the next node."""
    service, page, far, asks = peers = [
        Peer(address) for address in (None, "192.0.2.1", "192.0.2.1", None)
    ]
    router = SimpleNamespace(_session_id_to_session=dict(enumerate([*peers, object()])))
    session: Any = SimpleNamespace(has_joined=True, _transport=SimpleNamespace(_router=router))
    nothing: Any = None
    guard = Guard(Clock())
    guard.is_service = lambda peer: peer in (service, far)
    work = accepted.Accepted(session, nothing, guard, nothing, [])
    work.say_goodbye(SYSTEM_SHUTDOWN, "the node stops")
    assert service.told == [(SYSTEM_SHUTDOWN, "the node stops")]
    assert page.told == far.told == asks.told == []
    session.has_joined = False
    work.say_goodbye(SYSTEM_SHUTDOWN, "the node stops")
    assert len(service.told) == 1


def test_what_never_ends_is_answered_with_an_error() -> None:
    node = Node(Accepted(calls=2, requests=1), grace=10)
    assert not node.wait(9.5)
    assert node.accepted.errors == []
    assert node.wait(1)
    ((uri, text),) = node.accepted.errors
    assert uri == "wamp.error.unavailable"
    assert "may have run" in text
