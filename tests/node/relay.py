"""What stands between a node and its peers."""

from typing import Any

from twisted.protocols.portforward import ProxyFactory, ProxyServer

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode, free_port

from .support import on_reactor


class Relay:
    """Stands between a node and its peers, whose connections it can cut.

    :ivar url: where peers join with the backend's rights.
    """

    def __init__(self, node: CrossbarNode) -> None:
        self._servers: list[Any] = []
        #: The node's ends of lost connections.
        self.lost: list[Any] = []
        relay = self

        class Server(ProxyServer):
            def connectionMade(self) -> None:
                relay._servers.append(self)
                super().connectionMade()

        self._factory = ProxyFactory("127.0.0.1", node.port)
        self._factory.noisy = False
        self._factory.protocol = Server
        self._port: Any = None
        self._number = free_port()
        self.url = f"ws://127.0.0.1:{self._number}/trusted"
        self.listen()

    def listen(self) -> None:
        """Let peers connect."""
        self._port = on_reactor(
            lambda: running_reactor().listenTCP(self._number, self._factory, interface="127.0.0.1")
        )

    def cut(self) -> None:
        """End the connections that there are."""
        servers, self._servers = self._servers, []
        on_reactor(lambda: [server.transport.abortConnection() for server in servers])

    def swallow(self) -> None:
        """Bring nothing more over the connections that there are, which stay open."""
        for server in self._servers:
            for end in (server.transport, server.peer.transport):
                on_reactor(end.pauseProducing)

    def lose(self) -> None:
        """End the connections for the peers; the node does not get to know."""
        servers, self._servers = self._servers, []

        def lose() -> None:
            for server in servers:
                self.lost.append(server.peer)
                # Or the end of the one is the end of the other.
                server.transport.unregisterProducer()
                server.peer.transport.unregisterProducer()
                server.peer = None
                server.transport.abortConnection()

        on_reactor(lose)

    def close(self) -> None:
        """Let nobody connect, and end the connections that there are."""
        if self._port is not None:
            on_reactor(self._port.stopListening)
            self._port = None
        lost, self.lost = self.lost, []
        on_reactor(lambda: [end.transport.abortConnection() for end in lost])
        self.cut()
