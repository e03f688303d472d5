"""Who each session is, and the end of its login: the router's side of ``flask_wamp.login``.

``authenticate`` is the procedure of Crossbar.io's dynamic authenticators, ``handshake`` tells the
processes that serve who is behind a caller, and ``end`` revokes logins and ends their sessions.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.python.failure import Failure

from .._twisted.engine.buffers import transport_of
from .._twisted.engine.principals import may_register, roles_of, sessions_of
from .._twisted.engine.router_sessions import GuardedSession
from .._twisted.session import Session
from .._twisted.threads import ReactorQueue
from ..errors import INVALID_ARGUMENT, NOT_AUTHORIZED, ApplicationError
from ..login.door import COOKIE, Door, Entry, Request
from ..login.entering import Refused
from ..login.handshake import Handshake
from ..login.names import MAX_AUTHID, TRUSTED
from ..login.tickets import MAX_EXPIRES
from ..state import State
from .asking import Access, Asking, Defects, TooLate
from .ending import end_session
from .guarding import REFUSAL, Guard
from .hosted import Caller, Host
from .identities import Identities, Identity
from .revocations import Revocations, now

#: What the procedures' URIs begin with.
LOGIN: Final = "flask_wamp.login."
#: What a peer reads whose session is ended.
ENDED: Final = "wamp.close.killed"
#: Seconds that a revocation may take.
WRITING: Final = 10.0
#: Seconds between two looks for a session that is ended while it joins.
LOOK: Final = 0.1
#: How often a page is asked for again whose login ends meanwhile.
AGAIN: Final = 3


class Authentication(Host):
    """Lets sessions in, knows who they are, and ends them.

    :param session: the router component's, which is in memory.
    :param queue: takes work for the reactor's thread.
    :param directory: the node's, where what was revoked is kept; None keeps it in memory.
    :param guard: tells who has left, and logs what strangers do.
    """

    def __init__(
        self,
        session: Session,
        state: State,
        queue: ReactorQueue,
        directory: str | None,
        guard: Guard,
    ) -> None:
        super().__init__(
            session,
            {
                LOGIN + "authenticate": self._authenticate,
                LOGIN + "handshake": self._handshake,
                LOGIN + "end": self._end,
            },
        )
        self._app = state.app
        life = max(state.app.permanent_session_lifetime.total_seconds(), MAX_EXPIRES)
        self._revocations = Revocations(directory, life)
        self._door = Door(state.app, state.registry, self._revocations)
        self._identities = Identities(self._is_there)
        self._queue = queue
        self._logins, self._rights = Asking(queue), Asking(queue)
        self._writing = Asking(queue, deadline=WRITING, threads=1)
        #: When the sessions of an authid, or of a login, were ended last.
        self._ended: dict[str, float] = {}
        self._complaints = guard.complaints
        self._defects = Defects("flask-wamp: a login was refused, because the application failed")
        guard.on_left.append(self._identities.left)
        guard.address_of = self._address_of

    def close(self) -> None:
        """Let go of what was revoked, on the disk; the node stops."""
        self._revocations.close()

    def ask(self, function: Any, access: Access) -> "Deferred[bool]":
        """Return whether *function* says True to *access*, in a request of who wants to."""
        identity = self._identities.get(access.session)
        return self._rights.ask(
            self._app,
            function,
            access,
            None if identity is None else identity.handshake,
            guarded=identity is not None and identity.method == COOKIE,
        )

    def _address_of(self, peer: GuardedSession) -> str | None:
        """Return the address behind the proxies that the application knows of.

        A proxy may come by a Unix socket; whoever it does not name is then the proxy itself.
        """
        address = peer.remote_address()
        details = None if peer.transport is None else peer.transport.transport_details
        headers = None if details is None else details.http_headers_received
        if not headers:
            return address
        handshake = Handshake.from_headers(self._app, headers, address=address or "")
        return handshake.environ["REMOTE_ADDR"] or address

    # --- letting in

    def _authenticate(self, caller: Caller, args: list[Any]) -> Any:
        """Answer Crossbar.io's question whom to let in."""
        if caller.authrole != TRUSTED:
            raise ApplicationError(NOT_AUTHORIZED, "authentication is the router's own")
        realm, authid, details = args
        request = Request.from_details(authid, details)
        if realm not in (None, self._session.realm):
            return self._refuse(Failure(Refused("it is for another realm")), request)
        return self._decide(int(details["session"]), request, AGAIN)

    def _decide(self, session: int, request: Request, again: int) -> "Deferred[Any]":
        began = time.monotonic()
        asked = self._logins.run(lambda: self._door.enter(request))

        def admit(entry: Entry) -> Any:
            if began <= max(self._ended.get(key, 0.0) for key in _keys(entry.authid, entry.login)):
                # What it was decided by may be over.
                if again:
                    return self._decide(session, request, again - 1)
                raise Refused("its sessions end again and again")
            return self._admit(session, entry)

        return asked.addCallback(admit).addErrback(self._refuse, request)

    def _admit(self, session: int, entry: Entry) -> dict[str, Any]:
        """Remember who joins, and return what Crossbar.io takes."""
        if entry.is_known:
            self._check_role(entry.authrole)
            identity = Identity(
                entry.handshake,
                entry.method,
                entry.authid,
                entry.authrole,
                entry.login,
                time.monotonic(),
            )
            if not self._identities.add(session, identity):
                raise Refused("there are too many sessions")
        return {
            **entry.answer,
            "realm": self._session.realm,
            "role": entry.authrole,
            "authid": entry.authid,
        }

    def _check_role(self, name: str) -> None:
        """Refuse a role that only services have.

        :raises Refused: nobody is let in with it.
        """
        role = roles_of(self._session).get(name)
        if role is None:
            raise Refused(
                f"the realm has no role {name!r}: name it in an allow=... of the application, or add "
                "it to the node's configuration"
            )
        if name in (TRUSTED, self._session.authrole) or may_register(role):
            raise Refused(f"the role {name!r} may register procedures: it is for services alone")

    def _refuse(self, failure: Failure, request: Request) -> None:
        """Tell the log why, and the peer nothing.

        :raises ApplicationError: always the same.
        """
        if failure.check(ApplicationError):
            # It was asked for again, and refused there.
            failure.raiseException()
        authid = "" if request.authid is None else f" as {str(request.authid)[:MAX_AUTHID]!r}"
        if failure.check(Refused, TooLate):
            reason = str(failure.value)
        else:
            reason = f"the application failed with {type(failure.value).__name__}"
            self._defects.tell(failure)
        handshake = Handshake.from_headers(self._app, request.headers, address=request.address)
        whence = handshake.environ["REMOTE_ADDR"]
        self._complaints.say(
            "a login was refused", f"{reason} ({request.method}{authid} from {whence})"
        )
        raise ApplicationError(NOT_AUTHORIZED, REFUSAL)

    # --- telling who it is

    def _handshake(self, caller: Caller, args: list[Any]) -> dict[str, Any] | None:
        """Tell a service who is behind a session; None where this node does not know."""
        self._check_service(caller)
        if len(args) != 1 or type(args[0]) is not int:
            raise ApplicationError(INVALID_ARGUMENT, "takes a session id")
        identity = self._identities.get(args[0])
        if identity is None or not self._is_there(args[0]):
            return None
        return {
            "environ": dict(identity.handshake.environ),
            "method": identity.method,
            "authid": identity.authid,
            "authrole": identity.authrole,
        }

    # --- ending

    def _end(self, caller: Caller, args: list[Any]) -> "Deferred[int]":
        """Revoke what an authid, or a login, has had, and end its sessions; return how many."""
        self._check_service(caller)
        authid, login, revoke = _whom(args)
        revoked: Deferred[Any] = succeed(None)
        if revoke:
            revoked = self._writing.run(lambda: self._revoke(authid, login))

        def end(outcome: Any) -> "Deferred[int]":
            ended = self._end_all(authid, login, at_once=not revoke)
            if isinstance(outcome, Failure):
                # They are ended all the same; but whoever asked has to know that it is not over.
                ended.addCallback(lambda _count: outcome)
            return ended

        return revoked.addBoth(end)

    def _revoke(self, authid: str | None, login: str | None) -> None:
        if authid is not None:
            self._revocations.revoke_authid(authid, now())
        if login is not None:
            self._revocations.revoke_login(login)

    def _end_all(self, authid: str | None, login: str | None, *, at_once: bool) -> "Deferred[int]":
        moment = time.monotonic()
        # Who is being asked about now has DEADLINE at most.
        self._ended = {key: at for key, at in self._ended.items() if moment - at < 60}
        self._ended.update(dict.fromkeys(_keys(authid, login), moment))
        sessions = set(self._identities.sessions(authid=authid, login=login))
        if authid is not None:
            sessions.update(sessions_of(self._session, authid))
        joining = {each for each in sessions if self._identities.is_joining(each)}
        for session in joining:
            self._end_once_joined(session, at_once)
        ended = DeferredList(
            [
                end_session(self._session, session, ENDED, at_once=at_once)
                for session in sessions - joining
            ],
            consumeErrors=True,
        )
        return ended.addCallback(lambda all_: sum(1 for fine, was in all_ if fine and was))

    def _end_once_joined(self, session: int, at_once: bool) -> None:
        if self._is_there(session):
            end_session(self._session, session, ENDED, at_once=at_once)
        elif self._identities.is_joining(session):
            self._queue.call_later(LOOK, self._end_once_joined, session, at_once)

    def _check_service(self, caller: Caller) -> None:
        if caller.authrole is None or caller.authrole not in (TRUSTED, self._session.authrole):
            raise ApplicationError(NOT_AUTHORIZED, "logins are for services of this role")

    def _is_there(self, session: int) -> bool:
        return transport_of(self._session, session) is not None


def _keys(authid: str | None, login: str | None) -> list[str]:
    return [
        f"{kind}:{name}"
        for kind, name in (("authid", authid), ("login", login))
        if name is not None
    ]


def _whom(args: list[Any]) -> tuple[str | None, str | None, bool]:
    """Return authid, login, and whether to revoke, of the arguments of ``end``."""
    whom = args[0] if len(args) == 1 and isinstance(args[0], Mapping) else {}
    authid, login, revoke = whom.get("authid"), whom.get("login"), whom.get("revoke", True)
    named = [each for each in (authid, login) if each is not None]
    fits = len(named) == 1 and isinstance(named[0], str) and 0 < len(named[0]) <= MAX_AUTHID
    if not fits or not isinstance(revoke, bool):
        raise ApplicationError(INVALID_ARGUMENT, "takes {authid: ...} or {login: ...}")
    return authid, login, revoke
