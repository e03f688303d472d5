"""The events of an application, handed over between two processes: each handled once, in order."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask

from flask_wamp import WAMP
from flask_wamp._twisted.serve import handover
from flask_wamp._twisted.serve.gates import Limits
from flask_wamp._twisted.serve.handover import (
    ANSWER_LIMIT,
    HAND_OVER,
    HANDLE_LIMIT,
    TAKE_BACK,
    Desk,
    keys_in,
)
from flask_wamp._twisted.serve.sharing import SharedServer, share
from flask_wamp._twisted.serve.standing import Standing
from flask_wamp._twisted.serve.waiting import RETRY
from flask_wamp._twisted.threads import ElasticPool
from flask_wamp.state import state_of

from ..doubles import Blocked, Transport, Turns, joined
from ..helpers import fired

ELECTION = "flask_wamp.subscriber.shop.0"
TOPIC = "com.shop.topic"
CONFLICT = "wamp.error.procedure_already_exists"
OTHER_POLICY = "wamp.error.procedure_exists_with_different_invocation_policy"


class Hub:
    """A router of several sessions: exclusive registrations, subscriptions shared by all.

    What it is asked it does at once, but answers, and sends, at a turn of the reactor's, in order.
    """

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        #: URI, to the registration and who has it.
        self.registered: dict[str, tuple[int, Transport, str]] = {}
        self.subscribed: dict[str, list[Transport]] = {}
        self.kinds: list[tuple[str, str]] = []
        self._calls: dict[int, tuple[Transport, int]] = {}
        self._numbers = 100

    def number(self) -> int:
        """Return a number that is new."""
        self._numbers += 1
        return self._numbers

    def connect(self) -> Any:
        """Return a session that has joined."""
        transport = Transport()
        session = joined(transport)
        transport.on_send = lambda msg: self._take(transport, msg)
        return session, transport

    def publish(self, value: Any) -> None:
        """Let a peer publish."""
        publication = self.number()
        for transport in self.subscribed.get(TOPIC, ()):
            self._send(transport, message.Event(1, publication, args=[value]))

    def call(self, uri: str, *args: Any, role: str | None = "anonymous") -> int:
        """Let a peer call, and return the request."""
        number, callee, _policy = self.registered[uri]
        request = self.number()
        caller = None if role is None else 7
        invocation = message.Invocation(
            request, number, args=list(args), caller=caller, caller_authrole=role
        )
        self._send(callee, invocation)
        return request

    def leave(self, transport: Transport) -> None:
        """Let a session be gone."""
        for uri in [uri for uri, (_, who, _) in self.registered.items() if who is transport]:
            del self.registered[uri]
        for subscribers in self.subscribed.values():
            if transport in subscribers:
                subscribers.remove(transport)
        for request in [r for r, _ in self._calls.items()]:
            caller, call = self._calls.pop(request)
            error = message.Error(message.Call.MESSAGE_TYPE, call, "wamp.error.canceled")
            self._send(caller, error)
        transport.lose()

    def _send(self, transport: Transport, msg: Any) -> None:
        self.turns.call_from_thread(lambda: None if transport.closed else transport.receive(msg))

    def _take(self, transport: Transport, msg: Any) -> None:
        transport.sent.append(msg)
        kind = type(msg)
        if kind is message.Register:
            self._register(transport, msg)
        elif kind is message.Unregister:
            for uri in [
                u for u, (number, _, _) in self.registered.items() if number == msg.registration
            ]:
                del self.registered[uri]
            self._send(transport, message.Unregistered(msg.request))
        elif kind is message.Subscribe:
            self.subscribed.setdefault(msg.topic, []).append(transport)
            self._send(transport, message.Subscribed(msg.request, 1))
        elif kind is message.Unsubscribe:
            self.subscribed[TOPIC].remove(transport)
            self._send(transport, message.Unsubscribed(msg.request))
        elif kind is message.Call:
            self._call(transport, msg)
        elif kind in (message.Yield, message.Error) and msg.request in self._calls:
            caller, call = self._calls.pop(msg.request)
            if kind is message.Yield:
                self._send(caller, message.Result(call, args=msg.args))
            else:
                self._send(caller, message.Error(message.Call.MESSAGE_TYPE, call, msg.error))

    def _register(self, transport: Transport, msg: message.Register) -> None:
        has = self.registered.get(msg.procedure)
        if has is not None and not msg.force_reregister:
            refusal = CONFLICT if has[2] == "single" else OTHER_POLICY
            self._send(transport, message.Error(msg.MESSAGE_TYPE, msg.request, refusal))
            return
        if has is not None:
            self._send(has[1], message.Unregistered(0, registration=has[0]))
        number = self.number()
        self.registered[msg.procedure] = number, transport, msg.invoke or "single"
        self._send(transport, message.Registered(msg.request, number))

    def _call(self, transport: Transport, msg: message.Call) -> None:
        if msg.procedure == "wamp.registration.lookup":
            self._send(transport, message.Result(msg.request, args=[1]))
        elif msg.procedure == "wamp.registration.list_callees":
            self._send(transport, message.Result(msg.request, args=[[1] * self.callees]))
        elif msg.procedure not in self.registered:
            error = message.Error(msg.MESSAGE_TYPE, msg.request, "wamp.error.no_such_procedure")
            self._send(transport, error)
        else:
            number, callee, _policy = self.registered[msg.procedure]
            request = self.number()
            self._calls[request] = transport, msg.request
            invocation = message.Invocation(
                request, number, args=msg.args, caller=9, caller_authrole="backend"
            )
            self._send(callee, invocation)

    callees = 1


class Child:
    """A serving process at the hub; it notes what it handles."""

    def __init__(self, hub: Hub, app: Flask, standing: Standing) -> None:
        self.turns = hub.turns
        self.pool = ElasticPool(2, hub.turns.queue())
        self.pool.start()
        self.session, self.transport = hub.connect()
        self.outcome: list[Any] = []
        share(self.session, state_of(app), self.pool, Limits(), ELECTION, standing).addBoth(
            self.outcome.append
        )
        self.server: SharedServer = self.session.server

    def ready(self) -> "Child":
        """Wait until the router has answered everything."""
        self.turns.run_until(lambda: self.outcome)
        assert self.outcome == [None]
        return self

    def take(self) -> None:
        """Take over, to the end."""
        fired(self.server.take(), self.turns)


class Shop:
    """An application that several processes serve; each handles events as the test lets it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.hub = Hub(turns)
        self.children: list[Child] = []
        self.handled: list[tuple[str, int]] = []

    def start(self, name: str, *, handler: Any = None, **standing: Any) -> Child:
        """Start a process, whose handled events are noted with its name."""
        app = Flask("shop")
        wamp = WAMP(app)

        @wamp.subscribe(TOPIC)
        def topic(n: int) -> None:
            if handler is not None:
                handler()
            self.handled.append((name, n))

        wamp.callee("com.shop.who", invoke=standing.pop("invoke", None))(lambda: name)
        child = Child(self.hub, app, Standing(**{"shared": False, "patience": 10.0, **standing}))
        self.children.append(child)
        return child


