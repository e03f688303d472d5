"""The router's meta API: ``g.wampy.meta`` (WAMP spec, 11)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import RUNTIME_ERROR, OptionError, RemoteError

NO_SUCH = (
    "wamp.error.no_such_session",
    "wamp.error.no_such_registration",
    "wamp.error.no_such_subscription",
)


#: What a client is told whose session was ended.
KILLED = "wamp.close.killed"


class Caller(Protocol):
    """Calls procedures, as ``g.wampy`` does."""

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure *uri* and return its result."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event that the router has kept (WAMP spec, 10.3.5).

    :ivar uri: the topic.
    :ivar publication: the publication id, the same that subscribers got.
    :ivar args: the positional payload.
    :ivar kwargs: the keyword payload.
    :ivar timestamp: when it was published, in seconds since the epoch.
    :ivar publisher: the publisher's session id; ``publisher_authid`` and ``publisher_authrole``
        say who that was.
    """

    uri: str
    publication: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    timestamp: float
    publisher: int | None
    publisher_authid: str | None
    publisher_authrole: str | None


class Meta:
    """Sessions, registrations and subscriptions of the realm, as the router has them.

    The role of this process needs the right to call below ``wamp.``; browsers must not have it.
    Every method may raise what ``g.wampy.call`` raises; those that look something up return None
    where it is not there.
    """

    def __init__(self, client: Caller) -> None:
        self._client = client

    def sessions(self, *, authroles: Iterable[str] | None = None) -> list[int]:
        """Return the ids of the sessions, of some roles only where *authroles* names them."""
        return self._list("wamp.session.list", *_filter(authroles))

    def count_sessions(self, *, authroles: Iterable[str] | None = None) -> int:
        """Return how many sessions there are."""
        return int(self._client.call("wamp.session.count", *_filter(authroles)))

    def session(self, session: int) -> dict[str, Any] | None:
        """Return what the router knows of a session: ``authid``, ``authrole``, ``transport``, ...

        The transport's HTTP headers, cookies included, are among it: it is not for logs.
        """
        found: dict[str, Any] | None = self._get("wamp.session.get", session)
        return found

    def kill(self, session: int, *, reason: str = KILLED, message: str | None = None) -> bool:
        """End a session, and tell whether it was there.

        :param reason: a URI that its client is told.
        :param message: a text beside it.
        """
        try:
            self._client.call("wamp.session.kill", session, reason, message)
        except RemoteError as error:
            if error.uri in NO_SUCH:
                return False
            raise
        return True

    def kill_by_authid(
        self, authid: str, *, reason: str = KILLED, message: str | None = None
    ) -> list[int]:
        """End the sessions of *authid*, and return their ids; this one's may be among them."""
        return self._list("wamp.session.kill_by_authid", authid, reason, message)

    def kill_by_authrole(
        self, authrole: str, *, reason: str = KILLED, message: str | None = None
    ) -> list[int]:
        """End the sessions of *authrole*, and return their ids; this one's may be among them."""
        return self._list("wamp.session.kill_by_authrole", authrole, reason, message)

    def add_testament(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Let the router publish to *topic* when this process's session has ended."""
        self._client.call("wamp.session.add_testament", topic, args, kwargs)

    def flush_testaments(self) -> int:
        """Take all testaments of this process's session back, and return how many there were."""
        return int(self._client.call("wamp.session.flush_testaments"))

    def registrations(self) -> dict[str, list[int]]:
        """Return the ids of the registrations by match policy: exact, prefix, wildcard."""
        found: dict[str, list[int]] = self._client.call("wamp.registration.list")
        return found

    def registration(self, uri: str, *, match: str = "exact") -> dict[str, Any] | None:
        """Return the registration of *uri*: ``id``, ``uri``, ``match``, ``invoke``, ``created``.

        Its callees are in ``callees``, a list of session ids.
        """
        return self._observed("registration", uri, match, "callees")

    def callee_of(self, uri: str) -> dict[str, Any] | None:
        """Return the registration that a call of *uri* goes to, patterns included."""
        found = self._client.call("wamp.registration.match", uri)
        return None if found is None else self._observation("registration", found, "callees")

    def subscriptions(self) -> dict[str, list[int]]:
        """Return the ids of the subscriptions by match policy: exact, prefix, wildcard."""
        found: dict[str, list[int]] = self._client.call("wamp.subscription.list")
        return found

    def subscription(self, topic: str, *, match: str = "exact") -> dict[str, Any] | None:
        """Return the subscription to *topic*: ``id``, ``uri``, ``match``, ``created``.

        Its subscribers are in ``subscribers``, a list of session ids; None where Crossbar.io
        26.10 cannot tell, which it cannot of topics with an event history.
        """
        return self._observed("subscription", topic, match, "subscribers")

    def _observed(self, kind: str, uri: str, match: str, who: str) -> dict[str, Any] | None:
        found = self._client.call(f"wamp.{kind}.lookup", uri, {"match": match})
        return None if found is None else self._observation(kind, found, who)

    def _observation(self, kind: str, number: int, who: str) -> dict[str, Any] | None:
        found = self._get(f"wamp.{kind}.get", number)
        if found is None:
            return None
        try:
            sessions = self._client.call(f"wamp.{kind}.list_{who}", number)
        except RemoteError as error:
            if error.uri in NO_SUCH:
                return None
            if error.uri != RUNTIME_ERROR:
                raise
            sessions = None
        return {**found, who: sessions}

    def _get(self, uri: str, number: int) -> Any:
        try:
            return self._client.call(uri, number)
        except RemoteError as error:
            if error.uri in NO_SUCH:
                return None
            raise

    def _list(self, uri: str, *args: Any) -> list[int]:
        found: list[int] = self._client.call(uri, *args)
        return found


def history(client: Caller, topic: str, match: str, limit: int) -> list[HistoryEvent]:
    """Return the events that the router has kept for a subscription, the oldest first."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise OptionError(f"history(limit={limit!r}): give a whole number from 1, as in 100")
    subscription = client.call("wamp.subscription.lookup", topic, {"match": match})
    if subscription is None:
        return []
    # Crossbar.io 26.10 keeps an event once for each subscriber; what is asked for grows until there
    # are enough different ones, since all that is kept may be more than a message holds.
    asked = limit
    while True:
        kept = client.call("wamp.subscription.get_events", subscription, asked)
        different = {each["publication"]: each for each in kept}
        if len(different) >= limit or len(kept) < asked:
            break
        asked *= 2
    newest = list(different.values())[:limit]
    return [_event(each) for each in reversed(newest)]


def _event(kept: dict[str, Any]) -> HistoryEvent:
    return HistoryEvent(
        uri=kept["topic"],
        publication=kept["publication"],
        args=tuple(kept["args"] or ()),
        kwargs=kept["kwargs"] or {},
        timestamp=kept["time_ns"] / 1e9,
        publisher=kept.get("session_id"),
        publisher_authid=kept.get("authid"),
        publisher_authrole=kept.get("authrole"),
    )


def _filter(authroles: Iterable[str] | None) -> list[list[str]]:
    if isinstance(authroles, str):
        raise OptionError(f"authroles={authroles!r}: give a list of names, as in ['backend']")
    return [] if authroles is None else [list(authroles)]
