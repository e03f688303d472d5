"""Procedures that the router's process answers in memory, at once or later."""

from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.defer import Deferred

from flask_wamp import ApplicationError
from flask_wamp._twisted.session import Session
from flask_wamp.crossbar.hosted import Caller, Host

from ..doubles import Transport, joined


class Node:
    """A session that answers, and the router's side of it."""

    def __init__(self, procedure: Any) -> None:
        self.transport = Transport()
        self.session: Session = joined(self.transport)
        self.host = Host(self.session, {"com.test.hosted": procedure})
        self.outcome: list[Any] = []
        self.host.register().addBoth(self.outcome.append)
        register = self.transport.sent[-1]
        self.transport.receive(message.Registered(register.request, 5))

    def call(self, *args: Any, registration: int = 5) -> bool:
        """Bring an invocation of the procedure."""
        return self.host.answer(
            message.Invocation(
                9,
                registration,
                args=list(args),
                caller=7,
                caller_authid="alice",
                caller_authrole="user",
            )
        )

    @property
    def answer(self) -> Any:
        """The last message that was sent."""
        return self.transport.sent[-1]


def test_host_answers_its_procedures_alone() -> None:
    calls: list[Any] = []
    node = Node(lambda caller, args: calls.append((caller, args)))
    assert node.outcome == [True]
    assert not node.call(registration=6)
    assert node.call("x")
    assert calls == [(Caller(7, "alice", "user"), ["x"])]
    assert (type(node.answer), node.answer.request) == (message.Yield, 9)


def test_host_answers_later() -> None:
    later: Deferred[str] = Deferred()
    node = Node(lambda _caller, _args: later)
    assert node.call()
    assert len(node.transport.sent) == 1
    later.callback("value")
    assert node.answer.args == ["value"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "uri"),
    [
        (ApplicationError("com.test.error.no"), "com.test.error.no"),
        (ValueError("a secret"), "wamp.error.runtime_error"),
    ],
)
def test_host_refuses_with_the_error_of_its_procedure(
    error: Exception, uri: str, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(
        Host, "_log", type("Log", (), {"failure": lambda _self, *args: logged.append(args)})()
    )
    later: Deferred[Any] = Deferred()

    def procedure(_caller: Caller, _args: list[Any]) -> Any:
        if at_once:
            raise error
        return later

    node = Node(procedure)
    assert node.call()
    if not at_once:
        later.errback(error)
    assert (type(node.answer), node.answer.error) == (message.Error, uri)
    assert "secret" not in str(node.answer.args)
    assert len(logged) == (uri == "wamp.error.runtime_error")


def test_host_takes_no_interrupts() -> None:
    """A router of Crossbar.io breaks where it has to hand one to a session that is in memory."""
    session: Any = Session()
    Host(session, {})
    other: Any = Session()
    assert not session._session_roles["callee"].call_canceling
    assert other._session_roles["callee"].call_canceling
