"""Events that the router has kept: fetched, and caught up with while more of them come."""

import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from flask import Flask, g
from playwright.sync_api import sync_playwright

from flask_wamp import WAMP, OptionError, RemoteError, event
from flask_wamp.node import CrossbarNode

from ..browser.conftest import FLAGS
from .apps.history import LIMIT as KEPT
from .apps.history import VENDOR
from .conftest import trusted_url
from .support import APPS, Peer, connected, error_of, missing_service, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

Link = Callable[..., tuple[Flask, WAMP]]
#: What the topic that forgets keeps.
FEW = 5
#: Events that are published under load at least, and how many of them a second at most.
EVENTS = 1200
RATE = 500


@pytest.fixture(scope="module")
def history_node() -> Iterator[CrossbarNode]:
    """Run a node that keeps events of some topics."""
    config = node_config(
        web=f"{APPS}.sessions.HistoryWeb",
        views=[f"{APPS}.sessions.HistoryViews"],
        wsgi=f"{APPS}.history",
    )
    names = ("ticks", "pages", "plain", "unheard", "late", "big")
    topics = [{"uri": f"com.history.{name}", "match": "exact", "limit": KEPT} for name in names]
    topics += [{"uri": "com.history.tree", "match": "prefix", "limit": KEPT}]
    topics += [
        {"uri": f"com.history.{name}", "match": "exact", "limit": FEW} for name in ("one", "two")
    ]
    config["workers"][0]["realms"][0]["store"] = {"type": "memory", "event-history": topics}
    with CrossbarNode(config) as node:
        yield node


@pytest.fixture
def keeper(history_node: CrossbarNode) -> Iterator[Peer]:
    """Give a peer with the backend's rights."""
    with connected(trusted_url(history_node)) as peer:
        yield peer


@pytest.fixture
def link(history_node: CrossbarNode) -> Iterator[Link]:
    """Give a function that makes applications in this process, linked to the node."""
    made: list[tuple[Flask, WAMP]] = []

    def make(name: str = "follower") -> tuple[Flask, WAMP]:
        app = Flask(name)
        app.config["WAMP_URL"] = history_node.backend_url
        made.append((app, WAMP(app)))
        return made[-1]

    yield make
    for app, wamp in made:
        wamp.stop(app)


# --- fetching


def test_history_has_what_was_published(keeper: Peer, link: Link) -> None:
    events = keeper.subscribe("com.history.plain")
    app, _ = link()
    with app.app_context():
        before = time.time()
        ids = [g.wampy.publish("com.history.plain", n, octets=bytes([n])) for n in range(5)]
        own = g.wampy.meta.sessions(authroles=["backend"])
        kept = g.wampy.history("com.history.plain")
        assert [each.publication for each in kept] == ids
        assert [each.args for each in kept] == [(n,) for n in range(5)]
        assert [each.kwargs for each in kept] == [{"octets": bytes([n])} for n in range(5)]
        assert {each.uri for each in kept} == {"com.history.plain"}
        assert {each.publisher_authrole for each in kept} == {"backend"}
        assert kept[0].publisher in own
        assert before - 1 < kept[0].timestamp <= kept[4].timestamp < time.time() + 1
        # The newest of them, and the oldest first.
        assert g.wampy.history("com.history.plain", limit=2) == kept[3:]
    assert [events.get().details.publication for _ in range(5)] == ids


def test_history_has_each_event_once_however_many_subscribe(
    history_node: CrossbarNode, keeper: Peer, link: Link
) -> None:
    """Crossbar.io 26.10 keeps an event once for each subscriber."""
    keeper.subscribe("com.history.late")
    app, _ = link()
    with connected(trusted_url(history_node)) as second, app.app_context():
        second.subscribe("com.history.late")
        ids = [g.wampy.publish("com.history.late", number) for number in range(10)]
        subscription = g.wampy.call("wamp.subscription.lookup", "com.history.late")
        raw = g.wampy.call("wamp.subscription.get_events", subscription, None)
        assert len(raw) == 20, "Crossbar.io keeps an event once now: see meta.history()"
        assert [each.publication for each in g.wampy.history("com.history.late")] == ids
        newest = g.wampy.history("com.history.late", limit=3)
        assert [each.publication for each in newest] == ids[-3:]


