"""Who is let in while others end what lets them in; a router stands in for Crossbar.io's."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request
from twisted.internet.defer import Deferred

from flask_wamp import WAMP, ApplicationError
from flask_wamp._twisted.session import Session
from flask_wamp.crossbar import authentication
from flask_wamp.crossbar.authentication import Authentication
from flask_wamp.crossbar.guarding import Guard
from flask_wamp.crossbar.hosted import Caller
from flask_wamp.state import state_of
from tests.attempts import attempt

from ..doubles import Transport, Turns, joined

TRUSTED, SERVICE, PAGE = (Caller(1, "x", role) for role in ("trusted", "backend", "user"))
REFUSED = "wamp.error.not_authorized"


class Named:
    """Something with these attributes."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Node:
    """A router's process, and an application whose users are who their agents say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns = Turns()
        transport = Transport()
        self.session: Session = joined(transport)
        self.sessions: dict[int, Any] = {}
        self.authids: dict[str, set[Any]] = {}
        roles: dict[str, dict[str, Any]] = {
            "anonymous": {},
            "user": {"permissions": [{"uri": "", "allow": {"call": True}}]},
            "backend": {"permissions": [{"uri": "", "allow": {"register": True}}]},
            "service": {"permissions": [{"uri": ""}, {"uri": "x", "allow": {"register": True}}]},
            "asked": {"authorizer": "com.x"},
            "stopped": {},
        }
        realm = Named(
            config={"name": "realm1"},
            roles={name: Named(config={"name": name, **role}) for name, role in roles.items()},
        )
        other = Named(config={"name": "other"}, roles={"o": Named(config={"name": "elsewhere"})})
        untyped: Any = transport
        untyped._router = Named(
            realm="realm1",
            _session_id_to_session=self.sessions,
            _authid_to_sessions=self.authids,
            _roles=roles.keys() - {"stopped"} | {"trusted", "elsewhere"},
            _factory=Named(_worker=Named(realms={"realm1": realm, "other": other})),
        )
        self.ended: list[tuple[int, bool]] = []
        monkeypatch.setattr(authentication, "end_session", self._end)
        self.app = Flask("x")
        self.app.secret_key = "key"
        self.wamp = WAMP(self.app)
        self.gate = threading.Event()
        self.gate.set()
        self.asked = 0
        self.wamp.authenticate(self._who)
        self.guard = Guard(self.turns.clock)
        self.logged: list[str] = []
        monkeypatch.setattr(
            self.guard.complaints, "say", lambda kind, line: self.logged.append(line)
        )
        self.host = Authentication(
            self.session, state_of(self.app), self.turns.queue(), None, self.guard
        )

    def _who(self) -> Any:
        self.asked += 1
        agent = request.headers["User-Agent"]
        assert self.gate.wait(20)
        return tuple(agent.split("/"))

    def _end(
        self, in_memory: Any, session: int, reason: str, *, at_once: bool = False
    ) -> "Deferred[bool]":
        self.ended.append((session, at_once))
        done: Deferred[bool] = Deferred()
        done.callback(self.sessions.pop(session, None) is not None)
        return done

    def join(self, session: int) -> None:
        """Let a session join that was let in."""
        self.sessions[session] = Named(_transport=object())

    def start(self, agent: str, session: int = 7, caller: Caller = TRUSTED) -> list[Any]:
        """Begin to let somebody in; what comes of it is in the list, once it is there."""
        details = {
            "session": session,
            "authmethod": "anonymous",
            "transport": {
                "http_headers_received": {"user-agent": agent, "host": "localhost"},
                "peer": "tcp4:192.0.2.1:5000",
            },
        }
        outcome: list[Any] = []
        answer = self.host._authenticate(caller, ["realm1", "x", details])
        answer.addCallbacks(outcome.append, lambda failure: outcome.append(failure.value))
        return outcome

    def enter(self, agent: str, session: int = 7) -> Any:
        """Return what the router is told, or the error that it gets."""
        outcome = self.start(agent, session)
        self.turns.run_until(lambda: outcome)
        return outcome[0]

    def end(self, **whom: Any) -> Any:
        """End sessions, and return how many."""
        outcome: list[Any] = []
        self.host._end(SERVICE, [whom]).addBoth(outcome.append)
        self.turns.run_until(lambda: outcome)
        return outcome[0]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Give a router's process."""
    node = Node(monkeypatch)
    yield node
    node.gate.set()
    for asking in (node.host._logins, node.host._rights, node.host._writing):
        asking.stop()


