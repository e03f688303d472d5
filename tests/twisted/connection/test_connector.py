"""The connector: attempts, delays, limits and ends, on a test reactor's clock."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.testing import MemoryReactorClock

from flask_wamp._twisted.connection import connector as connector_module
from flask_wamp._twisted.connection.connector import Connector, Lost
from flask_wamp._twisted.connection.transports import endpoint_of, factory_of
from flask_wamp._twisted.session import Session
from flask_wamp.address import Address
from flask_wamp.config import WampConfig
from tests.unit.doubles import run_program

from ..doubles import FarEnd

FIRST = connector_module.FIRST_DELAY
LONGEST = connector_module.LONGEST_DELAY


class World(FarEnd):
    """A connector, its test reactor, and the router at the other end."""

    def __init__(self, *urls: str, ping: float = 10) -> None:
        super().__init__()
        self.log: list[str] = []
        self.sessions: list[Session] = []
        self.connector = Connector(
            self.reactor,
            WampConfig.from_mapping(
                {"WAMP_URL": list(urls) or "unix:/run/router.sock", "WAMP_PING": ping}
            ),
            connecting=lambda: self.log.append("connecting"),
            joined=self._joined,
            lost=self._lost,
        )
        self.closed: list[int] = []

    def _joined(self, session: Session) -> None:
        self.log.append("joined")
        self.sessions.append(session)

    def _lost(self, lost: Sequence[Lost]) -> None:
        last = lost[-1]
        self.log.append(f"lost: {last.reason}" if len(lost) == 1 else "lost all")
        self.reasons = list(map(str, lost))

    @property
    def dialled(self) -> list[str]:
        """The sockets that were dialled, in order."""
        return [path for path, *_ in self.reactor.unixClients]

    def close(self) -> None:
        """Close the connector."""
        self.connector.close(lambda: self.closed.append(1))

    def assert_at_rest(self) -> None:
        """Nothing is planned, and nothing comes of it."""
        attempts = self.attempts
        assert self.reactor.getDelayedCalls() == []
        self.reactor.advance(3600)
        assert self.attempts == attempts


@pytest.fixture
def world() -> World:
    """Return a connector that makes its first attempt."""
    world = World()
    world.connector.connect()
    return world


def test_connector_joins(world: World) -> None:
    assert world.log == ["connecting"]
    assert world.reactor.unixClients[0][0] == "/run/router.sock"
    world.join()
    assert world.log == ["connecting", "joined"]
    assert world.sessions[0].is_attached()
    # Until the next sign of life is due.
    assert len(world.reactor.getDelayedCalls()) == 1


def test_connector_tries_again_after_growing_delays(world: World) -> None:
    expected = FIRST
    delays = []
    for attempt in range(1, 20):
        assert world.attempts == attempt
        world.refuse()
        assert world.log[-1].startswith("lost: ")
        delays.append(world.delay)
        assert 0.5 * expected <= world.delay <= expected
        expected = min(expected * connector_module.GROWTH, LONGEST)
        world.reactor.advance(world.delay - 0.001)
        assert world.attempts == attempt
        world.reactor.advance(0.002)
    assert world.attempts == 20
    assert expected == LONGEST
    assert max(delays) <= LONGEST
    # They vary, so that a thousand clients do not come back in one moment.
    assert len(set(delays[-5:])) == 5


def test_connector_starts_with_the_shortest_delay_after_it_joined(world: World) -> None:
    for _ in range(10):
        world.refuse()
        world.reactor.advance(world.delay)
    world.join()
    world.lose()
    assert world.log[-1].startswith("lost: ")
    assert world.delay <= FIRST
    world.reactor.advance(world.delay)
    world.join()
    assert world.log[-2:] == ["connecting", "joined"]
    assert len(world.sessions) == 2


def test_connector_gives_up_an_attempt_without_outcome(world: World) -> None:
    world.reactor.advance(connector_module.JOIN_TIMEOUT - 0.01)
    assert world.log == ["connecting"]
    world.reactor.advance(0.02)
    assert world.reactor.connectors[0].stoppedConnecting
    assert len(world.log) == 2
    assert world.log[1].startswith("lost: ")
    world.reactor.advance(world.delay)
    assert world.attempts == 2


@pytest.mark.parametrize("shaken", [False, True])
def test_connector_gives_up_a_router_that_does_not_answer(world: World, shaken: bool) -> None:
    """One that hangs at the handshake, and one that never welcomes."""
    world.reactor.advance(4)
    world.accept()
    if shaken:
        world.shake_hands()
    world.reactor.advance(connector_module.JOIN_TIMEOUT - 4 - 0.01)
    assert not world.wire.aborted
    world.reactor.advance(0.02)
    assert world.wire.aborted
    assert world.log[-1] == "lost: the router did not answer in time"
    world.reactor.advance(world.delay)
    assert world.attempts == 2


def test_connector_joined_session_has_no_deadline(world: World) -> None:
    world.join()
    world.reactor.advance(10 * connector_module.JOIN_TIMEOUT)
    assert world.sessions[0].is_attached()
    assert not world.wire.aborted


def test_connector_tells_why_the_router_refused(world: World) -> None:
    world.accept()
    world.shake_hands()
    world.receive(message.Abort("wamp.error.no_such_realm", "no realm 'realm1'"))
    world.lose()
    assert world.log[-1] == "lost: wamp.error.no_such_realm: no realm 'realm1'"
    world.reactor.advance(world.delay)
    assert world.attempts == 2


def test_connector_tells_why_the_router_said_goodbye(world: World) -> None:
    world.join()
    world.receive(message.Goodbye("wamp.close.system_shutdown", "good night"))
    world.lose()
    assert world.log[-1] == "lost: wamp.close.system_shutdown: good night"
    # The router is there for a moment more, and would go a second time.
    assert world.delay >= LONGEST / 2


def test_connector_garbage_instead_of_a_handshake(world: World) -> None:
    world.accept()
    world.receive_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    world.lose()
    assert world.log[-1].startswith("lost: ")
    world.reactor.advance(world.delay)
    assert world.attempts == 2


# --- several routers

ONE, TWO, THREE = (f"unix:/run/{name}.sock" for name in ("one", "two", "three"))


def test_connector_tries_the_next_router_at_once() -> None:
    world = World(ONE, TWO, THREE)
    world.connector.connect()
    world.refuse()
    world.accept()
    world.lose()
    assert world.dialled == ["/run/one.sock", "/run/two.sock", "/run/three.sock"]
    world.join()
    assert world.log == ["connecting", "joined"]
    assert world.connector.url == THREE


def test_connector_that_reaches_none_names_each_and_begins_anew() -> None:
    world = World(ONE, TWO)
    world.connector.connect()
    world.refuse()
    world.accept()
    world.shake_hands()
    world.receive(message.Abort("wamp.error.no_such_realm", "no realm 'realm1'"))
    world.lose()
    assert world.log == ["connecting", "lost all"]
    assert world.reasons == [
        f"{ONE}: Connection was refused by other side",
        f"{TWO}: wamp.error.no_such_realm: no realm 'realm1'",
    ]
    assert world.delay <= FIRST
    world.reactor.advance(world.delay)
    assert world.log[-1] == "connecting"
    assert world.dialled == ["/run/one.sock", "/run/two.sock", "/run/one.sock"]


def test_connector_begins_with_the_first_router_after_a_session() -> None:
    world = World(ONE, TWO)
    world.connector.connect()
    world.refuse()
    world.join()
    world.lose()
    # The loss of a session is told at once, and by itself.
    assert world.log == ["connecting", "joined", world.log[-1]]
    assert len(world.reasons) == 1
    assert world.reasons[0].startswith(f"{TWO}: ")
    world.reactor.advance(world.delay)
    assert world.dialled[-1] == "/run/one.sock"
    world.join()
    assert world.connector.url == ONE


def test_connector_gives_each_of_several_routers_its_share_of_the_time() -> None:
    world = World(ONE, TWO)
    world.connector.connect()
    world.reactor.advance(connector_module.JOIN_TIMEOUT / 2 - 0.01)
    assert world.attempts == 1
    world.reactor.advance(0.02)
    assert world.dialled == ["/run/one.sock", "/run/two.sock"]
    assert world.log == ["connecting"]


def test_connector_gives_each_of_many_routers_some_time() -> None:
    world = World(*[f"unix:/run/{number}.sock" for number in range(16)])
    world.connector.connect()
    world.reactor.advance(connector_module.SHORTEST_JOIN_TIMEOUT - 0.01)
    assert world.attempts == 1
    world.reactor.advance(0.02)
    assert world.attempts == 2


def test_connector_close_ends_the_round() -> None:
    world = World(ONE, TWO, THREE)
    world.connector.connect()
    world.refuse()
    world.close()
    assert world.closed == [1]
    assert world.attempts == 2
    world.assert_at_rest()


# --- ending


def test_connector_close_while_it_connects(world: World) -> None:
    world.close()
    assert world.reactor.connectors[0].stoppedConnecting
    assert world.closed == [1]
    assert world.log[-1] == "lost: the connection was closed by this process"
    world.assert_at_rest()


def test_connector_close_while_it_joins(world: World) -> None:
    world.accept()
    world.shake_hands()
    world.close()
    assert world.wire.aborted
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_close_while_it_waits(world: World) -> None:
    world.refuse()
    assert world.closed == []
    world.close()
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_close_when_joined(world: World) -> None:
    """The session says goodbye, and the transport ends when the router has answered."""
    world.join()
    world.close()
    (goodbye,) = world.sent()
    assert type(goodbye) is message.Goodbye
    assert world.closed == []
    world.receive(message.Goodbye("wamp.close.goodbye_and_out"))
    if world.wire.connected:
        world.lose()
    assert world.closed == [1]
    assert not world.wire.aborted
    assert world.log[-1] == "lost: the connection was closed by this process"
    world.assert_at_rest()


def test_connector_close_without_a_goodbye_from_the_router(world: World) -> None:
    world.join()
    world.close()
    world.reactor.advance(connector_module.LEAVE_TIMEOUT + 0.01)
    assert world.wire.aborted
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_end_waits_for_the_router_and_does_not_cut_it_off(world: World) -> None:
    """What was sent before the process ends is to arrive, though the router hangs for now."""
    world.join()
    world.connector.end(lambda: world.closed.append(1))
    assert [type(msg) for msg in world.sent()] == [message.Goodbye]
    world.reactor.advance(3600)
    assert not world.wire.aborted
    assert world.closed == []
    world.lose()
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_end_while_it_connects(world: World) -> None:
    world.connector.end(lambda: world.closed.append(1))
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_end_while_it_waits(world: World) -> None:
    world.refuse()
    world.connector.end(lambda: world.closed.append(1))
    assert world.closed == [1]
    world.assert_at_rest()


def test_connector_dropped_session_is_followed_by_another(world: World) -> None:
    world.join()
    world.connector.drop("it is of no use")
    assert [type(msg) for msg in world.sent()] == [message.Goodbye]
    world.reactor.advance(connector_module.LEAVE_TIMEOUT + 0.01)
    assert world.log[-1] == "lost: it is of no use"
    world.reactor.advance(world.delay)
    assert world.attempts == 2
    world.join()
    assert world.log[-1] == "joined"


def test_connector_session_calls_over_the_wire(world: World) -> None:
    """What the unit tests do with lists of messages works on the real protocol too."""
    from flask_wamp._twisted.replies import Reply
    from flask_wamp._twisted.session import NO_OPTIONS

    world.join()
    reply = Reply()
    world.sessions[0].call_for(reply, "com.example.add", [1, b"x"], {"fun": 2}, NO_OPTIONS)
    (call,) = world.sent()
    assert (call.procedure, call.args, call.kwargs) == ("com.example.add", [1, b"x"], {"fun": 2})
    world.receive(message.Result(call.request, args=[3]))
    assert reply.result(0) == 3


Make = Callable[[str], Any]


@pytest.fixture
def make_factory() -> Make:
    """Return what makes the protocol factory for a URL."""

    def make(url: str) -> Any:
        config = WampConfig.from_mapping({"WAMP_URL": url})
        lost: Callable[[str], None] = lambda _: None  # noqa: E731
        return factory_of(MemoryReactorClock(), config.addresses[0], config, Session, lost)

    return make


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_connector_websocket_pings(make_factory: Make, scheme: str) -> None:
    """When it is asked to: by itself it would end what is not read for a while."""
    factory = make_factory(f"{scheme}://localhost:8080/ws")
    assert factory.autoPingInterval == 0
    assert factory.protocol.ask_for_life
    assert factory.isSecure is (scheme == "wss")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("unix:/run/router.sock", "UNIXClientEndpoint"),
        ("rs://localhost:8081", "HostnameEndpoint"),
        ("ws://localhost:8080/ws", "HostnameEndpoint"),
    ],
)
def test_connector_endpoint(url: str, kind: str) -> None:
    endpoint = endpoint_of(MemoryReactorClock(), Address.parse(url), 10.0)
    assert type(endpoint).__name__ == kind


def test_connector_needs_no_tls_where_none_is_used() -> None:
    """TLS is an extra: without it the package connects all the same."""
    printed = run_program(
        """
        import sys

        for name in ("OpenSSL", "service_identity"):
            sys.modules[name] = None
        import warnings

        # passlib, which Autobahn imports, imports the standard library's crypt.
        warnings.simplefilter("ignore", DeprecationWarning)
        import flask_wamp

        try:
            flask_wamp.connect("ws://127.0.0.1:1/ws").__enter__()
        except flask_wamp.NotConnected as error:
            print("refused" in str(error))
        """
    )
    assert printed == "True\n"