@pytest.fixture
def shop(turns: Turns) -> Iterator[Shop]:
    shop = Shop(turns)
    yield shop
    for child in shop.children:
        child.pool.stop()


def test_handover_handles_each_event_once_and_in_order(shop: Shop, turns: Turns) -> None:
    """While the old process is busy with one, and others come all the time."""
    blocked = Blocked()
    old = shop.start("old", handler=blocked).ready()
    new = shop.start("new", replaces=True).ready()
    assert (old.server.subscribes, new.server.subscribes) == (True, False)
    published = iter(range(1000))

    def publish() -> None:
        shop.hub.publish(next(published))

    publish()
    turns.run_pending()
    blocked.wait()
    done: list[Any] = []
    new.server.take().addCallback(done.append)
    for _ in range(200):
        publish()
        turns.run_one()
    publish()
    turns.run_pending()
    # The old one has unsubscribed, and what it has is not handled yet: the new one waits.
    assert shop.hub.subscribed[TOPIC] == [new.transport]
    assert (shop.handled, done) == ([], [])
    blocked.go_on.set()
    turns.run_until(lambda: done)
    publish()
    last = next(published)
    turns.run_until(lambda: len(shop.handled) == last)
    assert [n for _, n in shop.handled] == list(range(last))
    names = [name for name, _ in shop.handled]
    assert names == sorted(names, reverse=True)
    assert set(names) == {"old", "new"}
    assert (old.server.subscribes, new.server.subscribes) == (False, True)


def test_handover_then_the_old_one_is_drained(shop: Shop, turns: Turns) -> None:
    old = shop.start("old").ready()
    new = shop.start("new", replaces=True).ready()
    assert (old.server.procedures, new.server.procedures) == (1, 0)
    new.take()
    assert (old.server.procedures, new.server.procedures) == (0, 1)
    assert fired(old.server.drain(10), turns) == 0
    turns.clock.advance(10 * TAKE_BACK)
    turns.run_pending()
    assert {who for _, who, _ in shop.hub.registered.values()} == {new.transport}
    assert shop.hub.subscribed == {TOPIC: [new.transport]}


