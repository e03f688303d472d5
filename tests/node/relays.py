"""A router that can be there and not be there: a relay in front of a real one."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .support import LIMIT


class Relay:
    """Hands the connections to a port of its own on to a router, while it is up.

    :param target: the router's TCP port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self.accepted = 0
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    def up(self) -> None:
        """Accept connections, as a router does that has started."""
        server = socket.create_server(("127.0.0.1", self.port))
        self._server = server
        self._begin(self._accept, server)

    def down(self) -> None:
        """Refuse connections, and end those that there are, as a router does that has died."""
        server, self._server = self._server, None
        if server is not None:
            _end(server)
            self._threads.pop(0).join(LIMIT)
        for end in self._open:
            _end(end)
        for thread in self._threads:
            thread.join(LIMIT)
        self._open, self._threads = [], []

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def _begin(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, name="relay")
        self._threads.append(thread)
        thread.start()

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            self.accepted += 1
            self._begin(_copy, near, far)
            self._begin(_copy, far, near)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        _end(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
