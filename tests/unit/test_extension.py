"""``WAMP``: applications, decorators and ``g.wampy``."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, current_app, g
from flask.ctx import _AppCtxGlobals
from flask.testing import FlaskClient

from flask_wamp import WAMP, ConfigError, DeclarationError, RegistrationFailed, SetupError
from flask_wamp.call.client import Client
from flask_wamp.declare.declared import Procedure, ProcedureOptions, SubscriptionOptions
from flask_wamp.state import state_of

from .doubles import Caller, RecordingLink, View, refusal


def test_extension_is_set_up_by_its_constructor_or_by_init_app() -> None:
    one, two = Flask("one"), Flask("two")
    WAMP(one)
    WAMP().init_app(two)
    for app in (one, two):
        assert state_of(app) is app.extensions["wamp"]
        assert isinstance(state_of(app).client, Client)


def test_extension_is_heard_where_logging_was_configured_after_its_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``dictConfig`` disables the loggers that are there, unless it is told not to."""
    monkeypatch.setattr(logging.getLogger("flask_wamp"), "disabled", True)
    WAMP(Flask("shop"))
    assert not logging.getLogger("flask_wamp").disabled


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


@pytest.mark.parametrize("extensions", [{}, {"wamp": object()}])
def test_extension_application_without_it(extensions: dict[str, Any]) -> None:
    """Also where another extension has taken its name."""
    app = Flask("shop")
    app.extensions.update(extensions)
    with pytest.raises(SetupError, match=r"'shop' has no WAMP extension: call wamp\.init_app"):
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


def look() -> list[bool]:
    """Return whether ``g`` has the client in each way of asking."""
    found = g.wampy
    return [isinstance(found, Client), "wampy" in g, g.get("wampy") is found]


def test_extension_wampy_in_an_application_context(app: Flask, wamp: WAMP) -> None:
    """``flask shell`` runs in one, whose ``g`` it shows."""
    with app.app_context():
        assert look() == [True, True, True]
        assert list(g) == ["wampy"]
        assert app.make_shell_context()["g"].wampy is state_of(app).client


def test_extension_wampy_in_requests_calls_events_and_commands(
    app: Flask, wamp: WAMP, view: View, http: FlaskClient, call: Caller
) -> None:
    seen = []
    view("/routed")(look)
    wamp.callee("plain")(look)
    wamp.subscribe("com.example.x")(lambda: seen.append(look()))
    app.cli.command("look")(lambda: seen.append(look()))
    call.deliver("com.example.x")
    assert app.test_cli_runner().invoke(args=["look"]).exit_code == 0
    assert seen == [[True, True, True]] * 2
    assert http.get("/routed").json == [True, True, True]
    assert call("look") == call("plain") == [True, True, True]
    with app.test_request_context("/"):
        assert look() == [True, True, True]


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
        assert look() == [True, True, True]


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
    assert {key: procedure.function for key, procedure in resolved.items()} == {
        ("p.bare", "exact"): bare,
        ("p.parentheses", "exact"): parentheses,
        ("com.example.named", "exact"): named,
        ("p.optional", "exact"): optional,
    }
    assert [procedure.options.request for procedure in resolved.values()] == [True] * 3 + [False]


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
    with pytest.raises(
        SetupError, match="a Crossbar component, or a test client, has the application's session"
    ):
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
    assert time.monotonic() - begun < 4


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


# --- procedures and handlers that are added while running


@pytest.fixture
def link(app: Flask, link: RecordingLink) -> RecordingLink:
    """Return the application's link, of a process that serves."""
    state_of(app).registry.freeze("WAMP.start()")
    return link


def test_extension_add_procedure(app: Flask, wamp: WAMP, call: Caller, link: RecordingLink) -> None:
    handle = wamp.add_procedure(add, "com.shop.add", concurrency=2, timeout=3)
    ((procedure, timeout),) = link.added
    assert isinstance(procedure, Procedure)
    assert (procedure.options, timeout) == (ProcedureOptions(concurrency=2), 3.0)
    assert handle.uri == "com.shop.add"
    assert repr(handle) == "<Handle 'com.shop.add'>"
    assert call("com.shop.add", 1, 2) == 3

    handle.remove(timeout=4)
    handle.remove()
    assert link.removed == [(procedure, 4.0)]
    assert state_of(app).registry.procedures == []


def test_extension_add_procedure_by_its_name_behind_the_prefix() -> None:
    app = Flask("shop")
    app.config["WAMP_URI_PREFIX"] = "com.shop"
    wamp = WAMP(app)
    assert wamp.add_procedure(add).uri == "com.shop.add"


def test_extension_add_subscription(
    app: Flask, wamp: WAMP, call: Caller, link: RecordingLink
) -> None:
    seen: list[int] = []
    handle = wamp.add_subscription(seen.append, "com.shop.", match="prefix", get_retained=True)
    ((subscription, timeout),) = link.added
    assert timeout == 10.0
    assert subscription.options == SubscriptionOptions(match="prefix", get_retained=True)
    assert handle.uri == "com.shop."
    call.deliver("com.shop.", 5)
    handle.remove()
    call.deliver("com.shop.", 6)
    assert seen == [5]
    assert link.removed == [(subscription, 10.0)]