def test_handover_that_the_new_one_does_not_live_to_finish_is_taken_back(
    shop: Shop, turns: Turns
) -> None:
    """It dies when the old one has unsubscribed, and before it is the elected one."""
    old = shop.start("old").ready()
    request = shop.hub.call(ELECTION, HAND_OVER, role="backend")
    turns.run_until(
        lambda: [m for m in old.transport.of_kind(message.Yield) if m.request == request]
    )
    assert shop.hub.subscribed == {TOPIC: []}
    assert not old.server.subscribes
    turns.clock.advance(TAKE_BACK)
    turns.run_until(lambda: old.server.subscribes)
    assert shop.hub.subscribed == {TOPIC: [old.transport]}


def test_handover_of_procedures_that_the_new_one_does_not_outlive(shop: Shop, turns: Turns) -> None:
    old = shop.start("old").ready()
    new = shop.start("new", replaces=True).ready()
    new.take()
    shop.hub.leave(new.transport)
    turns.clock.advance(1.34 * RETRY)
    turns.run_until(lambda: old.server.subscribes and old.server.procedures == 1)
    assert {who for _, who, _ in shop.hub.registered.values()} == {old.transport}


def test_handover_is_taken_back_from_one_that_has_ended_or_not(shop: Shop, turns: Turns) -> None:
    """As a supervisor says where the new one fails."""
    old = shop.start("old").ready()
    for ends in (False, True):
        new = shop.start("new", replaces=True).ready()
        new.take()
        if ends:
            shop.hub.leave(new.transport)
        old.take()
        assert (old.server.procedures, old.server.subscribes) == (1, True)
        assert shop.hub.subscribed == {TOPIC: [old.transport]}
        new.server.drain(0)
        turns.run_pending()


def test_handover_where_the_old_one_dies_meanwhile_goes_on(shop: Shop, turns: Turns) -> None:
    """And handles what it has: none is lost that it got."""
    blocked = Blocked()
    old = shop.start("old", handler=blocked).ready()
    new = shop.start("new", replaces=True).ready()
    done: list[Any] = []
    shop.hub.publish(1)
    turns.run_pending()
    blocked.wait()
    new.server.take().addCallback(done.append)
    turns.run_until(lambda: shop.hub.subscribed[TOPIC] == [new.transport])
    shop.hub.publish(2)
    turns.run_pending()
    assert done == []
    shop.hub.leave(old.transport)
    turns.run_until(lambda: done and shop.handled)
    assert shop.handled == [("new", 2)]
    assert new.server.subscribes
    blocked.go_on.set()
    turns.run_until(lambda: not old.pool.under_way)


def test_handover_by_one_that_does_not_answer_is_over_in_time(shop: Shop, turns: Turns) -> None:
    shop.start("old").ready()
    new = shop.start("new", replaces=True).ready()
    old = shop.children[0]
    old.session.server.invoke = lambda invocation: None
    done: list[Any] = []
    new.server.take().addCallback(done.append)
    turns.run_pending()
    shop.hub.publish(1)
    turns.run_pending()
    assert done == []
    turns.clock.advance(ANSWER_LIMIT)
    turns.run_until(lambda: done)
    turns.run_until(lambda: ("new", 1) in shop.handled)


def test_handover_with_a_handler_that_runs_for_long_is_over_in_time(
    shop: Shop, turns: Turns
) -> None:
    blocked = Blocked()
    shop.start("old", handler=blocked).ready()
    new = shop.start("new", replaces=True).ready()
    shop.hub.publish(1)
    turns.run_pending()
    blocked.wait()
    done: list[Any] = []
    new.server.take().addCallback(done.append)
    turns.run_pending()
    assert done == []
    turns.clock.advance(HANDLE_LIMIT)
    turns.run_until(lambda: done)
    blocked.go_on.set()
    turns.run_until(lambda: shop.handled)
    assert shop.handled == [("old", 1)]


@pytest.mark.parametrize("role", ["anonymous", None])
def test_handover_is_for_services(shop: Shop, turns: Turns, role: str | None) -> None:
    old = shop.start("old").ready()
    request = shop.hub.call(ELECTION, HAND_OVER, role=role)
    turns.run_until(
        lambda: [
            m
            for m in old.transport.sent
            if type(m) in (message.Yield, message.Error) and m.request == request
        ]
    )
    assert old.server.subscribes
    assert shop.hub.subscribed == {TOPIC: [old.transport]}


