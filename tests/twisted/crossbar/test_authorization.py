"""The rights of roles in a router of Crossbar.io's own, without its worker."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from autobahn.wamp import message
from crossbar.router.router import RouterFactory
from flask import Flask
from twisted.internet.defer import Deferred

from flask_wamp import WAMP, SetupError
from flask_wamp._twisted.engine.router_sessions import GuardedSession
from flask_wamp.context import Access
from flask_wamp.crossbar.authorization import Authorization
from flask_wamp.crossbar.denials import Denials
from flask_wamp.declare.rights import DeclaredRights
from flask_wamp.state import state_of
from tests.unit.doubles import run_program

ALL = {"call": True, "register": True, "publish": True, "subscribe": True}
BACKEND = {
    "name": "backend",
    "permissions": [{"uri": "", "match": "prefix", "allow": ALL, "cache": False}],
}
LISTENER = {
    "name": "listener",
    "permissions": [
        {"uri": "com.app", "match": "exact", "allow": {"subscribe": True}, "cache": True},
        {"uri": "org.", "match": "prefix", "allow": {"subscribe": True, "publish": True}},
    ],
}
GOVERNED = ("anonymous", "user", "clerk")
ANONYMOUS = {"name": "anonymous", "permissions": []}
USER = {"name": "user", "permissions": []}


class Realm:
    """A realm of the configuration."""

    def __init__(self) -> None:
        self.config = {"name": "realm1"}


class Worker:
    """Crossbar.io's worker, as far as a session in memory reaches it."""

    def __init__(self, router_factory: Any, roles: list[dict[str, Any]]) -> None:
        self.realm_to_id = {"realm1": "realm001"}
        self.realms = {"realm001": SimpleNamespace(roles={}, role_to_id={})}
        self._router_factory = router_factory
        for number, role in enumerate(roles):
            self.start_router_realm_role("realm001", f"role{number}", role)

    def start_router_realm_role(self, realm: str, role_id: str, config: dict[str, Any]) -> None:
        """Start a role."""
        self.realms[realm].roles[role_id] = SimpleNamespace(config=config)
        self.realms[realm].role_to_id[config["name"]] = role_id
        self._router_factory.add_role("realm1", config)

    def has_role(self, realm: str, name: str) -> bool:
        """Tell whether there is a role."""
        return name in self.realms[self.realm_to_id[realm]].role_to_id


class Node:
    """A router with its roles, and a component that installs the application's rights."""

    def __init__(self, app: Flask, *roles: dict[str, Any], own: str = "backend") -> None:
        factory: Any = RouterFactory("node", "worker", None)
        self.router = factory.start_realm(Realm())
        self.worker = factory._worker = Worker(factory, list(roles))
        self.in_memory: Any = SimpleNamespace(
            _transport=SimpleNamespace(_router=self.router, _authrole=own)
        )
        self.lines: list[str] = []
        self.now = 0.0
        self.asked: list[tuple[Any, Access, Deferred[Any]]] = []
        state = state_of(app)
        self.authorization = Authorization(
            DeclaredRights(state.registry, state.config.uri_prefix),
            self.ask,
            Denials(self.lines.append, lambda: self.now),
        )

    def ask(self, function: Callable[[Access], Any], access: Access) -> "Deferred[bool]":
        """Keep what is asked, for the test to answer."""
        answer: Deferred[bool] = Deferred()
        self.asked.append((function, access, answer))
        return answer

    def install(self) -> "Node":
        """Give the roles their rights."""
        self.authorization.install(self.in_memory)
        return self

    def session(self, role: str) -> Any:
        """Return a session of a role."""
        session = SimpleNamespace(
            _session_id=7, _authid="alice", _authrole=role, _authmethod=None, _realm="realm1"
        )
        self.router._session_id_to_session[7] = session
        return session

    def start(self, role: str, msg: Any) -> list[dict[str, bool]]:
        """Let a session ask for what a message is for, and return where the answer goes."""
        kind, uri = {
            message.Call: ("call", "procedure"),
            message.Register: ("register", "procedure"),
            message.Publish: ("publish", "topic"),
            message.Subscribe: ("subscribe", "topic"),
        }[type(msg)]
        answers: list[Any] = []
        options = msg.marshal_options()
        session = self.session(role)
        self.router.authorize(session, getattr(msg, uri), kind, options).addBoth(answers.append)
        return answers

    def may(self, role: str, msg: Any) -> bool:
        """Tell whether a role may do what a message is for; nothing is kept in the cache."""
        (answer,) = self.start(role, msg)
        assert answer["cache"] is False
        assert self.router._authorization_cache == {}
        if answer["allow"] and type(msg) in (message.Call, message.Publish) and role in GOVERNED:
            assert answer["disclose"] is True
        return answer["allow"] is True


