"""What a serving process reads though it cannot: CBOR that ends one call, not the session."""

import json
from typing import Any

import cbor2
import pytest
from autobahn.wamp import message
from autobahn.wamp.exception import ProtocolError
from autobahn.wamp.serializer import (
    CBORSerializer,
    JsonSerializer,
    MsgPackObjectSerializer,
)
from autobahn.wamp.types import ComponentConfig

from flask_wamp import CallResult, RemoteError
from flask_wamp._twisted.engine.readers import TolerantCBOR
from flask_wamp._twisted.heads import Unreadable, cbor_head, json_head, msgpack_head
from flask_wamp._twisted.session import Session

from .doubles import Transport
from .helpers import call

CALL = message.Call.MESSAGE_TYPE
ERROR = message.Error.MESSAGE_TYPE
EVENT = message.Event.MESSAGE_TYPE
INVOCATION = message.Invocation.MESSAGE_TYPE
PUBLISH = message.Publish.MESSAGE_TYPE
RESULT = message.Result.MESSAGE_TYPE
YIELD = message.Yield.MESSAGE_TYPE

# Autobahn's own is not annotated.
new_tolerant: Any = TolerantCBOR

#: What reads messages in Autobahn's module of serializers.
READERS = ("_loads", "_unpackb", "_cbor_loads")


# --- the head of a message that cannot be read

#: An array of 10 elements that ends at once.
UNREADABLE = b"\x9f\xff\xff"


def unreadable(*head: int, rest: bytes = UNREADABLE) -> bytes:
    """Return a message with *head* in CBOR, and then what cannot be read."""
    return bytes([0x80 + len(head) + 1]) + b"".join(map(cbor2.dumps, head)) + rest


@pytest.mark.parametrize(
    "head",
    [
        [INVOCATION, 7, 9],
        [EVENT, 2**53, 2**53],
        [RESULT, 7],
        [ERROR, CALL, 7],
        [INVOCATION, 0, 23],
        [INVOCATION, 2**16, 2**32],
    ],
)
def test_head_of_messages_that_carry_payload(head: list[int]) -> None:
    assert cbor_head(unreadable(*head)) == head
    # What follows does not matter, nor whether it follows.
    assert cbor_head(unreadable(*head, rest=b"")) == head
    assert cbor_head(unreadable(*head, rest=b"\x81" * 100_000)) == head
    assert cbor_head(cbor2.dumps([*head, {}, "com.example.x", [1]])) == head


