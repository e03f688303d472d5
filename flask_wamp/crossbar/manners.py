"""What a peer may send, message by message; what is no session's to send ends its connection."""

from collections.abc import Callable, Mapping
from typing import Any

from autobahn.wamp import message

from .._twisted.engine.router_sessions import GuardedSession
from ..errors import INVALID_ARGUMENT, UNAVAILABLE
from ..tracing.carrier import untrusted
from .complaints import Complaints
from .held import Held

INVALID_URI = "wamp.error.invalid_uri"
#: Characters of a URI.
MAX_URI = 1000
#: Subscriptions of a session that is no service's.
MAX_SUBSCRIPTIONS = 2000
#: Calls of such a session that may wait for their answers.
MAX_PENDING_CALLS = 2000
#: Receivers that such a session may name in one event: the router goes through them one by one.
MAX_RECEIVERS = 1000
#: Characters of what a HELLO or an AUTHENTICATE says, all together, and parts of it.
MAX_LOGIN = 16_384
MAX_LOGIN_PARTS = 200
#: What Crossbar.io would take for its own word in a HELLO's ``authextra``.
RESERVED = ("transport", "x_cb_", "proxy_")
#: What the log says of a message that has another shape than WAMP's.
UNREADABLE = "a message that cannot be read"


class Violation(Exception):
    """A message that ends its sender's connection; the text says why, without what it contained.

    :ivar told: what its sender reads instead.
    """

    def __init__(self, why: str, told: str = "") -> None:
        super().__init__(why)
        self.told = told


def check_hello(msg: Any) -> None:
    """Refuse a HELLO or an AUTHENTICATE that says too much, and take out what is the router's word.

    :raises Violation: it is too long, or has names that break the lines of a log.
    """
    if type(msg) is message.Authenticate:
        _measure([msg.signature, msg.extra])
        return
    names = [msg.realm, msg.authid, msg.authrole, *(msg.authmethods or ())]
    _measure([*names, msg.authextra])
    if not all(name.isprintable() for name in names if name is not None):
        # Crossbar.io logs them as they are.
        raise Violation("a name in a login is not printable")
    if msg.authextra:
        msg.authextra = {
            key: value for key, value in msg.authextra.items() if not key.startswith(RESERVED)
        }


class Manners:
    """What sessions that have joined may send.

    :ivar closed: the node stops, and takes no further calls. Services that serve something still
        call, for what they were asked to do.
    """

    def __init__(self, complaints: Complaints) -> None:
        self._complaints = complaints
        self._held = Held()
        self.closed = False

    def check(self, session: GuardedSession, msg: Any, *, is_service: bool) -> bool:
        """Tell whether the message of a session that has joined goes on to the router.

        :raises Violation: it ends the connection.
        """
        if self.closed and type(msg) is message.Call and not (is_service and session.serves()):
            session.answer(msg, UNAVAILABLE, "the node stops: it takes no further calls")
            return False
        passes = _check(session, msg, self._complaints, is_service=is_service)
        if not passes or is_service or type(msg) is not message.Call:
            return passes
        if self._held.admits(msg, session.octets):
            return True
        session.answer(msg, UNAVAILABLE, "busy: large calls wait for their answers already")
        return False


def _check(session: GuardedSession, msg: Any, complaints: Complaints, *, is_service: bool) -> bool:
    kind = type(msg)
    if kind not in _FROM_PEERS or (
        kind is message.Error and msg.request_type != message.Invocation.MESSAGE_TYPE
    ):
        raise Violation(f"{kind.__name__} is no message of a peer that has joined")
    if not is_service and getattr(msg, "forward_for", None) is not None:
        raise Violation("forward_for is for routers")
    if kind in _ANSWERS:
        return _is_own(session, msg, complaints)
    if kind is message.Call and session.waits_for(msg.request):
        raise Violation("a call has the number of one that is not answered yet")
    if not is_service and kind in _CARRIERS and msg.transaction_hash is not None:
        # Ids by which services find what belongs together are theirs to make.
        msg.transaction_hash = untrusted(msg.transaction_hash)
    refusal = _uri_refusal(msg)
    if refusal is None and not is_service:
        limit = _LIMITS.get(kind)
        refusal = limit(session, msg) if limit is not None else None
    if refusal is None:
        return True
    if kind is not message.Publish or msg.acknowledge:
        session.answer(msg, *refusal)
    return False


def _is_own(session: GuardedSession, msg: Any, complaints: Complaints) -> bool:
    """Tell whether the answer to an invocation is the session's to give.

    That of an invocation that has ended goes on: the router knows that it may be late.
    """
    owner = session.owner_of(msg.request)
    if owner is not None and owner is not session:
        number = session.session_id
        complaints.say(
            "an answer was dropped",
            f"session {number} has answered a call that is another session's to answer",
        )
        return False
    if type(msg) is message.Error and len(msg.error) > MAX_URI:
        msg.error = INVALID_URI
    return True


def _uri_refusal(msg: Any) -> tuple[str, str] | None:
    uri = getattr(msg, "procedure", None) or getattr(msg, "topic", None)
    if uri is None or len(uri) <= MAX_URI:
        return None
    return INVALID_URI, f"a URI of {len(uri)} characters: {MAX_URI} is the most"


def _call_refusal(session: GuardedSession, _msg: Any) -> tuple[str, str] | None:
    if session.pending_calls() < MAX_PENDING_CALLS:
        return None
    return UNAVAILABLE, f"{MAX_PENDING_CALLS} calls of this session wait for their answers already"


def _subscribe_refusal(session: GuardedSession, _msg: Any) -> tuple[str, str] | None:
    if session.subscriptions() < MAX_SUBSCRIPTIONS:
        return None
    return UNAVAILABLE, f"this session has {MAX_SUBSCRIPTIONS} subscriptions already"


def _publish_refusal(_session: GuardedSession, msg: Any) -> tuple[str, str] | None:
    named = sum(len(getattr(msg, option) or ()) for option in _RECEIVERS)
    if named <= MAX_RECEIVERS:
        return None
    return INVALID_ARGUMENT, f"an event that names {named} receivers: {MAX_RECEIVERS} is the most"


_RECEIVERS = (
    "exclude", "exclude_authid", "exclude_authrole", "eligible", "eligible_authid", "eligible_authrole",
)  # fmt: skip
_ANSWERS = (message.Yield, message.Error)
_CARRIERS = (message.Call, message.Publish)
_FROM_PEERS = frozenset({
    message.Publish, message.Subscribe, message.Unsubscribe, message.Call, message.Cancel,
    message.Register, message.Unregister, message.Yield, message.Error, message.Goodbye,
})  # fmt: skip
_LIMITS: Mapping[Any, Callable[[GuardedSession, Any], tuple[str, str] | None]] = {
    message.Call: _call_refusal,
    message.Subscribe: _subscribe_refusal,
    message.Publish: _publish_refusal,
}


def is_short(value: Any) -> bool:
    """Tell whether a value is no longer than what a login may say."""
    try:
        _measure(value)
    except Violation:
        return False
    return True


def _measure(value: Any) -> None:
    """Refuse what a login says where it is long, or has many parts; each is looked at once.

    :raises Violation: it is too much.
    """
    waiting, characters, parts = [value], 0, 0
    while waiting:
        part = waiting.pop()
        parts += 1
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()][:MAX_LOGIN_PARTS]
        elif isinstance(part, list | tuple):
            waiting += part[:MAX_LOGIN_PARTS]
        elif isinstance(part, str | bytes):
            characters += len(part)
        if characters > MAX_LOGIN or parts > MAX_LOGIN_PARTS:
            raise Violation("a login says too much")
