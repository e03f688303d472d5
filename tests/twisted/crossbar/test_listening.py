"""A process that listens no more: whoever has connected is answered, and the others are refused."""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.crossbar.listening import stop_listening
from tests.node.support import LIMIT, on_reactor


class Answering(Protocol):
    """Answers who says something."""

    def dataReceived(self, data: bytes) -> None:
        """Answer, and close."""
        self.transport.write(b"answered")  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]


@pytest.fixture
def port() -> Iterator[Any]:
    """Listen as a transport does."""
    factory: Any = Factory.forProtocol(Answering)
    factory.noisy = False
    port: Any = on_reactor(lambda: running_reactor().listenTCP(0, factory, interface="127.0.0.1"))
    yield port
    on_reactor(port.stopListening)


def stop(port: Any, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Stop to listen on *port*, in one turn of the reactor with what comes before and after."""

    def one_turn() -> None:
        before()
        stop_listening(SimpleNamespace(getReaders=lambda: [port]))
        after()

    on_reactor(one_turn)


def test_stop_listening_answers_who_has_connected_and_refuses_who_comes_then(port: Any) -> None:
    address = ("127.0.0.1", port.getHost().port)
    with ExitStack() as stack:
        early, late = (
            [stack.enter_context(socket.socket()) for _ in range(count)] for count in (30, 3)
        )

        def connect_early() -> None:
            for each in early:
                each.connect(address)
            # As after a while in which one came at a time.
            port.numberAccepts = 1

        def connect_late() -> None:
            for each in late:
                each.setblocking(False)
                each.connect_ex(address)

        stop(port, connect_early, connect_late)
        for each in early:
            each.settimeout(LIMIT)
            each.sendall(b"are you there?")
            assert each.recv(100) == b"answered"
        for each in late:
            assert select.select([], [each], [], LIMIT)[1] == [each]
            assert each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
