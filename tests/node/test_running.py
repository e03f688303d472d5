"""Sessions that come and go, and procedures and handlers that do so while a process runs."""

import queue
import threading
from typing import Any

import pytest
from flask import current_app, g

from flask_wamp import (
    WAMP,
    DeclarationError,
    NoSuchProcedure,
    NotConnected,
    RegistrationFailed,
    SessionInfo,
    SetupError,
    invocation,
)
from flask_wamp.node import CrossbarNode

from .relay import Relay
from .support import LIMIT, MakeApp, Peer, error_of, http, on_reactor, wait_until

pytestmark = pytest.mark.node


def is_served(peer: Peer, uri: str) -> bool:
    """Tell whether anybody serves *uri*, which takes no arguments."""
    error = peer.start_call(uri).exception(LIMIT)
    assert error is None or getattr(error, "error", "") == "wamp.error.no_such_procedure"
    return error is None


# --- sessions that come and go


class Watch:
    """What an application was told about its sessions, in order."""

    def __init__(self, wamp: WAMP) -> None:
        self._told: queue.Queue[tuple[str, SessionInfo]] = queue.Queue()
        wamp.on_join(lambda session: self._told.put(("join", session)))
        wamp.on_leave(lambda session: self._told.put(("leave", session)))

    def next(self, what: str) -> SessionInfo:
        """Return the session of what was told next, which is *what*."""
        told, session = self._told.get(timeout=LIMIT)
        assert told == what
        return session

    def is_silent(self) -> bool:
        """Tell whether all has been looked at."""
        return self._told.empty()


def test_join_and_leave_are_told_once(make_app: MakeApp, trusted: Peer) -> None:
    app, wamp = make_app()
    watch = Watch(wamp)
    wamp.callee("com.here.whom")(lambda: invocation.caller)
    wamp.start(app)
    joined = watch.next("join")
    assert (joined.realm, joined.authrole, joined.reason) == ("realm1", "backend", None)
    known = trusted.call("wamp.session.get", joined.session)
    assert known["authid"] == joined.authid
    with app.app_context():
        assert g.wampy.call("com.here.whom") == joined.session
    wamp.stop(app)
    left = watch.next("leave")
    assert left.reason
    assert (left.session, left.realm, left.authid) == (joined.session, "realm1", joined.authid)
    wamp.start(app)
    assert watch.next("join").session != joined.session
    assert watch.is_silent()


def test_join_is_told_to_a_process_that_only_calls(make_app: MakeApp) -> None:
    app, wamp = make_app()
    watch = Watch(wamp)
    with app.app_context():
        g.wampy.call("com.serving.count", 1)
    joined = watch.next("join")
    wamp.stop(app)
    assert watch.next("leave").session == joined.session


def test_join_is_told_once_for_a_session_that_called_before_it_served(make_app: MakeApp) -> None:
    app, wamp = make_app()
    watch = Watch(wamp)
    wamp.callee("com.here.served_later")(lambda: invocation.caller)
    with app.app_context():
        g.wampy.call("com.serving.count", 1)
        session = watch.next("join").session
        wamp.start(app)
        assert g.wampy.call("com.here.served_later") == session
    wamp.stop(app)
    assert watch.next("leave").session == session
    assert watch.is_silent()


def test_join_is_told_to_a_component_of_the_node(trusted: Peer) -> None:
    registration = trusted.call("wamp.registration.lookup", "com.serving.count")
    (callee,) = trusted.call("wamp.registration.list_callees", registration)
    sessions = wait_until(lambda: trusted.call("com.serving.seen", "sessions"), "it has joined")
    assert sessions == [{"session": callee, "application": "tests.node.apps.serving"}]


def test_join_again_after_a_lost_connection(relay: Relay, make_app: MakeApp) -> None:
    app, wamp = make_app(WAMP_URL=relay.url)
    watch = Watch(wamp)
    answers: queue.Queue[Any] = queue.Queue()

    @wamp.callee("com.here.again")
    def again() -> str:
        return "served"

    @wamp.on_join
    def call(session: SessionInfo) -> None:
        # All is registered by now, and there is an application context.
        answers.put((current_app.name, g.wampy.call("com.here.again")))

    wamp.start(app)
    sessions = [watch.next("join").session]
    for _ in range(2):
        assert answers.get(timeout=LIMIT) == ("outside", "served")
        relay.cut()
        left = watch.next("leave")
        assert left.session == sessions[-1]
        assert left.reason
        sessions.append(watch.next("join").session)
    assert answers.get(timeout=LIMIT) == ("outside", "served")
    assert len(set(sessions)) == 3


