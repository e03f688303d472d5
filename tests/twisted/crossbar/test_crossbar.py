"""What the sessions for Crossbar.io load; running them is for the node tests."""

import sys
from types import ModuleType

import pytest
from flask import Flask
from twisted.internet.address import IPv4Address, IPv6Address

from flask_wamp import SetupError
from flask_wamp.crossbar import WebSession, load_application
from flask_wamp.crossbar.listening import page_at


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return an importable module with applications."""
    module = ModuleType("a_shop")
    vars(module).update(
        app=Flask("shop"),
        create_app=lambda: Flask("made"),
        create_other=lambda: "no application",
        text="no application",
    )
    monkeypatch.setitem(sys.modules, "a_shop", module)
    return module


def test_crossbar_loads_an_application(module: ModuleType) -> None:
    assert load_application("a_shop:app") is module.app


def test_crossbar_loads_what_a_factory_makes(module: ModuleType) -> None:
    assert load_application("a_shop:create_app").name == "made"


def test_crossbar_factory_is_not_what_the_node_hosts(module: ModuleType) -> None:
    """Another application than the hosted one would get the session."""
    with pytest.raises(SetupError, match="'a_shop:create_app' is a factory"):
        load_application("a_shop:create_app", factories=False)
    assert load_application("a_shop:app", factories=False) is module.app
    assert not WebSession.factories


@pytest.mark.parametrize("place", ["", "a_shop", "a_shop:", ":app"])
def test_crossbar_place_of_another_form(module: ModuleType, place: str) -> None:
    with pytest.raises(SetupError, match=f"'{place}' is not of the form 'module:object'"):
        load_application(place)


@pytest.mark.parametrize("name", ["missing", "text", "create_other"])
def test_crossbar_place_without_an_application(module: ModuleType, name: str) -> None:
    with pytest.raises(SetupError, match=f"no Flask application '{name}' in the module 'a_shop'"):
        load_application(f"a_shop:{name}")


def test_crossbar_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load_application("no_such_module:app")


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("0.0.0.0", "http://shop.example:8080/"),
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("::", "http://shop.example:8080/"),
        ("::1", "http://[::1]:8080/"),
    ],
)
def test_crossbar_page(host: str, page: str) -> None:
    kind = IPv6Address if ":" in host else IPv4Address
    assert page_at(kind("TCP", host, 8080), "http", "shop.example") == page
