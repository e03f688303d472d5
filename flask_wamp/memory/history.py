"""Event history as ``g.wampy.history`` asks a router for it: all events, of every topic."""

import time
from collections import deque
from typing import Any

from ..context import Event
from ..errors import RemoteError
from ..uris import uri_matches

#: Events that are kept, the newest.
KEPT = 10_000

LOOKUP = "wamp.subscription.lookup"
GET_EVENTS = "wamp.subscription.get_events"
NO_SUBSCRIPTION = "wamp.error.no_such_subscription"
#: The procedures that :meth:`History.answer` answers.
PROCEDURES = (LOOKUP, GET_EVENTS)


class History:
    """Keeps what was published, and answers the procedures that give it out (spec, 10.3.5)."""

    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._subscriptions: list[tuple[str, str]] = []

    def keep(self, event: Event, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Keep an event."""
        self._events.append(
            {
                "topic": event.uri,
                "publication": event.publication,
                "args": args,
                "kwargs": kwargs,
                "time_ns": time.time_ns(),
                "session_id": event.publisher,
                "authid": event.publisher_authid,
                "authrole": event.publisher_authrole,
            }
        )

    def answer(self, uri: str, args: list[Any]) -> Any:
        """Return what a router answers with: a subscription's id, or its events, newest first.

        :raises RemoteError: there is no such subscription.
        """
        first, *rest = args
        if uri == LOOKUP:
            key = first, (rest[0] if rest else {}).get("match", "exact")
            if key not in self._subscriptions:
                self._subscriptions.append(key)
            return self._subscriptions.index(key) + 1
        if first not in range(1, len(self._subscriptions) + 1):
            raise RemoteError.from_uri(NO_SUBSCRIPTION, [f"no subscription {first}"])
        topic, match = self._subscriptions[first - 1]
        kept = [each for each in self._events if uri_matches(each["topic"], topic, match)]
        return kept[::-1][: rest[0] if rest else None]
