"""Flow control in the router's process: whose streams are taken, and whose are not."""

from typing import Any

import pytest
from autobahn.wamp import message

from flask_wamp._twisted.flow import FLOW, GOES_ON, IS_FULL, IS_GONE, MAX_TOKEN
from flask_wamp._twisted.session import Session
from flask_wamp._twisted.strict import UNFIT
from flask_wamp.crossbar import flow_host
from flask_wamp.crossbar.flow_host import MAX_PAUSED, UNSENT, FlowHost

from ..doubles import Transport, joined

DENIED = "wamp.error.not_authorized"
INVALID = "wamp.error.invalid_argument"


class TCP:
    """A Twisted transport with bytes that wait, as one of ``twisted.internet.abstract`` has."""

    def __init__(self, unsent: int = 0) -> None:
        self.dataBuffer = b"x" * unsent
        self.offset = 0
        self._tempDataLen = 0


class TLS:
    """What wraps a Twisted transport for TLS, with plain text that waits."""

    def __init__(self, transport: TCP, unsent: int) -> None:
        self.transport = transport
        self._appSendBuffer = [b"x" * unsent]


class Peer:
    """A session as the router has it, over a transport of Autobahn's."""

    def __init__(self, transport: Any) -> None:
        self._transport: Any = type("WebSocket", (), {})()
        self._transport.transport = transport


class Node:
    """A router's process: the host, those who call it, and the sessions that there are."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.transport.on_send = self._take
        self.session: Session = joined(self.transport)
        self.sessions: dict[int, Any] = {}
        untyped: Any = self.transport
        untyped._router = type("Router", (), {"_session_id_to_session": self.sessions})()
        self.registrations: dict[str, int] = {}
        self.refused: tuple[str, ...] = ()
        self.host = FlowHost(self.session)
        self._requests = 0

    def _take(self, msg: Any) -> None:
        self.transport.sent.append(msg)
        if type(msg) is message.Register:
            if msg.procedure in self.refused:
                uri = "wamp.error.procedure_already_exists"
                self.transport.receive(message.Error(64, msg.request, uri))
                return
            self.registrations[msg.procedure] = len(self.registrations) + 1
            number = self.registrations[msg.procedure]
            self.transport.receive(message.Registered(msg.request, number))

    def call(
        self, uri: str, *args: Any, caller: int | None = 7, authrole: str = "anonymous"
    ) -> Any:
        """Return the result of a procedure of the host, or the URI of its error."""
        self._requests += 1
        invocation = message.Invocation(
            self._requests,
            self.registrations[uri],
            args=list(args),
            caller=caller,
            caller_authrole=authrole if caller else None,
        )
        assert self.host.answer(invocation)
        answer = self.transport.sent[-1]
        assert answer.request == self._requests
        return answer.error if type(answer) is message.Error else answer.args[0]

    def check(self, session: Any = 7, token: Any = "token") -> Any:
        """Return what a service is told that asks about a stream of a session."""
        return self.call(FLOW + "check", session, token, caller=9, authrole="backend")

    def pause(self, token: Any = "token", caller: int | None = 7) -> Any:
        """Let a caller pause a stream of its own."""
        return self.call(FLOW + "pause", token, caller=caller)

    def resume(self, token: Any = "token", caller: int | None = 7) -> Any:
        """Let a caller take the results of a stream again."""
        return self.call(FLOW + "resume", token, caller=caller)


@pytest.fixture
def node() -> Node:
    """Return a router's process that has a caller, the session 7."""
    node = Node()
    registered: list[Any] = []
    node.host.register().addBoth(registered.append)
    assert registered == [True]
    node.sessions[7] = Peer(TCP())
    return node


def test_flow_host_registers_its_procedures(node: Node) -> None:
    assert list(node.registrations) == [
        "flask_wamp.flow.check",
        "flask_wamp.flow.pause",
        "flask_wamp.flow.resume",
        UNFIT,
    ]


def test_flow_host_leaves_other_invocations_alone(node: Node) -> None:
    before = list(node.transport.sent)
    assert not node.host.answer(message.Invocation(1, 99))
    assert node.transport.sent == before


def test_flow_host_where_another_component_has_it() -> None:
    """The node has one host; the second one is none, and breaks nothing."""
    node = Node()
    node.refused = (FLOW + "check",)
    registered: list[Any] = []
    node.host.register().addBoth(registered.append)
    assert registered == [False]
    assert node.registrations == {}
    assert not node.host.answer(message.Invocation(1, 1))


# --- may more be sent?


def test_flow_check_of_a_caller_that_takes_all(node: Node) -> None:
    assert node.check() == GOES_ON


@pytest.mark.parametrize(
    ("transport", "answer"),
    [
        (TCP(UNSENT - 1), GOES_ON),
        (TCP(UNSENT), IS_FULL),
        (TLS(TCP(UNSENT - 2), 1), GOES_ON),
        (TLS(TCP(UNSENT - 1), 1), IS_FULL),
        (None, GOES_ON),
    ],
)
def test_flow_check_looks_at_what_is_unsent(node: Node, transport: Any, answer: str) -> None:
    node.sessions[7] = Peer(transport)
    assert node.check() == answer


