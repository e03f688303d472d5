"""A fork server as its supervisor has it: orders go there, and processes come of them."""

import contextlib
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from .descriptors import Pipes, Reader, close_all, watch_end
from .ends import words_of
from .fork_server import LONGEST_MESSAGE, READY
from .lines import Lines, log_line
from .processes import ChildProcess, spawn
from .settings import ChildSettings
from .watched import Log

#: The program of a fork server.
SERVER = "flask_wamp._twisted.supervise.fork_server"
#: Seconds that its imports may take, and a fork.
IMPORT_TIME, FORK_TIME = 60.0, 5.0

#: What is to be forked, and whose process it becomes.
Order = tuple[ChildSettings, ChildProcess]


@implementer(IReadDescriptor)
class Server:
    """A fork server that runs.

    :param ready: called when it can fork.
    :param over: called when it is of no use any more, with how that came and with the orders that
        it has not carried out; never after :meth:`close`.
    :raises OSError: there can be none.
    """

    def __init__(
        self,
        reactor: Any,
        log: Log,
        application: str,
        *,
        ready: Callable[[], None],
        over: Callable[["Server", str, list[Order]], None],
    ) -> None:
        self._reactor = reactor
        self._ready, self._over = ready, over
        self._is_ready = self._is_over = False
        self._new: deque[Order] = deque()
        self._sent: deque[tuple[Order, Pipes]] = deque()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            self._pid = spawn(SERVER, application, (theirs.fileno(), writing, writing))
        except OSError:
            ours.close()
            os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        ours.setblocking(False)
        os.set_blocking(reading, False)
        self._socket = ours
        self._log = log
        self._output = Reader(reactor, reading, Lines(self._said))
        self._deadline = reactor.callLater(IMPORT_TIME, self._end, "takes too long to start")
        reactor.addReader(self)
        watch_end(reactor, self._pid, self._has_ended)

    def order(self, settings: ChildSettings, process: ChildProcess) -> None:
        """Have a process forked, as soon as that can be done."""
        self._new.append((settings, process))
        self._send()

    def close(self) -> None:
        """End it; what it has not forked is forked before."""
        if self._new or self._sent:
            self._reactor.callLater(0.05, self.close)
        else:
            self._is_over = True
            self._drop()

    def fileno(self) -> int:
        """Return the number of the socket."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return what Twisted logs of this."""
        return "flask-wamp"

    def doRead(self) -> None:
        """Take an answer."""
        try:
            answer = self._socket.recv(LONGEST_MESSAGE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"cannot be asked: {error}")
            return
        if answer == READY:
            self._is_ready = True
            self._expect(None)
            self._ready()
            self._send()
        elif answer and self._sent:
            (_settings, process), pipes = self._sent.popleft()
            self._expect(FORK_TIME if self._sent else None)
            process.run(int(answer), pipes)
        else:
            # Its end tells how, in a moment.
            self._reactor.removeReader(self)

    def connectionLost(self, reason: Any) -> None:
        """The reactor has found the socket of no use."""
        self._end("cannot be asked")

    def _said(self, line: str) -> None:
        log_line(self._log, line, logging.WARNING)

    def _send(self) -> None:
        while self._is_ready and self._new and not self._is_over:
            settings = self._new[0][0]
            try:
                pipes = Pipes.make()
            except OSError as error:
                self._end(f"cannot be asked: {error}")
                return
            try:
                socket.send_fds(self._socket, [settings.to_json().encode()], list(pipes.theirs))
            except OSError as error:
                close_all((*pipes.theirs, *pipes.ours))
                self._end(f"cannot be asked: {error}")
                return
            self._sent.append((self._new.popleft(), pipes))
            if len(self._sent) == 1:
                self._expect(FORK_TIME)

    def _expect(self, seconds: float | None) -> None:
        """Expect an answer within *seconds*; None is nothing."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self._reactor.callLater(seconds, self._end, "does not answer")

    def _has_ended(self, code: int) -> None:
        self._pid = 0
        self._end(words_of(code))

    def _end(self, how: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        orders = [*(order for order, _pipes in self._sent), *self._new]
        for _order, pipes in self._sent:
            # What it may have forked all the same finds its commands closed, and ends.
            close_all((*pipes.theirs, *pipes.ours))
        self._drop()
        self._over(self, how, orders)

    def _drop(self) -> None:
        """End the process and close what leads to it."""
        self._expect(None)
        self._reactor.removeReader(self)
        self._socket.close()
        self._output.finish()
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