def test_extension_add_before_the_process_serves(app: Flask, wamp: WAMP, call: Caller) -> None:
    """It is served with the others then; nothing is connected for it."""
    handle = wamp.add_procedure(add, "com.shop.add")
    assert call("com.shop.add", 1, 2) == 3
    assert state_of(app).slot.link is None
    handle.remove()
    assert state_of(app).slot.link is None
    wamp.callee("com.shop.add")(add)


def test_extension_add_what_the_router_refuses(app: Flask, wamp: WAMP, link: RecordingLink) -> None:
    """It is as if it had never been declared."""
    link.answer = RegistrationFailed("the router refused")
    works: list[Callable[[], Any]] = [
        lambda: wamp.add_procedure(add, "com.shop.add"),
        lambda: wamp.add_subscription(add, "com.shop.sold"),
    ]
    for work in works:
        with pytest.raises(RegistrationFailed):
            work()
    assert state_of(app).registry.procedures == []
    assert state_of(app).registry.subscriptions == []
    link.answer = None
    wamp.add_procedure(add, "com.shop.add")


NO_OPTION = "there is no such option; there are"


@pytest.mark.parametrize(
    ("add_to", "uri", "options", "problem"),
    [
        (WAMP.add_procedure, "com.shop.add", {"concurrency": 0}, "concurrency=0: give a whole"),
        (WAMP.add_procedure, "com.shop.add", {"queue": 1}, "limits: give that as well"),
        (WAMP.add_procedure, "com.shop.add", {"invoke": "all"}, "invoke='all'"),
        (WAMP.add_procedure, "com..add", {}, "words joined by dots"),
        (
            WAMP.add_procedure,
            "com.shop.add",
            {"retain": True},
            f"wamp.add_procedure(retain=...): {NO_OPTION} allow, concurrency, force_reregister, invoke,",
        ),
        (WAMP.add_subscription, "com.shop.sold", {"concurrency": 0}, "concurrency=0: give a whole"),
        (
            WAMP.add_subscription,
            "com.shop.sold",
            {"invoke": "first"},
            f"wamp.add_subscription(invoke=...): {NO_OPTION} concurrency, get_retained, match, over",
        ),
    ],
)
def test_extension_add_refuses(
    app: Flask,
    wamp: WAMP,
    link: RecordingLink,
    add_to: Callable[..., Any],
    uri: str,
    options: dict[str, Any],
    problem: str,
) -> None:
    assert problem in refusal(DeclarationError, add_to, wamp, add, uri, **options)
    assert link.added == []
    assert state_of(app).registry.procedures == []
    assert state_of(app).registry.subscriptions == []


def test_extension_add_procedure_that_is_declared_already(
    wamp: WAMP, app: Flask, link: RecordingLink
) -> None:
    wamp.add_procedure(add, "com.shop.add")
    with pytest.raises(DeclarationError, match="declared twice"):
        wamp.add_procedure(add, "com.shop.add")
    assert len(link.added) == 1


def test_extension_add_procedure_whose_annotation_cannot_be_checked(
    app: Flask, wamp: WAMP, link: RecordingLink
) -> None:
    """It is refused, and stands in nobody's way afterwards."""

    def sell(order: "Nonsense") -> None: ...  # type: ignore[name-defined] # noqa: F821

    works: list[Callable[[], Any]] = [
        lambda: wamp.add_procedure(sell, "com.shop.sell"),
        lambda: wamp.add_subscription(sell, "com.shop.sold"),
    ]
    for work in works:
        with pytest.raises(DeclarationError, match="the parameter 'order'"):
            work()
    assert state_of(app).registry.procedures == []
    assert state_of(app).registry.subscriptions == []
    wamp.add_procedure(add, "com.shop.add")
    assert len(link.added) == 1


@pytest.mark.parametrize("timeout", [0, -1, "5", True])
def test_extension_add_with_a_timeout_that_is_none(
    app: Flask, wamp: WAMP, link: RecordingLink, timeout: Any
) -> None:
    with pytest.raises(ValueError, match="seconds"):
        wamp.add_procedure(add, "com.shop.add", timeout=timeout)
    assert state_of(app).registry.procedures == []


def test_extension_add_for_one_of_several_applications(app: Flask, wamp: WAMP) -> None:
    other = Flask("other")
    wamp.init_app(other)
    with pytest.raises(SetupError, match="which application"):
        wamp.add_procedure(add)
    link = RecordingLink()
    state_of(other).slot.attach(link)
    wamp.add_procedure(add, "a", app=other)
    with other.app_context():
        wamp.add_procedure(add, "b")
    assert len(link.added) == 2
