"""Who handles an application's events next: both sides of :mod:`.handover`, on the reactor's thread."""

from collections.abc import Sequence
from typing import Any, Protocol

from autobahn.wamp import message
from twisted.internet.defer import Deferred, DeferredList, inlineCallbacks
from twisted.logger import Logger

from ...declare.declared import Procedure, Subscription
from ...errors import CANCELED, ApplicationError
from ..identity import caller_of
from ..session import Session
from ..threads import ElasticPool
from .draining import TimeLimit, are_handled, when
from .events import Events
from .handover import ANSWER_LIMIT, HAND_OVER, HANDLE_LIMIT, TAKE_BACK, Desk, Key, keys_in

Declared = Procedure | Subscription


class Shared(Protocol):
    """What serves beside other processes."""

    session: Session
    pool: ElasticPool
    events: Events

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """What the application subscribes to."""

    def has(self, declared: Declared) -> bool:
        """Tell whether the router has given it to this process."""

    def claim(self, declared: Declared, *, force: bool = False) -> "Deferred[Any]":
        """Ask the router for it; what comes of it is looked at with :meth:`has`."""

    def release(self, declared: Declared) -> "Deferred[Any]":
        """Give it back to the router; does not fail."""


class Succession:
    """Hands the events over, and takes them.

    :param election: the procedure whose callee handles the events.
    """

    _log = Logger()

    def __init__(self, server: Shared, election: Procedure) -> None:
        self._server = server
        self._election = election
        self.desk = Desk(server.events.handle)
        self._asked: int | None = None
        self._taking_back: Any = None

    @property
    def is_under_way(self) -> bool:
        """Whether this process has given its subscriptions away, and is still the elected one."""
        return self._taking_back is not None

    def is_request(self, invocation: message.Invocation) -> bool:
        """Tell whether a call of the election's procedure asks to hand over.

        Services of the same role may; where the router does not say who calls, nobody may.
        """
        _caller, _authid, authrole = caller_of(invocation)
        is_colleague = authrole is not None and authrole == self._server.session.authrole
        return is_colleague and list(invocation.args or ()) == [HAND_OVER]

    @inlineCallbacks
    def hand_over(self, request: int) -> Any:
        """Subscribe to nothing more, handle what has come, and answer with what that was."""
        server = self._server
        self.end()
        self._asked = request
        self._taking_back = server.pool.reactor.call_later(TAKE_BACK, self._take_back)
        yield DeferredList([server.release(each) for each in server.subscriptions])
        limit = TimeLimit(server.pool, HANDLE_LIMIT)
        yield limit.until(when(server.pool, lambda: are_handled(server.pool)))
        limit.stop()
        if self._asked == request:
            self._asked = None
            server.session.answer(request, self.desk.taken())

    def interrupt(self, request: int) -> bool:
        """Tell whether *request* asked to hand over; its caller does not wait any more."""
        if request != self._asked:
            return False
        self._asked = None
        error = ApplicationError(CANCELED, "the call was canceled")
        self._server.session.refuse(request, error)
        return True

    @inlineCallbacks
    def take(self) -> Any:
        """Handle the events from now on, in place of whoever did; does not fail."""
        server = self._server
        self.desk.keep()
        handled: set[Key] = set()
        try:
            yield DeferredList([server.claim(each) for each in server.subscriptions])
            handled = yield self._ask()
            yield server.claim(self._election, force=True)
            if not server.has(self._election):
                yield DeferredList([server.release(each) for each in server.subscriptions])
        finally:
            self.desk.release(handled)

    def end(self) -> None:
        """Take nothing back: another process has the events, or this one ends."""
        if self._taking_back is not None:
            self._taking_back.cancel()
            self._taking_back = None

    @inlineCallbacks
    def _ask(self) -> Any:
        """Ask who handles the events to hand them over, and return what it has handled."""
        question = self._server.session.call(self._election.name, HAND_OVER)
        limit = TimeLimit(self._server.pool, ANSWER_LIMIT)
        answer = yield limit.until(question)
        limit.stop()
        # Nothing where there is nobody, or where it has died.
        return keys_in(answer)

    @inlineCallbacks
    def _take_back(self) -> Any:
        """Nobody has taken what was handed over: handle it again."""
        self._taking_back = None
        if self._server.has(self._election):
            self._log.warn("flask-wamp: nobody has taken the events over: they are handled here")
            yield DeferredList([self._server.claim(each) for each in self._server.subscriptions])
