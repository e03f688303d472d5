"""Serving beside other processes that serve the same application."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask

from flask_wamp import WAMP
from flask_wamp._twisted.serve.gates import Limits
from flask_wamp._twisted.serve.sharing import SharedServer, share, subscriber_uri
from flask_wamp._twisted.serve.waiting import REFUSED_RETRY, RETRY
from flask_wamp._twisted.threads import ElasticPool
from flask_wamp.state import state_of
from flask_wamp.uris import invalid_uri

from ..doubles import SESSION_ID, Router, Turns
from ..helpers import declared, fired

ELECTION = "flask_wamp.subscriber.shop.0"
TAKEN = "wamp.error.procedure_already_exists"
OTHER_POLICY = "wamp.error.procedure_exists_with_different_invocation_policy"
NOT_AUTHORIZED = "wamp.error.not_authorized"


class Worker:
    """A process that shares; *refused* is what its router refuses, as *refusal* says."""

    def __init__(self, app: Flask, turns: Turns) -> None:
        self._state = state_of(app)
        self._turns = turns
        self.pool = ElasticPool(2, turns.queue())
        self.router: Any = None

    def __call__(self, *refused: str, refusal: str = TAKEN) -> Router:
        """Share, and return the router when it has answered everything once."""
        self.router = router = Router(self._turns, refused=refused, refusal=refusal)
        answered: list[Any] = []
        sharing = share(router.session, self._state, self.pool, Limits(), ELECTION)
        sharing.addBoth(answered.append)
        self._turns.run_until(lambda: answered)
        assert answered == [None]
        return router

    @property
    def server(self) -> SharedServer:
        """What serves."""
        server = self.router.session.server
        assert isinstance(server, SharedServer)
        return server

    def refuse(self, *refused: str, refusal: str = TAKEN) -> None:
        """Let the router refuse these from now on."""
        self.router._refused, self.router._refusal = refused, refusal

    def later(self, seconds: float) -> None:
        """Let time pass: what is asked again after *seconds*, give or take a third, is asked."""
        self._turns.clock.advance(seconds * 1.34)
        self._turns.run_pending()

    def asked(self, uri: str) -> int:
        """Return how often a procedure was asked for."""
        return sum(msg.procedure == uri for msg in self.router.transport.of_kind(message.Register))


@pytest.fixture
def worker(app: Flask, wamp: WAMP, turns: Turns) -> Iterator[Worker]:
    worker = Worker(app, turns)
    worker.pool.start()
    yield worker
    worker.pool.stop()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[tuple[str, str]]]:
    """Return what is logged: level and text."""
    caplog.set_level(logging.INFO, "flask_wamp")
    told: list[tuple[str, str]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append((record.levelname, record.getMessage()))

    handler = Handler()
    logging.getLogger("flask_wamp").addHandler(handler)
    yield told
    logging.getLogger("flask_wamp").removeHandler(handler)


def test_sharing_policies(wamp: WAMP, worker: Worker) -> None:
    """What names no policy can be served by all."""
    wamp.callee("com.shop.a")(lambda: 1)
    wamp.callee("com.shop.b", invoke="single")(lambda: 1)
    wamp.callee("com.shop.c", invoke="last")(lambda: 1)
    wamp.callee("com.shop.d", force_reregister=True)(lambda: 1)
    sent = worker().transport.of_kind(message.Register)
    assert [(msg.procedure, msg.invoke, msg.force_reregister) for msg in sent] == [
        ("com.shop.a", "roundrobin", None),
        ("com.shop.b", "single", None),
        ("com.shop.c", "last", None),
        ("com.shop.d", "single", True),
    ]


def test_sharing_elected_process_subscribes(
    wamp: WAMP, worker: Worker, told: list[tuple[str, str]]
) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker()
    (_, election) = router.transport.of_kind(message.Register)
    assert (election.procedure, election.invoke) == (ELECTION, "single")
    assert set(router.subscriptions) == {"com.shop.topic"}
    assert router.value(router.invoke(ELECTION)) == SESSION_ID
    assert ("INFO", "shop: this process handles the events") in told
    assert ("INFO", "shop: this process serves 1 procedures") in told


def test_sharing_another_process_subscribes_until_it_has_gone(
    wamp: WAMP, worker: Worker, told: list[tuple[str, str]]
) -> None:
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker(ELECTION)
    assert router.subscriptions == {}
    for attempt in range(2, 5):
        worker.later(RETRY)
        assert worker.asked(ELECTION) == attempt
    assert router.subscriptions == {}
    waits = ("INFO", "shop: another process handles the events")
    assert told.count(waits) == 1

    worker.refuse()
    worker.later(RETRY)
    assert set(router.subscriptions) == {"com.shop.topic"}
    asked = worker.asked(ELECTION)
    worker.later(10 * RETRY)
    assert worker.asked(ELECTION) == asked


def test_sharing_single_procedure_is_taken_over(
    wamp: WAMP, worker: Worker, told: list[tuple[str, str]]
) -> None:
    wamp.callee("com.shop.a", invoke="single")(lambda: 1)
    wamp.callee("com.shop.b")(lambda: 2)
    router = worker("com.shop.a")
    assert set(router.registrations) == {"com.shop.b"}
    worker.later(RETRY)
    (news,) = [text for level, text in told if "com.shop.a" in text and level == "INFO"]
    assert news.startswith("shop: another process has the procedure 'com.shop.a' of ")

    worker.refuse()
    worker.later(RETRY)
    assert router.value(router.invoke("com.shop.a")) == 1


def test_sharing_asks_for_what_another_process_has_in_one_go(
    wamp: WAMP, worker: Worker, turns: Turns
) -> None:
    """So of several that wait, one has it all when that process has gone."""
    names = [f"com.shop.{name}" for name in "abcd"]
    for name in names:
        wamp.callee(name, invoke="single")(lambda: 1)
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker(*names, ELECTION)
    for attempt in range(2, 6):
        while sum(map(worker.asked, names)) == len(names) * (attempt - 1):
            turns.clock.advance(0.001)
        assert {worker.asked(each) for each in (*names, ELECTION)} == {attempt}
        turns.run_pending()
    worker.refuse()
    worker.later(RETRY)
    assert set(router.registrations) == {*names, ELECTION}
    assert turns.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("refusal", "level", "remedy", "retry"),
    [
        (TAKEN, "WARNING", "this one takes over after it", RETRY),
        (OTHER_POLICY, "ERROR", "let all of its processes give the same invoke", REFUSED_RETRY),
        (
            NOT_AUTHORIZED,
            "ERROR",
            "let the role 'backend' register these, or let WAMP_URL name",
            REFUSED_RETRY,
        ),
    ],
)
def test_sharing_refusal_is_told_once_with_the_remedy(
    wamp: WAMP,
    worker: Worker,
    told: list[tuple[str, str]],
    refusal: str,
    level: str,
    remedy: str,
    retry: float,
) -> None:
    """In one line, and what is not refused is served; then it is asked for again."""
    for name in "abc":
        wamp.callee(f"com.shop.{name}")(lambda name=name: name)
    router = worker("com.shop.a", "com.shop.b", refusal=refusal)
    assert router.value(router.invoke("com.shop.c")) == "c"
    (news,) = [text for found, text in told if found == level]
    assert "'com.shop.a'" in news
    assert "'com.shop.b'" in news
    assert refusal in news
    assert news.count(remedy) == 1

    worker.later(retry)
    assert worker.asked("com.shop.a") == 2
    assert [text for found, text in told if found == level] == [news]
    worker.refuse()
    worker.later(retry)
    assert router.value(router.invoke("com.shop.a")) == "a"


def test_sharing_refused_subscription_is_told(
    wamp: WAMP, worker: Worker, told: list[tuple[str, str]]
) -> None:
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker("com.shop.topic", refusal=NOT_AUTHORIZED)
    (news,) = [text for level, text in told if level == "ERROR"]
    assert "the subscription to 'com.shop.topic'" in news
    assert "let the role 'backend' subscribe to these" in news
    worker.refuse()
    worker.later(REFUSED_RETRY)
    assert set(router.subscriptions) == {"com.shop.topic"}


def test_sharing_ends_with_the_session(wamp: WAMP, worker: Worker, turns: Turns) -> None:
    wamp.callee("com.shop.a")(lambda: 1)
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker("com.shop.a", ELECTION)
    assert len(turns.clock.getDelayedCalls()) == 2
    router.transport.lose()
    assert turns.clock.getDelayedCalls() == []


def test_sharing_removed_procedure_is_not_asked_for_again(
    app: Flask, wamp: WAMP, worker: Worker, turns: Turns
) -> None:
    wamp.callee("com.shop.a", invoke="single")(lambda: 1)
    worker("com.shop.a")
    fired(worker.server.remove(declared(app, "com.shop.a")), turns)
    assert turns.clock.getDelayedCalls() == []


def test_sharing_added_procedure_is_shared_too(
    app: Flask, wamp: WAMP, worker: Worker, turns: Turns
) -> None:
    router = worker()
    wamp.callee("com.shop.late")(lambda: "late")
    fired(worker.server.add(declared(app, "com.shop.late")), turns)
    assert router.transport.of_kind(message.Register)[-1].invoke == "roundrobin"
    assert router.value(router.invoke("com.shop.late")) == "late"


@pytest.mark.parametrize("elected", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_sharing_added_handler_is_the_elected_process_s(
    app: Flask, wamp: WAMP, worker: Worker, turns: Turns, elected: bool, first: bool
) -> None:
    """Whether the application had handlers before, or this is the first one."""
    if not first:
        wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker(*(() if elected else (ELECTION,)))
    wamp.subscribe("com.shop.late")(lambda: None)
    late = state_of(app).registry.subscriptions[-1]
    fired(worker.server.add(late), turns)
    assert ("com.shop.late" in router.subscriptions) == elected
    worker.refuse()
    worker.later(RETRY)
    assert "com.shop.late" in router.subscriptions


def test_sharing_process_that_is_deposed_subscribes_no_more(wamp: WAMP, worker: Worker) -> None:
    # So that no number stands for both a registration and a subscription.
    wamp.callee("com.shop.a")(lambda: 1)
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker()
    worker.refuse(ELECTION)
    number = router.registrations.pop(ELECTION)
    router.transport.receive(message.Unregistered(0, registration=number))
    assert router.subscriptions == {}
    worker.later(RETRY)
    assert worker.asked(ELECTION) == 2
    worker.refuse()
    worker.later(RETRY)
    assert set(router.subscriptions) == {"com.shop.topic"}


def test_sharing_names_of_elections() -> None:
    """The same in every process of an application, another in another, and a strict URI."""

    def name(app: str, *topics: str, prefix: str = "com.x") -> str:
        made = Flask(app)
        made.config["WAMP_URI_PREFIX"] = prefix
        wamp = WAMP(made)
        for topic in topics:
            wamp.subscribe(topic)(lambda: None)
        return subscriber_uri(state_of(made))

    assert name("Web Shop", "com.a", "com.b") == name("Web Shop", "com.b", "com.a")
    names = [
        name("Web Shop", "com.a"),
        name("Web Shop", "com.b"),
        name("web_shop", "com.a"),
        name("Web Shop", "com.a", prefix="com.y"),
        name("app.main", "com.a"),
    ]
    assert len(set(names)) == len(names)
    assert all(invalid_uri(each) is None for each in names)
    assert names[0].startswith("flask_wamp.subscriber.web_shop.")
    assert names[4].startswith("flask_wamp.subscriber.app_main.")


def test_sharing_asks_once_at_a_time(app: Flask, wamp: WAMP, worker: Worker, turns: Turns) -> None:
    """A handler that is added while the election goes on does not ask for it again."""
    wamp.subscribe("com.shop.topic")(lambda: None)
    router = worker.router = Router(turns)
    router.transport.on_send = router.transport.sent.append
    share(router.session, state_of(app), worker.pool, Limits(), ELECTION)
    wamp.subscribe("com.shop.late")(lambda: None)
    fired(worker.server.add(state_of(app).registry.subscriptions[-1]), turns)
    (election,) = router.transport.of_kind(message.Register)
    router.transport.receive(message.Registered(election.request, 1))
    topics = [msg.topic for msg in router.transport.of_kind(message.Subscribe)]
    assert topics == ["com.shop.topic", "com.shop.late"]
    assert turns.clock.getDelayedCalls() == []