def test_history_of_a_pattern(keeper: Peer, link: Link) -> None:
    keeper.subscribe("com.history.tree", match="prefix")
    app, _ = link()
    with app.app_context():
        for name in ("oak", "elm"):
            g.wampy.publish(f"com.history.tree.{name}", name)
        kept = g.wampy.history("com.history.tree", match="prefix")
        assert [(each.uri, each.args) for each in kept] == [
            ("com.history.tree.oak", ("oak",)),
            ("com.history.tree.elm", ("elm",)),
        ]
        assert g.wampy.history("com.history.tree") == []


def test_history_of_which_a_part_is_asked_need_not_fit_one_message(
    keeper: Peer, link: Link
) -> None:
    """The Unix socket takes messages of 16 MiB at most."""
    keeper.subscribe("com.history.big")
    app, _ = link()
    with app.app_context():
        for number in range(18):
            g.wampy.publish("com.history.big", number, "x" * 1_000_000)
        kept = g.wampy.history("com.history.big", limit=2)
        assert [each.args[0] for each in kept] == [16, 17]


def test_history_that_is_not_kept_is_refused(keeper: Peer, link: Link) -> None:
    keeper.subscribe("com.not_kept.ticks")
    app, _ = link()
    with app.app_context():
        with pytest.raises(RemoteError) as raised:
            g.wampy.history("com.not_kept.ticks")
        assert raised.value.uri == "wamp.error.history_unavailable"
        for limit in (0, -1, True, 1.5, "all"):
            with pytest.raises(OptionError, match="limit"):
                g.wampy.history("com.history.plain", limit=limit)


def test_history_is_not_for_browsers_but_through_a_view(
    history_node: CrossbarNode, keeper: Peer
) -> None:
    with connected(history_node.ws_url) as page:
        error = error_of(lambda: page.call("wamp.subscription.get_events", 1, None))
        assert error.error == "wamp.error.not_authorized"
        error = error_of(lambda: page.call("com.history.fetch", "com.secret"))
        assert error.error == "wamp.error.not_authorized"
        assert isinstance(page.call("com.history.fetch", "com.history.plain"), list)


# --- what Crossbar.io lacks: these tell when it has it


def test_trap_of_crossbar_nothing_is_kept_while_nobody_subscribes(keeper: Peer, link: Link) -> None:
    app, _ = link()
    with app.app_context():
        assert g.wampy.publish("com.history.unheard", 1) is not None
        assert g.wampy.history("com.history.unheard") == []
        keeper.subscribe("com.history.unheard")
        g.wampy.publish("com.history.unheard", 2)
        assert [each.args for each in g.wampy.history("com.history.unheard")] == [(2,)]


def test_trap_of_crossbar_events_are_lost_at_the_limit_with_two_subscribers(
    history_node: CrossbarNode, keeper: Peer, link: Link
) -> None:
    app, _ = link()
    with connected(trusted_url(history_node)) as second, app.app_context():

        def received(topic: str, peers: list[Peer]) -> list[int]:
            heard = [peer.subscribe(topic) for peer in peers]
            for number in range(4 * FEW):
                g.wampy.publish(topic, number)
            # On the way to a peer, the answer to its call comes behind its events.
            for peer in peers:
                peer.call("com.history.fetch", "com.history.plain")
            return [len(events.waiting()) for events in heard]

        # With one subscriber all is well.
        assert received("com.history.one", [keeper]) == [4 * FEW]
        kept = g.wampy.history("com.history.one")
        assert [each.args[0] for each in kept] == list(range(3 * FEW, 4 * FEW))
        # With two, the broker fails at the first event that has to go.
        counts = received("com.history.two", [keeper, second])
        assert min(counts) < 4 * FEW, "Crossbar.io evicts well now: the documentation warns of it"
        history_node.wait_for_log("KeyError")


# --- subscribe, fetch, drop what comes twice


class Follower:
    """A service that has all events of a topic, those before its start included.

    :ivar numbers: what was published, in the order in which it was taken.
    """

    def __init__(self, app: Flask, wamp: WAMP, topic: str) -> None:
        self.numbers: list[int] = []
        self._seen: set[int] = set()
        self._caught_up = threading.Event()
        self._app, self._wamp, self._topic = app, wamp, topic

        @wamp.consume(topic)
        def on_event(number: int) -> None:
            # Those that come before the history is here wait, in their order.
            self._caught_up.wait(30)
            self._take(event.publication, number)

    def start(self) -> int:
        """Subscribe, then fetch; return how many events were there before."""
        self._wamp.start(self._app)
        with self._app.app_context():
            history = g.wampy.history(self._topic, limit=KEPT)
        for each in history:
            self._take(each.publication, each.args[0])
        self._caught_up.set()
        return len(history)

    def _take(self, publication: int, number: int) -> None:
        if publication not in self._seen:
            self._seen.add(publication)
            self.numbers.append(number)


