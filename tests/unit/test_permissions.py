"""Which roles may do what, held against the code of Crossbar.io that decides about it."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_wamp._twisted.engine.recursion import restore_recursion_limit
from flask_wamp.permissions import ACTIONS, matching, roles_that_may, sample_of, sees_no_more
from flask_wamp.permissions import may as may_by_rules
from flask_wamp.uris import uri_matches
from tests.properties import SETTINGS

ALLOW = {"call": True, "publish": True, "register": True, "subscribe": True}


def permission(uri: str, match: str | None = "prefix", **allow: bool) -> dict[str, Any]:
    """Return a permission, by default for everything."""
    found: dict[str, Any] = {"uri": uri, "allow": allow or ALLOW}
    return found if match is None else {**found, "match": match}


def config(*permissions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a configuration whose role ``user`` has *permissions*."""
    role = {"name": "user", "permissions": list(permissions), **more}
    return {"workers": [{"type": "router", "realms": [{"name": "realm1", "roles": [role]}]}]}


May = Callable[..., bool]


@pytest.fixture(scope="module")
def may() -> May:
    """Return what tells whether the role may, and holds it against Crossbar.io."""
    # Here, since importing it takes a second, and raises the recursion limit.
    from crossbar.router.role import RouterRoleStaticAuth

    restore_recursion_limit()

    def may(uri: str, *permissions: dict[str, Any], action: str = "call") -> bool:
        ours = roles_that_may(config(*permissions), "realm1", action, uri) == ["user"]
        theirs = RouterRoleStaticAuth(None, "user", list(permissions))
        assert ours == theirs.authorize(None, uri, action, {})["allow"]
        return ours

    return may


@pytest.mark.parametrize(
    ("uri", "permissions", "expected"),
    [
        ("com.shop.x", [permission("")], True),
        ("com.shop.x", [permission("com.shop.")], True),
        ("com.shop.x", [permission("com.shop.x", "exact")], True),
        ("com.shop.xy", [permission("com.shop.x", "exact")], False),
        ("com.shop.xy", [permission("com.shop.x")], True),
        ("org.x", [permission("com.")], False),
        ("com.x", [], False),
        # The longest decides, whatever a shorter one allows.
        ("com.shop.x", [permission(""), permission("com.shop.", call=False)], False),
        ("com.shop.xy", [permission(""), permission("com.shop.x", "exact")], False),
        ("com.shop.x", [permission("com.", call=False), permission("com.shop.")], True),
        # Patterns go before prefixes, but not before the very URI.
        ("com.shop.x", [permission("com..x", "wildcard")], True),
        ("com.shop.y", [permission("com..x", "wildcard")], False),
        ("com.a.b.x", [permission("com..x", "wildcard")], False),
        ("com.shop.x", [permission(""), permission("com..x", "wildcard", call=False)], False),
        (
            "com.shop.x",
            [permission("com.shop.x", "exact"), permission("com..x", "wildcard", call=False)],
            True,
        ),
        # Without a match policy stars say it.
        ("com.shop.x", [permission("com.*", None)], True),
        ("com.shop.x", [permission("com.shop.x", None)], True),
        ("com.shop.xy", [permission("com.shop.x", None)], False),
        ("com.shop.x", [permission("com.*.x", None)], True),
        ("com.shop.x", [permission("*", None)], True),
        ("com.shop.x", [permission("com.", subscribe=True)], False),
        ("com.shop.x", [{"uri": "com.", "match": "prefix"}], False),
    ],
)
def test_permissions_are_those_that_the_router_grants(
    may: May, uri: str, permissions: list[dict[str, Any]], expected: bool
) -> None:
    assert may(uri, *permissions) is expected


words = st.sampled_from(["a", "b", "ab"])
uris = st.lists(words, min_size=1, max_size=4).map(".".join)
prefixes = st.one_of(st.just(""), uris, uris.map(lambda uri: f"{uri}."))
patterns = st.lists(st.sampled_from(["a", "b", ""]), min_size=3, max_size=4).map(".".join)
granted = st.fixed_dictionaries({action: st.booleans() for action in ACTIONS})
permissions = st.one_of(
    st.builds(permission, prefixes, st.just("prefix")),
    st.builds(permission, uris, st.just("exact")),
    st.builds(permission, patterns.filter(lambda uri: uri.startswith("a.")), st.just("wildcard")),
).flatmap(lambda found: granted.map(lambda allow: {**found, "allow": allow}))