@pytest.mark.parametrize(
    "head", [[CALL, 1], [CALL, 2**53], [YIELD, 7], [ERROR, INVOCATION, 7], [EVENT, 5, 2**53]]
)
def test_head_in_every_serializer(head: list[int]) -> None:
    begin = [*head, {}, "com.example.x", ["x" * 100]]
    for ending in (b"", b"\xc1\xff"):
        written = MsgPackObjectSerializer().serialize(begin)
        assert msgpack_head(written[: -len(ending) or None] + ending) == head
        assert cbor_head(cbor2.dumps(begin)[: -len(ending) or None] + ending) == head
    for text in (json.dumps(begin), json.dumps(begin)[:-40], json.dumps(begin, indent=4)):
        assert json_head(text) == head


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "[48", "[48,", "[48,1", "[48 1,", "48,1", '{"48":1}', "[-48,1,", "[48,-1,",
        "[48,1.5,", '["48",1,', "[48,true,", "[4800,1,", "[48," + "1" * 17 + ",", "[8,68,",
        '[8,68,"7",', "[16,1,", "[1,2,", "[" * 100_000, " " * 100_000,
    ],
)  # fmt: skip
def test_head_of_json_that_has_none(text: str) -> None:
    assert json_head(text) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x30",
        b"\x92",
        b"\x92\x30",
        b"\x81\x30\x01",
        b"\x93\xa2\x34\x38\x01\xc1",
        b"\x93\x91\x30\x01\xc1",
        b"\x93\x30\xc0\xc1",
        b"\x93\x30\xc3\xc1",
        b"\x93\x10\x01\xc1",
        b"\x94\x08\x44\xc1",
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_head_of_messagepack_that_has_none(payload: bytes) -> None:
    assert msgpack_head(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"\x80",
        b"\x85",
        b"\x84\x18",
        cbor2.dumps({"a": 1}),
        cbor2.dumps("text"),
        cbor2.dumps([1, "realm1", {}]),
        cbor2.dumps([2, 7, {}]),
        cbor2.dumps([[INVOCATION], 7, 9]),
        cbor2.dumps([{}, 7, 9]),
        cbor2.dumps([None, 7, 9]),
        cbor2.dumps([INVOCATION, "7", 9]),
        cbor2.dumps([INVOCATION, 7, True]),
        cbor2.dumps([INVOCATION, 7.0, 9]),
        cbor2.dumps([INVOCATION, [7], 9]),
        cbor2.dumps([INVOCATION, 7]),
        cbor2.dumps([True, 7, 9]),
        bytes([0x83]) + cbor2.dumps(INVOCATION) + b"\x81" * 100_000,
        bytes([0x83]) + cbor2.dumps(INVOCATION) + b"\xd8\x1d\x00" * 2,
        bytes([0x83]) + cbor2.dumps(INVOCATION) + b"\xc0\x61a\x09",
        bytes([0x83]) + cbor2.dumps(INVOCATION) + b"\x62\xc3\x28\x09",
        bytes([0x83]) + cbor2.dumps(INVOCATION) + b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_head_of_nothing_that_has_one(payload: bytes) -> None:
    assert cbor_head(payload) is None


# --- reading on


def test_tolerant_cbor_reads_as_autobahn_does() -> None:
    reader = new_tolerant()
    call: Any = message.Invocation(7, 9, args=[1, b"x"], kwargs={"a": None})
    payload, binary = reader.serialize(call)
    (read,) = reader.unserialize(payload, binary)
    assert (type(read), read.request, read.args, read.kwargs) == (
        message.Invocation, 7, [1, b"x"], {"a": None},
    )  # fmt: skip


@pytest.mark.parametrize(
    "rest",
    [
        UNREADABLE,
        b"\xa0" + b"\x81" * 500 + b"\x80",
        b"\xa0\x81\xc0\x63abc",
        b"\xa0\x81\x62\xc3\x28",
        b"",
    ],
)
def test_tolerant_cbor_gives_what_it_cannot_read_as_one_message(rest: bytes) -> None:
    payload = bytes([0x85]) + b"".join(map(cbor2.dumps, (INVOCATION, 7, 9))) + rest
    (read,) = new_tolerant().unserialize(payload, True)
    assert type(read) is Unreadable
    assert read.head == [INVOCATION, 7, 9]
    assert read.reason


def test_tolerant_cbor_gives_what_autobahn_refuses_as_one_message() -> None:
    payload = cbor2.dumps([INVOCATION, 7, 9, {"timeout": "x"}, [1]])
    (read,) = new_tolerant().unserialize(payload, True)
    assert type(read) is Unreadable
    assert "timeout" in read.reason


@pytest.mark.parametrize(
    "payload", [b"\xff", cbor2.dumps([2, 7]), cbor2.dumps([999, 1]), cbor2.dumps({"a": 1}), b""]
)
def test_tolerant_cbor_raises_where_there_is_nobody_to_tell(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        new_tolerant().unserialize(payload, True)


def test_tolerant_cbor_is_the_serializer_that_autobahn_knows_as_cbor() -> None:
    assert TolerantCBOR.SERIALIZER_ID == "cbor"
    assert TolerantCBOR.RAWSOCKET_SERIALIZER_ID == CBORSerializer.RAWSOCKET_SERIALIZER_ID


# --- the session


def bring(transport: Transport, session: Session, payload: bytes) -> None:
    """Bring a message as bytes, as a RawSocket does."""
    for msg in transport._serializer.unserialize(payload, True):
        session.onMessage(msg)


def test_session_reads_cbor_tolerantly(transport: Transport, session: Session) -> None:
    assert type(transport._serializer) is TolerantCBOR


def test_session_keeps_serializers_that_are_not_cbor() -> None:
    transport = Transport()
    other: Any = JsonSerializer()
    transport._serializer = other
    Session(ComponentConfig(realm="realm1")).onOpen(transport)
    assert transport._serializer is other


def test_session_refuses_an_invocation_that_cannot_be_read(
    transport: Transport, session: Session
) -> None:
    bring(transport, session, unreadable(INVOCATION, 7, 9))
    (error,) = transport.sent
    assert (type(error), error.request_type, error.request) == (message.Error, INVOCATION, 7)
    assert error.error == "wamp.error.invalid_payload"
    assert error.args[0].startswith("the message cannot be read: ")
    assert len(error.args[0]) <= 500


def test_session_drops_an_event_that_cannot_be_read_and_says_so(
    transport: Transport, session: Session, twisted_log: list[str]
) -> None:
    bring(transport, session, unreadable(EVENT, 7, 9))
    assert transport.sent == []
    assert any("an event is dropped: the message cannot be read" in text for text in twisted_log)


@pytest.mark.parametrize("head", [[RESULT], [ERROR, CALL]])
def test_session_ends_the_call_whose_answer_cannot_be_read(
    transport: Transport, session: Session, head: list[int]
) -> None:
    reply, other = call(session), call(session)
    bring(transport, session, unreadable(*head, reply.request))
    error = reply.exception(0)
    assert isinstance(error, RemoteError)
    assert error.uri == "wamp.error.invalid_payload"
    assert not other.done()
    transport.receive(message.Result(other.request, args=[5]))
    assert other.result(0) == 5


def test_session_drops_an_unreadable_answer_that_nobody_waits_for(
    transport: Transport, session: Session
) -> None:
    reply = call(session)
    bring(transport, session, unreadable(RESULT, 999))
    bring(transport, session, unreadable(ERROR, CALL, 999))
    assert not reply.done()
    transport.receive(message.Result(reply.request, args=[1, 2], kwargs={"a": 3}))
    assert reply.result(0) == CallResult((1, 2), {"a": 3})
