"""What the router's process has accepted and not finished, as :class:`.draining.Draining` asks."""

from typing import Any

from twisted.python.threadpool import ThreadPool

from .._twisted.engine import channels
from .._twisted.engine.router_sessions import guarded_sessions
from .._twisted.engine.routers import answer_pending, pending
from .._twisted.engine.shutdown import work_of
from .._twisted.session import Session
from .guarding import Guard
from .intake import Intake
from .listening import stop_listening


class Accepted:
    """The calls and requests of a process.

    :param session: the router component's, which is in memory.
    :param pools: the threads that run the hosted application.
    """

    def __init__(
        self,
        session: Session,
        reactor: Any,
        guard: Guard,
        intake: Intake,
        pools: list[ThreadPool],
    ) -> None:
        self._session = session
        self._reactor = reactor
        self._guard = guard
        self._intake = intake
        self._pools = pools

    def close(self) -> None:
        """Let nothing new in: no connection, no request on one that is there, and no call.

        Services call on where they serve something, for what they were asked to do.
        """
        stop_listening(self._reactor)
        self._intake.closed = True
        self._guard.manners.closed = True

    def calls(self) -> int:
        """Return how many calls await their answers."""
        return pending(self._session) if self._session.has_joined else 0

    def requests(self) -> int:
        """Return how many requests come in, or run."""
        return channels.coming() + sum(map(work_of, self._pools))

    def unsent(self) -> bool:
        """Tell whether anything is on its way to a peer."""
        return bool(self._reactor.getWriters())

    def answer_calls(self, uri: str, text: str) -> int:
        """Answer the calls that wait with an error, and return how many there were."""
        return answer_pending(self._session, uri, text) if self._session.has_joined else 0

    def say_goodbye(self, reason: str, text: str) -> None:
        """Let the services on this machine's Unix sockets know a stop from a loss.

        No others: some clients in browsers take a GOODBYE for the end, and connect no more.
        """
        if self._session.has_joined:
            for session in guarded_sessions(self._session):
                if session.remote_address() is None and self._guard.is_service(session):
                    session.leave(reason, text)