def test_handover_that_is_canceled_is_answered_once(shop: Shop, turns: Turns) -> None:
    blocked = Blocked()
    old = shop.start("old", handler=blocked).ready()
    shop.hub.publish(1)
    turns.run_pending()
    blocked.wait()
    request = shop.hub.call(ELECTION, HAND_OVER, role="backend")
    turns.run_pending()
    old.transport.receive(message.Interrupt(request, "killnowait"))
    blocked.go_on.set()
    turns.run_until(lambda: shop.handled)
    turns.run_pending()
    answers = [
        m
        for m in old.transport.sent
        if type(m) in (message.Yield, message.Error) and m.request == request
    ]
    assert [type(m) for m in answers] == [message.Error]


def test_nudge_asks_at_once(shop: Shop, turns: Turns) -> None:
    first = shop.start("first", shared=True, invoke="single").ready()
    second = shop.start("second", shared=True, invoke="single").ready()
    shop.hub.leave(first.transport)
    turns.run_pending()
    assert not second.server.subscribes
    second.server.nudge()
    turns.run_until(lambda: second.server.subscribes and second.server.procedures == 1)
    assert shop.hub.subscribed == {TOPIC: [second.transport]}


def test_sibling_waits_for_what_one_process_has_alone(shop: Shop) -> None:
    shop.start("first", shared=True, invoke="single").ready()
    second = shop.start("second", shared=True, invoke="single").ready()
    assert second.server.procedures == 0


@pytest.mark.parametrize(("shared", "invoke"), [(False, None), (True, "first")])
def test_what_is_registered_elsewhere_keeps_a_process_from_serving(
    shop: Shop, turns: Turns, shared: bool, invoke: str | None
) -> None:
    shop.start("first").ready()
    second = shop.start("second", shared=shared, invoke=invoke)
    turns.run_pending()
    assert second.outcome == []
    for _ in range(10):
        turns.clock.advance(10)
        turns.run_pending()
    turns.run_until(lambda: second.outcome)
    assert "com.shop.who" in str(second.outcome[0].value)


@pytest.mark.parametrize("callees", [1, 2])
def test_take_with_another_policy_waits_for_the_last_process_of_the_old_one(
    shop: Shop, callees: int
) -> None:
    """Crossbar.io never answers who takes a registration from several."""
    shop.start("old", shared=True, invoke="roundrobin").ready()
    new = shop.start("new", shared=True, invoke="first", replaces=True).ready()
    shop.hub.callees = callees
    new.take()
    assert new.server.procedures == (1 if callees == 1 else 0)
    assert new.server.subscribes


def test_take_says_so_and_logs_no_error(
    shop: Shop, caplog: pytest.LogCaptureFixture, twisted_log: list[str]
) -> None:
    caplog.set_level(logging.INFO, "flask_wamp")
    shop.start("old").ready()
    shop.start("new", replaces=True).ready().take()
    said = [record.getMessage() for record in caplog.records]
    assert "shop: this process has taken over, and serves 1 procedures" in said
    assert "shop: another process handles the events from now on" in said
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert not [text for text in twisted_log if "revoked" in text]


def event(publication: int, *, retained: bool = False) -> message.Event:
    """Return an event."""
    return message.Event(1, publication, args=[], retained=retained or None)


def test_desk_hands_on_what_the_other_process_has_not_handled() -> None:
    handed: list[Any] = []
    desk = Desk(lambda event: handed.append(event.publication))
    desk.keep()
    for publication in range(1, 5):
        desk.handle(event(publication))
    desk.handle(event(3, retained=True))
    assert handed == []
    desk.release({(1, 2), (1, 3), (2, 4)})
    assert handed == [1, 4, 3]
    desk.handle(event(9))
    assert desk.taken() == [[1, 1], [1, 4], [1, 3], [1, 9]]


def test_desk_remembers_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "REMEMBERED", 3)
    desk = Desk(lambda _event: None)
    for publication in range(1, 6):
        desk.handle(event(publication))
    assert desk.taken() == [[1, 3], [1, 4], [1, 5]]


@pytest.mark.parametrize("answer", [None, 5, ["x"], [[1, 2, 3]], [[1, "x"]], [[1, float("inf")]]])
def test_keys_of_an_answer_that_is_something_else(answer: Any) -> None:
    assert keys_in(answer) == set()
