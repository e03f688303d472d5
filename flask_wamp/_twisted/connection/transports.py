"""Endpoints and transports: WebSocket and RawSocket, over TCP, TLS and Unix sockets."""

from collections.abc import Callable, Mapping
from typing import Any

from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...address import Address
from ...config import WampConfig
from ..session import Session
from .encryption import client_tls, why_not

_SERIALIZERS: Mapping[str, Callable[[], Any]] = {
    "cbor": CBORSerializer,
    "msgpack": MsgPackSerializer,
    "json": JsonSerializer,
}


def dial(
    reactor: Any,
    address: Address,
    config: WampConfig,
    timeout: float,
    make_session: Callable[[], Session],
    lost: Callable[[str], None],
    heard: Callable[[], None],
) -> "Deferred[Any]":
    """Connect to *address*; fires with the protocol.

    :param timeout: seconds that connecting may take.
    :param make_session: called when the transport is ready for a session.
    :param lost: called with the reason when a transport that there was is gone.
    :param heard: called when something has come.
    :raises OSError: a file of TLS cannot be read.
    :raises ValueError: one is not what it has to be.
    """
    factory = factory_of(reactor, address, config, make_session, lost, heard)
    endpoint = endpoint_of(reactor, address, timeout)
    if not address.tls:
        dialling: Deferred[Any] = endpoint.connect(factory)
        return dialling
    from twisted.protocols.tls import TLSMemoryBIOFactory

    # With its clock: it would take the reactor that was before a fork.
    encrypting = TLSMemoryBIOFactory(client_tls(address, config.tls), True, factory, reactor)
    dialling = endpoint.connect(encrypting)
    return dialling.addCallback(lambda protocol: protocol.wrappedProtocol)


def endpoint_of(reactor: Any, address: Address, timeout: float) -> Any:
    """Return the endpoint of an address.

    :param timeout: seconds that connecting may take.
    """
    if address.path is not None:
        return UNIXClientEndpoint(reactor, address.path, timeout=timeout)
    return HostnameEndpoint(reactor, address.host, address.port, timeout=timeout)


def factory_of(
    reactor: Any,
    address: Address,
    config: WampConfig,
    make_session: Callable[[], Session],
    lost: Callable[[str], None],
    heard: Callable[[], None] = lambda: None,
) -> Any:
    """Return a factory of transports to an address, and of their sessions.

    A WebSocket offers all serializers of *config*; a RawSocket, which has no choice, the first.

    :param lost: called with the reason when a transport is gone.
    :param heard: called when something has come.
    """
    offered = [_SERIALIZERS[name]() for name in config.serializers]
    factory: Any
    if not address.websocket:
        factory = WampRawSocketClientFactory(make_session, serializer=offered[0])
        factory.protocol = _RawSocketProtocol
        factory.serializer = config.serializers[0]
    else:
        factory = WampWebSocketClientFactory(
            make_session, url=address.websocket_url, serializers=offered, reactor=reactor
        )
        factory.protocol = _WebSocketProtocol
        # Its own pings would end a connection that is not read for a while.
        factory.setProtocolOptions(autoPingInterval=0, tcpNoDelay=True)
    factory.noisy = False
    factory.lost = lost
    factory.heard = heard
    factory.why_not = lambda failure: why_not(failure, address, config.tls)
    return factory


class _WebSocketProtocol(WampWebSocketClientProtocol):
    def dataReceived(self, data: bytes) -> None:
        self.factory.heard()
        super().dataReceived(data)

    def ask_for_life(self) -> bool:
        """Ask the router for a sign of life; False where there is no message for that."""
        self.sendPing()
        return True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        why = self.factory.why_not(reason)
        # Autobahn would log what TLS had against it, for each attempt.
        super().connectionLost(reason if why is None else Failure(ConnectionLost(why)))
        self.factory.lost(why or self.wasNotCleanReason or "the router closed the connection")


class _RawSocketProtocol(WampRawSocketClientProtocol):
    def dataReceived(self, data: bytes) -> None:
        self.factory.heard()
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def ask_for_life(self) -> bool:
        """Ask the router for a sign of life; False where there is no message for that."""
        return False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        has_shaken_hands = self.isOpen()  # type: ignore[no-untyped-call]
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        why = self.factory.why_not(reason)
        if why is None and not has_shaken_hands:
            why = (
                "the router closed the connection at the handshake: does it offer RawSocket with "
                f"{self.factory.serializer!r} there?"
            )
        self.factory.lost(why or reason.getErrorMessage())