def call(uri: str = "com.shop.price", **options: Any) -> Any:
    """Return a call."""
    return message.Call(1, uri, args=[], **options)


def publish(topic: str = "com.shop.sold", **options: Any) -> Any:
    """Return a publish."""
    return message.Publish(1, topic, args=[], **options)


def subscribe(topic: str = "com.shop.sold", **options: Any) -> Any:
    """Return a subscription."""
    return message.Subscribe(1, topic, **options)


def register(uri: str = "com.shop.price", **options: Any) -> Any:
    """Return a registration."""
    return message.Register(1, uri, **options)


def view(*_args: Any) -> int:
    """Return 1."""
    return 1


def decides(_access: Access) -> bool:
    """Never run here: the test answers."""
    raise AssertionError


@pytest.fixture
def shop(app: Flask, wamp: WAMP) -> Flask:
    """Return an application with rights."""
    wamp.callee("com.shop.price", allow="everyone")(view)
    wamp.callee("com.shop.order", allow="user")(view)
    wamp.callee("com.shop.mine", allow=decides)(view)
    wamp.callee("com.shop.wipe")(view)
    wamp.topic("com.shop.sold", subscribe="everyone")
    wamp.topic("com.shop.chat.", match="prefix", publish="user", subscribe="user")
    wamp.topic("com.shop.kept", publish="clerk", retain=True)
    return app


@pytest.fixture
def node(shop: Flask) -> Node:
    """Return a node with rights."""
    return Node(shop, ANONYMOUS, USER, BACKEND, LISTENER).install()


def test_authorization_nothing_is_open_before_the_table_is_there(shop: Flask) -> None:
    node = Node(shop, ANONYMOUS, USER, BACKEND)
    for role in ("anonymous", "user", "clerk"):
        (answer,) = node.start(role, call())
        assert answer["allow"] is False


def test_authorization_roles_have_what_is_declared(node: Node) -> None:
    for role, msg, allowed in (
        ("anonymous", call(), True),
        ("anonymous", call("com.shop.order"), False),
        ("anonymous", call("com.shop.wipe"), False),
        ("anonymous", call("com.shop.nothing"), False),
        ("user", call("com.shop.order"), True),
        ("user", call("com.shop.wipe"), False),
        ("anonymous", subscribe(), True),
        ("anonymous", subscribe("com.shop.chat.a"), False),
        ("user", subscribe("com.shop.chat.a"), True),
        ("anonymous", publish(), False),
        ("user", publish("com.shop.chat.a"), True),
        ("user", publish("com.shop.chat.a", acknowledge=True, exclude_me=False), True),
        ("user", register(), False),
        ("user", register("com.mine", match="prefix"), False),
        ("user", call("wamp.session.kill"), False),
        ("user", call("flask_wamp.flow.pause"), True),
        ("user", call("flask_wamp.login.end"), False),
    ):
        assert node.may(role, msg) is allowed, (role, msg)


def test_authorization_sees_how_a_subscription_matches(node: Node) -> None:
    for pattern, match, allowed in (
        ("com.shop.chat.", "prefix", True),
        ("com.shop.chat.room", "prefix", True),
        ("com.shop.chat..x", "wildcard", True),
        ("com.shop.sold", "prefix", False),
        ("com.shop.", "prefix", False),
        ("", "prefix", False),
        ("com...x", "wildcard", False),
    ):
        assert node.may("user", subscribe(pattern, match=match)) is allowed, pattern


def test_authorization_retaining_is_a_right_of_its_own(node: Node) -> None:
    assert node.may("user", publish("com.shop.chat.a", retain=False)) is True
    assert node.may("user", publish("com.shop.chat.a", retain=True)) is False
    assert node.may("clerk", publish("com.shop.kept", retain=True)) is True


def test_authorization_denies_options_that_nobody_knows(node: Node) -> None:
    forwarded = [{"session": 1, "authid": "root", "authrole": "admin"}]
    for msg in (
        call(forward_for=forwarded),
        call(caller=1, caller_authid="root", caller_authrole="admin"),
        subscribe(forward_for=forwarded),
    ):
        assert node.may("anonymous", msg) is False
    assert node.may("user", publish("com.shop.chat.a", forward_for=forwarded)) is False
    answers: list[Any] = []
    options = {"match": "regex"}
    for action, given in (("subscribe", options), ("call", {"from_a_later_version": True})):
        session = node.session("anonymous")
        node.router.authorize(session, "com.shop.price", action, given).addBoth(answers.append)
    assert [answer["allow"] for answer in answers] == [False, False]
    assert node.may("anonymous", call(timeout=1, receive_progress=True, transaction_hash="x"))