def test_flow_check_counts_what_is_left_of_a_buffer(node: Node) -> None:
    transport = TCP(2 * UNSENT)
    node.sessions[7] = Peer(transport)
    assert node.check() == IS_FULL
    transport.offset = UNSENT + 1
    assert node.check() == GOES_ON
    transport._tempDataLen = 1
    assert node.check() == IS_FULL


def test_flow_check_of_a_caller_in_memory(node: Node) -> None:
    node.sessions[7] = Peer(None)
    del node.sessions[7]._transport.transport
    assert node.check() == GOES_ON


def test_flow_check_of_a_caller_that_is_gone(node: Node) -> None:
    """Its callee must not wait for it, nor go on for nobody."""
    assert node.check(session=8) == IS_GONE
    node.sessions[7]._transport = None
    assert node.check() == IS_GONE


def test_flow_check_of_a_caller_that_is_not_disclosed(node: Node) -> None:
    assert node.check(session=None) == GOES_ON


@pytest.mark.parametrize("role", ["anonymous", "user"])
def test_flow_check_is_for_services_of_this_role(node: Node, role: str) -> None:
    """A stranger must not learn who pauses what."""
    assert node.call(FLOW + "check", 7, "token", authrole=role) == DENIED


@pytest.mark.parametrize("args", [(), (7,), (7, "token", 1)])
def test_flow_check_with_other_arguments(node: Node, args: tuple[Any, ...]) -> None:
    assert node.call(FLOW + "check", *args, authrole="backend") == INVALID


@pytest.mark.parametrize(
    ("session", "token"), [("7", "token"), (8, None), ([7], "token"), (7, {"a": 1})]
)
def test_flow_check_is_answered_whatever_it_is_asked(node: Node, session: Any, token: Any) -> None:
    node.pause()
    assert node.check(session, token) in (GOES_ON, IS_GONE, INVALID)


# --- pauses


def test_flow_pause_and_resume(node: Node) -> None:
    assert node.pause() is None
    assert node.check() == IS_FULL
    assert node.pause() is None
    assert node.check() == IS_FULL
    assert node.resume() is None
    assert node.check() == GOES_ON
    assert node.resume() is None
    assert node.host._paused == {}


def test_flow_pause_is_of_one_stream_of_one_session(node: Node) -> None:
    node.sessions[8] = Peer(TCP())
    node.pause("one")
    assert node.check(7, "one") == IS_FULL
    assert node.check(7, "two") == GOES_ON
    assert node.check(8, "one") == GOES_ON
    node.resume("one", caller=8)
    assert node.check(7, "one") == IS_FULL


def test_flow_pause_of_a_session_that_is_gone_is_forgotten(node: Node) -> None:
    node.pause()
    del node.sessions[7]
    assert node.check() == IS_GONE
    assert node.host._paused == {}


def test_flow_pauses_of_those_gone_are_forgotten_by_the_next(node: Node) -> None:
    node.pause()
    del node.sessions[7]
    node.sessions[8] = Peer(TCP())
    node.pause(caller=8)
    assert node.host._paused == {8: {"token"}}


def test_flow_pause_by_who_is_not_disclosed(node: Node) -> None:
    assert node.pause(caller=None) == DENIED
    assert node.resume(caller=None) is None


def test_flow_pauses_of_one_session_are_limited(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PAUSED == 1000
    monkeypatch.setattr(flow_host, "MAX_PAUSED", 3)
    assert [node.pause(str(n)) for n in range(4)] == [None, None, None, INVALID]
    assert node.check(7, "3") == GOES_ON
    node.resume("0")
    assert node.pause("3") is None


def test_flow_pauses_of_all_sessions_are_limited_together(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_host, "MAX_PAUSED_TOGETHER", 3)
    node.sessions[8] = Peer(TCP())
    assert [node.pause(token) for token in ("1", "2")] == [None, None]
    assert [node.pause(token, caller=8) for token in ("1", "2")] == [None, INVALID]
    assert node.pause("3") == INVALID
    del node.sessions[8]
    # Those of who has gone count no more.
    assert node.pause("3") is None


@pytest.mark.parametrize("args", [(), (1,), (None,), (["x"],), ("x" * (MAX_TOKEN + 1),), ("x", 1)])
@pytest.mark.parametrize("what", ["pause", "resume"])
def test_flow_pause_with_other_arguments(node: Node, what: str, args: tuple[Any, ...]) -> None:
    assert node.call(FLOW + what, *args) == INVALID
    assert node.host._paused == {}


# --- calls whose payload cannot travel


@pytest.mark.parametrize(
    ("args", "text"), [(("it has a set",), "it has a set"), ((), "the payload cannot travel")]
)
def test_flow_host_refuses_what_cannot_travel(node: Node, args: tuple[Any, ...], text: str) -> None:
    assert node.call(UNFIT, *args) == INVALID
    assert node.transport.sent[-1].args == [text]
