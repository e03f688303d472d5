"""``WAMP``: applications, decorators and ``g.wampy``."""

import threading
import time
from typing import Any

import pytest
from flask import Flask, current_app, g
from flask.ctx import _AppCtxGlobals

from flask_wamp import WAMP, ConfigError, DeclarationError, SetupError
from flask_wamp.client import Client
from flask_wamp.state import state_of

from .doubles import Caller, RecordingLink


def test_extension_given_the_application() -> None:
    app = Flask("shop")
    WAMP(app)
    assert state_of(app) is app.extensions["wamp"]


def test_extension_init_app() -> None:
    app = Flask("shop")
    wamp = WAMP()
    wamp.init_app(app)
    assert isinstance(state_of(app).client, Client)


def test_extension_setting_up_starts_nothing() -> None:
    before = threading.enumerate()
    app = Flask("shop")
    wamp = WAMP(app)
    wamp.callee("com.example.x")(print)
    with app.app_context():
        _ = g.wampy.rpc.x
    assert threading.enumerate() == before
    assert state_of(app).slot.link is None


@pytest.mark.parametrize("same", [True, False])
def test_extension_second_init_is_refused_with_a_remedy(same: bool) -> None:
    app = Flask("shop")
    wamp = WAMP(app)
    state = state_of(app)
    with pytest.raises(SetupError, match="'shop' has a WAMP extension already: call init_app once"):
        (wamp if same else WAMP()).init_app(app)
    assert state_of(app) is state


def test_extension_application_without_it() -> None:
    with pytest.raises(SetupError, match=r"'shop' has no WAMP extension: call wamp\.init_app"):
        state_of(Flask("shop"))


def test_extension_of_another_name_is_not_taken_for_this_one() -> None:
    app = Flask("shop")
    app.extensions["wamp"] = object()
    with pytest.raises(SetupError, match="has no WAMP extension"):
        state_of(app)


def test_extension_several_applications_share_declarations_only() -> None:
    wamp = WAMP()
    one, two = Flask("one"), Flask("two")
    two.config.update(WAMP_URI_PREFIX="two", WAMP_REALM="realm2")
    wamp.init_app(one)
    wamp.init_app(two)

    @wamp.callee
    def name() -> str:
        return current_app.name

    links = {app: RecordingLink(app.name) for app in (one, two)}
    for app, link in links.items():
        state_of(app).slot.attach(link)
        with app.app_context():
            assert g.wampy.rpc.name() == app.name
    assert [link.calls[0][0] for link in links.values()] == ["name", "two.name"]
    assert Caller(one)("name") == "one"
    assert Caller(two)("two.name") == "two"
    assert state_of(one).config.realm == "realm1"
    assert state_of(two).config.realm == "realm2"


def test_extension_several_wamps_in_one_process() -> None:
    apps = [Flask("one"), Flask("two")]
    wamps = [WAMP(app) for app in apps]

    @wamps[0].callee
    def name() -> str:
        return "of one"

    wamps[1].callee("name")(lambda: "of two")
    assert [Caller(app)("name") for app in apps] == ["of one", "of two"]


def test_extension_refused_application_is_not_served() -> None:
    app = Flask("shop")
    app.config["WAMP_THREADS"] = 0
    wamp = WAMP()
    with pytest.raises(ConfigError):
        wamp.init_app(app)
    with pytest.raises(SetupError, match="This WAMP has 0"):
        wamp.stop()


# --- g.wampy


def look() -> tuple[bool, bool, bool]:
    """Return whether ``g`` has the client in each way of asking."""
    found = g.wampy
    return isinstance(found, Client), "wampy" in g, g.get("wampy") is found


def test_extension_wampy_in_an_application_context(app: Flask, wamp: WAMP) -> None:
    with app.app_context():
        assert look() == (True, True, True)
        assert list(g) == ["wampy"]


def test_extension_wampy_in_a_request(app: Flask, wamp: WAMP) -> None:
    @app.get("/")
    def index() -> list[bool]:
        return list(look())

    assert app.test_client().get("/").json == [True, True, True]
    with app.test_request_context("/"):
        assert look() == (True, True, True)


def test_extension_wampy_in_a_call_and_an_event(app: Flask, wamp: WAMP, call: Caller) -> None:
    seen = []

    @wamp.callee
    def plain() -> list[bool]:
        return list(look())

    @app.get("/routed")
    @wamp.callee
    def routed() -> list[bool]:
        return list(look())

    @wamp.subscribe("com.example.x")
    def handle() -> None:
        seen.append(look())

    call.deliver("com.example.x")
    assert call("plain") == [True, True, True]
    assert call("routed") == [True, True, True]
    assert seen == [(True, True, True)]


def test_extension_wampy_in_a_cli_command(app: Flask, wamp: WAMP) -> None:
    seen = []

    @app.cli.command("look")
    def command() -> None:
        seen.append(look())

    assert app.test_cli_runner().invoke(args=["look"]).exit_code == 0
    assert seen == [(True, True, True)]


def test_extension_wampy_in_the_shell(app: Flask, wamp: WAMP) -> None:
    """``flask shell`` runs in an application context, whose ``g`` it shows."""
    with app.app_context():
        assert app.make_shell_context()["g"].wampy is state_of(app).client


def test_extension_wampy_is_of_the_innermost_application() -> None:
    one, two = Flask("one"), Flask("two")
    WAMP(one)
    WAMP(two)
    with one.app_context():
        with two.app_context():
            assert g.wampy is state_of(two).client
        assert g.wampy is state_of(one).client


def test_extension_globals_class_of_the_application_is_kept() -> None:
    class Globals(_AppCtxGlobals):
        answer = 42

    app = Flask("shop")
    app.app_ctx_globals_class = Globals
    WAMP(app)
    with app.app_context():
        assert g.answer == 42
        assert look() == (True, True, True)