def test_authorization_starts_the_roles_that_only_decorators_name(node: Node) -> None:
    assert node.worker.has_role("realm1", "clerk")
    assert not node.worker.has_role("realm1", "everyone")
    assert node.may("clerk", call()) is True
    assert node.may("clerk", call("com.shop.order")) is False
    assert node.may("nobody-knows", call()) is False


def test_authorization_services_keep_the_rights_of_the_configuration(node: Node) -> None:
    for msg in (
        call("com.shop.wipe"),
        call("wamp.session.count"),
        register("com.any"),
        subscribe("", match="prefix"),
        publish("com.any", retain=True),
    ):
        assert node.may("backend", msg) is True


def test_authorization_static_roles_see_no_more_by_a_pattern(node: Node) -> None:
    for msg, allowed in (
        (subscribe("com.app"), True),
        (subscribe("com.app", match="prefix"), False),
        (subscribe("org.", match="prefix"), True),
        (subscribe("", match="prefix"), False),
        (subscribe(".app", match="wildcard"), False),
        (publish("org.x"), True),
        (publish("org.x", retain=True), False),
    ):
        assert node.may("listener", msg) is allowed, msg
    assert "services may" in node.lines[-1]


@pytest.mark.parametrize(
    ("said", "allowed"),
    [(True, True), (False, False), (None, False), (1, False), ("yes", False), (OSError(), False)],
)
def test_authorization_asks_a_function_and_only_true_allows(
    node: Node, said: Any, *, allowed: bool
) -> None:
    answers = node.start("user", call("com.shop.mine"))
    assert answers == []
    ((function, access, answer),) = node.asked
    assert function is decides
    assert access == Access("call", "com.shop.mine", "exact", False, 7, "alice", "user")
    if isinstance(said, Exception):
        answer.errback(said)
    else:
        answer.callback(said)
    assert answers == [{"allow": allowed, "disclose": True, "cache": False}]
    assert bool(node.lines) is not allowed


def test_authorization_answers_nobody_who_has_left(node: Node) -> None:
    """The router would call for them, and somebody would wait for the answer for ever."""
    answers = node.start("user", call("com.shop.mine"))
    ((_function, _access, answer),) = node.asked
    node.router._session_id_to_session.clear()
    answer.callback(True)
    assert answers == []


def test_authorization_tells_what_would_allow_it(node: Node) -> None:
    node.may("anonymous", call("com.shop.order"))
    (line,) = node.lines
    assert line.startswith(
        "denied: 'anonymous' (authid 'alice') may not call 'com.shop.order': "
        f'allow=["anonymous", "user"] would allow it, at {__name__}.view ({__file__}:'
    )
    node.may("anonymous", call("com.shop.order"))
    assert len(node.lines) == 1


def test_authorization_needs_a_role_for_services(shop: Flask) -> None:
    node = Node(shop, ANONYMOUS, {"name": "backend", "permissions": []})
    with pytest.raises(SetupError, match="own role 'backend' has no permissions"):
        node.install()


@pytest.mark.parametrize(
    "lose",
    [
        lambda node: vars(node.in_memory).clear(),
        lambda node: vars(node.in_memory._transport).clear(),
        lambda node: vars(node.router).pop("_roles"),
        lambda node: vars(node.router).pop("_session_id_to_session"),
        lambda node: vars(node.worker).pop("realm_to_id"),
        lambda node: node.worker.realm_to_id.clear(),
        lambda node: setattr(node.router._factory, "_worker", None),
        lambda node: setattr(node.router, "add_role", lambda _role: None),
        lambda node: setattr(node.router, "add_role", None),
        lambda node: setattr(node.worker, "start_router_realm_role", None),
        lambda node: setattr(node.worker, "start_router_realm_role", lambda *_args: None),
        lambda node: setattr(node.worker, "has_role", None),
    ],
)
def test_authorization_refuses_an_engine_that_lacks_what_it_needs(
    shop: Flask, lose: Callable[[Node], Any]
) -> None:
    node = Node(shop, ANONYMOUS, BACKEND)
    lose(node)
    with pytest.raises(SetupError, match="does not let flask-wamp decide who may do what"):
        node.install()


