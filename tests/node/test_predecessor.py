"""The scenarios of flask-wamp 0.1.0: those of its README, and those of its own tests.

The application is the one of docs/coming-from-0.1.md, as it stands there.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, CallTimeout, NotConnected, RemoteError
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import Wampy, javascript_wampy, python_wampy
from .support import ROOT, http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.wampy]

MakeApp = Callable[..., tuple[Flask, WAMP]]
PAGE = (ROOT / "docs" / "coming-from-0.1.md").read_text()
CODE = "".join(re.findall(r"^```python app.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
GREETING = "Hello, World!"


@pytest.fixture(scope="module")
def names(peers_node: CrossbarNode) -> Iterator[dict[str, Any]]:
    """Run the application of the page in this process, and give what it names."""
    url = "ws://localhost:8080/ws"
    assert url in CODE
    names: dict[str, Any] = {"__name__": "app"}
    exec(compile(CODE.replace(url, trusted_url(peers_node)), "app.py", "exec"), names)  # noqa: S102
    names["wamp"].start(names["app"])
    yield names
    names["wamp"].stop(names["app"])


@pytest.fixture
def app(names: dict[str, Any]) -> Flask:
    app: Flask = names["app"]
    return app


@pytest.fixture
def eaten(names: dict[str, Any]) -> list[Any]:
    """Give what the consumers have eaten since the test began."""
    eaten: list[Any] = names["eaten"]
    eaten.clear()
    return eaten


@pytest.fixture(scope="module")
def client(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy as a caller and publisher."""
    with python_wampy(trusted_url(peers_node), "peer") as client:
        yield client


