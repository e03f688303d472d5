"""The test client is true to the router: the same calls and events, in memory and for real."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from flask import Flask, current_app, g

from flask_wamp import WAMP, SessionInfo, invocation
from flask_wamp.node import CrossbarNode
from flask_wamp.testing import WampTestClient

from .scenarios import CALLS, EVENTS, Heard, declare, outcome
from .support import MakeApp, wait_until

pytestmark = pytest.mark.node


@dataclass
class Side:
    """An application of the scenarios: in memory, or at a router.

    :ivar me: its own session.
    """

    app: Flask
    wamp: WAMP
    heard: Heard = field(default_factory=Heard)
    me: SessionInfo = field(init=False)

    def __post_init__(self) -> None:
        declare(self.app, self.wamp)
        self.heard.subscribe(self.wamp)


@pytest.fixture
def real(make_app: MakeApp) -> Side:
    """Serve the scenarios at the peers' node, from this process."""
    side = Side(*make_app("parity"))

    @side.wamp.on_join
    def joined(session: SessionInfo) -> None:
        if current_app.name == "parity":
            side.me = session

    side.wamp.start(side.app)
    wait_until(lambda: hasattr(side, "me"), "the session is told")
    return side


@pytest.fixture
def outside(real: Side, peers_node: CrossbarNode) -> Iterator[Flask]:
    """An application that calls as a service, and knows the same exceptions."""
    app = Flask("outside")
    app.config["WAMP_URL"] = peers_node.backend_url
    real.wamp.init_app(app)
    with app.app_context():
        yield app
    real.wamp.stop(app)


@pytest.fixture
def memory() -> Side:
    """Serve the scenarios in memory."""
    app = Flask("parity")
    return Side(app, WAMP(app))


@pytest.fixture
def client(memory: Side) -> Iterator[WampTestClient]:
    """Use the application in memory; it is not testing, so defects are answered as in production."""
    with memory.wamp.test_client(memory.app) as client:
        memory.me = client.app_session
        yield client


Way = Callable[[Any, str, list[Any], dict[str, Any]], Any]
#: Ways to call that ``g.wampy`` and the test client both have.
WAYS: dict[str, Way] = {
    "call": lambda caller, uri, args, kwargs: caller.call(uri, *args, **kwargs),
    "stream": lambda caller, uri, args, kwargs: list(caller.stream(uri, *args, **kwargs)),
}
#: And those that ``g.wampy`` alone has.
OWN_WAYS: dict[str, Way] = {
    **WAYS,
    "start": lambda caller, uri, args, kwargs: caller.start_call(uri, *args, **kwargs).result(),
    "gather": lambda caller, uri, args, kwargs: caller.gather(
        [caller.start_call(uri, *args, **kwargs)]
    ),
}
PROCEDURES = sorted({uri for uri, _, _ in CALLS})


def outcomes(caller: Any, ways: dict[str, Way], uri: str) -> dict[str, Any]:
    """Return what comes of the calls of *uri*, in each way."""
    return {
        f"{way}: {args} {kwargs}": outcome(partial(make, caller, uri, args, kwargs))
        for way, make in ways.items()
        for called, args, kwargs in CALLS
        if called == uri
    }


@pytest.mark.parametrize("uri", PROCEDURES)
def test_parity_of_calls_from_outside(outside: Flask, client: WampTestClient, uri: str) -> None:
    expected = outcomes(g.wampy, WAYS, uri)
    assert outcomes(client, WAYS, uri) == expected
    assert expected


@pytest.mark.parametrize("uri", PROCEDURES)
def test_parity_of_calls_of_the_application_itself(
    real: Side, memory: Side, client: WampTestClient, uri: str
) -> None:
    with real.app.app_context():
        expected = outcomes(g.wampy, OWN_WAYS, uri)
    if {kind for kind, _ in expected.values()} == {"NoSuchProcedure"}:
        # In memory it takes a stub to say that nobody serves what the application does not.
        assert not any(uri == procedure.uri("") for procedure in memory.wamp._registry.procedures)
        return
    with memory.app.app_context():
        assert outcomes(g.wampy, OWN_WAYS, uri) == expected


