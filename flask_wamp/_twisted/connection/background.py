"""A connection of the process's own, where no Crossbar component gives one."""

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from ...declare.declared import Procedure, Subscription
from ...errors import NotConnected, RegistrationFailed, WAMPError
from ...state import State
from ..call.link import SessionLink
from ..notices import Notices
from ..reactor_thread import running_reactor
from ..replies import NOT_SENT, Reply
from ..serve.binding import bind
from ..serve.gates import Limits
from ..serve.sharing import share, subscriber_uri
from ..serve.standing import WORKER, Standing, Standings
from ..session import Session
from ..threads import ElasticPool, ReactorQueue
from .connector import Connector, Lost
from .ending import end_by_itself, end_with_process, ends_with_process
from .lobby import Lobby
from .outage import Outage, not_within
from .starters import Starters

log = logging.getLogger("flask_wamp")

#: Seconds that close() waits for the connection to end.
CLOSE_TIMEOUT = 5.0


class BackgroundLink(SessionLink):
    """A link that connects by itself, in the background, and again after every loss.

    What is sent while the router is away waits for a session, as long as it has time: see
    :class:`~flask_wamp._twisted.connection.lobby.Lobby`. Where a router has refused the login,
    everything fails at once with its reason, but for what comes during an attempt.

    :param serving: :meth:`serve` follows, so a session is of use once everything is registered.
    :param patience: seconds that :meth:`serve` asks again for what somebody else has registered.
    """

    def __init__(self, state: State, *, serving: bool = False, patience: float = 0.0) -> None:
        self._reactor = running_reactor()
        super().__init__(ReactorQueue(self._reactor.callFromThread, self._reactor.callLater))
        self._state = state
        self._notices = Notices(state)
        self._lobby = Lobby()
        self.outage = Outage(self._reactor.seconds)
        #: Sessions that this link has had; one less is how often it has connected again.
        self.sessions = 0
        self._pool: ElasticPool | None = None
        self._limits = Limits()
        self._serving = serving
        self._patience = patience
        self._standings = Standings()
        self._election: str | None = None
        self._registered_once = False
        self._refusal = ""  # what the log has said of a router that refuses to register
        self._starters = Starters()
        self._connector = Connector(
            self._reactor,
            state.config,
            connecting=self._on_connecting,
            joined=self._on_joined,
            lost=self._on_lost,
            in_context=state.app.app_context,
        )
        self._trigger: Any = None
        end_with_process(self)
        self._queue.put(self._begin_connecting)

    def open(self, timeout: float) -> None:
        """Wait until there is a session.

        :param timeout: seconds to connect in.
        :raises NotConnected: the routers cannot be reached, or have refused.
        """
        self._wait(
            lambda _session, reply: reply.succeed(None), timeout, "connecting", patient=False
        )

    def serve(self, timeout: float) -> None:
        """Serve the application's procedures and subscriptions, from now on and after each loss.

        :param timeout: seconds to connect and register in.
        :raises NotConnected: no session within the timeout; the attempts go on, not the serving.
        :raises RegistrationFailed: the router refused.
        """
        served: Future[None] = Future()
        self._queue.put(lambda: self._begin_serving(served))
        try:
            served.result(timeout)
        except TimeoutError:
            self._queue.put(lambda: self._give_up_serving(served))
            raise NotConnected(self._not_connected_within(timeout), may_have_run=False) from None

    def share(self, standing: Standing = WORKER, service: str | None = None) -> "Future[None]":
        """Serve beside other processes that serve the same; from now on and after each loss.

        Does not wait. Calls and publishes pass meanwhile, whatever the router refuses.

        :param service: what these have in common; see :func:`subscriber_uri`.
        :returns: has a result when the router has answered everything once, and fails with
            :class:`RegistrationFailed` where *standing* says so.
        """
        shared: Future[None] = Future()
        self._standings.standing = standing
        self._queue.put(lambda: self._begin_sharing(shared, service))
        return shared

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve *declared* now where the others are served; else :meth:`serve` will."""
        if self._serving or self._election:
            super().add(declared, timeout)

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve *declared* no more."""
        if self._serving or self._election:
            super().remove(declared, timeout)

    def close(self, by: str = "wamp.stop()") -> None:
        """End the connection; everything that waits for an answer raises at once."""
        closed = threading.Event()
        end_by_itself(self)
        self.release(f"the connection was closed by {by}")

        def close() -> None:
            with contextlib.suppress(ValueError):  # the reactor has come to it already
                self._reactor.removeSystemEventTrigger(self._trigger)
            self._lobby.leave()
            self._connector.close(closed.set)

        self._queue.put(close)
        closed.wait(CLOSE_TIMEOUT)
        self._notices.wait(CLOSE_TIMEOUT)
        if self._pool is not None:
            self._pool.stop()

    def end(self) -> threading.Event:
        """End the connection with the process; the event is set when what was sent has arrived."""
        ended = threading.Event()
        self.leave_waiting("the process ends: nothing can be sent any more")

        def end() -> None:
            if self._session is not None:
                self._session.forget_replies()
            self._connector.end(ended.set)

        self._queue.put(end)
        return ended

    def finish_notices(self, timeout: float) -> None:
        """Wait until the application knows that the session has ended."""
        self._notices.wait(timeout)

    def late(self, text: str, timeout: float, *, sent: bool) -> WAMPError:
        """Return what is raised where *timeout* seconds were not enough."""
        if sent or self._session is not None:
            return super().late(text, timeout, sent=sent)
        text = self._not_connected_within(timeout)
        return NotConnected(f"{text}; {NOT_SENT}", may_have_run=False)

    def _begin(self, send: Callable[[Session, Reply], None], reply: Reply) -> None:
        if self._session is None and not self._ends:
            self._lobby.enter(reply, send, self._absent)
        else:
            super()._begin(send, reply)

    def _forget(self, reply: Reply, cancel_mode: str | None) -> None:
        self._lobby.forget(reply)
        super()._forget(reply, cancel_mode)

    def _not_connected_within(self, timeout: float) -> str:
        return not_within(timeout, self._state.config.urls, self._absent)

    def _begin_connecting(self) -> None:
        self._reactor_thread = threading.get_ident()
        self._trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", _release, weakref.ref(self)
        )
        self._connector.connect()

    def _on_connecting(self) -> None:
        self._lobby.is_connecting = True

    def _on_joined(self, session: Session) -> None:
        if self._election:
            self.attach(session)
            self._leave_lobby()
            self._share(session, self._election)
        elif self._serving:
            self._bind(session)
        else:
            self._open(session)

    def _on_lost(self, lost: Sequence[Lost]) -> None:
        if self._closed is None:
            self.outage.goes_on(lost)
        self._state.outbox.hold()  # until the next session handles events
        self._notices.left(lost[-1].reason)
        self.detach(f"not connected to {'; '.join(map(str, lost))}")
        self._lobby.failed(self._absent, is_refused=self._connector.is_refused)

    def _open(self, session: Session) -> None:
        self.attach(session)
        self.sessions += 1
        self.outage.over(self._connector.url)
        self._notices.joined(session, self._state.config.realm)
        self._leave_lobby()

    def _leave_lobby(self) -> None:
        for reply, send in self._lobby.leave():
            self._begin(send, reply)

    def _begin_serving(self, served: "Future[None]") -> None:
        if self._registered_once and self._session is not None:
            served.set_result(None)
            return
        self._starters.add(served)
        if not self._serving:
            self._serving = True
            if self._session is not None:
                self._bind(self._session)

    def _give_up_serving(self, served: "Future[None]") -> None:
        """Nobody waits for *served* any more; what was registered before is so again."""
        self._starters.give_up(served)
        if not self._starters:
            self._serving = self._registered_once

    def _bind(self, session: Session) -> None:
        def bound(_server: Any) -> None:
            self._registered_once = True
            self._refusal = ""
            self._open(session)
            self._starters.succeed()

        def refused(failure: Any) -> None:
            error = failure.value
            if not isinstance(error, RegistrationFailed) or not session.is_attached():
                text = f"the session ended while registering: {error}"
                error = NotConnected(text, may_have_run=False)
            if self._registered_once:
                # Refused after a loss: another process may have the procedures for a moment.
                # The session is dropped, and the next one tries again, every few seconds.
                if str(error) != self._refusal:
                    self._refusal = str(error)
                    log.error("%s", error)
            else:
                self._serving = False
            self._starters.fail(error)
            self._connector.drop(str(error))

        pool = self._running_pool()
        bind(session, self._state, pool, self._limits, self._patience).addCallbacks(bound, refused)

    def _running_pool(self) -> ElasticPool:
        if self._pool is None:
            self._pool = ElasticPool(self._state.config.threads, self._queue)
            self._pool.start()
        return self._pool

    def _begin_sharing(self, shared: "Future[None]", service: str | None) -> None:
        if self._registered_once and self._session is not None:
            shared.set_result(None)
            return
        self._starters.add(shared)
        if self._election is None:
            self._election = subscriber_uri(self._state, service)
            if self._session is not None:
                self._share(self._session, self._election)

    def _share(self, session: Session, election: str) -> None:
        def answered(_answered: Any) -> None:
            if self._session is session:
                self._registered_once = True
                self._open(session)
                self._starters.succeed()

        def refused(failure: Any) -> None:
            # The next session is asked, where this one has ended meanwhile or has served before.
            if self._session is session and session.is_attached():
                log.error("%s", failure.value)
                self._starters.fail(failure.value)
                self._connector.drop(str(failure.value))

        how = election, self._standings.of(session)
        sharing = share(session, self._state, self._running_pool(), self._limits, *how)
        sharing.addCallbacks(answered, refused)


def _release(link: "weakref.ref[BackgroundLink]") -> None:
    alive = link()
    if alive is not None and ends_with_process(alive):
        alive.release("the reactor has stopped")