@pytest.fixture(scope="module")
def services(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy as the date service and the spam subscriber."""
    with python_wampy(trusted_url(peers_node), "dates") as services:
        yield services


@pytest.fixture(scope="module")
def browser(peers_node: CrossbarNode) -> Iterator[Wampy]:
    """Run wampy.js, with which the README suggests to do it."""
    with javascript_wampy(trusted_url(peers_node)) as browser:
        yield browser


def have_eaten(eaten: list[Any], *messages: str) -> None:
    """Wait until the consumers have eaten *messages*, of two topics in any order."""
    wait_until(lambda: len(eaten) >= len(messages), "the consumers have their messages")
    assert sorted(eaten) == sorted(messages)


# --- its tests, by their names


def test_register_callees(app: Flask, client: Wampy) -> None:
    assert client.order("rpc", uri="hello") == {"result": GREETING}
    assert client.call("hello") == {"result": GREETING}


def test_can_register_callees_as_flask_routes(app: Flask) -> None:
    assert app.test_client().get("/hello").data == GREETING.encode()


def test_register_topics(app: Flask, eaten: list[Any], client: Wampy) -> None:
    client.publish("foo", message="foobar")
    client.publish("spam", message="ham")
    have_eaten(eaten, "foobar", "ham")
    told: Any = app.test_client().get("/eaten").json
    assert sorted(told) == ["foobar", "ham"]


def test_rpc_from_flask_app(app: Flask, services: Wampy) -> None:
    """The line that was the product: a view returns what a service in wampy answers."""
    earliest = date.today()  # noqa: DTZ011 - the service's, whose zone is this process's
    # The second request failed: the first had closed the connection.
    for _ in range(3):
        answer = app.test_client().get("/todays_date")
        assert answer.status_code == 200
        assert earliest <= date.fromisoformat(answer.text) <= date.today()  # noqa: DTZ011


def test_publish_from_flask_app(app: Flask, eaten: list[Any], services: Wampy) -> None:
    for _ in range(3):
        assert app.test_client().get("/publish_spam").data == b""
        told = services.event()
        meta = told["kwargs"].pop("meta")
        assert told == {"event": "spam", "args": [], "kwargs": {"message": "tastes nice!"}}
        assert (meta.keys(), meta["topic"]) == ({"topic", "subscription_id"}, "spam")
    have_eaten(eaten, *["tastes nice!"] * 3)


# --- its README


def test_readme_flask_apps_call_and_publish_to_each_other(
    app: Flask, eaten: list[Any], make_app: MakeApp
) -> None:
    """Its first option: Flask applications as services of one backend."""
    other, _ = make_app("other")
    with other.app_context():
        assert g.wampy.rpc.hello() == GREETING
        g.wampy.publish(topic="foo", message="from another application")
    have_eaten(eaten, "from another application")


def test_readme_browser_calls_publishes_and_is_updated(
    app: Flask, eaten: list[Any], browser: Wampy
) -> None:
    """Its second option: browsers, with updates in real time."""
    assert browser.call("hello")["result"] == GREETING
    browser.publish("foo", message="from a browser")
    have_eaten(eaten, "from a browser")
    assert browser.order("subscribe", topic="spam") == {"result": None}
    app.test_client().get("/publish_spam")
    told = browser.event()
    assert (told["event"], told["kwargs"]) == ("spam", {"message": "tastes nice!"})


def test_readme_router_and_realm_come_from_the_config(peers_node: CrossbarNode) -> None:
    for realm, joins in (("realm1", True), ("realm2", False)):
        app = Flask("configured")
        app.config.update(CROSSBAR_URL=trusted_url(peers_node), REALM=realm)
        wamp = WAMP(app)
        with app.app_context():
            if joins:
                assert g.wampy.rpc.com.test.add(1, 2) == 3
            else:
                with pytest.raises(NotConnected, match="realm2"):
                    g.wampy.rpc.com.test.add(1, 2)
        wamp.stop(app)


def test_readme_view_with_its_own_example(
    services: Wampy, browser: Wampy, make_app: MakeApp
) -> None:
    """``wampy.rpc.some_remote_procedure(*args, **kwargs)`` and ``wampy.publish(...)`` in a view."""
    app, wamp = make_app()

    @wamp.callee
    def some_remote_procedure(*args: Any, **kwargs: Any) -> Any:
        return [args, kwargs]

    @app.route("/foo")
    def my_view_function() -> Any:
        wampy = g.wampy
        result = wampy.rpc.some_remote_procedure(1, 2, key="word")
        wampy.publish(topic="some.topic", message="this is fun!")
        return result

    wamp.start(app)
    assert browser.order("subscribe", topic="some.topic") == {"result": None}
    assert app.test_client().get("/foo").json == [[1, 2], {"key": "word"}]
    assert browser.event()["kwargs"] == {"message": "this is fun!"}


def test_readme_topic_with_a_space_is_refused(app: Flask) -> None:
    """The topic of its example is none."""
    with app.app_context(), pytest.raises(ValueError, match="'some topic' is not a URI"):
        g.wampy.publish(topic="some topic", message="this is fun!")


def test_readme_every_view_has_wampy_and_no_context_manager(
    services: Wampy, make_app: MakeApp
) -> None:
    app, wamp = make_app()
    seen: list[str] = []

    @app.route("/undecorated")
    def undecorated() -> Any:
        return g.wampy.rpc.get_todays_date()

    @app.route("/decorated")
    @wamp.callee
    def decorated() -> Any:
        return g.wampy.rpc.get_todays_date()

    @wamp.consume(topic="com.here.asks")
    def consumer(message: str) -> None:
        seen.append(g.wampy.rpc.get_todays_date())

    wamp.start(app)
    http_client = app.test_client()
    dates = [http_client.get(path).text for path in ("/undecorated", "/decorated")]
    with app.app_context():
        dates.append(g.wampy.rpc.decorated())
        g.wampy.publish(topic="com.here.asks", message="which day?")
    wait_until(lambda: seen, "the consumer has asked")
    for told in dates + seen:
        assert date.fromisoformat(told)


def test_readme_load_balancing(app: Flask, make_app: MakeApp) -> None:
    for name in ("one", "two"):
        service, wamp = make_app(name)
        wamp.callee("com.here.balanced", invoke="roundrobin")(lambda name=name: name)
        wamp.start(service)
    with app.app_context():
        answers = [g.wampy.rpc.com.here.balanced() for _ in range(4)]
    assert sorted(answers) == ["one", "one", "two", "two"]


# --- what is not as it was


def test_event_with_more_than_a_message(
    app: Flask, eaten: list[Any], client: Wampy, caplog: pytest.LogCaptureFixture
) -> None:
    """0.1 dropped the rest, and had an exception where ``message`` was missing."""
    client.publish("foo", message="too much", sender="wampy")
    wait_until(lambda: "did not handle an event of foo" in caplog.text, "the log says so")
    assert "foo_eater" in caplog.text
    assert "unexpected keyword argument 'sender'" in caplog.text
    client.publish("foo", message="enough")
    have_eaten(eaten, "enough")


def test_call_raises_errors_instead_of_returning_them(app: Flask) -> None:
    with app.app_context():
        for call in (g.wampy.call, lambda uri: getattr(g.wampy.rpc, uri)()):
            with pytest.raises(RemoteError) as raised:
                call("no_such_procedure")
            assert raised.value.uri == "wamp.error.no_such_procedure"


def test_call_waits_no_longer_than_it_is_told(app: Flask, make_app: MakeApp) -> None:
    """Its rpc gave up after 5 seconds, with the same exception as for everything."""
    other, wamp = make_app()
    gone: list[bool] = []
    wamp.callee("com.here.never")(lambda: wait_until(lambda: gone, "the caller has gone"))
    wamp.start(other)
    with app.app_context(), pytest.raises(CallTimeout):
        g.wampy.with_options(timeout=0.5).rpc.com.here.never()
    gone.append(True)


def test_callee_is_found_by_any_service_of_the_realm(
    peers_node: CrossbarNode, app: Flask, services: Wampy
) -> None:
    """Also where the node's own views call, over HTTP and over WAMP."""
    answer = http(peers_node.url + "wampy", {"call": "get_todays_date"})
    assert date.fromisoformat(answer.json["result"])
    with app.app_context():
        assert date.fromisoformat(g.wampy.rpc.com.test.call("get_todays_date"))
