"""Does the node end with a process? What the process asks, and what it makes of the answers."""

from typing import Any

import pytest
from autobahn.wamp import message
from twisted.internet.task import Clock

from flask_wamp._twisted.serve.leaving import ANSWER_WITHIN, NODE_STOPPING, node_stops, until_left

from ..doubles import Transport, joined


class Process:
    """A session that has asked."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.session = joined(self.transport)
        self.said: list[Any] = []
        node_stops(self.session, self.clock).addBoth(self.said.append)
        (self.call,) = self.transport.of_kind(message.Call)


@pytest.mark.parametrize("stops", [True, False])
def test_the_router_s_process_is_asked(stops: bool) -> None:
    process = Process()
    assert process.call.procedure == NODE_STOPPING
    assert process.said == []
    process.transport.receive(message.Result(process.call.request, args=[stops]))
    assert process.said == [stops]


@pytest.mark.parametrize("uri", ["wamp.error.no_such_procedure", "wamp.error.not_authorized"])
def test_a_router_that_does_not_tell_is_taken_to_go_on(uri: str) -> None:
    process = Process()
    kind = message.Call.MESSAGE_TYPE
    process.transport.receive(message.Error(kind, process.call.request, uri))
    assert process.said == [False]


def test_a_router_that_does_not_answer_is_taken_to_go_on() -> None:
    process = Process()
    process.clock.advance(ANSWER_WITHIN + 1)
    assert process.said == [False]


def test_a_session_that_ends_meanwhile_ended_with_the_node() -> None:
    process = Process()
    process.transport.lose()
    process.clock.advance(ANSWER_WITHIN + 1)
    assert process.said == [True]


def test_a_session_that_has_ended_asks_nobody() -> None:
    transport = Transport()
    session = joined(transport)
    transport.lose()
    said: list[Any] = []
    node_stops(session, Clock()).addBoth(said.append)
    assert said == [True]
    assert transport.sent == []


def test_the_end_of_a_session_is_told_once_by_whatever_tells_it_first() -> None:
    """Autobahn tells it twice, the second time with how."""
    transport = Transport()
    session: Any = joined(transport)
    told: list[Any] = []
    failed: list[Any] = []
    until_left(session, Clock(), 10).addCallback(told.append)
    transport.lose()
    session.fire("disconnect", session, was_clean=False).addErrback(failed.append)
    assert (told, failed) == ([None], [])
