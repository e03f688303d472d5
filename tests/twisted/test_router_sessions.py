"""What the guard of sessions needs of Crossbar.io, and what happens where that is not there."""

from collections.abc import Iterator
from typing import Any

import pytest
from crossbar.router.broker import Broker
from crossbar.router.dealer import Dealer
from crossbar.router.protocol import WampRawSocketServerFactory, WampRawSocketServerProtocol
from crossbar.router.role import RouterRoleStaticAuth
from crossbar.router.session import RouterSession, RouterSessionFactory
from twisted.internet.task import Clock

from flask_wamp._twisted.engine.raw_sockets import bound_handshakes
from flask_wamp._twisted.engine.router_sessions import GuardedSession, guard_sessions, lacking
from flask_wamp._twisted.engine.routers import lacking_in
from flask_wamp.crossbar.guarding import Guard


class Options:
    """Those of a router that says nothing."""

    uri_check = "loose"


class Router:
    """What a dealer and a broker ask of their router when they are made."""

    _store = None

    def __init__(self) -> None:
        self._roles: dict[str, Any] = {}
        self._session_id_to_session: dict[int, Any] = {}
        self._dealer: Any = Dealer(self, Clock(), Options())
        self._broker: Any = Broker(self, Clock(), Options())


@pytest.fixture(autouse=True)
def _session_class() -> Iterator[None]:
    """Leave the class of Crossbar.io's sessions as it was."""
    factory: Any = RouterSessionFactory
    before = factory.session
    factory.session = RouterSession
    yield
    factory.session = before


def test_engine_has_what_a_guard_needs() -> None:
    assert lacking() == []
    assert lacking_in(Router()) == []


def test_engine_makes_sessions_with_a_guard_and_one_alone() -> None:
    guard = Guard(Clock())
    assert guard_sessions(guard) is guard
    factory: Any = RouterSessionFactory
    made = factory.session
    assert issubclass(made, GuardedSession)
    assert made.guard is guard
    assert guard_sessions(Guard(Clock())) is guard
    assert factory.session is made


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (RouterSession, "onHello"),
        (RouterSessionFactory, "session"),
        (Dealer, "_remove_invoke_request"),
        (Broker, "processSubscribe"),
    ],
)
def test_engine_that_lacks_a_name_is_not_guarded(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.raises(RuntimeError, match=f"{owner.__name__}.{name}: sessions cannot be guarded"):
        guard_sessions(Guard(Clock()))


def test_engine_whose_roles_keep_their_rules_elsewhere_is_not_guarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(self: Any, *_args: Any) -> None:
        self._permissions = {}

    monkeypatch.setattr(RouterRoleStaticAuth, "__init__", nothing)
    assert lacking() == ["RouterRoleStaticAuth._wild_permissions", "RouterRoleStaticAuth._default"]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("_dealer", "_invocations"),
        ("_dealer", "_invocations_by_call"),
        ("_dealer", "_caller_to_invocations"),
        ("_dealer", "_session_to_registrations"),
        ("_broker", "_session_to_subscriptions"),
    ],
)
def test_engine_whose_router_lacks_a_name_is_found(part: str, name: str) -> None:
    router = Router()
    delattr(getattr(router, part), name)
    assert lacking_in(router) == [f"{part}.{name}"]


def test_engine_whose_session_class_is_another_is_not_guarded() -> None:
    class Other(RouterSession):
        pass

    factory: Any = RouterSessionFactory
    factory.session = Other
    with pytest.raises(RuntimeError, match="Other has taken the place of"):
        guard_sessions(Guard(Clock()))


def test_raw_sockets_are_bounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    factory: Any = WampRawSocketServerFactory
    monkeypatch.setattr(factory, "protocol", WampRawSocketServerProtocol)
    bound_handshakes(Clock(), 5)
    bounded = factory.protocol
    assert bounded is not WampRawSocketServerProtocol
    bound_handshakes(Clock(), 5)
    assert factory.protocol is bounded
