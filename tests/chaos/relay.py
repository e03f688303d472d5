"""What stands between callers and the node: it cuts, freezes and slows the connections."""

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    UNIXClientEndpoint,
    UNIXServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from flask_wamp._twisted.reactor_thread import running_reactor
from tests.node.support import on_reactor

#: Seconds between two pieces of a slow connection, and the bytes of each.
SLOW_PAUSE, SLOW_PIECE = 0.05, 64


class Relay:
    """Hands connections on to a node.

    :param near: the TCP port, or the Unix socket, that it listens on; a port of 0 is any.
    :param far: the node's.
    :ivar port: the TCP port that it listens on.
    """

    def __init__(self, near: int | Path, far: int | Path) -> None:
        self._reactor = running_reactor()
        self._far = far
        self.pairs: list[_Near] = []
        self.is_frozen = False
        self.is_slow = False
        factory = Factory.forProtocol(_Near)
        factory.noisy = False
        factory.relay = self  # type: ignore[attr-defined]
        self._listening: Any = on_reactor(lambda: self._server(near).listen(factory))
        self.port: int = getattr(self._listening.getHost(), "port", 0)

    def _server(self, near: int | Path) -> Any:
        if isinstance(near, Path):
            return UNIXServerEndpoint(self._reactor, str(near))
        return TCP4ServerEndpoint(self._reactor, near, interface="127.0.0.1")

    def client(self) -> Any:
        """Return the way to the node."""
        if isinstance(self._far, Path):
            return UNIXClientEndpoint(self._reactor, str(self._far))
        return TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._far)

    def cut(self) -> None:
        """End the connections that there are, without a word."""
        on_reactor(self._abort_all)

    def freeze(self) -> None:
        """Take nothing from either side: half-open connections, for those who wait."""
        self.is_frozen = True
        on_reactor(self._pause_all)

    def _abort_all(self) -> None:
        for pair in list(self.pairs):
            pair.abort()

    def _pause_all(self) -> None:
        for pair in self.pairs:
            pair.pause()

    def thaw(self) -> None:
        """Cut what was frozen, and let others connect."""
        self.is_frozen = False
        self.cut()

    def slow(self) -> None:
        """Hand on little at a time."""
        self.is_slow = True

    def quicken(self) -> None:
        """Hand on everything at once again."""
        self.is_slow = False

    def later(self, what: Any) -> None:
        """Do *what* after the pause of a slow connection."""
        self._reactor.callLater(SLOW_PAUSE, what)

    def close(self) -> None:
        """Let nobody connect, and end the connections that there are."""
        on_reactor(self._listening.stopListening)
        self.cut()


class _Side(Protocol):
    """One side of a connection; what it reads goes to the other, in pieces where it is slow."""

    relay: Relay
    other: "_Side | None" = None

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._is_sending = False

    def dataReceived(self, data: bytes) -> None:
        self._waiting += data
        if not self._is_sending:
            self.send()

    def send(self) -> None:
        """Hand on what waits."""
        self._is_sending = False
        other = self.other
        if other is None or other.transport is None or not self._waiting:
            return
        size = SLOW_PIECE if self.relay.is_slow else len(self._waiting)
        other.transport.write(bytes(self._waiting[:size]))
        del self._waiting[:size]
        if self._waiting:
            self._is_sending = True
            self.relay.later(self.send)

    def connectionLost(self, reason: Failure | None = None) -> None:
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            other.transport.loseConnection()


class _Far(_Side):
    pass


class _Near(_Side):
    """The side of who has connected."""

    def connectionMade(self) -> None:
        factory: Any = self.factory
        self.relay = factory.relay
        self.relay.pairs.append(self)
        if self.relay.is_frozen:
            self.pause()
        far = _Far()
        far.relay, far.other = self.relay, self
        outward = Factory.forProtocol(lambda: far)
        outward.noisy = False
        self.relay.client().connect(outward).addCallbacks(self._connected, self._refused)

    def _connected(self, far: Any) -> None:
        if self not in self.relay.pairs:
            far.transport.abortConnection()
            return
        self.other = far
        if self.relay.is_frozen:
            far.transport.pauseProducing()
        self.send()

    def _refused(self, _failure: Failure) -> None:
        self.abort()

    def pause(self) -> None:
        """Read nothing from either side."""
        for side in (self, self.other):
            if side is not None and side.transport is not None:
                side.transport.pauseProducing()  # type: ignore[attr-defined]

    def abort(self) -> None:
        """End both sides at once."""
        for side in (self, self.other):
            if side is not None and side.transport is not None:
                side.transport.abortConnection()  # type: ignore[attr-defined]

    def connectionLost(self, reason: Failure | None = None) -> None:
        if self in self.relay.pairs:
            self.relay.pairs.remove(self)
        super().connectionLost(reason)
