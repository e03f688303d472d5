"""Endpoints and transports: WebSocket and RawSocket, over TCP, TLS and Unix sockets."""

from collections.abc import Callable
from typing import Any

from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...config import Address
from ..session import Session

#: Seconds between two pings, and until a router that does not answer one is given up.
PING_INTERVAL = 10.0


def endpoint_of(reactor: Any, address: Address, timeout: float) -> Any:
    """Return the endpoint of an address.

    :param timeout: seconds that connecting to a Unix socket may take.
    """
    if address.path is not None:
        return UNIXClientEndpoint(reactor, address.path, timeout=timeout)
    endpoint = HostnameEndpoint(reactor, address.host, address.port)
    if address.tls:
        # Needs the extra "tls", which nothing else does.
        from twisted.internet.ssl import optionsForClientTLS

        return wrapClientTLS(optionsForClientTLS(address.host), endpoint)
    return endpoint


def factory_of(
    reactor: Any,
    address: Address,
    make_session: Callable[[], Session],
    lost: Callable[[str], None],
) -> Any:
    """Return a factory of transports to an address, and of their sessions.

    :param lost: called with the reason when a transport is gone.
    """
    factory: Any
    if not address.websocket:
        factory = WampRawSocketClientFactory(make_session, serializer=CBORSerializer())
        factory.protocol = _RawSocketProtocol
    else:
        factory = WampWebSocketClientFactory(
            make_session,
            url=address.url,
            serializers=[CBORSerializer(), JsonSerializer()],
            reactor=reactor,
        )
        factory.protocol = _WebSocketProtocol
        factory.setProtocolOptions(
            autoPingInterval=PING_INTERVAL, autoPingTimeout=PING_INTERVAL, tcpNoDelay=True
        )
    factory.noisy = False
    factory.lost = lost
    return factory


class _WebSocketProtocol(WampWebSocketClientProtocol):
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.lost(self.wasNotCleanReason or "the router closed the connection")


class _RawSocketProtocol(WampRawSocketClientProtocol):
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.factory.lost(reason.getErrorMessage())
