"""The descriptors between this process and its children: pipes, what comes through, and an end."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from .lines import Lines

#: Bytes that are read at a time, and how often at the end of a process.
CHUNK, LAST_CHUNKS = 2**16, 16
#: Seconds until it is asked again how a process has ended, whose last parent is about to go.
ORPHAN_DELAY = 0.01
#: The lowest number of a descriptor of ours, so that none is in a child's place.
LEAST_DESCRIPTOR = 10


@dataclass(frozen=True)
class Pipes:
    """The ends of a process's pipes: its own, in the order of its descriptors, and this process's."""

    theirs: tuple[int, int, int, int]
    ours: tuple[int, int, int, int]

    @classmethod
    def make(cls) -> "Pipes":
        """Make them.

        :raises OSError: this process has no descriptors left.
        """
        opened: list[int] = []
        try:
            pairs = [_pipe(opened) for _number in range(4)]
        except OSError:
            close_all(opened)
            raise
        (their_in, our_in), *others = pairs
        for number in (our_in, *(ours for ours, _theirs in others)):
            os.set_blocking(number, False)
        return cls(
            (their_in, *(theirs for _ours, theirs in others)),  # type: ignore[arg-type]
            (our_in, *(ours for ours, _theirs in others)),  # type: ignore[arg-type]
        )


def _pipe(opened: list[int]) -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    opened += ends
    for end in ends:
        opened.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR))
        os.close(end)
        opened.remove(end)
    return opened[-2], opened[-1]


def close_all(descriptors: Iterable[int]) -> None:
    """Close what is open of these."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def watch_end(reactor: Any, pid: int, ended: Callable[[int], None]) -> None:
    """Call *ended* with the code of a child of this process, when it has ended."""
    reactor.addReader(_End(reactor, pid, ended))


@implementer(IReadDescriptor)
class Reader:
    """Reads a pipe of a child."""

    def __init__(self, reactor: Any, descriptor: int, lines: Lines) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._lines = lines
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "flask-wamp"

    def doRead(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if not self._read():
                self.finish()

    def finish(self) -> None:
        """Take what is there, and close."""
        if self._descriptor < 0:
            return
        self._reactor.removeReader(self)
        with contextlib.suppress(BlockingIOError):
            for _chunk in range(LAST_CHUNKS):
                if not self._read():
                    break
        os.close(self._descriptor)
        self._descriptor = -1
        self._lines.end()

    def connectionLost(self, reason: Any) -> None:
        """The reactor has found the descriptor of no use."""
        self.finish()

    def _read(self) -> bool:
        """Read what there is, and tell whether more may come."""
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            raise
        except OSError:
            return False
        self._lines.feed(data)
        return bool(data)


@implementer(IReadDescriptor)
class _End:
    """Notices the end of a child of this process (pidfd_open(2))."""

    def __init__(self, reactor: Any, pid: int, ended: Callable[[int], None]) -> None:
        self._reactor = reactor
        self._pid = pid
        self._ended = ended
        self._descriptor = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "flask-wamp"

    def doRead(self) -> None:
        self._reactor.removeReader(self)
        self._reap()

    def connectionLost(self, reason: Any) -> None:
        self._reap()

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self._pid, 0  # somebody else has asked before
        if pid == 0:
            self._reactor.callLater(ORPHAN_DELAY, self._reap)
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._ended(os.waitstatus_to_exitcode(status))
