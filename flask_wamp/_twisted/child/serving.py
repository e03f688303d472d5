"""What a serving process does on the reactor's thread: it serves, beats and finishes."""

from concurrent.futures import Future
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks, maybeDeferred

from ...state import State
from ..connection.background import BackgroundLink
from ..reactor_thread import running_reactor
from ..serve.binding import PATIENCE
from ..serve.draining import TimeLimit
from ..serve.leaving import node_stops
from ..serve.sharing import SharedServer, Standing
from ..session import Session
from ..supervise.settings import BEAT, ChildSettings
from .loading import service_name
from .reports import Reports


class Serving:
    """Serves an application as its supervisor says; its methods are for the main thread."""

    def __init__(self, state: State, settings: ChildSettings, reports: Reports) -> None:
        self._settings = settings
        self._reports = reports
        self._reactor = running_reactor()
        self.link: BackgroundLink = state.slot.get(lambda: BackgroundLink(state))  # type: ignore[assignment]

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

        def finish() -> None:
            finished: Deferred[int] = maybeDeferred(self._finish, ask)
            finished.addCallbacks(
                outcome.set_result, lambda failure: outcome.set_exception(failure.value)
            )

        self.link.on_reactor(finish)
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
        server, pool = self._server, self.link.pool
        oldest = None if pool is None else pool.oldest()
        self._reports.beat(
            oldest=None if oldest is None else round(oldest, 3),
            running=0 if pool is None else len(pool.under_way),
            calls=0 if pool is None else pool.submitted,
            joined=self.link.session is not None,
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

    @inlineCallbacks
    def _finish(self, ask: bool) -> Any:
        server, session = self._server, self.link.session
        if server is None or session is None:
            return 0
        reactor = self._reactor
        began = reactor.seconds()
        if ask and (yield node_stops(session, reactor)):
            # What the router has accepted may need this process, until it lets the session go.
            left = TimeLimit(server.pool, self._settings.grace)
            yield left.until(_end_of(session))
            left.stop()
        spent = reactor.seconds() - began
        unanswered: int = yield server.drain(max(0.0, self._settings.grace - spent))
        return unanswered


def _end_of(session: Session) -> "Deferred[None]":
    """Fire when *session* has ended."""
    ended: Deferred[None] = Deferred()

    def end(*_details: Any) -> None:
        if not ended.called:
            ended.callback(None)

    if session.is_attached():
        for event in ("leave", "disconnect"):
            session.on(event, end)  # type: ignore[no-untyped-call]
    else:
        end()
    return ended
