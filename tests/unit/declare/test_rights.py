"""Who may do what, from the decorators to the table."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_wamp import WAMP, DeclarationError, Namespace
from flask_wamp.declare.allow import Allow
from flask_wamp.declare.rights import OPEN, DeclaredRights, Rights, remedy
from flask_wamp.state import state_of

from ..doubles import refusal


def view(*_args: Any) -> int:
    """Return 1."""
    return 1


def is_odd(_access: Any) -> bool:
    """Let nobody in."""
    return False


def rights_of(app: Flask) -> Rights:
    """Return what is declared for *app*."""
    state = state_of(app)
    return Rights.declared(state.registry, state.config.uri_prefix)


def line_of(function: Callable[..., Any]) -> int:
    """Return the line that *function* begins at."""
    return inspect.getsourcelines(function)[1]


def test_rights_a_bare_procedure_is_for_services(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop.add")(view)
    for role in ("anonymous", "user", "admin", "everyone", "nobody"):
        assert rights_of(app).decide(role, "call", "com.shop.add") is False


@pytest.mark.parametrize(
    ("allow", "roles"),
    [
        ("user", {"user"}),
        ("anonymous", {"anonymous"}),
        (["user", "admin"], {"user", "admin"}),
        (("admin",), {"admin"}),
        ({"user"}, {"user"}),
        ("everyone", {"anonymous", "user", "admin", "shop-admin"}),
        ("nobody", set()),
        (None, set()),
    ],
)
def test_rights_of_a_procedure(app: Flask, wamp: WAMP, allow: Any, roles: set[str]) -> None:
    wamp.callee("com.shop.add", allow=allow)(view)
    rights = rights_of(app)
    for role in ("anonymous", "user", "admin", "shop-admin"):
        assert rights.decide(role, "call", "com.shop.add") is (role in roles)
        for action in ("register", "publish", "subscribe", "kill", ""):
            assert rights.decide(role, action, "com.shop.add") is False
        assert rights.decide(role, "call", "com.shop.adder") is False
        assert rights.decide(role, "call", "com.shop.add", "prefix") is False


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("backend", "services of the role 'backend' may do everything: leave it out"),
        ("trusted", "services of the role 'trusted' may do everything"),
        (["user", "trusted"], "services of the role 'trusted' may do everything"),
        ("", "'' is no role"),
        ("two words", "'two words' is no role"),
        ("x" * 101, "is no role"),
        ([], 'for services alone write allow="nobody"'),
        (set(), 'for services alone write allow="nobody"'),
        (["user", "everyone"], "a list has roles, and 'everyone' is none"),
        (["nobody"], "a list has roles, and 'nobody' is none"),
        ([1], "a list has roles, and 1 is none"),
        ([["user"]], "a list has roles"),
        (True, 'give a role, allow="user"'),
        (1, 'give a role, allow="user"'),
        (b"user", 'give a role, allow="user"'),
        ({"user": True}, 'give a role, allow="user"'),
        (int, 'give a role, allow="user"'),
        (lambda: True, "takes one argument, the flask_wamp.Access"),
        (lambda _a, _b: True, "takes one argument, the flask_wamp.Access"),
    ],
)
def test_rights_that_cannot_be_are_refused_with_a_remedy(
    app: Flask, wamp: WAMP, given: Any, problem: str
) -> None:
    text = refusal(DeclarationError, wamp.callee("com.shop.add", allow=given), view)
    assert problem in text
    assert "com.shop.add" in text
    assert problem in refusal(DeclarationError, wamp.add_procedure, view, "com.x", allow=given)
    assert problem in refusal(DeclarationError, wamp.procedure, "com.x", allow=given)
    assert problem in refusal(DeclarationError, Namespace, "com.shop", allow=given)
    for option in ("publish", "subscribe"):
        told = problem.replace("allow=", f"{option}=")
        assert told in refusal(DeclarationError, wamp.topic, "com.x", **{option: given})
        assert told in refusal(DeclarationError, Namespace, "com.shop", **{option: given})
    assert rights_of(app).rights == []


@pytest.mark.parametrize(
    ("uri", "match", "problem"),
    [
        ("wamp.session.on_join", "exact", "belong to the protocol"),
        ("wamp.", "prefix", "belong to the protocol"),
        ("flask_wamp.login.end", "exact", "belong to this package"),
        ("flask_wamp", "prefix", "belong to this package"),
        ("flask_wamp.", "prefix", "belong to this package"),
        ("", "prefix", "words joined by dots"),
        ("com.shop", "regex", "match is one of"),
        (1, "exact", "a URI is a str"),
    ],
)
def test_rights_stand_at_uris_of_the_application(
    wamp: WAMP, uri: Any, match: str, problem: str
) -> None:
    assert problem in refusal(DeclarationError, wamp.topic, uri, match=match)
    assert problem in refusal(DeclarationError, wamp.procedure, uri, match=match)


def test_rights_of_a_topic_stand_alone_or_above_a_function(app: Flask, wamp: WAMP) -> None:
    wamp.topic("com.shop.orders", publish="admin", subscribe=["user", "admin"])

    @wamp.topic("com.shop.sold", subscribe="everyone")
    def sell() -> None:
        """Do nothing."""

    assert inspect.isfunction(sell)
    rights = rights_of(app)
    may = {
        (role, action, topic)
        for role in ("anonymous", "user", "admin")
        for action in ("publish", "subscribe", "call", "register")
        for topic in ("com.shop.orders", "com.shop.sold", "com.shop.orders.x")
        if rights.decide(role, action, topic) is not False
    }
    assert may == {
        ("admin", "publish", "com.shop.orders"),
        ("admin", "subscribe", "com.shop.orders"),
        ("user", "subscribe", "com.shop.orders"),
        ("anonymous", "subscribe", "com.shop.sold"),
        ("user", "subscribe", "com.shop.sold"),
        ("admin", "subscribe", "com.shop.sold"),
    }
    assert refusal(DeclarationError, wamp.topic, sell) == (
        "name the topic: @wamp.topic('com.example.spam')"
    )


def test_rights_to_endless_uris_are_nobodys(app: Flask, wamp: WAMP) -> None:
    """The rest of this package speaks of none that is longer, either."""
    wamp.topic("com.", match="prefix", publish="everyone", subscribe="everyone")
    rights = rights_of(app)
    assert rights.decide("user", "publish", f"com.{'x' * 251}") is True
    assert rights.decide("user", "publish", f"com.{'x' * 252}") is False
    assert rights.decide("user", "subscribe", f"com.{'x' * 1_000_000}", "prefix") is False


def test_rights_to_handle_events_are_no_rights_of_others(app: Flask, wamp: WAMP) -> None:
    wamp.consume("com.shop.sold")(view)
    for action in ("publish", "subscribe"):
        assert rights_of(app).decide("anonymous", action, "com.shop.sold") is False


def test_rights_retaining_is_one_of_its_own(app: Flask, wamp: WAMP) -> None:
    wamp.topic("com.shop.kept", publish="user", retain=True)
    wamp.topic("com.shop.sold", publish="user")
    rights = rights_of(app)
    assert rights.decide("user", "publish", "com.shop.kept", retain=True) is True
    assert rights.decide("user", "publish", "com.shop.sold", retain=True) is False
    assert rights.decide("user", "publish", "com.shop.sold") is True
    assert rights.decide("anonymous", "publish", "com.shop.kept", retain=True) is False
    assert "retain=1" in refusal(DeclarationError, wamp.topic, "com.x", retain=1)


def test_rights_that_a_function_decides_about_are_asked_whatever_the_role(
    app: Flask, wamp: WAMP
) -> None:
    wamp.callee("com.shop.add", allow=is_odd)(view)
    wamp.topic("com.shop.", match="prefix", publish=is_odd, subscribe=is_odd, retain=True)
    rights = rights_of(app)
    assert rights.decide("x", "call", "com.shop.add") is is_odd
    assert rights.decide("x", "publish", "com.shop.a", retain=True) is is_odd
    assert rights.decide("x", "subscribe", "com.shop.a") is is_odd
    # A function that knows one topic from another would be asked about neither.
    assert rights.decide("x", "subscribe", "com.shop.", "prefix") is False


def test_rights_of_several_wildcards_are_those_that_all_of_them_give(
    app: Flask, wamp: WAMP
) -> None:
    wamp.topic("com..sold", match="wildcard", publish="user", subscribe="user")
    wamp.topic("com.shop.", match="wildcard", publish="admin", subscribe="user", retain=True)
    rights = rights_of(app)
    assert rights.decide("user", "subscribe", "com.shop.sold") is True
    assert rights.decide("user", "publish", "com.shop.sold") is False
    assert rights.decide("admin", "publish", "com.shop.sold") is False
    assert rights.decide("admin", "publish", "com.shop.x", retain=True) is True
    wamp.topic("com..", match="wildcard", subscribe=is_odd)
    assert rights_of(app).decide("user", "subscribe", "com.shop.sold") is False
    assert rights_of(app).decide("user", "subscribe", "com.other.other") is is_odd


def test_rights_of_a_namespace_are_those_of_all_in_it(app: Flask, wamp: WAMP) -> None:
    shop = Namespace("com.shop", allow="user", publish="admin", subscribe="user")
    shop.callee("price")(view)
    shop.callee("wipe", allow="nobody")(view)
    shop.topic("prices", subscribe="everyone")
    shop.topic("audit", subscribe="admin")
    orders = shop.namespace("orders", allow="admin")
    orders.callee("all")(view)
    shop.procedure("served_elsewhere")
    wamp.register_namespace(shop)
    rights = rights_of(app)
    for role, action, uri, allowed in (
        ("user", "call", "com.shop.price", True),
        ("anonymous", "call", "com.shop.price", False),
        ("user", "call", "com.shop.wipe", False),
        ("user", "call", "com.shop.orders.all", False),
        ("admin", "call", "com.shop.orders.all", True),
        ("user", "call", "com.shop.served_elsewhere", True),
        ("user", "call", "com.shop.undeclared", False),
        ("anonymous", "subscribe", "com.shop.prices", True),
        ("admin", "publish", "com.shop.prices", True),
        ("user", "publish", "com.shop.prices", False),
        ("user", "subscribe", "com.shop.audit", False),
        ("user", "subscribe", "com.shop.orders.sold", True),
        ("user", "subscribe", "com.shopping", False),
    ):
        assert rights.decide(role, action, uri) is allowed, (role, action, uri)
    # One topic of it is closed to users, and to visitors all but one are.
    assert rights.decide("user", "subscribe", "com.shop.", "prefix") is False
    assert rights.decide("user", "subscribe", "com.shop.orders.", "prefix") is True
    assert rights.decide("anonymous", "subscribe", "com.shop.prices", "prefix") is False


@pytest.mark.parametrize("role", ["anonymous", "user", "admin"])
def test_rights_to_what_is_the_routers_are_nobodys(app: Flask, wamp: WAMP, role: str) -> None:
    wamp.topic("w", match="prefix", publish="everyone", subscribe="everyone", retain=True)
    wamp.topic(".session.on_join", match="wildcard", subscribe="everyone")
    wamp.procedure("wam", match="prefix", allow="everyone")
    wamp.procedure("f", match="prefix", allow="everyone")
    rights = rights_of(app)
    assert rights.decide(role, "call", "wambo") is True
    assert rights.decide(role, "subscribe", "world.", "prefix") is True
    assert rights.decide(role, "subscribe", "x.session.on_join") is True
    for action, uri, match in (
        ("call", "wamp.session.kill", "exact"),
        ("call", "flask_wamp.login.end", "exact"),
        ("call", "flask_wamp.flow.check", "exact"),
        ("publish", "wamp.session.on_join", "exact"),
        ("subscribe", "wamp.session.on_join", "exact"),
        ("subscribe", "w", "prefix"),
        ("subscribe", "wamp", "prefix"),
        ("subscribe", "wamp.", "prefix"),
        ("subscribe", "", "prefix"),
        ("subscribe", ".session.on_join", "wildcard"),
        ("subscribe", "wamp..on_join", "wildcard"),
    ):
        assert rights.decide(role, action, uri, match) is False, uri
    for uri in OPEN:
        assert rights.decide(role, "call", uri) is True
        assert rights.decide(role, "publish", uri) is False


def test_rights_are_said_once(app: Flask, wamp: WAMP) -> None:
    wamp.topic("com.shop.sold", subscribe="user")
    wamp.topic("com.shop.sold", subscribe="user")
    wamp.topic("com.shop.sold", match="prefix", subscribe="admin")
    text = refusal(DeclarationError, wamp.topic, "com.shop.sold", subscribe="admin")
    line = line_of(test_rights_are_said_once)
    assert f"declared twice, at {__name__} ({__file__}:{line + 1}) and at " in text
    assert len(rights_of(app).rights) == 2


def test_rights_of_a_namespace_that_is_refused_are_none(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop.price")(view)
    shop = Namespace("com.shop", subscribe="everyone")
    shop.callee("price", allow="everyone")(view)
    refusal(DeclarationError, wamp.register_namespace, shop)
    assert rights_of(app).decide("user", "subscribe", "com.shop.sold") is False
    assert rights_of(app).decide("user", "call", "com.shop.price") is False


def test_rights_to_a_procedure_that_is_declared_with_none_can_stand_elsewhere(
    app: Flask, wamp: WAMP
) -> None:
    wamp.callee("com.shop.add")(view)
    wamp.callee("com.shop.sub", allow="admin")(view)
    wamp.procedure("com.shop.add", allow="user")
    wamp.procedure("com.shop.sub", allow="user")
    rights = rights_of(app)
    assert rights.decide("user", "call", "com.shop.add") is True
    assert rights.decide("user", "call", "com.shop.sub") is False
    assert rights.decide("admin", "call", "com.shop.sub") is True
    assert len(rights.rights) == 2


def test_rights_stand_behind_the_prefix_of_the_application(wamp: WAMP) -> None:
    prefixed = Flask("prefixed")
    prefixed.config["WAMP_URI_PREFIX"] = "com.shop."
    wamp.init_app(prefixed)
    wamp.callee(allow="user")(view)
    assert rights_of(prefixed).decide("user", "call", "com.shop.view") is True
    assert rights_of(prefixed).decide("user", "call", "view") is False


def test_rights_are_those_that_are_declared_by_now(app: Flask, wamp: WAMP) -> None:
    state = state_of(app)
    current = DeclaredRights(state.registry, state.config.uri_prefix)
    assert current() is current()
    wamp.callee("com.shop.add", allow="user")(view)
    assert current().decide("user", "call", "com.shop.add") is True
    wamp.topic("com.shop.sold", publish="clerk")
    assert current().decide("clerk", "publish", "com.shop.sold") is True
    assert current().roles() == {"user", "clerk"}


def test_rights_say_what_would_allow_it(app: Flask, wamp: WAMP) -> None:
    wamp.callee("com.shop.add", allow="admin")(view)
    wamp.callee("com.shop.odd", allow=is_odd)(view)
    wamp.topic("com.shop.sold", publish="user")
    rights = rights_of(app)

    def told(action: str, uri: str, match: str = "exact", *, retain: bool = False) -> str:
        return remedy(rights, "user", action, uri, match, retain=retain)

    here = f"{__name__}.view ({__file__}:{line_of(view)})"
    assert told("call", "com.shop.add") == f'allow=["admin", "user"] would allow it, at {here}'
    assert told("call", "com.x") == (
        'allow="user" in @wamp.callee, or wamp.procedure("com.x", allow="user")'
    )
    assert told("call", "com.shop.odd").startswith(f"whom {__name__}.is_odd lets decides about it")
    assert told("publish", "com.shop.sold", retain=True).startswith("retain=True would allow it")
    assert told("subscribe", "com.shop.sold").startswith('subscribe="user" would allow it, at ')
    assert told("subscribe", "com.y") == 'wamp.topic("com.y", subscribe="user") would allow it'
    assert "every topic" in told("subscribe", "com.", "prefix")
    # Not "anonymous", which would be denied again once the page's user has logged in.
    visitors = remedy(rights, "anonymous", "call", "com.x", "exact", retain=False)
    assert visitors.startswith('allow="everyone" in @wamp.callee, or ')
    assert "services register" in told("register", "com.x")
    assert "belongs to the router" in told("call", "wamp.session.kill")


def test_rights_are_told_in_words() -> None:
    assert str(Allow.of(["user", "admin"])) == "admin, user"
    assert str(Allow.of("everyone")) == "everyone"
    assert str(Allow.of(None)) == "nobody"
    assert str(Allow.of(is_odd)) == f"whom {__name__}.is_odd lets"
