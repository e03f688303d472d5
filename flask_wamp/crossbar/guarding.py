"""What a peer's session may do to the others in the router's process, whoever it is.

Crossbar.io decides who may call what; this decides what it lacks: how long a login may take and how
often one may be tried, which messages may come when, whose invocation one may answer, and how much
of the router's memory one session may have. What a session is asked for stands in
:mod:`flask_wamp._twisted.engine.router_sessions`.
"""

from collections.abc import Callable
from typing import Any

from autobahn.wamp import message
from autobahn.wamp.types import Accept, Challenge, Deny
from twisted.internet.defer import Deferred
from txaio import make_logger

from .._twisted.engine.raw_sockets import bound_handshakes
from .._twisted.engine.readers import Garbled
from .._twisted.engine.router_sessions import GuardedSession, guard_sessions
from ..errors import NOT_AUTHORIZED
from .complaints import Complaints
from .manners import UNREADABLE, Manners, Violation, check_hello
from .slowing import Lines, Slowing, network_of
from .stages import Guarded, Stage
from .unread import MAX_UNSENT, Unread, too_much

_log = make_logger()

#: Seconds in which a transport's session has to join.
JOIN_WITHIN = 5.0
#: Sessions of one address that may log in at a time.
LOGINS_AT_ONCE = 20
#: Seconds that a peer has to close a connection, or to answer a GOODBYE.
GRACE = 1.0
#: What everybody reads whose login was refused, whatever the reason.
REFUSAL = "the login was refused"
#: Codes of a WebSocket close (RFC 6455, 7.4.1).
NORMAL, PROTOCOL_ERROR, POLICY = 1000, 1002, 1008