def test_extension_wampy_may_be_replaced_in_a_test(app: Flask, wamp: WAMP) -> None:
    with app.app_context():
        g.wampy = "double"
        assert g.wampy == "double"
    with app.app_context():
        assert isinstance(g.wampy, Client)


# --- decorators


def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b


@pytest.mark.parametrize(
    "decorate",
    [
        lambda wamp: wamp.callee,
        lambda wamp: wamp.callee(),
        lambda wamp: wamp.callee("com.example.add"),
        lambda wamp: wamp.callee(request=False),
        lambda wamp: wamp.consume(topic="com.example.add"),
        lambda wamp: wamp.consume("com.example.add"),
        lambda wamp: wamp.subscribe("com.example.add"),
        lambda wamp: wamp.subscribe(topic="com.example.add"),
    ],
)
def test_extension_decorators_return_the_function(wamp: WAMP, decorate: Any) -> None:
    assert decorate(wamp)(add) is add
    assert add(1, 2) == 3


def test_extension_callee_uris(wamp: WAMP, app: Flask) -> None:
    @wamp.callee
    def bare() -> None: ...

    @wamp.callee()
    def parentheses() -> None: ...

    @wamp.callee("com.example.named")
    def named() -> None: ...

    @wamp.callee(None, request=False)
    def optional() -> None: ...

    resolved = state_of(app).registry.resolved("p.")
    assert {uri: procedure.function for uri, procedure in resolved.items()} == {
        "p.bare": bare,
        "p.parentheses": parentheses,
        "com.example.named": named,
        "p.optional": optional,
    }
    assert [procedure.request for procedure in resolved.values()] == [True, True, True, False]


@pytest.mark.parametrize("decorate", ["callee", "callee()", "callee('add')"])
def test_extension_callee_refuses_a_duplicate(wamp: WAMP, app: Flask, decorate: str) -> None:
    wamp.callee(add)
    with pytest.raises(DeclarationError, match="declared twice"):
        {
            "callee": wamp.callee,
            "callee()": wamp.callee(),
            "callee('add')": wamp.callee("add"),
        }[decorate](add)
    assert len(state_of(app).registry.procedures) == 1


def test_extension_callee_refuses_an_invalid_uri(wamp: WAMP) -> None:
    with pytest.raises(DeclarationError, match="is invalid"):
        wamp.callee("wamp.x")(add)


def test_extension_callee_before_there_is_an_application() -> None:
    wamp = WAMP()
    wamp.callee(add)
    wamp.callee("com.example.add")(add)
    app = Flask("shop")
    app.config["WAMP_URI_PREFIX"] = "com.example"
    with pytest.raises(DeclarationError, match=r"'com\.example\.add' is declared twice"):
        wamp.init_app(app)
    assert "wamp" not in app.extensions


@pytest.mark.parametrize("name", ["consume", "subscribe"])
def test_extension_consume_without_a_topic(wamp: WAMP, app: Flask, name: str) -> None:
    with pytest.raises(DeclarationError, match="name the topic"):
        getattr(wamp, name)(add)
    assert state_of(app).registry.subscriptions == []


def test_extension_error_returns_the_class(wamp: WAMP) -> None:
    class NoStock(Exception):
        pass

    assert wamp.error("com.example.no_stock")(NoStock) is NoStock


@pytest.mark.parametrize("target", [add, int, "text", BaseException, KeyboardInterrupt])
def test_extension_error_on_what_is_no_exception(wamp: WAMP, target: Any) -> None:
    with pytest.raises(DeclarationError, match="stands on an exception class"):
        wamp.error("com.example.x")(target)


def test_extension_error_without_a_uri(wamp: WAMP) -> None:
    """Without the check, the class would silently become a decorator."""
    nameless: Any = wamp.error
    with pytest.raises(DeclarationError, match="name the URI"):

        @nameless
        class NoStock(Exception):
            pass


# --- start and stop


def test_extension_start_in_a_process_of_crossbar(app: Flask, wamp: WAMP) -> None:
    state_of(app).slot.attach(RecordingLink())
    with pytest.raises(SetupError, match="a Crossbar component has the application's session"):
        wamp.start()
    wamp.callee(add)


def test_extension_stop_leaves_the_link_of_a_component(app: Flask, wamp: WAMP) -> None:
    link = RecordingLink()
    state_of(app).slot.attach(link)
    wamp.stop()
    assert state_of(app).slot.link is link


def test_extension_stop_without_a_connection(wamp: WAMP) -> None:
    begun = time.monotonic()
    wamp.stop()
    assert time.monotonic() - begun < 1


def test_extension_start_without_an_application() -> None:
    with pytest.raises(SetupError, match="which application"):
        WAMP().start()


def test_extension_start_with_several_applications() -> None:
    wamp = WAMP()
    apps = [Flask("one"), Flask("two")]
    for app in apps:
        wamp.init_app(app)
        state_of(app).slot.attach(RecordingLink())
    with pytest.raises(SetupError, match=r"This WAMP has 2: pass it, wamp\.start\(app\)"):
        wamp.start()
    with pytest.raises(SetupError, match="Crossbar component"):
        wamp.start(apps[1])
    with apps[0].app_context(), pytest.raises(SetupError, match="Crossbar component"):
        wamp.start()


def test_extension_does_not_keep_an_application_alive() -> None:
    """Tests make applications by the hundred."""
    import gc
    import weakref

    wamp = WAMP()
    app = Flask("shop")
    wamp.init_app(app)
    alive = weakref.ref(app)
    del app
    gc.collect()
    assert alive() is None
