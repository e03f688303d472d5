"""The peers' sessions as the router's process has them, with a guard before each.

Crossbar.io 26.10.1, ``crossbar/router/session.py``: a transport's session is made from the class
attribute ``RouterSessionFactory.session``, which is there to be replaced. What the guard asks for
has no public names: whether a session has joined (``_session_id``, ``_pending_session_id``), what it
is asked to prove (``_pending_auth``, ``_transport_config``), and, in ``dealer.py``, ``broker.py`` and
``role.py``, what it waits for, has subscribed to and may register (``_dealer``, ``_broker``, ``_roles``
and what they keep by session). It can be left alone once Crossbar.io has limits for what a peer's
session may do; :func:`lacking` and :func:`.routers.lacking_in` tell where a name has changed, and the node does not start.
``tests/twisted/test_router_sessions.py`` and ``tests/node/test_guard_*.py`` notice the rest.

A caller that cancels a call and leaves has its call, arguments included, kept for ever: the dealer's
``detach`` passes it over. :meth:`GuardedSession.forget_cancelled` is for that.
"""

from typing import Any, ClassVar, Protocol

from autobahn.wamp import message
from autobahn.wamp.types import HelloDetails
from crossbar.router.broker import Broker
from crossbar.router.dealer import Dealer
from crossbar.router.role import RouterRoleStaticAuth, RouterTrustedRole
from crossbar.router.router import Router
from crossbar.router.session import RouterSession, RouterSessionFactory
from twisted.internet.defer import Deferred, maybeDeferred

from .buffers import unsent
from .readers import GuardedReader
from .roles import configured_role

#: What the guard calls, or lets be called for it, of each class.
_NEEDED: dict[type[Any], tuple[str, ...]] = {
    RouterSession: (
        "onOpen", "onMessage", "onHello", "onAuthenticate", "onJoin", "onLeave", "onClose", "leave",
    ),
    RouterSessionFactory: ("session", "__call__"),
    Router: ("process", "send", "attach", "detach"),
    Dealer: ("processYield", "processInvocationError", "_remove_invoke_request"),
    Broker: ("processSubscribe", "detach"),
    RouterRoleStaticAuth: ("_permissions", "_wild_permissions", "_default"),
}  # fmt: skip


class SessionGuard(Protocol):
    """What is asked about each session, on the reactor's thread."""

    def opened(self, session: "GuardedSession") -> None:
        """A transport has opened."""

    def passes(self, session: "GuardedSession", msg: Any) -> bool:
        """Tell whether a message goes on to the router."""

    def answering(self, session: "GuardedSession", answer: Any) -> Any:
        """Return what is answered to a HELLO or an AUTHENTICATE; *answer* may be an exception."""

    def joined(self, session: "GuardedSession") -> None:
        """It is a session of the realm now."""

    def left(self, session: "GuardedSession", session_id: int) -> None:
        """It is none any more, or will be none: *session_id* has ended."""

    def closed(self, session: "GuardedSession") -> None:
        """The transport has closed."""

    def dismissed(self, session: "GuardedSession") -> None:
        """The router has said GOODBYE."""

    def end(self, session: "GuardedSession", reason: str, *, at_once: bool) -> "Deferred[bool]":
        """End it, and return what fires when it has ended."""


#: Untyped, for what Crossbar.io declares of it is narrower than what it is.
_Base: Any = RouterSession


