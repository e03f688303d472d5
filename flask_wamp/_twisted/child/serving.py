"""What a serving process does on the reactor's thread: it serves, beats and finishes."""

from concurrent.futures import Future
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from ...state import State
from ..connection.background import BackgroundLink
from ..reactor_thread import running_reactor
from ..serve.binding import PATIENCE
from ..serve.leaving import SYSTEM_SHUTDOWN, finish
from ..serve.sharing import SharedServer
from ..serve.standing import Standing
from ..supervise.settings import BEAT, ChildSettings
from ..threads import ElasticPool
from .loading import service_name
from .reports import Reports


class Serving:
    """Serves an application as its supervisor says; its methods are for the main thread."""

    def __init__(self, state: State, settings: ChildSettings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports
        self._reactor = running_reactor()
        self._pool: ElasticPool | None = None
        self.link: BackgroundLink = state.slot.get(lambda: BackgroundLink(state))  # type: ignore[assignment]
        # Of the node's stop its supervisor speaks.
        self.link.outage.expected = (SYSTEM_SHUTDOWN,)

    def begin(self) -> "Future[None]":
        """Begin to serve; the future fails where the router refuses what it is not to refuse."""
        standing = Standing(
            shared=self._settings.shared, replaces=self._settings.force, patience=PATIENCE
        )
        self.link.on_reactor(self._beat)
        shared = self.link.share(standing, service_name(self._settings))
        shared.add_done_callback(self._shared)
        return shared

    def order(self, word: str) -> None:
        """Do what the supervisor says."""
        if word == "take":
            self.link.on_reactor(self._take)
        elif word == "nudge":
            self.link.on_reactor(self._nudge)

    def finish(self, *, ask: bool) -> int:
        """Finish what has come, leave the router, and return how many calls were not answered.

        :param ask: whether the node stops, which then decides when this process may leave.
        """
        outcome: Future[int] = Future()

        def begin() -> None:
            finished: Deferred[int] = maybeDeferred(self._finish, ask)
            finished.addCallbacks(
                outcome.set_result, lambda failure: outcome.set_exception(failure.value)
            )

        self.link.on_reactor(begin)
        unanswered = outcome.result()
        # A later turn of the reactor than that of the last answer.
        self.close()
        return unanswered

    def close(self) -> None:
        """Leave the router."""
        self.link.close("the end of the process")

    def _shared(self, shared: "Future[None]") -> None:
        """Tell that this process serves; on the reactor's thread."""
        server, session = self._server, self.link.session
        if shared.exception() is None and server is not None and session is not None:
            self._reports.tell(
                "ready",
                session=session.session_id,
                procedures=server.procedures,
                subscribes=server.subscribes,
            )

    @property
    def _server(self) -> SharedServer | None:
        session = self.link.session
        server = None if session is None else session.server
        return server if isinstance(server, SharedServer) else None

    def _beat(self) -> None:
        """Say that the reactor turns, and how this process does."""
        self._reactor.callLater(BEAT, self._beat)
        self._tell_beat()

    def _tell_beat(self) -> None:
        server, session = self._server, self.link.session
        # Views run on when the router has gone, and their pool is the same for the next session.
        self._pool = pool = self._pool if server is None else server.pool
        oldest = None if pool is None else pool.oldest()
        self._reports.beat(
            oldest=None if oldest is None else round(oldest, 3),
            running=0 if pool is None else len(pool.under_way),
            calls=0 if pool is None else pool.submitted,
            joined=session is not None,
            session=None if session is None else session.session_id,
            procedures=0 if server is None else server.procedures,
            subscribes=server is not None and server.subscribes,
        )

    def _take(self) -> None:
        server = self._server
        if server is not None:
            server.take().addCallback(lambda _: self._taken(server))
        else:
            # There is no router; with the next session all is asked for, and nobody else is there.
            self._taken(None)

    def _taken(self, server: SharedServer | None) -> None:
        self._reports.tell(
            "taken",
            procedures=0 if server is None else server.procedures,
            subscribes=server is not None and server.subscribes,
        )
        self._tell_beat()

    def _nudge(self) -> None:
        server = self._server
        if server is not None:
            server.nudge()

    def _finish(self, ask: bool) -> Any:
        session = self.link.session
        if session is None:
            return 0
        # The supervisor, which waits for the router longer, is behind it.
        return finish(session, self._reactor, self._settings.grace, ask=ask, behind_router=0.0)
