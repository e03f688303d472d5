"""How much a session has to do, for who counts it."""

from typing import Protocol

from ..session import Session
from ..threads import ElasticPool
from .calls import Calls
from .events import Events
from .overflow import EventCounts


class Server(Protocol):
    """Who has it to do."""

    session: Session
    calls: Calls
    events: Events


def watch_load(server: Server, pool: ElasticPool) -> None:
    """Let what *server* has to do be looked at, where the application's metrics are on."""
    meter = server.calls.dispatcher.meter
    if meter is not None:
        meter.watch(ServerLoad(server), pool.reactor.call_later)


class ServerLoad:
    """What a server has to do; see :class:`~flask_wamp.metering.Load`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def over(self) -> bool:
        """Tell whether the session has ended."""
        return not self._server.session.is_attached()

    def running_calls(self) -> int:
        """Return how many calls have no answer yet."""
        return self._server.calls.running()

    def waiting_calls(self) -> int:
        """Return how many of these wait for a place."""
        return self._server.calls.waiting()

    def events(self) -> list[EventCounts]:
        """Return how the events of each handler fare."""
        return self._server.events.counts()