class Load:
    """Publishes numbers, several hundred a second, until all who follow them have begun to."""

    def __init__(self, app: Flask, topic: str) -> None:
        self.published = 0
        self._all_follow = threading.Event()
        self._app, self._topic = app, topic
        self._thread = threading.Thread(target=self._publish)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._all_follow.set()
        self._thread.join(60)

    def wait_for(self, count: int) -> None:
        """Wait until *count* numbers are published."""
        wait_until(lambda: self.published >= count, f"{count} events are published")

    def _publish(self) -> None:
        began = time.monotonic()
        pause = threading.Event()
        with self._app.app_context():
            for number in itertools.count():
                if number >= EVENTS and self._all_follow.is_set():
                    return
                pause.wait(max(0.0, began + number / RATE - time.monotonic()))
                g.wampy.publish(self._topic, number)
                self.published += 1


def test_pattern_in_python_loses_and_repeats_nothing_under_load(link: Link) -> None:
    topic = "com.history.ticks"
    # Somebody has to subscribe for the router to keep anything.
    followers = [Follower(*link(f"follower{number}"), topic) for number in range(5)]
    assert followers[0].start() == 0
    publisher, _ = link("publisher")
    before = []
    with Load(publisher, topic) as load:
        for number, follower in enumerate(followers[1:], 1):
            load.wait_for(number * EVENTS // 6)
            before.append(follower.start())
    for follower in followers:
        wait_until(
            lambda follower=follower: len(follower.numbers) >= load.published,  # type: ignore[misc]
            "it has all events",
        )
    assert all(before)
    assert [follower.numbers for follower in followers] == [list(range(load.published))] * 5
    # All were there at once, so nothing can come any more but this one.
    with publisher.app_context():
        g.wampy.publish(topic, -1)
    for follower in followers:
        wait_until(lambda follower=follower: follower.numbers[-1] == -1, "it has the last one")  # type: ignore[misc]
        assert follower.numbers == [*range(load.published), -1]


@pytest.mark.browser
def test_pattern_in_the_browser_loses_and_repeats_nothing_under_load(
    history_node: CrossbarNode, keeper: Peer, link: Link
) -> None:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not found or not (VENDOR / "wampy.min.js").exists():
        missing_service("no Chromium, or no wampy.js for it: run `make test`")
    topic = "com.history.pages"
    keeper.subscribe(topic)
    publisher, _ = link("publisher")
    # Not for longer than this test: Playwright leaves an event loop in the main thread.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        pages = [browser.new_page() for _ in range(4)]
        surprises: list[Any] = []
        for page in pages:
            page.on("console", lambda message: surprises.append(message.text))
            page.on("pageerror", lambda error: surprises.append(str(error)))
            page.goto(history_node.url)
        counts = []
        with Load(publisher, topic) as load:
            for number, page in enumerate(pages):
                load.wait_for((number + 1) * EVENTS // 8)
                page.evaluate("topic => follow(topic)", topic)
                counts.append(page.evaluate("numbers.length"))
        with publisher.app_context():
            g.wampy.publish(topic, -1)
        for page in pages:
            page.wait_for_function("numbers.at(-1) === -1", timeout=30_000)
        numbers = [page.evaluate("numbers") for page in pages]
        browser.close()
    assert surprises == []
    assert all(counts)
    assert numbers == [[*range(load.published), -1]] * 4


# --- in memory


def test_history_in_memory_is_the_routers(keeper: Peer, link: Link) -> None:
    keeper.subscribe("com.history.pages")
    keeper.subscribe("com.history.tree", match="prefix")
    app, wamp = link()

    def outcomes() -> list[Any]:
        with app.app_context():
            for number in range(4):
                g.wampy.publish("com.history.pages", number, (1,), octets=bytes([number]))
                g.wampy.publish(f"com.history.tree.{number}", {number: None})
            kept = [
                *g.wampy.history("com.history.pages", limit=3),
                *g.wampy.history("com.history.tree", match="prefix", limit=2),
            ]
        return [(each.uri, each.args, each.kwargs, each.publisher_authrole) for each in kept]

    expected = outcomes()
    with wamp.test_client(app):
        assert outcomes() == expected
    assert len(expected) == 5