class Guard:
    """Guards every session of the process that a transport makes; on the reactor's thread.

    :ivar address_of: tells the remote address of a session; None for one that needs no line, as
        over a Unix socket. Whoever knows of proxies puts a function of theirs here.
    :ivar is_service: tells whether a session that has joined is a service's, and not a browser's.
    :ivar on_joined: called with each session that has joined.
    :ivar on_left: called with each id of a session, or of a login, that has ended.
    """

    def __init__(self, reactor: Any, join_within: float = JOIN_WITHIN) -> None:
        self._reactor = reactor
        self._join_within = join_within
        self._slowing = Slowing(reactor.seconds)
        self._lines = Lines(LOGINS_AT_ONCE)
        self._unread = Unread(reactor, self._does_not_read)
        self.complaints = Complaints(_warn, reactor.seconds)
        self.manners = Manners(self.complaints)
        self.address_of: Callable[[GuardedSession], str | None] = GuardedSession.remote_address
        self.is_service: Callable[[GuardedSession], bool] = GuardedSession.may_register
        self.on_joined: list[Callable[[GuardedSession], None]] = []
        self.on_left: list[Callable[[int], None]] = []

    # --- what the sessions tell

    def opened(self, session: GuardedSession) -> None:
        """Give a transport that has opened its time to join."""
        session.guarded = Guarded()
        self._unread.opened(session)
        self._expect_join(session)

    def passes(self, session: GuardedSession, msg: Any) -> bool:
        """Tell whether a message goes on to the router now."""
        record: Guarded = session.guarded
        if record.stage is Stage.CUT_OFF:
            return False
        if record.stage is Stage.DISMISSED:
            return type(msg) is message.Goodbye
        try:
            if type(msg) is Garbled:
                raise Violation(UNREADABLE, told=msg.reason)
            if record.stage is Stage.JOINED:
                if not record.service and session.unsent() > MAX_UNSENT:
                    self._does_not_read(session, too_much(MAX_UNSENT))
                    return False
                return self.manners.check(session, msg, is_service=record.service)
            self._handshake(session, record, msg)
        except Violation as violation:
            self._cut_off(session, PROTOCOL_ERROR, str(violation), violation.told)
        return False

    def answering(self, session: GuardedSession, answer: Any) -> Any:
        """Return the one refusal for every reason, and close behind it; else the answer."""
        record: Guarded = session.guarded
        if record.stage is Stage.CUT_OFF or session.transport is None:
            return None
        if isinstance(answer, Challenge):
            record.stage = Stage.CHALLENGED
        if isinstance(answer, Accept | Challenge):
            return answer
        if getattr(answer, "message", None) != REFUSAL:
            # Whoever has refused with this text has said why.
            reason = answer.reason if isinstance(answer, Deny) else type(answer.value).__name__
            self.complaints.say("a login was refused", f"{self._whence(session)}: {reason}")
        record.stage = Stage.CUT_OFF
        denial = Deny(NOT_AUTHORIZED, REFUSAL)
        if record.key:
            self._slowing.refused(record.key)
        elif isinstance(answer, Deny):
            denial = answer  # Who may open the socket may know why.
        self._later(session, 0, lambda: self._close(session, POLICY, REFUSAL))
        return denial

    def joined(self, session: GuardedSession) -> None:
        """Take a session for one of its realm's."""
        record: Guarded = session.guarded
        record.stage = Stage.JOINED
        record.service = self.is_service(session)
        self._cancel_deadline(record)
        self._out_of_line(session, record)
        for tell in self.on_joined:
            tell(session)

    def left(self, session: GuardedSession, session_id: int) -> None:
        """Tell that a session has ended; its transport may begin another one."""
        record: Guarded = session.guarded
        for tell in self.on_left:
            tell(session_id)
        was, record.stage = record.stage, Stage.OPENED
        self._fire(record)
        if session.transport is None:
            return
        if was is Stage.JOINED:
            self._expect_join(session)
        else:
            record.stage = Stage.CUT_OFF
            self._later(session, 0, lambda: self._close(session, NORMAL, "the session has ended"))

    def closed(self, session: GuardedSession) -> None:
        """Forget a session whose transport has closed."""
        record: Guarded = session.guarded
        record.stage = Stage.CUT_OFF
        self._unread.closed(session)
        self._cancel_deadline(record)
        for timer in record.timers:
            if timer.active():
                timer.cancel()
        record.timers.clear()
        self._out_of_line(session, record)
        self._fire(record)

    def end(self, session: GuardedSession, reason: str, *, at_once: bool) -> "Deferred[bool]":
        """End a session; see :func:`flask_wamp.crossbar.ending.end_session`."""
        record: Guarded = session.guarded
        gone: Deferred[bool] = Deferred()
        record.gone.append(gone)
        if at_once:
            record.stage = Stage.CUT_OFF
            session.drop()
        elif record.stage is Stage.JOINED:
            session.leave(reason)
        return gone

    def dismissed(self, session: GuardedSession) -> None:
        """Give a session that the router has said GOODBYE to its time to go."""
        session.guarded.stage = Stage.DISMISSED
        self._later(session, GRACE, session.drop)

    # --- logging in

    def _handshake(self, session: GuardedSession, record: Guarded, msg: Any) -> None:
        if type(msg) is message.Hello and record.stage is Stage.OPENED:
            check_hello(msg)
            record.stage = Stage.SAID_HELLO
            record.key = self._key(session, session.method_for(msg.authmethods))
            if record.key:
                self._stand_in_line(session, record, msg)
            else:
                session.go_on(msg)
        elif type(msg) is message.Authenticate and record.stage is Stage.CHALLENGED:
            check_hello(msg)
            record.stage = Stage.SAID_HELLO
            self._take(session, record, msg)
        elif type(msg) is message.Abort:
            record.stage = Stage.CUT_OFF
            self._close(session, NORMAL, "")
        else:
            raise Violation(f"{type(msg).__name__} has no place before the session is joined")

    def _stand_in_line(self, session: GuardedSession, record: Guarded, msg: Any) -> None:
        """Handle a HELLO when it is its turn; until then the time to join in stands still."""
        deadline, left = record.deadline, self._join_within
        if deadline is not None and deadline.active():
            left = deadline.getTime() - self._reactor.seconds()
            deadline.cancel()

        def go() -> None:
            if record.stage is Stage.SAID_HELLO:
                record.deadline = self._reactor.callLater(max(left, 0), self._too_late, session)
                self._take(session, record, msg)

        self._lines.enter(record.key, session, go)

    def _take(self, session: GuardedSession, record: Guarded, msg: Any) -> None:
        """Handle a step of a login, once its address has waited for what it has tried before."""
        if record.stage is not Stage.SAID_HELLO:
            return
        wait = self._slowing.delay(record.key) - record.waited if record.key else 0.0
        if wait <= 0:
            session.go_on(msg)
            return
        record.waited += wait
        if record.deadline is not None and record.deadline.active():
            record.deadline.delay(wait)
        self._later(session, wait, lambda: self._take(session, record, msg))

    def _key(self, session: GuardedSession, method: str) -> str:
        """Return where a login stands in line: guesses of secrets are not in that of the pages."""
        address = self.address_of(session)
        if address is None:
            return ""
        kind = "page" if method in ("anonymous", "tls", "cookie") else "secret"
        return f"{kind} {network_of(address)}"

    def _out_of_line(self, session: GuardedSession, record: Guarded) -> None:
        if record.key:
            key, record.key = record.key, ""
            following = self._lines.leave(key, session)
            if following is not None:
                # In a turn of its own: a thousand may wait for one another.
                self._reactor.callLater(0, following)

    def _expect_join(self, session: GuardedSession) -> None:
        if self.address_of(session) is None:
            # A container connects first, and then imports its application, however long that takes.
            return
        later = self._reactor.callLater
        session.guarded.deadline = later(self._join_within, self._too_late, session)

    def _too_late(self, session: GuardedSession) -> None:
        # What has come while the process was busy is read first.
        session.guarded.deadline = self._reactor.callLater(0, self._give_up, session)

    def _give_up(self, session: GuardedSession) -> None:
        self._cut_off(session, POLICY, f"no login within {self._join_within:g} s")

    @staticmethod
    def _cancel_deadline(record: Guarded) -> None:
        if record.deadline is not None and record.deadline.active():
            record.deadline.cancel()

    # --- ending

    def _cut_off(self, session: GuardedSession, code: int, reason: str, told: str = "") -> None:
        record: Guarded = session.guarded
        self.complaints.say("a connection was cut off", f"{self._whence(session)}: {reason}")
        record.stage = Stage.CUT_OFF
        self._close(session, code, told or reason)

    def _does_not_read(self, session: GuardedSession, why: str) -> None:
        """Drop a peer for whom too much waits."""
        if session.guarded.stage is not Stage.CUT_OFF:
            self._cut_off(session, POLICY, f"it does not read: {why}")
            session.drop()

    def _close(self, session: GuardedSession, code: int, reason: str) -> None:
        session.close(code, reason)
        self._later(session, GRACE, session.drop)

    def _later(self, session: GuardedSession, seconds: float, work: Callable[[], None]) -> None:
        timers = session.guarded.timers
        timers[:] = [timer for timer in timers if timer.active()]
        timers.append(self._reactor.callLater(seconds, work))

    @staticmethod
    def _fire(record: Guarded) -> None:
        gone, record.gone = record.gone, []
        for waiting in gone:
            waiting.callback(True)

    def _whence(self, session: GuardedSession) -> str:
        number = f"session {session.session_id} " if session.session_id else ""
        return f"{number}from {self.address_of(session) or 'a Unix socket'}"


def _warn(line: str) -> None:
    _log.warn("flask-wamp: {line}", line=line)


def guard_peers(reactor: Any, join_within: float = JOIN_WITHIN) -> Guard:
    """Guard the peers of this process from now on, and return the guard.

    :raises RuntimeError: Crossbar.io lacks what that needs.
    """
    bound_handshakes(reactor, join_within)
    guard = guard_sessions(Guard(reactor, join_within))
    assert isinstance(guard, Guard)  # noqa: S101 # nosec B101
    return guard
