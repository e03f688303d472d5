"""Who called, and who published, as the router knows it."""

from typing import Any

from autobahn.wamp import message


def caller_of(invocation: message.Invocation) -> tuple[int | None, str | None, str | None]:
    """Return the caller's session, authid and role, as the router knows them.

    A caller may send a ``forward_for`` list of its own, whose first entry the router then shows
    as the caller. The entry that the router itself appended is the last.
    """
    if invocation.forward_for:
        return _forwarder(invocation.forward_for)
    return invocation.caller, invocation.caller_authid, invocation.caller_authrole


def publisher_of(event: message.Event) -> tuple[int | None, str | None, str | None]:
    """Return the publisher's session, authid and role; see :func:`caller_of`."""
    if event.forward_for:
        return _forwarder(event.forward_for)
    return event.publisher, event.publisher_authid, event.publisher_authrole


def _forwarder(
    forward_for: list[dict[str, Any]],
) -> tuple[int | None, str | None, str | None]:
    last = forward_for[-1]
    return last.get("session"), last.get("authid"), last.get("authrole")