def test_authorization_says_that_permissions_of_the_configuration_win(
    shop: Flask, wamp: WAMP
) -> None:
    wamp.callee("com.shop.listen", allow="listener")(view)
    node = Node(shop, ANONYMOUS, BACKEND, LISTENER).install()
    (line,) = node.lines
    assert "the role 'listener' has permissions in the node's configuration" in line
    assert node.may("listener", call("com.shop.listen")) is False


@pytest.mark.parametrize("role", ["user", "listener"])
def test_authorization_that_fails_denies_and_tells_strangers_nothing(
    node: Node, role: str, monkeypatch: pytest.MonkeyPatch, twisted_log: list[str]
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> bool:
        raise ValueError("a secret")

    monkeypatch.setattr(Denials, "tell", fail)
    (answer,) = node.start(role, subscribe("", match="prefix"))
    assert answer["allow"] is False
    assert any("so nobody may" in text and "a secret" in text for text in twisted_log)


# --- the log


def denied(uri: str, role: str = "anonymous", **more: Any) -> Access:
    """Return what was denied."""
    return Access("call", uri, session=1, authid="x", authrole=role, **more)


@pytest.fixture
def log() -> tuple[Denials, list[str], list[float]]:
    """Return denials, what they log, and the clock."""
    lines: list[str] = []
    clock = [0.0]
    return Denials(lines.append, lambda: clock[0]), lines, clock


def test_denials_are_told_once_a_minute(log: Any) -> None:
    denials, lines, clock = log
    for _ in range(3):
        denials.tell(denied("com.a"), str)
    denials.tell(denied("com.a", "user"), str)
    assert len(lines) == 2
    clock[0] = 61
    denials.tell(denied("com.a"), str)
    assert len(lines) == 3


def test_denials_have_so_many_lines_and_so_much_memory(log: Any) -> None:
    denials, lines, clock = log
    for number in range(50_000):
        denials.tell(denied(f"com.a{number}"), str)
    assert len(lines) == 20
    clock[0] = 11
    denials.tell(denied("com.b"), str)
    assert lines[-1].endswith("; 49980 more were not logged")
    for number in range(5_000):
        clock[0] += 11
        denials.tell(denied(f"com.c{number}"), str)
    assert len(denials._told) == 1000


def test_denials_show_no_more_of_a_text_than_fits_into_a_line(log: Any) -> None:
    denials, lines, _clock = log
    denials.tell(Access("call", "x" * 1_000_000, authid="a\n\x1b[31m" * 1000, authrole="r"), str)
    assert len(lines[0]) < 1000
    assert lines[0].isprintable()


def test_authorization_logs_no_text_of_a_strangers_as_it_is(node: Node) -> None:
    for uri in ("com.x\x1b[31m", "com.x\nflask-wamp: all is well", "x" * 10_000):
        assert node.may("anonymous", call(uri)) is False
    assert len(node.lines) == 3
    assert all(line.isprintable() and len(line) < 1000 for line in node.lines)


@pytest.mark.parametrize(
    ("access", "text"),
    [
        (Access("subscribe", "com.", "prefix"), "may not subscribe by prefix to 'com.'"),
        (Access("subscribe", "com.a"), "may not subscribe to 'com.a'"),
        (Access("publish", "com.a"), "may not publish to 'com.a'"),
        (Access("publish", "com.a", retain=True), "may not let the router retain what it"),
        (Access("register", "com.a"), "may not register 'com.a'"),
    ],
)
def test_denials_say_what_was_denied(log: Any, access: Access, text: str) -> None:
    denials, lines, _clock = log
    denials.tell(access, lambda uri: f"remedy for {uri}")
    assert text in lines[0]
    assert lines[0].endswith(f"remedy for {access.uri}")


def test_import_of_the_sessions_leaves_the_recursion_limit_alone() -> None:
    """The command that looks a node through imports them as well, and makes no session."""
    program = """
        import sys
        import warnings
        warnings.simplefilter("ignore")  # those of what Crossbar.io imports
        before = sys.getrecursionlimit()
        import flask_wamp.crossbar
        print("crossbar.router.role" in sys.modules, sys.getrecursionlimit() == before)
    """
    assert run_program(program).split() == ["True", "True"]


@pytest.mark.parametrize(
    ("role", "expected"),
    [("backend", True), ("listener", False), ("user", False), ("clerk", False)],
)
def test_service_is_known_behind_the_guard_of_its_role(
    node: Node, role: str, expected: bool
) -> None:
    session = GuardedSession.__new__(GuardedSession)
    session._router, session._authrole = node.router, role
    assert session.may_register() is expected
