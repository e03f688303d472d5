"""The router's meta API: ``g.wampy.meta``, and its events."""

import queue
from collections.abc import Callable
from typing import Any

import pytest
from flask import g

from flask_wamp import NotAuthorized, event
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .support import LIMIT, MakeApp, Peer, connected, wait_until

pytestmark = pytest.mark.node

#: An id that nothing has.
NOTHING = 7


def test_sessions_are_those_that_are_there(
    anonymous: Peer, trusted: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context():
        meta = g.wampy.meta
        own = g.wampy.call("com.test.who")["caller"]
        everybody = meta.sessions()
        assert {anonymous.id, trusted.id, own} <= set(everybody)
        # Those of other tests may go between the one question and the next.
        wait_until(lambda: meta.count_sessions() == len(meta.sessions()), "all are counted")
        pages = meta.sessions(authroles=["anonymous"])
        assert anonymous.id in pages
        assert not {trusted.id, own} & set(pages)
        wait_until(
            lambda: (
                meta.count_sessions(authroles=["anonymous"])
                == len(meta.sessions(authroles=["anonymous"]))
            ),
            "those of one role are counted",
        )
        both = meta.sessions(authroles=("anonymous", "backend"))
        assert {anonymous.id, trusted.id, own} <= set(both)
        assert meta.sessions(authroles=["nobody"]) == []
        assert meta.count_sessions(authroles=["nobody"]) == 0


def test_sessions_have_authid_and_role(anonymous: Peer, trusted: Peer, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        for peer, role in ((anonymous, "anonymous"), (trusted, "backend")):
            found = g.wampy.meta.session(peer.id)
            assert found is not None
            assert found["session"] == peer.id
            assert found["authid"] == peer.session.welcome.authid
            assert found["authrole"] == role
            assert "transport" in found


def test_sessions_that_have_gone_are_none(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        meta = g.wampy.meta
        assert meta.session(NOTHING) is None
        with connected(peers_node.ws_url) as peer:
            assert peer.id in meta.sessions()
        wait_until(lambda: meta.session(peer.id) is None, "the session has gone")
        assert peer.id not in meta.sessions()


def reasons_of(peer: Peer) -> "queue.Queue[Any]":
    """Return where it will be said why *peer* has left."""
    reasons: queue.Queue[Any] = queue.Queue()
    session: Any = peer.session
    session.on("leave", lambda _, details: reasons.put(details))
    return reasons


def test_kill_ends_a_session_and_no_other(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context(), connected(peers_node.ws_url) as victim:
        reasons = reasons_of(victim)
        meta = g.wampy.meta
        assert meta.kill(victim.id, reason="com.shop.closing", message="good night") is True
        details = reasons.get(timeout=LIMIT)
        assert (details.reason, details.message) == ("com.shop.closing", "good night")
        victim.session.left.result(LIMIT)
        wait_until(lambda: victim.id not in meta.sessions(), "the session has gone")
        # Whoever is not there cannot be killed.
        assert meta.kill(victim.id) is False
        assert meta.kill(NOTHING) is False
    assert anonymous.call("com.test.add", 1, 2) == 3


def test_kill_says_why_by_itself(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context(), connected(peers_node.ws_url) as victim:
        reasons = reasons_of(victim)
        assert g.wampy.meta.kill(victim.id) is True
        assert reasons.get(timeout=LIMIT).reason == "wamp.close.killed"


def test_kill_by_authid_ends_the_sessions_of_one(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context(), connected(peers_node.ws_url) as victim:
        authid = victim.session.welcome.authid
        assert g.wampy.meta.kill_by_authid(authid, reason="com.shop.closing") == [victim.id]
        victim.session.left.result(LIMIT)
        wait_until(lambda: victim.id not in g.wampy.meta.sessions(), "the session has gone")
        assert g.wampy.meta.kill_by_authid(authid) == []
    assert anonymous.call("com.test.add", 1, 2) == 3


def test_kill_by_authrole_of_nobody_kills_nobody(anonymous: Peer, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.meta.kill_by_authrole("nobody") == []
    assert anonymous.call("com.test.add", 1, 2) == 3


def test_registrations_have_their_callees(trusted: Peer, make_app: MakeApp) -> None:
    trusted.register("com.meta.registered", lambda: None)
    app, _ = make_app()
    with app.app_context():
        meta = g.wampy.meta
        found = meta.registration("com.meta.registered")
        assert found is not None
        assert found["uri"] == "com.meta.registered"
        assert (found["match"], found["invoke"]) == ("exact", "single")
        assert found["callees"] == [trusted.id]
        assert isinstance(found["created"], str)
        assert found["id"] in meta.registrations()["exact"]
        assert set(meta.registrations()) == {"exact", "prefix", "wildcard"}
        assert meta.callee_of("com.meta.registered") == found


def test_registrations_by_pattern(make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.meta.pattern", match="prefix")
    def serve() -> None:
        return None

    wamp.start(app)
    with app.app_context():
        meta = g.wampy.meta
        found = meta.registration("com.meta.pattern", match="prefix")
        assert found is not None
        assert found["id"] in meta.registrations()["prefix"]
        assert found["callees"] == [g.wampy.call("com.test.who")["caller"]]
        # What a call would go to, though nothing of that name is registered.
        assert meta.callee_of("com.meta.pattern.some.thing") == found
        assert meta.registration("com.meta.pattern.some.thing") is None
        assert meta.registration("com.meta.pattern") is None


def test_registrations_that_are_not_there_are_none(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        for match in ("exact", "prefix", "wildcard"):
            assert g.wampy.meta.registration("com.meta.nothing", match=match) is None
        assert g.wampy.meta.callee_of("com.meta.nothing") is None


def test_subscriptions_have_their_subscribers(
    anonymous: Peer, trusted: Peer, make_app: MakeApp
) -> None:
    anonymous.subscribe("com.meta.subscribed")
    trusted.subscribe("com.meta.subscribed")
    trusted.subscribe("com.meta.subscribed", match="prefix")
    app, _ = make_app()
    with app.app_context():
        meta = g.wampy.meta
        exact = meta.subscription("com.meta.subscribed")
        prefix = meta.subscription("com.meta.subscribed", match="prefix")
        assert exact is not None
        assert prefix is not None
        assert set(exact["subscribers"]) == {anonymous.id, trusted.id}
        assert prefix["subscribers"] == [trusted.id]
        assert (exact["uri"], exact["match"]) == ("com.meta.subscribed", "exact")
        subscriptions = meta.subscriptions()
        assert exact["id"] in subscriptions["exact"]
        assert prefix["id"] in subscriptions["prefix"]
        for match in ("exact", "prefix", "wildcard"):
            assert meta.subscription("com.meta.nothing", match=match) is None


def test_meta_api_is_not_for_anonymous_roles(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app(WAMP_URL=peers_node.ws_url)
    with app.app_context():
        meta = g.wampy.meta
        attempts: list[Callable[[], Any]] = [
            meta.sessions,
            meta.count_sessions,
            lambda: meta.session(anonymous.id),
            lambda: meta.kill(anonymous.id),
            lambda: meta.kill_by_authid(anonymous.session.welcome.authid),
            lambda: meta.kill_by_authrole("anonymous"),
            meta.registrations,
            lambda: meta.registration("com.test.add"),
            lambda: meta.callee_of("com.test.add"),
            meta.subscriptions,
            lambda: meta.subscription("com.test.topic.any"),
            lambda: g.wampy.history("com.test.topic.any"),
        ]
        for attempt in attempts:
            with pytest.raises(NotAuthorized):
                attempt()
    assert anonymous.call("com.test.add", 1, 2) == 3


def test_meta_events_reach_a_handler(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    app, wamp = make_app()
    joined: queue.Queue[dict[str, Any]] = queue.Queue()
    left: queue.Queue[int] = queue.Queue()
    registered: queue.Queue[int] = queue.Queue()

    @wamp.consume("wamp.session.on_join")
    def on_join(details: dict[str, Any]) -> None:
        joined.put({**details, "topic": event.uri})

    @wamp.consume("wamp.session.on_leave")
    def on_leave(session: int, *_more: Any) -> None:
        left.put(session)

    @wamp.consume("wamp.registration.on_register")
    def on_register(session: int, _registration: int) -> None:
        registered.put(session)

    def joined_next() -> dict[str, Any]:
        return joined.get(timeout=LIMIT)

    wamp.start(app)
    with connected(trusted_url(peers_node)) as peer:
        details = next(each for each in iter(joined_next, None) if each["session"] == peer.id)
        assert details["authrole"] == "backend"
        assert details["authid"] == peer.session.welcome.authid
        assert details["topic"] == "wamp.session.on_join"
        peer.register("com.meta.seen", lambda: None)
        wait_until(lambda: registered.get(timeout=LIMIT) == peer.id, "the registration is told of")
    wait_until(lambda: left.get(timeout=LIMIT) == peer.id, "the end is told of")
