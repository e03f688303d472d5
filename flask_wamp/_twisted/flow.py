"""Flow control for progressive results, which WAMP itself has none of.

Between a generator and the loop that takes its results lie the callee's transport, the router's
buffer for the caller, and the caller's own queue; nothing in the protocol keeps any of them from
growing. So the callee asks ``flask_wamp.flow.check`` after every :data:`PARTS` results, and goes on
when the answer is that the caller takes them: the question travels behind the results, so its
answer alone says that they have reached the router. In the router's process a :class:`FlowHost`
answers it, looking at what the caller's transport has yet to send, and at the streams whose callers
said ``flask_wamp.flow.pause``. Where no node of ours hosts it, the router's "no such procedure" is
the answer, and the first of the three is kept small.

It answers at once, always: Crossbar.io 26.10 breaks when the caller of an in-memory session leaves
before the answer.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autobahn.wamp import message
from autobahn.wamp.exception import Error as AutobahnError
from twisted.internet.defer import inlineCallbacks

from ..arguments import invalid_argument
from ..errors import INVALID_ARGUMENT, NOT_AUTHORIZED, ApplicationError
from .pool import place_handed_over
from .session import FLOW, NO_OPTIONS, Reply, Session, caller_of
from .strict import UNFIT

if TYPE_CHECKING:
    from .jobs import CallJob

#: Results, and bytes of them, after which a callee asks whether they are taken.
PARTS = 128
BYTES = 256 * 1024
#: Unanswered questions at which the callee waits.
AHEAD = 2
#: Bytes that the router may hold unsent for a caller who is to get more.
UNSENT = 512 * 1024
#: Seconds until a callee asks again.
FIRST_DELAY = 0.01
LONGEST_DELAY = 0.25
#: Streams that one session may pause at a time, and the length of what it calls them.
MAX_PAUSED = 1000
MAX_TOKEN = 64
#: What ``check`` answers: send more, wait, or stop: there is no such session any more, which a
#: callee is not told of when the call was canceled with "skip" before.
GOES_ON, IS_FULL, IS_GONE = "goes on", "is full", "is gone"


class Window:
    """How far the results of one call are ahead of what its caller has taken.

    :param post: runs something on the reactor's thread.
    :param call_later: the reactor's ``callLater``.
    """

    def __init__(
        self,
        job: "CallJob",
        post: Callable[[Callable[[], None]], None],
        call_later: Callable[..., Any],
    ) -> None:
        self._job = job
        self._post = post
        self._call_later = call_later
        self._parts = 0
        self._bytes = 0
        self._changed = threading.Condition()
        self._asked = 0
        self._closed = False

    def take(self, size: int) -> None:
        """Wait until a result of *size* bytes may be sent, or nobody wants it any more.

        On the view's thread, whose place another may have meanwhile.
        """
        self._parts += 1
        self._bytes += size
        if self._parts < PARTS and self._bytes < BYTES:
            return
        self._parts = self._bytes = 0
        with self._changed:
            self._asked += 1
            must_wait = self._is_full()
        self._post(lambda: self._ask(FIRST_DELAY))
        if must_wait:
            with place_handed_over(), self._changed:
                self._changed.wait_for(lambda: not self._is_full())

    def close(self) -> None:
        """Nobody wants the results any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._asked >= AHEAD and not self._closed

    def _ask(self, delay: float) -> None:
        """Ask whether the results are taken; on the reactor's thread."""
        if self._closed:
            return
        job = self._job

        def answered(reply: Reply) -> None:
            outcome = GOES_ON if reply.exception() else reply.result()
            if outcome == IS_FULL:
                self._call_later(delay, self._ask, min(2 * delay, LONGEST_DELAY))
                return
            if outcome == IS_GONE:
                job.server.gone(job)
            with self._changed:
                self._asked -= 1
                self._changed.notify_all()

        reply = Reply()
        reply.add_done_callback(lambda _: answered(reply))
        about = [job.invocation.caller, job.token]
        job.server.session.call_for(reply, FLOW + "check", about, {}, NO_OPTIONS)


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
        is_full = token in self._paused.get(session, ()) or _unsent(transport) >= UNSENT
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
        """Return a session's transport, as Autobahn has it; None where the session has ended."""
        in_memory: Any = self._session
        # Crossbar.io has no public way to another session's transport.
        router = in_memory._transport._router  # noqa: SLF001
        found = router._session_id_to_session.get(session)  # noqa: SLF001
        return getattr(found, "_transport", None)


def _answered_here(*_args: Any, **_kwargs: Any) -> None:
    raise AssertionError("the session hands these invocations to its FlowHost")


def _refuse_unfit(_caller: int | None, _authrole: str | None, args: list[Any]) -> None:
    raise invalid_argument(str(args[0]) if args else "the payload cannot travel")


def _tokens(args: list[Any]) -> list[str]:
    if len(args) != 1 or not isinstance(args[0], str) or len(args[0]) > MAX_TOKEN:
        raise ApplicationError(INVALID_ARGUMENT, "takes what names a stream")
    return args


def _unsent(protocol: Any) -> int:
    """Return the bytes that wait in the transport below *protocol*; none where it is in memory."""
    waiting = 0
    transport = getattr(protocol, "transport", None)
    while transport is not None:
        buffered = getattr(transport, "_tempDataLen", None)
        if buffered is not None:
            return int(waiting + len(transport.dataBuffer) - transport.offset + buffered)
        waiting += sum(map(len, getattr(transport, "_appSendBuffer", ())))
        waiting += sum(map(len, getattr(getattr(transport, "_aggregator", None), "_buffer", ())))
        transport = getattr(transport, "transport", None)
    return waiting
