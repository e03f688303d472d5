"""The router's side of flow control; see :mod:`flask_wamp._twisted.flow`."""

from typing import Any

from .._twisted.engine.buffers import transport_of, unsent
from .._twisted.flow import FLOW, GOES_ON, IS_FULL, IS_GONE, MAX_TOKEN
from .._twisted.session import Session
from .._twisted.strict import UNFIT
from ..errors import INVALID_ARGUMENT, NOT_AUTHORIZED, ApplicationError
from ..serve.arguments import invalid_argument
from .hosted import Caller, Host

#: Bytes that the router may hold unsent for a caller who is to get more.
UNSENT = 512 * 1024
#: Streams that one session may pause at a time.
MAX_PAUSED = 1000
#: The same for all sessions together.
MAX_PAUSED_TOGETHER = 50_000


class FlowHost(Host):
    """Answers the questions of callees, in the router's process.

    :param session: the router component's, which is in memory.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(
            session,
            {
                FLOW + "check": self._check,
                FLOW + "pause": self._pause,
                FLOW + "resume": self._resume,
                UNFIT: _refuse_unfit,
            },
        )
        self._paused: dict[int, set[str]] = {}

    def _check(self, caller: Caller, args: list[Any]) -> str:
        """Tell whether a session takes the results of one of its streams."""
        if caller.authrole != self._session.authrole:
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

    def _pause(self, caller: Caller, args: list[Any]) -> None:
        (token,) = _tokens(args)
        if caller.session is None:
            raise ApplicationError(NOT_AUTHORIZED, "who pauses a stream has to be disclosed")
        paused = self._paused.get(caller.session, set())
        if not paused or self._has_no_room():
            for gone in [each for each in self._paused if self._transport_of(each) is None]:
                del self._paused[gone]
        if len(paused) >= MAX_PAUSED or self._has_no_room():
            raise ApplicationError(INVALID_ARGUMENT, "too many streams are paused already")
        paused.add(token)
        self._paused[caller.session] = paused

    def _has_no_room(self) -> bool:
        return sum(map(len, self._paused.values())) >= MAX_PAUSED_TOGETHER

    def _resume(self, caller: Caller, args: list[Any]) -> None:
        (token,) = _tokens(args)
        if caller.session in self._paused:
            self._paused[caller.session].discard(token)
            if not self._paused[caller.session]:
                del self._paused[caller.session]

    def _transport_of(self, session: int) -> Any:
        return transport_of(self._session, session)


def _refuse_unfit(_caller: Caller, args: list[Any]) -> None:
    raise invalid_argument(str(args[0]) if args else "the payload cannot travel")


def _tokens(args: list[Any]) -> list[str]:
    if len(args) != 1 or not isinstance(args[0], str) or len(args[0]) > MAX_TOKEN:
        raise ApplicationError(INVALID_ARGUMENT, "takes what names a stream")
    return args
