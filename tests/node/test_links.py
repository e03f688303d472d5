"""Links that are lost again and again, and routers that are there and do not answer."""

import gc
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psutil
import pytest
from flask import Flask, g
from twisted.internet.base import DelayedCall

from flask_wamp import WAMP, NotConnected, Unanswered
from flask_wamp._twisted.connection.background import BackgroundLink
from flask_wamp._twisted.connection.pulse import Pulse
from flask_wamp.node import CrossbarNode
from flask_wamp.state import state_of

from .conftest import trusted_url
from .relay import Relay
from .support import LIMIT, MakeApp, Peer, discard, node_config, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]

#: How often a link is lost.
LOSSES = 200
#: Of a loss: how often the link is lost before the counting begins, until caches are warm.
WARM = 20
#: Seconds of silence after which a router is asked for a sign of life, which half of that is for: a
#: busy one is not to be taken for dead.
PING = 2


def sessions_of(app: Flask) -> int:
    """Return how many sessions an application's link has had."""
    link = state_of(app).slot.link
    assert isinstance(link, BackgroundLink)
    return link.sessions


def are_back(apps: Sequence[Flask], before: Sequence[int]) -> bool:
    """Tell whether each link has had a session since *before*."""
    return all(sessions_of(app) > had for app, had in zip(apps, before, strict=True))


def objects() -> Counter[str]:
    """Return how many objects there are of our classes, and of Autobahn's and Twisted's."""
    gc.collect()
    return Counter(
        f"{type(each).__module__}.{type(each).__qualname__}"
        for each in gc.get_objects()
        if str(type(each).__module__).startswith(("flask_wamp", "autobahn", "twisted"))
        # A reactor keeps up to 50 timers that were canceled, until there are more.
        and not (isinstance(each, DelayedCall) and not each.active())
    )


def serving(make_app: MakeApp, name: str, url: str, **config: Any) -> tuple[Flask, list[int]]:
    """Return an application that serves a procedure and a topic at *url*, and what it has seen."""
    app, wamp = make_app(name, WAMP_URL=url, **config)
    seen: list[int] = []
    wamp.callee(f"com.links.{name}")(lambda: name)
    wamp.subscribe(f"com.links.{name}.topic")(seen.append)
    wamp.start(app)
    return app, seen


def test_links_200_losses_leave_nothing_behind(
    make_app: MakeApp, relay: Relay, trusted: Peer
) -> None:
    """Of a link that serves, of one that shares, and of one that only calls."""
    alone, seen = serving(make_app, "alone", relay.url)
    shared, seen_shared = serving(make_app, "shared", relay.url, WAMP_SERVE=True)
    caller, _ = make_app("caller", WAMP_URL=relay.url)
    apps = (alone, shared, caller)

    def lose(count: int) -> None:
        for _ in range(count):
            before = [sessions_of(app) for app in apps]
            relay.cut()
            wait_until(partial(are_back, apps, before), "all links are back")
            with caller.app_context():
                for name in ("alone", "shared"):
                    assert g.wampy.call(f"com.links.{name}") == name
                    g.wampy.publish(f"com.links.{name}.topic", 1)

    def router() -> tuple[int, ...]:
        """Return what the router has of these links."""
        registrations = trusted.call("wamp.registration.list")
        return (
            trusted.call("wamp.session.count"),
            len(registrations["exact"]),
            len(trusted.call("wamp.subscription.list")["exact"]),
        )

    def process() -> tuple[Counter[str], int]:
        """Return the threads by name, and how many descriptors are open."""
        names = (thread.name for thread in threading.enumerate())
        # Twisted resolves names in up to ten, which stay.
        ours = Counter(name for name in names if not name.startswith("PoolThread"))
        return ours, psutil.Process().num_fds()

    def has_no_more(threads: Counter[str], descriptors: int) -> bool:
        now = process()
        return now[0] <= threads and now[1] <= descriptors

    with caller.app_context():
        assert g.wampy.call("com.links.alone") == "alone"
    had = router()
    lose(WARM)
    wait_until(lambda: len(seen) == WARM, "the events are handled")
    # What the last loss has left at the router goes a moment later.
    wait_until(lambda: router() == had, "the router has what it had")
    was, counts, memory = process(), objects(), psutil.Process().memory_info().rss
    lose(LOSSES)
    wait_until(lambda: router() == had, "the router has the same sessions and registrations")
    wait_until(lambda: has_no_more(*was), f"{process()} is no more than {was}")
    grown = {
        name: (counts[name], count)
        for name, count in objects().items()
        # What one loss leaves is 200 times there; timers that were canceled hold some others.
        if count - counts[name] > LOSSES // 2
    }
    assert grown == {}
    wait_until(lambda: len(seen) == WARM + LOSSES, "each event came once")
    # Where the router has yet to notice that the session before is gone, that still has the right to
    # subscribe, for which the shared one asks again 1.5 s later.
    assert 0 < len(seen_shared) <= WARM + LOSSES
    assert psutil.Process().memory_info().rss - memory < 16 * 2**20


