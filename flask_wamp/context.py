"""Who called, and who published: context proxies beside Flask's ``request``."""

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import cast

from werkzeug.local import LocalProxy

from .tracing.carrier import NOTHING, Carried

#: ``request.method`` of a call.
METHOD = "CALL"


class Cancellation:
    """Whether a call was canceled, to be asked and waited for on any thread."""

    __slots__ = ("_event", "is_set")

    _making = threading.Lock()

    def __init__(self) -> None:
        self.is_set = False
        # Made by the first who waits: most calls are answered before anybody asks.
        self._event: threading.Event | None = None

    def set(self) -> None:
        """The call is canceled."""
        self.is_set = True
        with self._making:
            event = self._event
        if event is not None:
            event.set()

    def wait(self, timeout: float | None) -> bool:
        """Wait *timeout* seconds at most, and tell whether the call is canceled."""
        with self._making:
            if self._event is None:
                self._event = threading.Event()
            event = self._event
        return self.is_set or event.wait(timeout)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The call that a view answers (WAMP spec, 9.2.2).

    :ivar uri: the procedure that was called; for a pattern, the URI that the caller named.
    :ivar caller: the caller's session id; None where the router does not disclose callers.
    :ivar caller_authid: the caller's authid, as the router knows it.
    :ivar caller_authrole: the caller's role, as the router knows it.
    :ivar parts: the components of the URI that the procedure's pattern leaves open, in order.
    :ivar progress: the caller takes progressive results, what a generator yields as it comes.
    :ivar carried: the ids that it has brought.
    """

    uri: str
    caller: int | None = None
    caller_authid: str | None = None
    caller_authrole: str | None = None
    parts: tuple[str, ...] = ()
    progress: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation, repr=False, compare=False)
    carried: Carried = field(default=NOTHING, repr=False, compare=False)

    @property
    def cancelled(self) -> bool:
        """Whether the caller wants no answer any more: it has canceled the call, or is gone.

        The answer is dropped then (WAMP spec, 10.2.3).
        """
        return self.cancellation.is_set

    def wait_cancelled(self, timeout: float | None = None) -> bool:
        """Wait until the call is canceled, and return :attr:`cancelled`.

        :param timeout: seconds to wait at most; by default until it is.
        """
        return self.cancellation.wait(timeout)


@dataclass(frozen=True, slots=True)
class Event:
    """The event that a handler handles (WAMP spec, 9.1.2).

    :ivar uri: the topic that was published to.
    :ivar publication: the publication id, the same for every subscriber.
    :ivar publisher: the publisher's session id; None where the router does not disclose it.
    :ivar publisher_authid: the publisher's authid, as the router knows it.
    :ivar publisher_authrole: the publisher's role, as the router knows it.
    :ivar parts: the components of the topic that the subscription's pattern leaves open.
    :ivar retained: the event is the one that the router had kept, from before the subscription.
    :ivar carried: the ids that it has brought.
    """

    uri: str
    publication: int
    publisher: int | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    parts: tuple[str, ...] = ()
    retained: bool = False
    carried: Carried = field(default=NOTHING, repr=False, compare=False)

    @property
    def id(self) -> str | None:
        """What a durable event is known by, however often it comes: of ours 32 hexadecimal digits.

        None for others, and for a retained one. It is what the publisher says.
        """
        return self.carried.event_id


@dataclass(frozen=True, slots=True)
class Access:
    """What a session wants to do, for functions that decide: ``allow=function``.

    :ivar action: ``call``, ``publish`` or ``subscribe``.
    :ivar uri: the procedure or topic.
    :ivar match: how a subscription matches; always ``exact``.
    :ivar retain: the router is to keep the event that is published.
    :ivar session: the session's id.
    :ivar authid: who it is, as the router knows it.
    :ivar authrole: its role, as the router knows it.
    """

    action: str
    uri: str
    match: str = "exact"
    retain: bool = False
    session: int | None = None
    authid: str | None = None
    authrole: str | None = None


current_invocation: ContextVar[Invocation] = ContextVar("flask_wamp.invocation")
current_event: ContextVar[Event] = ContextVar("flask_wamp.event")

#: The call that is being answered; false, and unusable, outside one.
invocation = cast(
    Invocation,
    LocalProxy(
        current_invocation,
        unbound_message="Working outside of a WAMP call: flask_wamp.invocation is there only "
        "in a view that a WAMP peer called.",
    ),
)

#: The event that is being handled; false, and unusable, outside a handler.
event = cast(
    Event,
    LocalProxy(
        current_event,
        unbound_message="Working outside of a WAMP event: flask_wamp.event is there only in a "
        "handler of @wamp.consume.",
    ),
)
