"""A nameko service with nameko-wamp 0.3.0, the predecessor's sister, in each direction."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, CallTimeout
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import WAYS, Wampy, nameko_wamp
from .support import Peer, http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.wampy]

MakeApp = Callable[..., tuple[Flask, WAMP]]


@pytest.fixture(scope="module")
def service(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run the service with the rights of the backend."""
    with nameko_wamp(trusted_url(peers_node), "service") as service:
        yield service


@pytest.mark.parametrize("way", WAYS)
def test_flask_calls_nameko(service: Wampy, make_app: MakeApp, way: str) -> None:
    app, _ = make_app()
    with app.app_context():
        for _ in range(3):
            value = WAYS[way](g.wampy, "nameko_country", "france", 1, key=2)
            assert value == {"country": "FRANCE", "args": [1], "kwargs": {"key": 2}}


def test_flask_calls_nameko_for_none(service: Wampy, make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.rpc.nameko_tell("com.test.nobody", message=1) is None


def test_the_node_s_views_call_nameko(
    peers_node: CrossbarNode, service: Wampy, trusted: Peer
) -> None:
    value = {"country": "CHAD", "args": [], "kwargs": {}}
    answer = http(peers_node.url + "wampy", {"call": "nameko_country", "args": ["chad"]})
    assert answer.json == {"result": value}
    assert trusted.call("com.test.call", "nameko_country", "chad") == value


def test_nameko_answers_with_keywords_of_its_own(service: Wampy, trusted: Peer) -> None:
    """What the rule for its answers is made of: those of wampy, and an ``error``."""
    result = trusted.call("nameko_country", "mali")
    assert result.kwresults.pop("meta").keys() == {"procedure_name", "session_id"}
    value = {"country": "MALI", "args": [], "kwargs": {}}
    assert result.kwresults == {"error": None, "message": value}
    assert result.results == (value,)


def test_nameko_calls_flask(service: Wampy, trusted: Peer) -> None:
    """It takes the one positional value of an answer."""

    def ask(procedure: str, *args: Any, **kwargs: Any) -> Any:
        return trusted.call("nameko_ask", procedure, *args, **kwargs).results[0]

    assert ask("com.test.add", 1, b=2) == 3
    assert ask("com.test.route", 1) == {"sum": 6, "method": "CALL"}
    assert ask("com.test.echo", None) is None


def test_nameko_publishes_to_flask(service: Wampy, make_app: MakeApp) -> None:
    seen: list[Any] = []
    app, wamp = make_app()

    @wamp.consume(topic="com.here.of_nameko")
    def on_message(message: Any) -> None:
        seen.append(message)

    wamp.start(app)
    with app.app_context():
        g.wampy.rpc.nameko_tell("com.here.of_nameko", message={"spam": [1]})
    wait_until(lambda: seen, "the handler has the event")
    assert seen == [{"spam": [1]}]


def test_flask_publishes_to_nameko(peers_node: CrossbarNode, service: Wampy) -> None:
    """Its handler gets the keyword ``message``, alone and as a positional argument."""
    order = {"publish": "com.test.for_nameko", "kwargs": {"message": "hello", "more": 1}}
    assert http(peers_node.url + "wampy", order).status == 200
    assert service.event() == {"event": "com.test.for_nameko", "args": ["hello"], "kwargs": {}}


def test_nameko_that_fails_never_answers(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    """It puts the exception into its answer, which it then cannot send."""
    app, _ = make_app()
    with nameko_wamp(trusted_url(peers_node), "failing") as failing, app.app_context():
        with pytest.raises(CallTimeout):
            g.wampy.with_options(timeout=2).rpc.nameko_fail()
        wait_until(lambda: "not JSON serializable" in failing.said, "the service says why")
