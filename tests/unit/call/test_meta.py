"""The router's meta API, and the events that it has kept."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, NotAuthorized, OptionError, RemoteError
from flask_wamp.call.client import Client
from flask_wamp.call.meta import HistoryEvent, Meta
from flask_wamp.call.options import Options
from flask_wamp.state import state_of

from ..doubles import RecordingLink


class MetaLink(RecordingLink):
    """Answers each URI as the router does: with what *answers* has, raised if an exception."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Note a call."""
        self.calls.append((uri, args, kwargs, options))
        answer = self.answers[uri]
        self.answer = answer(*args) if callable(answer) else answer
        return self._answered()

    @property
    def questions(self) -> list[tuple[Any, ...]]:
        """What was asked, as URI and positional arguments."""
        assert all(kwargs == {} for _uri, _args, kwargs, _options in self.calls)
        return [(uri, *args) for uri, args, _kwargs, _options in self.calls]


@pytest.fixture
def link(app: Flask, wamp: WAMP) -> MetaLink:
    """Return the application's link."""
    link = MetaLink()
    state_of(app).slot.attach(link)
    return link


@pytest.fixture
def client(app: Flask, link: MetaLink) -> Client:
    """Return the application's client."""
    return state_of(app).client


@pytest.fixture
def meta(client: Client) -> Meta:
    """Return the application's view of the router."""
    return client.meta


def no_such(kind: str) -> RemoteError:
    """Return the router's error for what is not there."""
    return RemoteError.from_uri(f"wamp.error.no_such_{kind}", [f"no {kind}"])


# --- sessions


def test_meta_sessions(meta: Meta, link: MetaLink) -> None:
    link.answers = {"wamp.session.list": [1, 2], "wamp.session.count": 2}
    assert meta.sessions() == [1, 2]
    assert meta.count_sessions() == 2
    assert meta.sessions(authroles=["user"]) == [1, 2]
    assert meta.count_sessions(authroles=("user", "backend")) == 2
    assert meta.sessions(authroles=[]) == [1, 2]
    assert link.questions == [
        ("wamp.session.list",),
        ("wamp.session.count",),
        ("wamp.session.list", ["user"]),
        ("wamp.session.count", ["user", "backend"]),
        ("wamp.session.list", []),
    ]


@pytest.mark.parametrize("ask", [Meta.sessions, Meta.count_sessions])
def test_meta_one_role_is_no_list_of_roles(
    meta: Meta, link: MetaLink, ask: Callable[..., Any]
) -> None:
    """Its letters would be taken for roles."""
    with pytest.raises(OptionError, match=r"authroles='user': give a list of names, as in"):
        ask(meta, authroles="user")
    assert link.calls == []


def test_meta_session(meta: Meta, link: MetaLink) -> None:
    link.answers = {"wamp.session.get": {"session": 7, "authid": "alice"}}
    assert meta.session(7) == {"session": 7, "authid": "alice"}
    link.answers = {"wamp.session.get": no_such("session")}
    assert meta.session(8) is None
    assert link.questions == [("wamp.session.get", 7), ("wamp.session.get", 8)]


def test_meta_kill(meta: Meta, link: MetaLink) -> None:
    link.answers = {"wamp.session.kill": None}
    assert meta.kill(7) is True
    assert meta.kill(8, reason="com.shop.closed", message="bye") is True
    link.answers = {"wamp.session.kill": no_such("session")}
    assert meta.kill(9) is False
    assert link.questions == [
        ("wamp.session.kill", 7, "wamp.close.killed", None),
        ("wamp.session.kill", 8, "com.shop.closed", "bye"),
        ("wamp.session.kill", 9, "wamp.close.killed", None),
    ]


def test_meta_kill_many(meta: Meta, link: MetaLink) -> None:
    link.answers = {"wamp.session.kill_by_authid": [7, 8], "wamp.session.kill_by_authrole": []}
    assert meta.kill_by_authid("alice", reason="com.shop.closed") == [7, 8]
    assert meta.kill_by_authrole("user", message="bye") == []
    assert link.questions == [
        ("wamp.session.kill_by_authid", "alice", "com.shop.closed", None),
        ("wamp.session.kill_by_authrole", "user", "wamp.close.killed", "bye"),
    ]


def test_meta_testaments(meta: Meta, link: MetaLink) -> None:
    link.answers = {"wamp.session.add_testament": 55, "wamp.session.flush_testaments": 1}
    meta.add_testament("com.shop.gone", 1, topic="x", self=2)
    meta.add_testament("com.shop.gone")
    assert meta.flush_testaments() == 1
    assert link.questions == [
        ("wamp.session.add_testament", "com.shop.gone", [1], {"topic": "x", "self": 2}),
        ("wamp.session.add_testament", "com.shop.gone", [], {}),
        ("wamp.session.flush_testaments",),
    ]