@pytest.mark.slow
@SETTINGS
@given(given_=st.lists(permissions, max_size=6), uri=uris, action=st.sampled_from(ACTIONS))
def test_permissions_of_any_kind_are_those_that_the_router_grants(
    may: May, given_: list[dict[str, Any]], uri: str, action: str
) -> None:
    may(uri, *given_, action=action)


def test_permissions_are_of_the_realm_and_of_every_role() -> None:
    several = config(permission("com."))
    several["workers"].append({"type": "container"})
    roles = several["workers"][0]["realms"][0]["roles"]
    roles.append({"name": "admin", "permissions": [permission("")]})
    roles.append({"name": "guest", "permissions": None})
    roles.append({"name": "asked", "authorizer": "com.shop.authorize"})
    assert roles_that_may(several, "realm1", "call", "com.x") == [
        "user",
        "admin",
        "asked (if com.shop.authorize says so)",
    ]
    assert roles_that_may(several, "realm2", "call", "com.x") == []


@pytest.mark.parametrize(
    ("uri", "match", "expected"),
    [
        ("com.shop.x", "exact", "com.shop.x"),
        ("com.shop", "prefix", "com.shop"),
        ("com.shop.", "prefix", "com.shop.x"),
        ("com..stock", "wildcard", "com.x.stock"),
        (".shop.", "wildcard", "x.shop.x"),
    ],
)
def test_permissions_of_a_pattern_are_asked_for_one_that_it_matches(
    uri: str, match: str, expected: str
) -> None:
    assert sample_of(uri, match) == expected


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ({"uri": "com.shop.*"}, ("com.shop.", "prefix")),
        ({"uri": "*"}, ("", "prefix")),
        ({"uri": "com.shop"}, ("com.shop", "exact")),
        ({"uri": "com.*.price"}, ("com..price", "wildcard")),
        ({"uri": "com.*", "match": "exact"}, ("com.*", "exact")),
        ({}, ("", "exact")),
    ],
)
def test_star_stands_for_a_policy(permission: dict[str, Any], expected: tuple[str, str]) -> None:
    assert matching(permission) == expected


# --- subscriptions by a pattern

WORDS = ["a", "ab", "b", "z"]
TOPICS = [
    ".".join(words) for length in range(1, 4) for words in itertools.product(WORDS, repeat=length)
]
uris = st.lists(st.sampled_from(["a", "ab", "b"]), max_size=3).map(".".join)
rules = st.lists(
    st.builds(
        lambda uri, match, allowed: permission(uri, match, subscribe=allowed),
        st.one_of(uris, uris.map(lambda uri: f"{uri}."), st.sampled_from(["a..b", "..b", "a.."])),
        st.sampled_from(["prefix", "exact"]),
        st.booleans(),
    ),
    max_size=6,
)


@SETTINGS
@given(
    permissions=rules,
    pattern=st.one_of(
        st.tuples(st.one_of(uris, uris.map(lambda uri: f"{uri}.")), st.just("prefix")),
        st.tuples(st.sampled_from(["a.", ".b", "a..b", "..", "ab..", "a.b"]), st.just("wildcard")),
    ),
)
def test_permissions_nobody_sees_more_by_a_pattern(
    permissions: list[dict[str, Any]], pattern: tuple[str, str]
) -> None:
    role = {"name": "user", "permissions": permissions}
    if sees_no_more(role, *pattern):
        matching = [topic for topic in TOPICS if uri_matches(topic, *pattern)]
        assert all(may_by_rules(role, "subscribe", topic) for topic in matching)


@pytest.mark.parametrize(
    ("permissions", "pattern", "expected"),
    [
        ([permission("")], ("", "prefix"), True),
        ([permission("")], ("..", "wildcard"), True),
        ([permission("com.")], ("com.shop.", "prefix"), True),
        ([permission("com.")], ("com..sold", "wildcard"), True),
        ([permission("com.")], ("com", "prefix"), False),
        ([permission("com.")], (".shop", "wildcard"), False),
        ([permission("com."), permission("com.x.", subscribe=False)], ("com.", "prefix"), False),
        ([permission("com."), permission("com.x.", subscribe=False)], ("com.y.", "prefix"), True),
        ([permission("com."), permission("com.x.")], ("com.", "prefix"), True),
        ([permission("com.app", "exact")], ("com.app", "prefix"), False),
        ([permission("com.app", "exact")], ("com.app", "wildcard"), True),
        ([permission("com.")], ("com.", "regex"), False),
        ([], ("com.", "prefix"), False),
    ],
)
def test_permissions_of_a_subscription_by_a_pattern(
    permissions: list[dict[str, Any]], pattern: tuple[str, str], *, expected: bool
) -> None:
    assert sees_no_more({"name": "user", "permissions": permissions}, *pattern) is expected
