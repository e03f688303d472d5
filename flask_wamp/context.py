"""Who called, and who published: context proxies beside Flask's ``request``."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from werkzeug.local import LocalProxy


@dataclass(frozen=True, slots=True)
class Invocation:
    """The call that a view answers (WAMP spec, 9.2.2).

    :ivar uri: the procedure that was called.
    :ivar caller: the caller's session id; None where the router does not disclose callers.
    :ivar caller_authid: the caller's authid, as the router knows it.
    :ivar caller_authrole: the caller's role, as the router knows it.
    """

    uri: str
    caller: int | None = None
    caller_authid: str | None = None
    caller_authrole: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """The event that a handler handles (WAMP spec, 9.1.2).

    :ivar uri: the topic that was published to.
    :ivar publication: the publication id, the same for every subscriber.
    :ivar publisher: the publisher's session id; None where the router does not disclose it.
    :ivar publisher_authid: the publisher's authid, as the router knows it.
    :ivar publisher_authrole: the publisher's role, as the router knows it.
    """

    uri: str
    publication: int
    publisher: int | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None


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