# --- registrations and subscriptions


def test_meta_lists(meta: Meta, link: MetaLink) -> None:
    lists = {"exact": [1], "prefix": [], "wildcard": [2]}
    link.answers = {"wamp.registration.list": lists, "wamp.subscription.list": lists}
    assert meta.registrations() == lists
    assert meta.subscriptions() == lists
    assert link.questions == [("wamp.registration.list",), ("wamp.subscription.list",)]


@pytest.mark.parametrize(
    ("kind", "who", "look"),
    [
        ("registration", "callees", Meta.registration),
        ("subscription", "subscribers", Meta.subscription),
    ],
)
def test_meta_looks_up(
    meta: Meta, link: MetaLink, kind: str, who: str, look: Callable[..., Any]
) -> None:
    lookup, get, sessions = f"wamp.{kind}.lookup", f"wamp.{kind}.get", f"wamp.{kind}.list_{who}"
    link.answers = {lookup: 5, get: {"id": 5, "match": "prefix"}, sessions: [7, 8]}
    assert look(meta, "com.shop", match="prefix") == {"id": 5, "match": "prefix", who: [7, 8]}
    assert look(meta, "com.shop") is not None
    assert link.questions == [
        (lookup, "com.shop", {"match": "prefix"}),
        (get, 5),
        (sessions, 5),
        (lookup, "com.shop", {"match": "exact"}),
        (get, 5),
        (sessions, 5),
    ]


@pytest.mark.parametrize(
    ("kind", "who", "look"),
    [
        ("registration", "callees", Meta.registration),
        ("subscription", "subscribers", Meta.subscription),
    ],
)
@pytest.mark.parametrize("gone", ["before", "meanwhile", "at last"])
def test_meta_what_is_not_there_is_none(
    meta: Meta, link: MetaLink, kind: str, who: str, look: Callable[..., Any], gone: str
) -> None:
    """Also where it goes between two questions."""
    link.answers = {
        f"wamp.{kind}.lookup": None if gone == "before" else 5,
        f"wamp.{kind}.get": no_such(kind) if gone == "meanwhile" else {"id": 5},
        f"wamp.{kind}.list_{who}": no_such(kind),
    }
    assert look(meta, "com.shop") is None
    assert len(link.calls) == {"before": 1, "meanwhile": 2, "at last": 3}[gone]


def test_meta_subscribers_that_the_router_cannot_tell(meta: Meta, link: MetaLink) -> None:
    """As Crossbar.io cannot of topics with an event history."""
    link.answers = {
        "wamp.subscription.lookup": 5,
        "wamp.subscription.get": {"id": 5},
        "wamp.subscription.list_subscribers": RemoteError.from_uri("wamp.error.runtime_error"),
    }
    assert meta.subscription("com.shop.sold") == {"id": 5, "subscribers": None}
    link.answers["wamp.subscription.list_subscribers"] = NotAuthorized("wamp.error.not_authorized")
    with pytest.raises(NotAuthorized):
        meta.subscription("com.shop.sold")


def test_meta_callee_of(meta: Meta, link: MetaLink) -> None:
    link.answers = {
        "wamp.registration.match": 5,
        "wamp.registration.get": {"id": 5},
        "wamp.registration.list_callees": [7],
    }
    assert meta.callee_of("com.shop.add") == {"id": 5, "callees": [7]}
    link.answers["wamp.registration.get"] = no_such("registration")
    assert meta.callee_of("com.shop.add") is None
    link.answers["wamp.registration.match"] = None
    assert meta.callee_of("com.shop.add") is None
    assert link.questions[0] == ("wamp.registration.match", "com.shop.add")
    assert link.questions[-1] == ("wamp.registration.match", "com.shop.add")


@pytest.mark.parametrize(
    "ask",
    [
        lambda meta: meta.session(7),
        lambda meta: meta.kill(7),
        lambda meta: meta.sessions(),
        lambda meta: meta.registration("com.shop"),
        lambda meta: meta.callee_of("com.shop"),
        lambda meta: meta.add_testament("com.shop"),
    ],
)
def test_meta_other_errors_are_raised(
    meta: Meta, link: MetaLink, ask: Callable[[Meta], Any]
) -> None:
    denied = RemoteError.from_uri("wamp.error.not_authorized", ["no"])

    class Denied(dict[str, Any]):
        def __missing__(self, uri: str) -> Exception:
            return denied

    link.answers = Denied()
    with pytest.raises(NotAuthorized, match="no"):
        ask(meta)


def test_meta_has_the_options_of_its_client(client: Client, link: MetaLink) -> None:
    link.answers = {"wamp.session.count": 2}
    client.meta.count_sessions()
    client.with_options(timeout=3).meta.count_sessions()
    assert [options for *_call, options in link.calls] == [
        Options(timeout=10.0),
        Options(timeout=3.0),
    ]


