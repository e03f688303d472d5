"""What decorators of procedures and subscriptions ask for, in the hands of other peers."""

import queue
import threading
from collections import Counter
from datetime import date
from typing import Annotated, Any

import pytest
from flask import g
from pydantic import Field

from flask_wamp import (
    CallTimeout,
    RegistrationFailed,
    event,
    invocation,
)
from flask_wamp.node import CrossbarNode

from .apps import serving
from .conftest import trusted_url
from .programs import Wampy, javascript_wampy
from .support import (
    CALL,
    CANCEL,
    ERROR,
    LIMIT,
    RESULT,
    MakeApp,
    Peer,
    complaints,
    error_of,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node

BUSY = "wamp.error.unavailable"


def seen(peer: Peer, name: str, count: int) -> list[Any]:
    """Return what the application has recorded under *name*, once it is *count* things."""

    def recorded() -> list[Any]:
        values: list[Any] = peer.call("com.serving.seen", name)
        return values if len(values) >= count else []

    return wait_until(recorded, f"{name} is {count} things")


# --- patterns

PATTERNS = [
    ("com.serving.shop.lima.stock", ["lima"]),
    ("com.serving.shop.größer∞.stock", ["größer∞"]),
    ("com.serving.shop.a.b.by.c", ["a", "b", "c"]),
    ("com.serving.files.a", ["a"]),
    ("com.serving.files.a.b.c", ["a", "b", "c"]),
]


@pytest.mark.parametrize(("uri", "parts"), PATTERNS)
def test_patterns_of_procedures(anonymous: Peer, uri: str, parts: list[str]) -> None:
    told = anonymous.call(uri)
    assert (told["uri"], told["parts"]) == (uri, parts)


def test_patterns_leave_the_rest_to_others(anonymous: Peer) -> None:
    for uri in ("com.serving.shop.stock", "com.serving.shop.a.b.stock", "com.serving.filesystem"):
        assert error_of(lambda uri=uri: anonymous.call(uri)).error == (  # type: ignore[misc]
            "wamp.error.no_such_procedure"
        )
    assert anonymous.call("com.serving.files.fixed") == {
        "uri": "com.serving.files.fixed", "parts": [], "exact": True,
    }  # fmt: skip
    assert anonymous.call("com.serving.shop.lima.stock", 1, "two")["args"] == [1, "two"]


TOPICS = [
    ("com.serving.topic.sensor.roof.level", ["roof"]),
    ("com.serving.topic.log", []),
    ("com.serving.topic.log.a", ["a"]),
    ("com.serving.topic.log.a.b", ["a", "b"]),
]


@pytest.mark.parametrize(("topic", "parts"), TOPICS)
def test_patterns_of_subscriptions(anonymous: Peer, topic: str, parts: list[str]) -> None:
    before = len(anonymous.call("com.serving.seen", "patterns"))
    anonymous.publish("com.serving.topic.sensor.level", 0)
    anonymous.publish(topic, before)
    told = seen(anonymous, "patterns", before + 1)[before:]
    assert told == [{"uri": topic, "parts": parts, "number": before}]


@pytest.mark.wampy
def test_patterns_in_the_hands_of_javascript(
    peers_node: CrossbarNode, javascript_peer: Wampy, anonymous: Peer, make_app: MakeApp
) -> None:
    for uri, parts in PATTERNS:
        if not uri.isascii():
            continue  # it takes ASCII only
        told = javascript_peer.call(uri)["result"]
        assert (told["uri"], told["parts"]) == (uri, parts)
    before = len(anonymous.call("com.serving.seen", "patterns"))
    for number, (topic, _) in enumerate(TOPICS):
        javascript_peer.publish(topic, number)
    assert seen(anonymous, "patterns", before + len(TOPICS))[before:] == [
        {"uri": topic, "parts": parts, "number": number}
        for number, (topic, parts) in enumerate(TOPICS)
    ]
    # The other way round: its patterns, our calls and events.
    app, _ = make_app()
    with javascript_wampy(trusted_url(peers_node)) as service, app.app_context():
        options = {"match": "wildcard"}
        assert service.order("register", uri="com.js..pattern", options=options) == {"result": None}
        assert g.wampy.call("com.js.any.pattern", 1)["args"] == [1]
        assert service.order("subscribe", topic="com.js.topic", options={"match": "prefix"}) == {
            "result": None
        }
        g.wampy.publish("com.js.topic.below", 7)
        assert service.event() == {"event": "com.js.topic.below", "args": [7], "kwargs": {}}


@pytest.mark.wampy
def test_disclosed_javascript_is_known(javascript_peer: Wampy, anonymous: Peer) -> None:
    order = {"uri": "com.serving.who", "options": {"disclose_me": True}}
    told = javascript_peer.order("call", **order)["result"]
    assert told["authrole"] == "anonymous"
    assert told["session"] not in {None, anonymous.id}


# --- several sessions that serve the same

POLICIES = ("first", "last", "roundrobin", "random")


@pytest.mark.parametrize("policy", POLICIES)
def test_invoke_shares_a_procedure_with_other_sessions(
    anonymous: Peer, trusted: Peer, make_app: MakeApp, policy: str
) -> None:
    """Two applications of this process, and an Autobahn session between them."""
    uri = f"com.here.shared.{policy}"
    apps = []
    for number in range(2):
        app, wamp = make_app(f"app{number}")
        wamp.callee(uri, invoke=policy)(lambda number=number: f"app{number}")
        apps.append((app, wamp))
    apps[0][1].start(apps[0][0])
    trusted.register(uri, lambda: "autobahn", invoke=policy)
    apps[1][1].start(apps[1][0])
    answers = [anonymous.call(uri) for _ in range(60)]
    if policy == "first":
        assert answers == ["app0"] * 60
        apps[0][1].stop(apps[0][0])
        assert anonymous.call(uri) == "autobahn"
    elif policy == "last":
        assert answers == ["app1"] * 60
        apps[1][1].stop(apps[1][0])
        assert anonymous.call(uri) == "autobahn"
    elif policy == "roundrobin":
        assert Counter(answers) == {"app0": 20, "autobahn": 20, "app1": 20}
        assert len(set(answers[:3])) == 3
    else:
        assert set(answers) == {"app0", "autobahn", "app1"}
        assert len({tuple(answers[at : at + 3]) for at in range(0, 60, 3)}) > 1


@pytest.mark.wampy
def test_invoke_shares_a_procedure_with_javascript(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    wamp.callee("com.here.shared.js", invoke="roundrobin")(lambda: "flask")
    with javascript_wampy(trusted_url(peers_node)) as service:
        options = {"invoke": "roundrobin"}
        order = {"uri": "com.here.shared.js", "options": options}
        assert service.order("register", **order) == {"result": None}
        wamp.start(app)
        answers = [anonymous.call("com.here.shared.js") for _ in range(4)]
    assert sorted(map(str, answers)) == [
        "flask", "flask", "{'args': [], 'kwargs': {}}", "{'args': [], 'kwargs': {}}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(None, None), ("single", "roundrobin"), ("first", None), ("first", "last")],
)
def test_invoke_conflict_names_both_sides(
    trusted: Peer, make_app: MakeApp, ours: str | None, theirs: str | None
) -> None:
    trusted.register("com.here.conflict", lambda: "theirs", invoke=theirs)
    app, wamp = make_app()

    @wamp.callee("com.here.fine")
    def fine() -> str:
        return "fine"

    @wamp.callee("com.here.conflict", invoke=ours)
    def conflicting() -> None:
        return None

    with pytest.raises(RegistrationFailed) as raised:
        wamp.start(app)
    text = str(raised.value)
    place = f"{__file__}:{conflicting.__code__.co_firstlineno}"
    assert f"'com.here.conflict' of {__name__}." in text
    assert f"conflicting ({place})" in text
    assert f"invoke={ours or 'single'!r} here" in text
    assert f"invoke={theirs or 'single'!r} at session {trusted.id} (authid" in text
    assert f"{trusted.session.welcome.authid!r}, 'backend')" in text
    assert "com.here.fine" not in text
    # Nothing of it is served then.
    error = error_of(lambda: trusted.call("com.here.fine"))
    assert error.error == "wamp.error.no_such_procedure"


def test_invoke_conflict_ends_when_the_other_side_leaves(trusted: Peer, make_app: MakeApp) -> None:
    trusted.register("com.here.conflict", lambda: "theirs")
    app, wamp = make_app()
    wamp.callee("com.here.conflict")(lambda: "ours")
    with pytest.raises(RegistrationFailed):
        wamp.start(app)
    trusted.close()
    wamp.start(app)
    with app.app_context():
        assert g.wampy.call("com.here.conflict") == "ours"


def test_invoke_single_is_taken_as_a_pattern_too(trusted: Peer, make_app: MakeApp) -> None:
    trusted.register("com.here..taken", lambda: "theirs", match="wildcard")
    app, wamp = make_app()
    wamp.callee("com.here..taken", match="wildcard")(lambda: "ours")
    with pytest.raises(RegistrationFailed, match=rf"invoke='single' at session {trusted.id}"):
        wamp.start(app)
    # Another match policy is another registration.
    app, wamp = make_app()
    wamp.callee("com.here.x.taken")(lambda: "ours")
    wamp.start(app)
    assert trusted.call("com.here.x.taken") == "ours"
    assert trusted.call("com.here.y.taken") == "theirs"


# --- async


def test_async_views_and_handlers(anonymous: Peer) -> None:
    assert anonymous.call("com.serving.async_sum", 1) == {
        "sum": 11, "uri": "com.serving.async_sum",
    }  # fmt: skip
    outcomes = anonymous.call_all("com.serving.async_sum", [[n, n] for n in range(40)])
    assert [outcome["sum"] for _, outcome in outcomes] == [2 * n for n in range(40)]
    error = error_of(lambda: anonymous.call("com.serving.async_fail"))
    assert (error.error, error.args) == ("com.serving.error.async", (1,))
    before = len(anonymous.call("com.serving.seen", "async"))
    anonymous.publish_all("com.serving.topic.async", [1, 2, 3])
    assert seen(anonymous, "async", before + 3)[before:] == [
        {"number": number, "uri": "com.serving.topic.async"} for number in (1, 2, 3)
    ]


# --- cancel


@pytest.mark.parametrize("mode", ["kill", "killnowait"])
def test_cancel_is_told_to_the_view(
    peers_node: CrossbarNode, anonymous: Peer, name: str, mode: str
) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        logged = len(peers_node.log)
        peer.send([CALL, 1, {}, "com.serving.until_cancelled", [name]])
        assert seen(anonymous, name, 1) == [["before", False]]
        peer.send([CANCEL, 1, {"mode": mode}])
        assert peer.receive()[:5] == [ERROR, CALL, 1, {}, "wamp.error.canceled"]
        assert seen(anonymous, name, 2)[1] == ["after", True, True]
        # The late answer goes nowhere, and harms nothing.
        for number in range(2, 12):
            answer = peer.request([CALL, number, {}, "com.serving.count", [1]])
            assert (answer[:2], answer[3]) == ([RESULT, number], [[0]])
        assert complaints(peers_node, logged) == []


@pytest.mark.parametrize("procedure", ["hold", "hold_and_fail"])
def test_cancel_drops_the_late_answer(
    peers_node: CrossbarNode, anonymous: Peer, name: str, procedure: str
) -> None:
    logged = len(peers_node.log)
    call = anonymous.begin(f"com.serving.{procedure}", name)
    assert seen(anonymous, name, 1) == ["held"]
    call.cancel()
    assert anonymous.call("com.serving.count", 1) == [0]
    anonymous.call("com.serving.release", name)
    assert seen(anonymous, name, 2)[1] == ["answers", True]
    for _ in range(10):
        assert anonymous.call("com.serving.count", 1) == [0]
    assert complaints(peers_node, logged) == []


def test_cancel_by_a_caller_that_goes_away(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    peer = Peer.connect(peers_node.ws_url)
    peer.begin("com.serving.until_cancelled", name)
    assert seen(anonymous, name, 1) == [["before", False]]
    peer.drop()
    assert seen(anonymous, name, 2)[1] == ["after", True, True]


def test_cancel_by_a_flask_callers_timeout(anonymous: Peer, make_app: MakeApp, name: str) -> None:
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.call("com.serving.count", 1) == [0]  # connected
        with pytest.raises(CallTimeout):
            g.wampy.with_options(timeout=1).call("com.serving.until_cancelled", name)
        assert seen(anonymous, name, 2)[1] == ["after", True, True]
        assert g.wampy.call("com.serving.count", 1) == [0]


def test_cancel_of_nothing_changes_nothing(make_app: MakeApp, anonymous: Peer) -> None:
    app, wamp = make_app()

    @wamp.callee("com.here.uncancelled")
    def uncancelled() -> list[bool]:
        return [invocation.cancelled, invocation.wait_cancelled(0.01)]

    wamp.start(app)
    assert anonymous.call("com.here.uncancelled") == [False, False]


@pytest.mark.wampy
def test_cancel_by_javascript(javascript_peer: Wampy, anonymous: Peer, name: str) -> None:
    order = {"uri": "com.serving.until_cancelled", "args": [name]}
    assert javascript_peer.order("start", **order) == {"result": None}
    assert seen(anonymous, name, 1) == [["before", False]]
    assert javascript_peer.order("cancel") == {"result": True}
    told = javascript_peer.event()
    assert (told["event"], told["error"]) == ("outcome", "wamp.error.canceled")
    assert seen(anonymous, name, 2)[1] == ["after", True, True]
    assert javascript_peer.call("com.serving.count", 1)["result"] == [0]


# --- subscriptions


def test_retained_event_comes_to_those_who_ask(trusted: Peer, make_app: MakeApp) -> None:
    trusted.publish_retained("com.here.retained", "kept")
    app, wamp = make_app()
    got: dict[str, queue.Queue[Any]] = {"asks": queue.Queue(), "does not": queue.Queue()}

    @wamp.subscribe("com.here.retained", get_retained=True)
    def asks(value: str) -> None:
        got["asks"].put((value, event.retained, event.uri))

    @wamp.subscribe("com.here.retained")
    def does_not(value: str) -> None:
        got["does not"].put((value, event.retained))

    wamp.start(app)
    assert got["asks"].get(timeout=LIMIT) == ("kept", True, "com.here.retained")
    trusted.publish("com.here.retained", "live")
    assert got["asks"].get(timeout=LIMIT) == ("live", False, "com.here.retained")
    assert got["does not"].get(timeout=LIMIT) == ("live", False)
    # Every event once, though there are two handlers.
    trusted.publish("com.here.retained", "last")
    assert got["asks"].get(timeout=LIMIT)[0] == "last"
    assert got["does not"].get(timeout=LIMIT)[0] == "last"
    assert all(each.empty() for each in got.values())


def test_retained_event_that_is_not_there_is_no_hindrance(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    got: queue.Queue[Any] = queue.Queue()
    wamp.subscribe("com.here.nothing_retained", get_retained=True)(got.put)
    wamp.start(app)
    anonymous.publish("com.here.nothing_retained", "live")
    assert got.get(timeout=LIMIT) == "live"
    assert got.empty()


def test_subscription_concurrency_runs_several_and_no_more(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    together = threading.Barrier(3)
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []
    done: queue.Queue[int] = queue.Queue()

    @wamp.subscribe("com.here.several", concurrency=3)
    def several(number: int) -> None:
        with lock:
            running.append(number)
            most.append(len(running))
        together.wait(LIMIT)
        with lock:
            running.remove(number)
        done.put(number)

    wamp.start(app)
    anonymous.publish_all("com.here.several", list(range(30)))
    assert sorted(done.get(timeout=LIMIT) for _ in range(30)) == list(range(30))
    assert max(most) == 3


def test_subscription_without_concurrency_keeps_the_order(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    running = threading.Lock()
    done: queue.Queue[tuple[int, bool]] = queue.Queue()

    @wamp.subscribe("com.here.one", match="prefix")
    def one(number: int) -> None:
        alone = running.acquire(blocking=False)
        g.wampy.call("com.serving.count", 1)  # another event may overtake this one meanwhile
        if alone:
            running.release()
        done.put((number, alone))

    wamp.start(app)
    anonymous.publish_all("com.here.one.a", list(range(100)))
    assert [done.get(timeout=LIMIT) for _ in range(100)] == [(n, True) for n in range(100)]


# --- typed arguments

RIGHT = {"item": {"sku": "AB-1", "quantity": 3}, "due": "2026-01-02", "speed": "fast",
         "kind": "gift"}  # fmt: skip
WRONG = [
    ({"item": {"sku": "ab", "quantity": 0}}, [["item", "sku"], ["item", "quantity"]]),
    ({"item": "no item", "due": "yesterday"}, [["item"], ["due"]]),
    ({"speed": "FAST", "kind": "loan"}, [["speed"], ["kind"]]),
    ({"item": {"sku": "AB-1"}}, [["item", "quantity"]]),
    ({"due": 20260102.5}, [["due"]]),
]


def test_typed_arguments_are_converted(anonymous: Peer) -> None:
    expected = {
        "number": 7,
        "item": ["Item", "AB-1", 3],
        "due": ["date", "2026-01-02"],
        "speed": ["Speed", "FAST"],
        "kind": "gift",
    }
    assert anonymous.call("com.serving.orders.place", 7, **RIGHT) == expected
    assert anonymous.call("com.serving.orders.place", number=7, **RIGHT) == expected
    answer = serving.app.test_client().post("/orders/7", json=RIGHT)
    assert (answer.status_code, answer.json) == (200, expected)
    least = {"item": RIGHT["item"], "due": RIGHT["due"]}
    told = anonymous.call("com.serving.orders.place", 7, **least)
    assert (told["speed"], told["kind"]) == (["Speed", "SLOW"], "own")


@pytest.mark.parametrize(("wrong", "places"), WRONG)
def test_typed_arguments_that_do_not_fit_are_listed_both_ways(
    anonymous: Peer, wrong: dict[str, Any], places: list[list[str]]
) -> None:
    arguments = {**RIGHT, **wrong}
    error = error_of(lambda: anonymous.call("com.serving.orders.place", 7, **arguments))
    assert error.error == "wamp.error.invalid_argument"
    assert error.kwargs["status"] == 400
    errors = error.kwargs["errors"]
    assert [mismatch["loc"] for mismatch in errors] == places
    assert all(mismatch["type"] and mismatch["msg"] for mismatch in errors)
    answer = serving.app.test_client().post("/orders/7", json=arguments)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"] == errors


def test_typed_arguments_constrained_and_missing(anonymous: Peer) -> None:
    call = "com.serving.orders.place"
    error = error_of(lambda: anonymous.call(call, 1000, **RIGHT))
    assert [(each["loc"], each["type"]) for each in error.kwargs["errors"]] == [
        (["number"], "less_than")
    ]
    answer = serving.app.test_client().post("/orders/1000", json=RIGHT)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"] == error.kwargs["errors"]
    error = error_of(lambda: anonymous.call(call, 7))
    assert (error.error, error.kwargs["parameter"]) == ("wamp.error.invalid_argument", "item")


def test_typed_arguments_of_handlers(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    got: queue.Queue[Any] = queue.Queue()

    @wamp.subscribe("com.here.typed")
    def typed(day: date, count: Annotated[int, Field(gt=0)]) -> None:
        got.put((day, count))

    wamp.start(app)
    anonymous.publish("com.here.typed", "2026-02-30", 1)
    anonymous.publish("com.here.typed", "2026-02-03", count=0)
    anonymous.publish("com.here.typed", "2026-02-03", count=4)
    assert got.get(timeout=LIMIT) == (date(2026, 2, 3), 4)
    assert got.empty()


@pytest.mark.wampy
def test_typed_arguments_from_javascript(javascript_peer: Wampy) -> None:
    told = javascript_peer.call("com.serving.orders.place", 7, **RIGHT)
    assert told["result"]["item"] == ["Item", "AB-1", 3]
    told = javascript_peer.call("com.serving.orders.place", 7, **{**RIGHT, "kind": "loan"})
    assert told["error"] == "wamp.error.invalid_argument"
    assert [each["loc"] for each in told["kwargs"]["errors"]] == [["kind"]]


# --- namespaces


def test_namespace_of_a_module_that_sees_no_application(anonymous: Peer) -> None:
    assert anonymous.call("com.serving.orders.total", 1, 2, 3) == 6
    assert anonymous.call("com.serving.orders.items.names") == [
        "tea", "com.serving.orders.items.names",
    ]  # fmt: skip
    assert anonymous.call("com.serving.orders.items.archive.year", of=1999) == 1999
    anonymous.publish("com.serving.orders.items.added.here.now", 3)
    noted = wait_until(
        lambda: anonymous.call("com.serving.orders.items.noted"), "the handler has the event"
    )
    assert noted == [{
        "uri": "com.serving.orders.items.added.here.now", "parts": ["here", "now"], "number": 3,
    }]  # fmt: skip


def test_namespace_has_its_errors(anonymous: Peer, make_app: MakeApp) -> None:
    error = error_of(lambda: anonymous.call("com.serving.orders.refuse", "late"))
    assert error.error == "com.serving.orders.refused"
    assert (error.args, error.kwargs) == (("late",), {"code": 7})
