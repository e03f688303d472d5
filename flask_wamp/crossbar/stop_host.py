"""Tells the node's other processes, in the router's process, whether the node stops."""

from typing import Any

from twisted.internet.defer import Deferred

from .._twisted.engine.router_sessions import guarded_session
from .._twisted.serve.leaving import NODE_STOPPING
from .._twisted.session import Session
from ..errors import NOT_AUTHORIZED, UNAVAILABLE, ApplicationError
from .hosted import Caller, Host

#: Seconds that a question waits for this process to be told to stop as well, which is told in the
#: same moment as the others, and may come to it later.
HOLD = 0.3
#: Questions that may wait at a time.
MAX_HELD = 1000


class StopHost(Host):
    """Answers ``flask_wamp.node.stopping``: True as soon as the node stops, False after a while.

    :param session: the router component's, which is in memory.
    """

    def __init__(self, session: Session, reactor: Any) -> None:
        super().__init__(session, {NODE_STOPPING: self._stops})
        self._reactor = reactor
        self._stopping = False
        self._held: dict[Deferred[bool], Any] = {}

    def begin(self) -> None:
        """The node stops: say so from now on, and to those who wait for an answer."""
        self._stopping = True
        for question, timer in list(self._held.items()):
            timer.cancel()
            self._say(question)

    def _stops(self, caller: Caller, _args: list[Any]) -> "bool | Deferred[bool]":
        if self._stopping:
            return True
        # Services have the right to call by the node's configuration. Where a session without the
        # right to register anything has been given it as well, it is held by nobody.
        session = caller.session and guarded_session(self._session, caller.session)
        if session and not session.may_register():
            raise ApplicationError(NOT_AUTHORIZED, "whether the node stops is for services")
        if len(self._held) >= MAX_HELD:
            raise ApplicationError(UNAVAILABLE, f"{MAX_HELD} processes wait for the answer already")
        question: Deferred[bool] = Deferred()
        self._held[question] = self._reactor.callLater(HOLD, self._say, question)
        return question

    def _say(self, question: "Deferred[bool]") -> None:
        del self._held[question]
        question.callback(self._stopping)