class GuardedSession(_Base):
    """A peer's session in the router's process, whose guard sees everything first.

    :cvar guard: asked about every session of the process.
    :ivar guarded: what the guard remembers of this one.
    """

    guard: ClassVar[SessionGuard]
    guarded: Any = None

    # --- what happens to it

    def onOpen(self, transport: Any) -> None:
        """Take the transport."""
        self._reader = GuardedReader(transport._serializer)  # noqa: SLF001 - Autobahn makes it
        transport._serializer = self._reader  # noqa: SLF001
        super().onOpen(transport)
        self.guard.opened(self)

    def onMessage(self, msg: Any) -> None:
        """Handle a message, unless the guard keeps it."""
        if self.guard.passes(self, msg):
            if type(msg) is message.Goodbye:
                self.forget_cancelled()
            super().onMessage(msg)

    def go_on(self, msg: Any) -> None:
        """Handle a message that the guard has kept for a while."""
        super().onMessage(msg)

    def onHello(self, realm: str, details: HelloDetails) -> Any:
        """Answer a HELLO, as the guard has it."""
        return self._answered(maybeDeferred(super().onHello, realm, details))

    def onAuthenticate(self, signature: str, extra: Any) -> Any:
        """Answer an AUTHENTICATE, as the guard has it."""
        return self._answered(maybeDeferred(super().onAuthenticate, signature, extra))

    def onJoin(self, details: Any) -> None:
        """Be a session of the realm."""
        super().onJoin(details)
        self.guard.joined(self)

    def onLeave(self, details: Any) -> None:
        """Be none any more."""
        ended = self._session_id or self._previous_session_id
        try:
            super().onLeave(details)
        finally:
            self._pending_auth = None
            if ended is not None:
                self.guard.left(self, ended)

    def onClose(self, wasClean: bool) -> None:
        """Lose the transport."""
        pending = self._pending_session_id
        self.forget_cancelled()
        try:
            super().onClose(wasClean)
        finally:
            if pending is not None:
                self.guard.left(self, pending)
            self.guard.closed(self)

    def _answered(self, answer: "Deferred[Any]") -> "Deferred[Any]":
        return answer.addBoth(lambda result: self.guard.answering(self, result))

    # --- what is known of it

    @property
    def session_id(self) -> int | None:
        """Its id, once it has joined."""
        number: int | None = self._session_id
        return number

    @property
    def transport(self) -> Any:
        """Autobahn's protocol below it; None once that is closed."""
        return self._transport

    def remote_address(self) -> str | None:
        """Return the address at the other end of the connection; None over a Unix socket."""
        peer = self._transport.transport.getPeer() if self._transport is not None else None
        host: str | None = getattr(peer, "host", None)
        return host

    @property
    def octets(self) -> int:
        """The bytes of the message that has come last."""
        return int(self._reader.octets)

    @property
    def role(self) -> str:
        """The role that it has joined with."""
        return str(self._authrole)

    def method_for(self, offered: list[str] | None) -> str:
        """Return which of the *offered* methods the router takes; "" for none."""
        configured = self._transport_config.get("auth") or {"anonymous": None}
        return next((name for name in offered or ["anonymous"] if name in configured), "")

    def may_register(self) -> bool:
        """Tell whether its role may register anything, by the node's configuration."""
        role = configured_role(self._router._roles.get(self._authrole))  # noqa: SLF001
        if not isinstance(role, RouterRoleStaticAuth):
            return isinstance(role, RouterTrustedRole)
        rules = [*role._permissions.values(), *role._wild_permissions.values(), role._default]  # noqa: SLF001
        return any(rule.register for rule in rules)

    def owner_of(self, invocation: int) -> Any:
        """Return the session that is to answer an invocation; None where it is none any more."""
        request = self._router._dealer._invocations.get(invocation)  # noqa: SLF001
        return None if request is None else request.callee

    def waits_for(self, call: int) -> bool:
        """Tell whether a call of its own has that number, and is not answered yet."""
        return (self._session_id, call) in self._router._dealer._invocations_by_call  # noqa: SLF001

    def pending_calls(self) -> int:
        """Return how many of its calls are not answered yet."""
        return len(self._router._dealer._caller_to_invocations.get(self, ()))  # noqa: SLF001

    def serves(self) -> bool:
        """Tell whether it has registered or subscribed to anything."""
        registrations = self._router._dealer._session_to_registrations  # noqa: SLF001
        return bool(registrations.get(self)) or self.subscriptions() > 0

    def subscriptions(self) -> int:
        """Return how many subscriptions it has."""
        return len(self._router._broker._session_to_subscriptions.get(self, ()))  # noqa: SLF001

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read what came before."""
        return unsent(self._transport)

    # --- what is done to it

    def forget_cancelled(self) -> None:
        """Let the router forget the calls that were cancelled, and whose callee has yet to answer."""
        if self._router is None:
            return
        dealer = self._router._dealer  # noqa: SLF001
        for request in list(dealer._caller_to_invocations.get(self, ())):  # noqa: SLF001
            if request.canceled:
                dealer._remove_invoke_request(request)  # noqa: SLF001

    def leave(self, reason: str | None = None, message: str | None = None) -> None:
        """Ask the peer to leave, as ``wamp.session.kill`` does; the second time does nothing."""
        if not self._goodbye_sent and self._transport is not None:
            super().leave(reason, message)
            self.guard.dismissed(self)

    def answer(self, msg: Any, uri: str, text: str) -> None:
        """Answer a request with an error."""
        if self._transport is not None:
            self._transport.send(message.Error(msg.MESSAGE_TYPE, msg.request, uri, args=[text]))

    def close(self, code: int, reason: str) -> None:
        """Close the connection, telling a WebSocket peer why; others get no word.

        :param code: of RFC 6455, 7.4.1.
        :param reason: up to 123 bytes of it travel.
        """
        protocol = self._transport
        if protocol is None:
            return
        if not hasattr(protocol, "sendCloseFrame"):
            protocol.transport.loseConnection()
        elif protocol.state == protocol.STATE_OPEN:
            reason_bytes = reason.encode("ascii", "backslashreplace")[:123]
            protocol.sendCloseFrame(code=code, reasonUtf8=reason_bytes, isReply=False)

    def drop(self) -> None:
        """Cut the connection off, whatever the peer does."""
        if self._transport is not None:
            self._transport.transport.abortConnection()


def guard_sessions(guard: SessionGuard) -> SessionGuard:
    """Have *guard* see every session that a transport of this process makes, from now on.

    :returns: the guard that does, which is another one where there was one.
    :raises RuntimeError: Crossbar.io lacks what a guard needs, or another class is in its place.
    """
    missing = lacking()
    if missing:
        raise RuntimeError(f"Crossbar.io has no {', '.join(missing)}: sessions cannot be guarded")
    factory: Any = RouterSessionFactory
    now = factory.session
    if issubclass(now, GuardedSession):
        found: SessionGuard = now.guard
        return found
    if now is not RouterSession:
        raise RuntimeError(f"{now.__qualname__} has taken the place of Crossbar.io's RouterSession")
    factory.session = type("Guarded", (GuardedSession,), {"guard": guard})
    return guard


def lacking() -> list[str]:
    """Return the names that a guard needs, and Crossbar.io has not."""
    role = RouterRoleStaticAuth(None, "none")
    return [
        f"{kind.__name__}.{name}"
        for kind, names in _NEEDED.items()
        for name in names
        if not hasattr(role if kind is RouterRoleStaticAuth else kind, name)
    ]


def guarded_session(in_memory: Any, session_id: int) -> GuardedSession | None:
    """Return the session of a peer; None where there is none, or it is in memory.

    :param in_memory: a session of a router component, which tells the router.
    """
    router = in_memory._transport._router  # noqa: SLF001
    found = router._session_id_to_session.get(session_id)  # noqa: SLF001
    return found if isinstance(found, GuardedSession) else None


def guarded_sessions(in_memory: Any) -> list[GuardedSession]:
    """Return the sessions of all peers that have joined the realm of *in_memory*."""
    found = in_memory._transport._router._session_id_to_session.values()  # noqa: SLF001
    return [session for session in found if isinstance(session, GuardedSession)]