# --- history


def kept(publication: int, **details: Any) -> dict[str, Any]:
    """Return an event as the router keeps it."""
    return {
        "topic": "com.shop.sold",
        "publication": publication,
        "args": [publication],
        "kwargs": None,
        "time_ns": publication * 10**9,
        **details,
    }


def keep(link: MetaLink, *events: dict[str, Any]) -> None:
    """Let the router have kept *events*, the newest first."""
    link.answers = {
        "wamp.subscription.lookup": 5,
        "wamp.subscription.get_events": lambda _subscription, limit: list(events[:limit]),
    }


def test_meta_history_has_the_oldest_first(client: Client, link: MetaLink) -> None:
    keep(link, kept(3), kept(2), kept(1))
    assert [event.publication for event in client.history("com.shop.sold")] == [1, 2, 3]
    assert link.questions == [
        ("wamp.subscription.lookup", "com.shop.sold", {"match": "exact"}),
        ("wamp.subscription.get_events", 5, 100),
    ]


def test_meta_history_event(client: Client, link: MetaLink) -> None:
    keep(
        link,
        kept(
            1,
            topic="com.shop.x.sold",
            args=[1, "a"],
            kwargs={"left": 2},
            time_ns=1_500_000_000,
            session_id=7,
            authid="alice",
            authrole="user",
        ),
    )
    (event,) = client.history("com.shop..sold", match="wildcard")
    assert event == HistoryEvent(
        uri="com.shop.x.sold",
        publication=1,
        args=(1, "a"),
        kwargs={"left": 2},
        timestamp=1.5,
        publisher=7,
        publisher_authid="alice",
        publisher_authrole="user",
    )
    assert link.questions[0][2] == {"match": "wildcard"}


def test_meta_history_event_without_payload_or_publisher(client: Client, link: MetaLink) -> None:
    keep(link, kept(1, args=None, kwargs=None, session_id=None))
    (event,) = client.history("com.shop.sold")
    assert (event.args, event.kwargs) == ((), {})
    assert (event.publisher, event.publisher_authid, event.publisher_authrole) == (None,) * 3


def test_meta_history_has_each_event_once(client: Client, link: MetaLink) -> None:
    """The router keeps one for each subscriber."""
    keep(link, kept(3), kept(3), kept(2), kept(2), kept(2), kept(1), kept(3))
    assert [event.publication for event in client.history("com.shop.sold")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("limit", "publications"), [(1, [3]), (2, [2, 3]), (3, [1, 2, 3]), (4, [1, 2, 3])]
)
def test_meta_history_limit_counts_events_and_takes_the_newest(
    client: Client, link: MetaLink, limit: int, publications: list[int]
) -> None:
    keep(link, kept(3), kept(3), kept(2), kept(2), kept(1), kept(1))
    events = client.history("com.shop.sold", limit=limit)
    assert [event.publication for event in events] == publications


def test_meta_history_asks_for_no_more_than_it_needs(client: Client, link: MetaLink) -> None:
    """All that is kept may be more than a message holds."""
    keep(link, *(kept(n) for n in range(1000, 0, -1) for _ in range(3)))
    events = client.history("com.shop.sold", limit=10)
    assert [event.publication for event in events] == list(range(991, 1001))
    asked = [args[1] for uri, args, *_ in link.calls if uri == "wamp.subscription.get_events"]
    assert asked == [10, 20, 40]


def test_meta_history_has_a_hundred_by_default(client: Client, link: MetaLink) -> None:
    keep(link, *map(kept, range(150, 0, -1)))
    events = client.history("com.shop.sold")
    assert [event.publication for event in events] == list(range(51, 151))


def test_meta_history_of_a_topic_without_a_subscription(client: Client, link: MetaLink) -> None:
    link.answers = {"wamp.subscription.lookup": None}
    assert client.history("com.shop.sold") == []


def test_meta_history_that_is_not_kept(client: Client, link: MetaLink) -> None:
    keep(link)
    link.answers["wamp.subscription.get_events"] = RemoteError.from_uri(
        "wamp.error.history_unavailable"
    )
    with pytest.raises(RemoteError, match="history_unavailable"):
        client.history("com.shop.sold")


@pytest.mark.parametrize("limit", [0, -1, True, 1.0, "5", None])
def test_meta_history_of_a_limit_that_is_none(client: Client, link: MetaLink, limit: Any) -> None:
    with pytest.raises(OptionError) as caught:
        client.history("com.shop.sold", limit=limit)
    assert str(caught.value) == f"history(limit={limit!r}): give a whole number from 1, as in 100"
    assert link.calls == []
