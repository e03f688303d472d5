"""The router's process tells the others whether the node stops."""

from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.task import Clock

from flask_wamp._twisted.serve.leaving import NODE_STOPPING
from flask_wamp.crossbar import stop_host
from flask_wamp.crossbar.stop_host import HOLD, StopHost

from ..doubles import Transport, joined


class Node:
    """A router's process, and who asks it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.session = joined(self.transport)
        self.sessions: dict[int, Any] = {}
        untyped: Any = self.transport
        untyped._router = type("Router", (), {"_session_id_to_session": self.sessions})()
        self.host = StopHost(self.session, self.clock)
        self.host.register()
        (register,) = self.transport.of_kind(message.Register)
        assert register.procedure == NODE_STOPPING
        self.transport.receive(message.Registered(register.request, 5))
        self._requests = 0

    def ask(self, caller: int | None = 7) -> int:
        """Ask, and return the number of the question."""
        self._requests += 1
        asked = message.Invocation(self._requests, 5, args=[], caller=caller)
        assert self.host.answer(asked)
        return self._requests

    def answers(self) -> dict[int, Any]:
        """Return what was answered, by the number of the question."""
        return {
            msg.request: msg.error if type(msg) is message.Error else msg.args[0]
            for msg in self.transport.sent
            if type(msg) in (message.Yield, message.Error)
        }


class Peer:
    """A session as the guard has it."""

    def __init__(self, *, serves: bool) -> None:
        self.serves = serves

    def may_register(self) -> bool:
        """Tell whether it is a service's."""
        return self.serves


def test_a_process_that_ends_alone_is_told_so_after_a_while() -> None:
    node = Node()
    question = node.ask()
    assert node.answers() == {}
    node.clock.advance(HOLD)
    assert node.answers() == {question: False}


def test_processes_that_are_told_to_stop_before_the_router_learn_that_it_stops_too() -> None:
    node = Node()
    questions = [node.ask(), node.ask(None)]
    node.clock.advance(HOLD / 2)
    node.host.begin()
    assert node.answers() == dict.fromkeys(questions, True)
    node.clock.advance(HOLD)
    later = node.ask()
    assert node.answers() == dict.fromkeys([*questions, later], True)


def test_those_who_may_not_serve_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node()
    peers: dict[int, Any] = {8: Peer(serves=False), 9: Peer(serves=True)}
    monkeypatch.setattr(stop_host, "guarded_session", lambda _memory, number: peers.get(number))
    page, service = node.ask(8), node.ask(9)
    assert node.answers() == {page: "wamp.error.not_authorized"}
    node.clock.advance(HOLD)
    assert node.answers() == {page: "wamp.error.not_authorized", service: False}


def test_only_so_many_questions_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_host, "MAX_HELD", 2)
    node = Node()
    first, second, third = node.ask(), node.ask(), node.ask()
    assert node.answers() == {third: "wamp.error.unavailable"}
    node.clock.advance(HOLD)
    assert node.answers() == {third: "wamp.error.unavailable", first: False, second: False}