def test_parity_of_events(real: Side, memory: Side, client: WampTestClient) -> None:
    def published(side: Side, topic: str, options: dict[str, Any]) -> bool:
        """Publish, then a mark, and tell whether the publish had an id."""
        with side.app.app_context():
            chosen = g.wampy.with_options(**options)
            publication = chosen.publish(topic, "chosen", (1, 2), key=b"x")
            g.wampy.publish(topic, "mark")
        return publication is not None

    for topic, options in EVENTS:
        has_id = published(memory, topic, options(memory.me))
        receivers = memory.heard.who_has("mark")
        expected = memory.heard.take()
        assert published(real, topic, options(real.me)) == has_id
        wait_until(
            lambda receivers=receivers: real.heard.who_has("mark") == receivers,  # type: ignore[misc]
            "the handlers have the mark",
        )
        assert real.heard.take() == expected, (topic, options(real.me))


def test_parity_of_events_from_outside(
    real: Side, memory: Side, outside: Flask, client: WampTestClient
) -> None:
    g.wampy.publish("com.parity.topic.below", {"a": (1,)})
    client.publish("com.parity.topic.below", {"a": (1,)})
    expected = memory.heard.take()
    assert [len(heard) for heard in expected.values()] == [0, 1, 1, 0]
    wait_until(lambda: real.heard.by == expected, "each handler has handled the event")


@pytest.mark.parametrize("uri", ["com.parity.checkout", "com.parity.plain_checkout"])
def test_parity_of_events_that_wait_for_success(
    real: Side, memory: Side, client: WampTestClient, uri: str
) -> None:
    def tell(side: Side) -> list[Any]:
        with side.app.app_context():
            told = [outcome(partial(g.wampy.call, uri, number)) for number in (1, 3, 2)]
            g.wampy.publish("com.parity.topic", "mark")
        all_have_it = {"exact", "prefix", "again"}
        wait_until(lambda: side.heard.who_has("mark") == all_have_it, "the handlers have the mark")
        return told

    heard = []
    for side in (memory, real):
        told = tell(side)
        heard.append((told, [each[6] for each in side.heard.by["exact"]]))
    assert heard[1] == heard[0]
    assert heard[0][1] == [(1,), (2,), ("mark",)]


def test_parity_of_a_retained_event(real: Side, memory: Side, client: WampTestClient) -> None:
    """It comes to a handler that is added afterwards and asks for it."""
    for side in (memory, real):
        with side.app.app_context():
            g.wampy.with_options(retain=True).publish("com.parity.kept", "kept", (1,))
        handler = side.heard.handler("late")
        handle = side.wamp.add_subscription(
            handler, "com.parity.kept", app=side.app, get_retained=True
        )
        with side.app.app_context():
            g.wampy.with_options(retain=True).publish("com.parity.kept", "mark")
        wait_until(
            lambda side=side: side.heard.who_has("mark") == {"late"},  # type: ignore[misc]
            "the handler has the mark",
        )
        handle.remove()
    assert memory.heard.by["late"] == real.heard.by["late"]
    assert [each[3] for each in memory.heard.by["late"]] == [True, False]


def test_parity_of_a_stream_that_is_left(real: Side, memory: Side, client: WampTestClient) -> None:
    told: dict[str, list[Any]] = {}
    for name, side in (("memory", memory), ("real", real)):
        mine = told.setdefault(name, [])

        def rows(mine: list[Any] = mine) -> Iterator[int]:
            try:
                yield from range(1_000_000)
            finally:
                mine.append(["closed", invocation.cancelled, invocation.progress])

        side.wamp.add_procedure(rows, "com.parity.rows", app=side.app)
        with side.app.app_context(), g.wampy.stream("com.parity.rows") as results:
            assert [next(results), next(results)] == [0, 1]
        wait_until(lambda mine=mine: mine, "the generator is closed")  # type: ignore[misc]
    assert told["memory"] == told["real"] == [["closed", True, True]]
