"""Who called: the handshake of a caller's session, which the router's process tells."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..context import Invocation
from ..declare import allow
from ..errors import (
    AUTHORIZATION_FAILED,
    NO_SUCH_PROCEDURE,
    NOT_AUTHORIZED,
    UNAVAILABLE,
    ApplicationError,
    RemoteError,
    WAMPError,
)
from .handshake import KEPT, Handshake

#: The procedure of the router's process that tells; takes a session id.
HANDSHAKE: Final = "flask_wamp.login.handshake"
#: Roles of services, which have no handshake: this node's, and the router's own.
SERVICES: Final = frozenset(allow.SERVICES)
#: Sessions that a process remembers.
REMEMBERED: Final = 1000
#: Seconds for which a router is not asked again that does not tell.
SILENCE: Final = 60.0

_SILENT: Final = (NO_SUCH_PROCEDURE, NOT_AUTHORIZED, AUTHORIZATION_FAILED)


@dataclass(frozen=True, slots=True)
class Peer:
    """A session that the application's own authentication has let in.

    :ivar method: how: ``"cookie"``, where whoever sends none is a visitor, or by what else,
        ``"ticket"`` say, where cookies do not count.
    """

    handshake: Handshake
    method: str
    authid: str
    authrole: str


#: Calls a procedure of the router's process with arguments; None where there is no router.
Ask = Callable[[str, list[Any]], Any]
_Key = tuple[int, str | None, str | None]


class _Memory:
    """What a process knows through one of its sessions.

    :ivar silent_until: when the router is asked again that does not tell.
    """

    def __init__(self, services: frozenset[str]) -> None:
        self.services = services
        self.silent_until = 0.0
        self._lock = threading.Lock()
        self._peers: OrderedDict[_Key, Peer | None] = OrderedDict()

    def get(self, key: _Key) -> tuple[bool, Peer | None]:
        """Return whether it is known who that is, and who it is."""
        with self._lock:
            if key in self._peers:
                self._peers.move_to_end(key)
                return True, self._peers[key]
        return time.monotonic() < self.silent_until, None

    def keep(self, key: _Key, peer: Peer | None) -> None:
        """Remember who that is, in place of whoever has not called for longest."""
        with self._lock:
            self._peers[key] = peer
            if len(self._peers) > REMEMBERED:
                self._peers.popitem(last=False)


class Callers:
    """Tells who is behind the calls that a process answers; may be used on any thread.

    :param ask: returns what the router's process says of a session.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        # Made with the first session: a lock is not to be older than a fork, or than gevent's patches.
        self._memory: _Memory | None = None

    def renew(self, authrole: str | None) -> None:
        """Forget everybody: this process has a new session, of the role *authrole*."""
        self._memory = _Memory(SERVICES if authrole is None else SERVICES | {authrole})

    def of(self, invocation: Invocation) -> Peer | None:
        """Return who called; None for services, and where the router has no handshake of it.

        :raises ApplicationError: ``wamp.error.unavailable``: the router did not say, so that
            nobody may be taken for a visitor.
        """
        session, authrole = invocation.caller, invocation.caller_authrole
        if session is None or authrole in SERVICES:
            return None
        memory = self._memory
        if memory is None:
            self.renew(None)
            return self.of(invocation)
        if authrole in memory.services:
            return None
        key = (session, invocation.caller_authid, authrole)
        is_known, peer = memory.get(key)
        if not is_known:
            peer = self._ask_for(session, invocation, memory)
            # What was asked before renew() is kept in what that has thrown away.
            memory.keep(key, peer)
        return peer

    def _ask_for(self, session: int, invocation: Invocation, memory: _Memory) -> Peer | None:
        try:
            answer = self._ask(HANDSHAKE, [session])
        except RemoteError as error:
            if error.uri not in _SILENT:
                raise _unknown(error) from error
            # A router that is none of ours: callers have no handshake there.
            memory.silent_until = time.monotonic() + SILENCE
            return None
        except WAMPError as error:
            raise _unknown(error) from error
        if answer is None:
            return None
        peer = _peer(answer)
        if peer is None:
            raise _unknown(TypeError("the answer has another shape"))
        if (peer.authid, peer.authrole) != (invocation.caller_authid, invocation.caller_authrole):
            raise _unknown(ValueError("the router names two callers"))
        return peer


def _peer(answer: Any) -> Peer | None:
    """Return what an answer of :data:`HANDSHAKE` says, or None where it makes no sense."""
    if not isinstance(answer, Mapping):
        return None
    environ = answer.get("environ")
    method, authid, authrole = (answer.get(key) for key in ("method", "authid", "authrole"))
    texts = [method, authid, authrole]
    if not isinstance(environ, Mapping) or not all(isinstance(text, str) for text in texts):
        return None
    kept = {key: value for key, value in environ.items() if key in KEPT and isinstance(value, str)}
    return Peer(Handshake(kept), str(method), str(authid), str(authrole))


def _unknown(reason: Exception) -> ApplicationError:
    text = "who calls could not be found out: call again later"
    error = ApplicationError(UNAVAILABLE, text, status=503, description=text)
    error.__cause__ = reason
    return error
