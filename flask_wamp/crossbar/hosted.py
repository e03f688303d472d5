"""Procedures that the router's process answers itself, in memory, at once or later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.exception import Error as AutobahnError
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from twisted.python.failure import Failure

from .._twisted.identity import caller_of
from .._twisted.session import Session
from ..errors import RUNTIME_ERROR, ApplicationError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the router knows it; None where the router does not disclose it."""

    session: int | None
    authid: str | None
    authrole: str | None


#: Gets the caller and the positional arguments, and returns the result, or a Deferred of it. An
#: ApplicationError is the answer; what else it raises is logged.
Hosted = Callable[[Caller, list[Any]], Any]


class Host:
    """Answers the invocations of some procedures.

    The router is told that this session takes no interrupts: Crossbar.io breaks where a caller
    leaves while an in-memory session has yet to answer, since it cannot hand it one.

    :param session: the router component's, which is in memory.
    """

    _log = Logger()

    def __init__(self, session: Session, procedures: Mapping[str, Hosted]) -> None:
        self._session = session
        self._hosted = procedures
        self._procedures: dict[int, Hosted] = {}
        session.take_no_interrupts()

    @inlineCallbacks
    def register(self) -> Any:
        """Register the procedures; where another component has them, that one answers.

        :returns: whether all of them are this one's; a Deferred.
        """
        for uri, procedure in self._hosted.items():
            try:
                registration = yield self._session.register(_answered_here, uri)
            except AutobahnError:
                return False
            self._procedures[registration.id] = procedure
        return True

    def answer(self, msg: message.Invocation) -> bool:
        """Answer an invocation; False where it is not one of these."""
        procedure = self._procedures.get(msg.registration)
        if procedure is None:
            return False
        try:
            value = procedure(Caller(*caller_of(msg)), list(msg.args or ()))
        except Exception:  # noqa: BLE001
            # A caller without an answer would wait for ever.
            self._fail(Failure(), msg.request)
            return True
        if isinstance(value, Deferred):
            value.addCallback(lambda later: self._session.answer(msg.request, later))
            value.addErrback(self._fail, msg.request)
        else:
            self._session.answer(msg.request, value)
        return True

    def _fail(self, failure: Failure, request: int) -> None:
        error = failure.value
        if not isinstance(error, ApplicationError):
            self._log.failure("flask-wamp: a procedure of the router's process failed", failure)
            error = ApplicationError(RUNTIME_ERROR, "the router's process could not do it")
        self._session.refuse(request, error)


def _answered_here(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands these invocations to its Host")