def test_authentication_lets_the_applications_users_in(node: Node) -> None:
    assert node.enter("user/alice") == {"realm": "realm1", "role": "user", "authid": "alice"}
    assert node.host._handshake(SERVICE, [7]) is None
    node.join(7)
    told = node.host._handshake(SERVICE, [7])
    assert told is not None
    assert (told["authid"], told["environ"]["REMOTE_ADDR"]) == ("alice", "192.0.2.1")
    for tell in node.guard.on_left:
        tell(7)
    assert node.host._handshake(SERVICE, [7]) is None


@pytest.mark.parametrize(
    "role", ["trusted", "backend", "service", "asked", "stopped", "nobody", "elsewhere"]
)
def test_authentication_gives_nobody_the_role_of_a_service(node: Node, role: str) -> None:
    refused = node.enter(f"{role}/alice")
    assert isinstance(refused, ApplicationError)
    assert (refused.uri, refused.args) == (REFUSED, ("the login was refused",))
    assert len(node.logged) == 1
    assert len(node.host._identities) == 0


def test_authentication_is_asked_by_the_router_alone(node: Node) -> None:
    for caller in (SERVICE, PAGE, Caller(None, None, None)):
        with pytest.raises(ApplicationError) as raised:
            node.start("user/alice", caller=caller)
        assert raised.value.uri == REFUSED
    for caller in (PAGE, Caller(None, None, None)):
        for procedure in (node.host._handshake, node.host._end):
            with pytest.raises(ApplicationError) as raised:
                procedure(caller, [7])
            assert raised.value.uri == REFUSED


@pytest.mark.parametrize(
    "whom",
    [[], [7], ["alice"], [{}], [{"authid": 7}], [{"authid": ""}], [{"authid": "x" * 257}],
     [{"authid": "a", "login": "b"}], [{"authid": "a", "revoke": "no"}], [{"login": "b"}, 1]],
)  # fmt: skip
def test_authentication_ends_what_is_named(node: Node, whom: list[Any]) -> None:
    with pytest.raises(ApplicationError, match=r"wamp\.error\.invalid_argument"):
        node.host._end(SERVICE, whom)


def test_authentication_ends_the_sessions_of_an_authid(node: Node) -> None:
    for session, agent in ((7, "user/alice"), (8, "user/alice"), (9, "user/bob")):
        node.enter(agent, session)
        node.join(session)
    # One that has logged in another way, which nobody here was asked about.
    node.join(10)
    node.authids["alice"] = {Named(_session_id=10), Named(_session_id=None)}
    assert node.end(authid="alice", revoke=False) == 3
    assert sorted(node.ended) == [(7, True), (8, True), (10, True)]


def test_authentication_asks_again_where_a_login_ends_meanwhile(node: Node) -> None:
    node.gate.clear()
    outcome = node.start("user/alice")
    assert node.end(authid="alice", revoke=False) == 0
    node.gate.set()
    node.turns.run_until(lambda: outcome)
    assert node.asked == 2
    assert outcome[0]["authid"] == "alice"


def test_authentication_gives_up_where_a_login_ends_again_and_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.host, "_ended", {"authid:alice": float("inf")})
    assert isinstance(node.enter("user/alice"), ApplicationError)
    assert node.asked == 1 + authentication.AGAIN
    assert len(node.logged) == 1


@attempt("login", "joining while the login ends", "the session ends as soon as it has joined")
def test_authentication_ends_who_joins_meanwhile(node: Node) -> None:
    node.enter("user/alice")
    assert node.end(authid="alice") == 0
    assert node.ended == []
    node.join(7)
    node.turns.clock.advance(authentication.LOOK)
    assert node.ended == [(7, False)]


def test_authentication_ends_sessions_where_it_cannot_be_written(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.enter("user/alice")
    node.join(7)
    node.host._revocations.close()
    outcome = node.end(authid="alice")
    assert "closed" in str(outcome.value)
    assert node.ended == [(7, False)]


def test_authentication_tells_the_guard_who_stands_behind_a_proxy(node: Node) -> None:
    def peer(address: str | None) -> Any:
        headers = {"x-forwarded-for": "203.0.113.9"}
        details = Named(http_headers_received=headers)
        return Named(remote_address=lambda: address, transport=Named(transport_details=details))

    assert node.guard.address_of(peer("192.0.2.1")) == "192.0.2.1"
    assert node.guard.address_of(peer(None)) is None
    from werkzeug.middleware.proxy_fix import ProxyFix

    node.app.wsgi_app = ProxyFix(node.app.wsgi_app)  # type: ignore[method-assign]
    assert node.guard.address_of(peer("192.0.2.1")) == "203.0.113.9"
    assert node.guard.address_of(peer(None)) == "203.0.113.9"
    closed = Named(remote_address=lambda: None, transport=None)
    closed_peer: Any = closed
    assert node.guard.address_of(closed_peer) is None
