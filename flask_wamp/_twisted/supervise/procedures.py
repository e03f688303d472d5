"""What a supervisor answers over WAMP: how its processes do, and their replacement."""

from collections.abc import Callable, Mapping
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.exception import ApplicationError as Refused
from twisted.internet.defer import inlineCallbacks, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import NOT_AUTHORIZED, RUNTIME_ERROR, ApplicationError
from ..identity import caller_of
from ..session import Session

#: Below this is each supervisor, by its name.
SUPERVISOR = "flask_wamp.supervisor."
#: Supervisors of the same name at most.
NAMESAKES = 100


class Procedures:
    """Answers the calls of a supervisor's procedures, which take no arguments.

    :param functions: what is answered by the last word of the URI, or a Deferred of it.
    """

    _log = Logger()

    def __init__(self, session: Session, functions: Mapping[str, Callable[[], Any]]) -> None:
        self._session = session
        self._functions = functions
        self._registered: dict[int, Callable[[], Any]] = {}
        #: The name that was free.
        self.name = ""

    @inlineCallbacks
    def register(self, name: str) -> Any:
        """Register the procedures below *name*, or below the next name that is free.

        :returns: whether the router has let this session; a Deferred that does not fail.
        """
        self._session.server = self
        for number in range(1, NAMESAKES):
            free = name if number == 1 else f"{name}_{number}"
            try:
                for word, function in self._functions.items():
                    uri = f"{SUPERVISOR}{free}.{word}"
                    registered = yield self._session.register(_answered_here, uri)
                    self._registered[registered.id] = function
            except Refused as error:
                if error.error == Refused.PROCEDURE_ALREADY_EXISTS:
                    continue
                self._log.warn(
                    "flask-wamp: nobody can ask this supervisor: {error}", error=str(error)
                )
                return False
            except Exception:  # noqa: BLE001
                return False  # the session is over
            self.name = free
            return True
        return False

    def invoke(self, invocation: message.Invocation) -> None:
        """Answer, at once or later."""
        request = invocation.request
        function = self._registered.get(invocation.registration)
        _session, _authid, role = caller_of(invocation)
        if function is None or role not in (None, "trusted", self._session.authrole):
            self._session.refuse(request, ApplicationError(NOT_AUTHORIZED, "it is for services"))
            return
        answer = maybeDeferred(function)
        answer.addCallback(lambda value: self._session.answer(request, value))
        answer.addErrback(self._fail, request)

    def interrupt(self, request: int) -> None:
        """Go on: what was begun is done, whoever waits for it."""

    def handle(self, event: message.Event) -> None:
        """Take no events."""

    def revoked(self, number: int) -> None:
        """Answer no more what the router has taken away."""
        self._registered.pop(number, None)

    def lost(self) -> None:
        """Answer nobody: the session is over."""
        self._registered.clear()

    def add(self, declared: Any) -> Any:
        """Serve nothing else."""
        return succeed(None)

    remove = add

    def _fail(self, failure: Failure, request: int) -> None:
        self._log.failure("flask-wamp: a supervisor could not answer", failure)
        error = ApplicationError(RUNTIME_ERROR, "the supervisor could not do it; its log says why")
        self._session.refuse(request, error)


def _answered_here(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands these invocations to its server")
