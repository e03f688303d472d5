"""What a process reads though it cannot: a message that ends one call, not the session."""

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
    MsgPackSerializer,
)
from autobahn.wamp.types import ComponentConfig

from flask_wamp import CallResult, RemoteError
from flask_wamp._twisted.engine.readers import TolerantCBOR, TolerantJSON, TolerantMsgPack
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

#: What reads tolerantly, Autobahn's own, and a message to an invocation with what cannot be read.
KINDS: dict[str, tuple[Any, Any, list[bytes]]] = {
    "cbor": (
        TolerantCBOR,
        CBORSerializer,
        [
            bytes([0x85]) + b"".join(map(cbor2.dumps, (INVOCATION, 7, 9))) + rest
            for rest in (
                UNREADABLE,
                b"\xa0" + b"\x81" * 500 + b"\x80",
                b"\xa0\x81\xc0\x63abc",
                b"\xa0\x81\x62\xc3\x28",
                b"",
            )
        ],
    ),
    "msgpack": (
        TolerantMsgPack,
        MsgPackSerializer,
        [
            b"\x95\x44\x07\x09" + rest
            for rest in (
                b"\xc1\xc1",
                b"\x80" + b"\x91" * 2000 + b"\x90",
                b"\x80\x91\xa2\xc3\x28",
                b"\x80\x91\x81\x91\x01\x02",
                b"",
            )
        ],
    ),
    "json": (
        TolerantJSON,
        JsonSerializer,
        [
            b"[68,7,9," + rest
            for rest in (
                b"{},[nothing]]",
                b"{}," + b"[" * 100_000 + b"]" * 100_000 + b"]",
                b'{},["\xc3\x28"]]',
                b'{},["\\u0000a"]]',
                b"{},[" + b"9" * 5000 + b"]]",
                b"",
            )
        ],
    ),
}
BINARY = {"cbor": True, "msgpack": True, "json": False}


@pytest.mark.parametrize("kind", KINDS)
def test_tolerant_reads_as_autobahn_does(kind: str) -> None:
    reader = KINDS[kind][0]()
    call: Any = message.Invocation(7, 9, args=[1, b"x"], kwargs={"a": None})
    payload, binary = reader.serialize(call)
    (read,) = reader.unserialize(payload, binary)
    assert (type(read), read.request, read.args, read.kwargs) == (
        message.Invocation, 7, [1, b"x"], {"a": None},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        pytest.param(kind, payload, id=f"{kind} {number}")
        for kind, (_, _, payloads) in KINDS.items()
        for number, payload in enumerate(payloads)
    ],
)
def test_tolerant_gives_what_it_cannot_read_as_one_message(kind: str, payload: bytes) -> None:
    tolerant_kind, own, _ = KINDS[kind]
    with pytest.raises(ProtocolError):
        own().unserialize(payload, BINARY[kind])
    (read,) = tolerant_kind().unserialize(payload, BINARY[kind])
    assert type(read) is Unreadable
    assert read.head == [INVOCATION, 7, 9]
    assert read.reason


@pytest.mark.parametrize("kind", KINDS)
def test_tolerant_gives_what_autobahn_refuses_as_one_message(kind: str) -> None:
    reader = KINDS[kind][0]()
    payload = reader._serializer.serialize([INVOCATION, 7, 9, {"timeout": "x"}, [1]])
    (read,) = reader.unserialize(payload, BINARY[kind])
    assert type(read) is Unreadable
    assert "timeout" in read.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [[2, 7], [999, 1], {"a": 1}, None])
def test_tolerant_raises_where_there_is_nobody_to_tell(kind: str, value: Any) -> None:
    reader = KINDS[kind][0]()
    payload = b"\xff" if value is None else reader._serializer.serialize(value)
    with pytest.raises(ProtocolError):
        reader.unserialize(payload, BINARY[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_tolerant_is_the_serializer_that_autobahn_knows(kind: str) -> None:
    tolerant_kind, own, _ = KINDS[kind]
    assert tolerant_kind.SERIALIZER_ID == own.SERIALIZER_ID == kind
    assert tolerant_kind.RAWSOCKET_SERIALIZER_ID == own.RAWSOCKET_SERIALIZER_ID


# --- the session


def bring(transport: Transport, session: Session, payload: bytes) -> None:
    """Bring a message as bytes, as a RawSocket does."""
    for msg in transport._serializer.unserialize(payload, True):
        session.onMessage(msg)


@pytest.mark.parametrize("kind", KINDS)
def test_session_reads_tolerantly(kind: str) -> None:
    tolerant_kind, own, _ = KINDS[kind]
    transport = Transport()
    transport._serializer = own()
    Session(ComponentConfig(realm="realm1")).onOpen(transport)
    assert type(transport._serializer) is tolerant_kind


@pytest.mark.parametrize("kind", KINDS)
def test_session_keeps_serializers_of_batches(kind: str) -> None:
    transport = Transport()
    batches = KINDS[kind][1](batched=True)
    transport._serializer = batches
    Session(ComponentConfig(realm="realm1")).onOpen(transport)
    assert transport._serializer is batches


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
