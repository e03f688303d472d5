"""RawSocket peers that connect and never say what they speak.

Crossbar.io 26.10.1, ``crossbar/router/protocol.py``: a RawSocket transport makes its protocols from the
class attribute ``WampRawSocketServerFactory.protocol``, and Autobahn 26.10.2 waits for the four bytes
of the handshake for ever (``autobahn/twisted/rawsocket.py``, ``_handshake_complete``); a WebSocket transport
has ``open_handshake_timeout``. This can go once RawSocket has one too;
``tests/node/test_guard_logins.py`` fails without it.
"""

from typing import Any

from crossbar.router.protocol import WampRawSocketServerFactory, WampRawSocketServerProtocol


def bound_handshakes(reactor: Any, seconds: float) -> None:
    """Cut off a RawSocket peer of this process that has not shaken hands within *seconds*.

    Those over Unix sockets have all the time that they need.
    """
    factory: Any = WampRawSocketServerFactory
    base: Any = WampRawSocketServerProtocol
    if factory.protocol is not base:
        return

    class Bounded(base):
        def connectionMade(self) -> None:
            super().connectionMade()
            has_address = hasattr(self.transport.getPeer(), "host")
            self._late = reactor.callLater(seconds, self._give_up) if has_address else None

        def connectionLost(self, reason: Any) -> None:
            if self._late is not None and self._late.active():
                self._late.cancel()
            super().connectionLost(reason)

        def _give_up(self) -> None:
            if not self._handshake_complete:
                self.transport.abortConnection()

    factory.protocol = Bounded
