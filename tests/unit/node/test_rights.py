"""Which rights an application needs."""

from typing import Any

import pytest

from flask_wamp.node.rights import browser_permissions, namespaces_of
from flask_wamp.permissions import may


@pytest.mark.parametrize(
    ("uris", "namespaces"),
    [
        (["com.shop.price"], ["com.shop."]),
        (["com.shop.price", "com.shop.stock"], ["com.shop."]),
        (["com.shop.orders.last", "com.shop.orders.next"], ["com.shop.orders."]),
        (["com.shop.orders.last", "com.shop.price"], ["com.shop."]),
        (["com.shop.orders.last", "com.shop.ordered.x"], ["com.shop."]),
        (["com.shop.a.b", "com.shop.a.b.c"], ["com.shop.a."]),
        (["com.shop.price", "org.other.a.b"], ["com.shop.", "org.other.a."]),
        (["price", "shop.price"], []),
        (["wamp.session.on_join", "com.shop.price"], ["com.shop."]),
        (["com.shop.*"], ["com.shop."]),
        (["com..x.y"], []),
        ([], []),
    ],
)
def test_namespaces_hold_the_uris_and_no_others(uris: list[str], namespaces: list[str]) -> None:
    assert namespaces_of(uris) == namespaces
    assert namespaces_of(reversed(uris)) == namespaces


def role(*permissions: dict[str, Any]) -> dict[str, Any]:
    """Return a role with permissions."""
    return {"name": "anonymous", "permissions": list(permissions)}


@pytest.mark.parametrize(
    ("action", "uri", "allowed"),
    [
        ("call", "com.shop.price", True),
        ("subscribe", "com.shop.sold", True),
        ("publish", "com.shop.sold", False),
        ("register", "com.shop.price", False),
        ("call", "com.shopping.price", False),
        ("call", "price", True),
        ("subscribe", "price", False),
        ("call", "prices", False),
        ("call", "flask_wamp.flow.pause", True),
        ("subscribe", "flask_wamp.x", False),
        ("call", "wamp.session.kill", False),
        ("subscribe", "", False),
    ],
)
def test_browsers_may_what_the_application_is_for(action: str, uri: str, *, allowed: bool) -> None:
    permissions = browser_permissions(["com.shop."], ["com.shop.price", "price"])
    assert may(role(*permissions), action, uri) is allowed


def test_browsers_may_nothing_of_no_application() -> None:
    assert [each["uri"] for each in browser_permissions([])] == ["", "flask_wamp."]
