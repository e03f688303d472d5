"""The router's side of flow control; see :mod:`flask_wamp._twisted.flow`."""

from collections.abc import Callable
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.exception import Error as AutobahnError
from twisted.internet.defer import inlineCallbacks

from .._twisted.engine.buffers import transport_of, unsent
from .._twisted.flow import FLOW, GOES_ON, IS_FULL, IS_GONE, MAX_TOKEN
from .._twisted.identity import caller_of
from .._twisted.session import Session
from .._twisted.strict import UNFIT
from ..errors import INVALID_ARGUMENT, NOT_AUTHORIZED, ApplicationError
from ..serve.arguments import invalid_argument

#: Bytes that the router may hold unsent for a caller who is to get more.
UNSENT = 512 * 1024
#: Streams that one session may pause at a time.
MAX_PAUSED = 1000


class FlowHost:
    """Answers the questions of callees, in the router's process.

    :param session: the router component's, which is in memory.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._procedures: dict[int, Callable[[int | None, str | None, list[Any]], Any]] = {}
        self._paused: dict[int, set[str]] = {}

    @inlineCallbacks
    def register(self) -> Any:
        """Register the procedures; where another component has them, that one answers."""
        for uri, procedure in (
            (FLOW + "check", self._check),
            (FLOW + "pause", self._pause),
            (FLOW + "resume", self._resume),
            (UNFIT, _refuse_unfit),
        ):
            try:
                registration = yield self._session.register(_answered_here, uri)
            except AutobahnError:
                return
            self._procedures[registration.id] = procedure

    def answer(self, msg: message.Invocation) -> bool:
        """Answer an invocation; False where it is not one of these."""
        procedure = self._procedures.get(msg.registration)
        if procedure is None:
            return False
        caller, _authid, authrole = caller_of(msg)
        try:
            self._session.answer(msg.request, procedure(caller, authrole, list(msg.args or ())))
        except ApplicationError as error:
            self._session.refuse(msg.request, error)
        return True

    def _check(self, _caller: int | None, authrole: str | None, args: list[Any]) -> str:
        """Tell whether a session takes the results of one of its streams."""
        if authrole != self._session.authrole:
            raise ApplicationError(NOT_AUTHORIZED, "flow control is for services of this role")
        fits = (
            len(args) == 2 and isinstance(args[0], int | None) and isinstance(args[1], str | None)
        )
        if not fits:
            raise ApplicationError(INVALID_ARGUMENT, "takes a session id and a stream")
        session, token = args
        if session is None:
            # The router does not disclose who it is.
            return GOES_ON
        transport = self._transport_of(session)
        if transport is None:
            self._paused.pop(session, None)
            return IS_GONE
        is_full = token in self._paused.get(session, ()) or unsent(transport) >= UNSENT
        return IS_FULL if is_full else GOES_ON

    def _pause(self, caller: int | None, _authrole: str | None, args: list[Any]) -> None:
        (token,) = _tokens(args)
        if caller is None:
            raise ApplicationError(NOT_AUTHORIZED, "who pauses a stream has to be disclosed")
        for gone in [each for each in self._paused if self._transport_of(each) is None]:
            del self._paused[gone]
        paused = self._paused.setdefault(caller, set())
        if len(paused) >= MAX_PAUSED:
            raise ApplicationError(INVALID_ARGUMENT, f"{MAX_PAUSED} streams are paused already")
        paused.add(token)

    def _resume(self, caller: int | None, _authrole: str | None, args: list[Any]) -> None:
        (token,) = _tokens(args)
        if caller in self._paused:
            self._paused[caller].discard(token)
            if not self._paused[caller]:
                del self._paused[caller]

    def _transport_of(self, session: int) -> Any:
        return transport_of(self._session, session)


def _answered_here(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands these invocations to its FlowHost")


def _refuse_unfit(_caller: int | None, _authrole: str | None, args: list[Any]) -> None:
    raise invalid_argument(str(args[0]) if args else "the payload cannot travel")


def _tokens(args: list[Any]) -> list[str]:
    if len(args) != 1 or not isinstance(args[0], str) or len(args[0]) > MAX_TOKEN:
        raise ApplicationError(INVALID_ARGUMENT, "takes what names a stream")
    return args