# --- routers that are there and do not answer


@contextmanager
def stopped(node: CrossbarNode) -> Iterator[None]:
    """Stop every process of *node*, as a debugger or a frozen machine does."""
    assert node.process is not None
    group = [
        node.process.pid,
        *(each.pid for each in psutil.Process(node.process.pid).children(True)),
    ]
    for pid in group:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in group:
            os.kill(pid, signal.SIGCONT)


def held(app: Flask, threads: ThreadPoolExecutor, name: str) -> Any:
    """Begin a call that nobody answers, on a thread."""

    def call() -> Any:
        with app.app_context():
            return g.wampy.with_options(timeout=60).call("com.test.hold", name)

    return threads.submit(call)


@pytest.fixture
def lone_node() -> Iterator[CrossbarNode]:
    """Run a node of the test's own."""
    node = CrossbarNode(
        node_config(
            web="tests.node.apps.sessions.LoneWeb", views=["tests.node.apps.sessions.Views"]
        )
    )
    try:
        node.start()
        yield node
    finally:
        discard(node)


def test_links_router_that_is_stopped_is_noticed_over_each_transport(
    lone_node: CrossbarNode, request: pytest.FixtureRequest
) -> None:
    """And used again when it goes on."""
    urls = {"socket": lone_node.backend_url, "ws": lone_node.ws_url.replace("/ws", "/trusted")}
    apps = {}
    for name, url in urls.items():
        app = Flask(name)
        app.config.from_mapping(WAMP_URL=url, WAMP_PING=PING, WAMP_TIMEOUT=LIMIT)
        wamp = WAMP(app)
        request.addfinalizer(partial(wamp.stop, app))
        apps[name] = app
    with ThreadPoolExecutor(2) as threads:
        calls = [held(app, threads, name) for name, app in apps.items()]
        with apps["socket"].app_context():
            wait_until(
                lambda: g.wampy.call("com.test.held") == ["socket", "ws"], "both are in flight"
            )
        with stopped(lone_node):
            for call in calls:
                with pytest.raises(NotConnected, match="no sign of life") as caught:
                    call.result(LIMIT)
                assert caught.value.may_have_run
    for app in apps.values():
        with app.app_context():
            assert g.wampy.call("com.test.add", 1, 2) == 3


def test_links_network_that_swallows_everything_is_noticed(make_app: MakeApp, relay: Relay) -> None:
    app, _ = make_app(WAMP_URL=relay.url, WAMP_PING=PING, WAMP_TIMEOUT=LIMIT)
    with ThreadPoolExecutor(1) as threads:
        with app.app_context():
            assert g.wampy.call("com.test.add", 1, 2) == 3
        call = held(app, threads, "swallowed")
        with app.app_context():
            wait_until(lambda: "swallowed" in g.wampy.call("com.test.held"), "it is in flight")
            relay.swallow()
            with pytest.raises(NotConnected, match="no sign of life"):
                call.result(LIMIT)
            # A new connection is another way.
            assert g.wampy.call("com.test.add", 1, 2) == 3
            g.wampy.call("com.test.release", "swallowed")


def test_links_silence_is_no_death(
    make_app: MakeApp, peers_node: CrossbarNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked, answers, and stays, whatever its role may call."""
    urls = (peers_node.backend_url, trusted_url(peers_node), peers_node.ws_url)
    apps = [make_app(url, WAMP_URL=url, WAMP_PING=PING)[0] for url in urls]
    for app in apps:
        with app.app_context():
            assert g.wampy.call("com.test.add", 1, 2) == 3
    heard: Counter[Pulse] = Counter()
    hear = Pulse.heard

    def note(pulse: Pulse) -> None:
        heard[pulse] += 1
        hear(pulse)

    monkeypatch.setattr(Pulse, "heard", note)
    wait_until(lambda: len(heard) == 3 and min(heard.values()) >= 4, "each was asked four times")
    assert [sessions_of(app) for app in apps] == [1, 1, 1]


# --- many at once


def test_links_100_come_back_at_once(
    lone_node: CrossbarNode, request: pytest.FixtureRequest
) -> None:
    """When their router was killed and has started again, over the Unix socket."""
    apps = []
    for number in range(100):
        app = Flask(f"crowd{number}")
        app.config.from_mapping(WAMP_URL=lone_node.backend_url, WAMP_TIMEOUT=60, WAMP_THREADS=1)
        wamp = WAMP(app)
        request.addfinalizer(partial(wamp.stop, app))
        wamp.callee(f"com.crowd.n{number}")(lambda number=number: number)
        apps.append((app, wamp))
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda each: each[1].start(each[0]), apps))
    lone_node.kill()
    lone_node.start()
    wait_until(lambda: all(sessions_of(app) == 2 for app, _ in apps), "all are back", timeout=60)
    with apps[0][0].app_context():
        calls = [g.wampy.start_call(f"com.crowd.n{number}") for number in range(100)]
        try:
            assert g.wampy.gather(calls) == list(range(100))
        except Unanswered as error:
            pytest.fail(f"lost: {error}")