def test_leave_tells_why_a_session_was_killed(
    trusted: Peer, anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    watch = Watch(wamp)
    wamp.callee("com.here.killed")(lambda: "served")
    wamp.start(app)
    joined = watch.next("join")
    trusted.call("wamp.session.kill", joined.session, reason="com.here.kicked", message="out")
    left = watch.next("leave")
    assert left.session == joined.session
    assert "com.here.kicked" in str(left.reason)
    assert watch.next("join").session != joined.session
    assert is_served(anonymous, "com.here.killed")


def test_join_functions_run_in_order_and_a_failing_one_stops_nobody(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app, wamp = make_app()
    told: queue.Queue[str] = queue.Queue()

    @wamp.on_join
    def fails(session: SessionInfo) -> None:
        told.put("fails")
        raise ValueError("of the application's own")

    @wamp.on_join
    async def coroutine(session: SessionInfo) -> None:
        told.put(f"coroutine in {current_app.name}")

    @wamp.on_leave
    async def leaves(session: SessionInfo) -> None:
        told.put("leaves")

    wamp.start(app)
    assert told.get(timeout=LIMIT) == "fails"
    assert told.get(timeout=LIMIT) == "coroutine in outside"
    wamp.stop(app)
    assert told.get(timeout=LIMIT) == "leaves"
    assert "fails" in caplog.text
    assert "of the application's own" in caplog.text


def test_join_function_may_take_its_time(make_app: MakeApp, anonymous: Peer) -> None:
    """Serving, and starting, wait for nobody who was told."""
    app, wamp = make_app()
    released = threading.Event()
    wamp.on_join(lambda session: released.wait(LIMIT))
    wamp.callee("com.here.unimpressed")(lambda: "served")
    wamp.start(app)
    assert anonymous.call("com.here.unimpressed") == "served"
    released.set()


# --- procedures that come and go


def test_added_procedure_is_served_until_it_is_removed(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app(WAMP_URI_PREFIX="com.here")
    wamp.callee("com.here.first")(lambda: "first")
    wamp.start(app)

    def double(value: int = 2) -> int:
        return 2 * value

    for _ in range(3):
        handle = wamp.add_procedure(double)
        assert handle.uri == "com.here.double"
        assert anonymous.call("com.here.double", 4) == 8
        handle.remove()
        assert not is_served(anonymous, "com.here.double")
        handle.remove()
    assert anonymous.call("com.here.first") == "first"


def test_added_procedure_has_options(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    wamp.start(app)
    handle = wamp.add_procedure(
        lambda: invocation.parts, "com.here..added", app=app, match="wildcard", concurrency=1
    )
    assert anonymous.call("com.here.a.added") == ["a"]
    handle.remove()
    assert not is_served(anonymous, "com.here.a.added")
    with pytest.raises(DeclarationError, match="concurency"):
        wamp.add_procedure(len, "com.here.misspelt", concurency=1)


def test_added_before_the_start_is_served_by_it(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    kept = wamp.add_procedure(lambda: "kept", "com.here.kept")
    removed = wamp.add_procedure(lambda: "removed", "com.here.removed")
    removed.remove()
    wamp.start(app)
    assert anonymous.call("com.here.kept") == "kept"
    assert not is_served(anonymous, "com.here.removed")
    kept.remove()
    assert not is_served(anonymous, "com.here.kept")


def test_added_procedure_finishes_what_it_has_begun(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    begun, released = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        return "finished" if released.wait(LIMIT) else "not released"

    wamp.start(app)
    handle = wamp.add_procedure(slow, "com.here.slow")
    call = anonymous.start_call("com.here.slow")
    assert begun.wait(LIMIT)
    handle.remove()
    released.set()
    assert call.result(LIMIT) == "finished"


def test_added_procedure_that_is_taken_is_refused_and_forgotten(
    make_app: MakeApp, trusted: Peer
) -> None:
    app, wamp = make_app()
    wamp.start(app)
    registration = trusted.register("com.here.taken", lambda: "theirs")
    for _ in range(2):
        with pytest.raises(RegistrationFailed, match=r"com\.here\.taken.*procedure_already") as got:
            wamp.add_procedure(lambda: "ours", "com.here.taken")
        assert f"at session {trusted.id}" in str(got.value)
    assert trusted.call("com.here.taken") == "theirs"
    on_reactor(registration.unregister)
    wamp.add_procedure(lambda: "ours", "com.here.taken")
    assert trusted.call("com.here.taken") == "ours"
    with pytest.raises(DeclarationError, match="declared twice"):
        wamp.add_procedure(lambda: "ours again", "com.here.taken")


def test_added_procedure_comes_back_after_a_lost_connection_unless_removed(
    relay: Relay, make_app: MakeApp, anonymous: Peer
) -> None:
    app, wamp = make_app(WAMP_URL=relay.url)
    watch = Watch(wamp)
    wamp.start(app)
    watch.next("join")
    wamp.add_procedure(lambda: "stays", "com.here.stays")
    gone = wamp.add_procedure(lambda: "gone", "com.here.gone")
    lost = wamp.add_procedure(lambda: "lost", "com.here.lost")
    gone.remove()
    relay.close()
    watch.next("leave")
    # Removed, and added, while there is no connection.
    with pytest.raises(NotConnected):
        lost.remove()
    with pytest.raises(NotConnected):
        wamp.add_procedure(lambda: "never", "com.here.never")
    relay.listen()
    watch.next("join")
    assert anonymous.call("com.here.stays") == "stays"
    for uri in ("com.here.gone", "com.here.lost", "com.here.never"):
        assert not is_served(anonymous, uri)
    wamp.add_procedure(lambda: "after all", "com.here.never")
    assert anonymous.call("com.here.never") == "after all"


def test_added_by_a_view_of_the_container(anonymous: Peer) -> None:
    assert anonymous.call("com.serving.add", "by_a_view") == "com.serving.added.by_a_view"
    assert anonymous.call("com.serving.added.by_a_view") == "I am by_a_view"
    error = error_of(lambda: anonymous.call("com.serving.add", "by_a_view"))
    assert error.error == "wamp.error.runtime_error"
    assert anonymous.call("com.serving.added.by_a_view.remove") == "removed"
    assert not is_served(anonymous, "com.serving.added.by_a_view")


def test_added_procedure_removes_itself(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()
    wamp.start(app)

    def once() -> str:
        handle.remove()
        return "once"

    handle = wamp.add_procedure(once, "com.here.once")
    assert anonymous.call("com.here.once") == "once"
    assert not is_served(anonymous, "com.here.once")


@pytest.mark.parametrize("order", [{"procedure": "com.here.late"}, {"topic": "com.here.late"}])
def test_added_where_nothing_is_served_is_refused(
    peers_node: CrossbarNode, anonymous: Peer, order: dict[str, str]
) -> None:
    """In the process of the WSGI application, which only calls and publishes."""
    for _ in range(2):
        answer = http(peers_node.url + "late", order)
        assert answer.status == 409
        assert "only calls and publishes" in answer.json["error"]
        assert "wamp.start()" in answer.json["error"]
    assert not is_served(anonymous, "com.here.late")


def test_declared_after_the_start_is_refused_with_the_remedy(make_app: MakeApp) -> None:
    app, wamp = make_app()
    wamp.start(app)
    with pytest.raises(SetupError, match=r"wamp\.add_procedure\(\)"):
        wamp.callee("com.here.too_late")(len)
    with pytest.raises(SetupError, match=r"wamp\.add_subscription\(\)"):
        wamp.subscribe("com.here.too_late")(len)
    with app.app_context(), pytest.raises(NoSuchProcedure):
        g.wampy.call("com.here.too_late")


# --- subscriptions that come and go


def test_added_subscription_gets_events_until_it_is_removed(
    make_app: MakeApp, anonymous: Peer
) -> None:
    app, wamp = make_app()
    got: queue.Queue[tuple[str, Any]] = queue.Queue()
    wamp.subscribe("com.here.events")(lambda value: got.put(("declared", value)))
    wamp.start(app)
    first = wamp.add_subscription(lambda value: got.put(("first", value)), "com.here.events")
    second = wamp.add_subscription(lambda value: got.put(("second", value)), "com.here.events")
    assert first.uri == "com.here.events"

    def handled_by(value: int, *names: str) -> None:
        anonymous.publish("com.here.events", value)
        assert sorted(got.get(timeout=LIMIT) for _ in names) == [(name, value) for name in names]

    handled_by(1, "declared", "first", "second")
    first.remove()
    handled_by(2, "declared", "second")
    first.remove()
    second.remove()
    handled_by(3, "declared")
    third = wamp.add_subscription(lambda value: got.put(("third", value)), "com.here.events")
    handled_by(4, "declared", "third")
    third.remove()
    handled_by(5, "declared")
    assert got.empty()


def test_added_subscription_is_gone_at_the_router_when_the_last_handler_is(
    make_app: MakeApp, trusted: Peer
) -> None:
    app, wamp = make_app()
    wamp.start(app)
    handles = [wamp.add_subscription(len, "com.here.counted") for _ in range(2)]
    assert subscribers(trusted, "com.here.counted") == 1
    handles[0].remove()
    assert subscribers(trusted, "com.here.counted") == 1
    handles[1].remove()
    assert subscribers(trusted, "com.here.counted") == 0


def subscribers(peer: Peer, topic: str) -> int:
    """Return how many sessions have subscribed to *topic*."""
    subscription = peer.call("wamp.subscription.lookup", topic)
    if subscription is None:
        return 0
    return int(peer.call("wamp.subscription.count_subscribers", subscription))


@pytest.mark.parametrize("retained", [False, True])
def test_added_subscription_is_gone_with_what_it_asked_the_router_to_have_kept(
    make_app: MakeApp, trusted: Peer, retained: bool
) -> None:
    """Removed at once, while the retained event may be under way."""
    topic = f"com.here.counted.{retained}"
    if retained:
        trusted.publish_retained(topic, "kept")
    app, wamp = make_app()
    got: queue.Queue[Any] = queue.Queue()
    wamp.start(app)
    for _ in range(20):
        wamp.add_subscription(lambda _value: None, topic, get_retained=True).remove()
        assert subscribers(trusted, topic) == 0
    handle = wamp.add_subscription(got.put, topic)
    trusted.publish(topic, "live")
    assert got.get(timeout=LIMIT) == "live"
    handle.remove()
    assert subscribers(trusted, topic) == 0
    assert got.empty()


def test_added_subscription_has_options(make_app: MakeApp, trusted: Peer) -> None:
    trusted.publish_retained("com.here.added.retained", "kept")
    app, wamp = make_app()
    got: queue.Queue[Any] = queue.Queue()
    wamp.start(app)
    handle = wamp.add_subscription(got.put, "com.here.added.retained", get_retained=True)
    assert got.get(timeout=LIMIT) == "kept"
    handle.remove()
    # The retained event comes to the next one as well, and the first gets nothing more.
    again: queue.Queue[Any] = queue.Queue()
    wamp.add_subscription(again.put, "com.here.added.retained", get_retained=True)
    assert again.get(timeout=LIMIT) == "kept"
    trusted.publish("com.here.added.retained", "live")
    assert again.get(timeout=LIMIT) == "live"
    assert got.empty()
    with pytest.raises(DeclarationError, match="retained"):
        wamp.add_subscription(len, "com.here.misspelt", retained=True)


def test_added_subscription_comes_back_after_a_lost_connection(
    relay: Relay, make_app: MakeApp, anonymous: Peer
) -> None:
    app, wamp = make_app(WAMP_URL=relay.url)
    watch = Watch(wamp)
    got: queue.Queue[Any] = queue.Queue()
    wamp.start(app)
    watch.next("join")
    wamp.add_subscription(got.put, "com.here.after_a_loss")
    removed = wamp.add_subscription(
        lambda value: got.put(("removed", value)), "com.here.after_a_loss"
    )
    removed.remove()
    relay.cut()
    watch.next("leave")
    watch.next("join")
    anonymous.publish("com.here.after_a_loss", "back")
    assert got.get(timeout=LIMIT) == "back"
    assert got.empty()
