"""What is checked before anything else sees it, and what is sent on in place of what does not fit."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from autobahn.wamp import message, serializer
from autobahn.wamp.exception import ProtocolError
from autobahn.wamp.serializer import (
    CBORObjectSerializer,
    CBORSerializer,
    JsonObjectSerializer,
    JsonSerializer,
    MsgPackObjectSerializer,
    MsgPackSerializer,
)
from autobahn.wamp.types import ComponentConfig

from flask_wamp import CallResult, RemoteError
from flask_wamp._twisted.engine.readers import TolerantCBOR, guard_router
from flask_wamp._twisted.engine.recursion import restore_recursion_limit
from flask_wamp._twisted.heads import Unreadable, cbor_head, json_head, msgpack_head
from flask_wamp._twisted.replies import Reply
from flask_wamp._twisted.session import NO_OPTIONS, Session
from flask_wamp._twisted.strict import MESSAGE_DEPTH, UNFIT, check, checked, read, strict_cbor
from flask_wamp.payload import MAX_DEPTH, Unfit

from .doubles import Transport, joined

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


def nested(depth: int, *, dicts: bool = False) -> Any:
    """Return lists in lists, or dicts in dicts."""
    value: Any = {} if dicts else []
    for _ in range(depth - 1):
        value = {"a": value} if dicts else [value]
    return value


# --- check


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -(2**63), 2**64 - 1, 1.5, -0.0, 1e300, "", "größe 🎈", "a\0b", b"", b"\0\xff",
        [], {}, [1, [2, {"a": [None]}]], {"": {"a\0": [b"c"]}},
    ],
)  # fmt: skip
def test_check_takes_what_every_serializer_has(value: Any) -> None:
    check(value)
    check([CALL, 1, {}, "com.example.x", [value], {"a": value}])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "the float nan"),
        (float("-inf"), "the float -inf"),
        (2**64, "more than 64 bits"),
        (-(2**63) - 1, "more than 64 bits"),
        ("\0abc", "begins with NUL"),
        ("\0", "begins with NUL"),
        ({"\0": 1}, "begins with NUL"),
        ({1: 2}, "key of type int"),
        ({b"a": 2}, "key of type bytes"),
        ({None: 2}, "key of type NoneType"),
        ((1, 2), "a tuple"),
        (datetime(2026, 1, 2, tzinfo=UTC), "a datetime"),
        (cbor2.undefined, "not every serializer has"),
        (cbor2.CBORTag(9999, 1), "a CBORTag"),
        (bytearray(b"a"), "a bytearray"),
        ({1, 2}, "a set"),
        (nested(MESSAGE_DEPTH + 1), "over 100 deep"),
        (nested(MESSAGE_DEPTH + 1, dicts=True), "over 100 deep"),
        (nested(100_000), "over 100 deep"),
    ],
)
def test_check_refuses_all_else_wherever_it_is(value: Any, words: str) -> None:
    for place in (value, [value], {"a": value}, [[1, {"a": [value]}]]):
        with pytest.raises(Unfit, match=words):
            check(place)


@pytest.mark.parametrize("text", ["\ud800", "abc\udfff", "größe \ud83c"])
def test_check_refuses_lone_surrogates(text: str) -> None:
    for place in (text, [text], {text: 1}):
        with pytest.raises(Unfit, match="surrogates"):
            check(place)


@pytest.mark.parametrize("dicts", [False, True])
def test_check_takes_payload_of_the_depth_that_views_may_return(dicts: bool) -> None:
    value = nested(MAX_DEPTH, dicts=dicts)
    check([YIELD, 1, {}, [value], {"a": value}])
    check([ERROR, INVOCATION, 1, {}, "com.example.x", [value], {"a": value}])


def test_check_takes_the_same_container_in_many_places() -> None:
    shared: list[Any] = [1]
    check([shared] * 1000)


def test_check_ends_where_a_list_is_in_itself() -> None:
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(Unfit, match="deep"):
        check(circular)


# --- checked


def test_checked_gives_a_message_back_as_it_is() -> None:
    raw = [CALL, 1, {}, "com.example.x", [1], {"a": [b"b"]}]
    assert checked(raw) is raw


def test_checked_sends_an_unfit_call_to_where_it_is_answered() -> None:
    raw = [CALL, 7, {"timeout": 5}, "com.example.x", [float("nan")]]
    reason = "the message has the float nan, which JSON does not have"
    assert checked(raw) == [CALL, 7, {}, UNFIT, [reason]]


def test_checked_tells_of_lone_surrogates_without_sending_them_on() -> None:
    raw = [CALL, 7, {}, "com.example.\ud800"]
    assert checked(raw) == [CALL, 7, {}, UNFIT, ["the message has a str with lone surrogates"]]


@pytest.mark.parametrize(
    "raw",
    [
        [YIELD, 7, {}, [{1: 2}]],
        [YIELD, 7, {"progress": True}, [], {"a": {1: 2}}],
        [ERROR, INVOCATION, 7, {}, "com.example.no", [{1: 2}]],
    ],
)
def test_checked_makes_an_error_of_what_a_callee_answers(raw: list[Any]) -> None:
    reason = "the message has a dict key of type int"
    uri = "wamp.error.invalid_payload"
    assert checked(raw) == [ERROR, INVOCATION, 7, {}, uri, [reason]]


@pytest.mark.parametrize(
    "raw",
    [
        [PUBLISH, 7, {"acknowledge": True}, "com.example.topic", [2**64]],
        [1, "realm1", {"x": 2**64}],
        [CALL, "7", {}, "com.example.x", [2**64]],
        [CALL, True, {}, "com.example.x", [2**64]],
        [YIELD, None, {}, [2**64]],
        [ERROR, INVOCATION, "7", {}, "com.example.no", [2**64]],
        [ERROR, 2**64],
        [2**64],
        [],
        {"a": 2**64},
        2**64,
        [[CALL], 1, 2**64],
    ],
)
def test_checked_raises_where_nobody_waits_for_an_answer(raw: Any) -> None:
    if raw == []:
        raw = [float("inf")]
    with pytest.raises(Unfit, match=r"64 bits|inf"):
        checked(raw)


def test_checked_replaces_by_what_autobahn_reads() -> None:
    call = message.Call.parse(checked([CALL, 7, {}, "com.example.x", [2**64]]))
    assert (call.request, call.procedure) == (7, UNFIT)
    error = message.Error.parse(checked([YIELD, 7, {}, [2**64]]))
    assert (error.request_type, error.request) == (INVOCATION, 7)
    assert error.error == "wamp.error.invalid_payload"


# --- CBOR in the router's process


@pytest.mark.parametrize(
    "value",
    [None, -1, 2**64 - 1, 1.5, "größe", b"\0", [1, [2]], {"a": {"b": 1}}, nested(MESSAGE_DEPTH)],
)
def test_strict_cbor_reads_what_wamp_has(value: Any) -> None:
    assert strict_cbor(cbor2.dumps(value)) == value


@pytest.mark.parametrize(
    ("digits", "what"),
    [
        ("c2 49 010000000000000000", "a bignum"),
        ("c3 49 010000000000000000", "a negative bignum"),
        ("c4 82 21 19 6ab3", "a decimal"),
        ("c4 82 1a 3b9ac9ff 01", "a decimal of 1,000,000,000 digits"),
        ("c5 82 1a 3b9ac9ff 01", "a bigfloat"),
        ("d8 1e 82 01 02", "a fraction"),
        ("d8 23 67 2861 2b292b24", "a regexp"),
        ("d8 24 6a 413a20620a0a626f6479", "a MIME message"),
        ("82 d81c 81 01 d81d 00", "a shared value"),
        ("d81c 81 d81d 00", "a list in itself"),
        ("d9 0100 82 63 616161 d819 00", "string references"),
        ("d9 270f 01", "an unknown tag"),
    ],
)
def test_strict_cbor_refuses_tags_that_cost_too_much(digits: str, what: str) -> None:
    with pytest.raises((Unfit, cbor2.CBORDecodeError)):
        strict_cbor(bytes.fromhex(digits))


def test_strict_cbor_reads_an_array_of_bytes_as_bytes() -> None:
    assert strict_cbor(bytes.fromhex("d8 40 43 0102ff")) == b"\x01\x02\xff"
    with pytest.raises((Unfit, cbor2.CBORDecodeError)):
        strict_cbor(bytes.fromhex("d8 40 01"))


def test_strict_cbor_refuses_depth() -> None:
    for depth in (MESSAGE_DEPTH + 1, 10_000, 100_000):
        data = b"\x81" * (depth - 1) + b"\x80"
        with pytest.raises(Unfit):
            read(functools.partial(strict_cbor, data), lambda: None)


# --- messages that cannot be read


def failing(error: Exception) -> Callable[[], Any]:
    """Return what reads no message, but raises."""

    def load() -> Any:
        raise error

    return load


def test_read_gives_what_is_checked() -> None:
    raw = [CALL, 7, {}, "com.example.x"]
    assert read(lambda: raw, lambda: None) is raw
    assert read(lambda: [*raw, [2**64]], lambda: None)[3] == UNFIT


@pytest.mark.parametrize(
    ("head", "instead"),
    [
        ([CALL, 7], [CALL, 7, {}, UNFIT]),
        ([YIELD, 7], [ERROR, INVOCATION, 7, {}, "wamp.error.invalid_payload"]),
        ([ERROR, INVOCATION, 7], [ERROR, INVOCATION, 7, {}, "wamp.error.invalid_payload"]),
    ],
)
def test_read_answers_what_cannot_be_read(head: list[int], instead: list[Any]) -> None:
    *begin, args = read(failing(ValueError("a flaw")), lambda: head)
    assert begin == instead
    assert args == ["the message cannot be read: a flaw"]
    # An error without words, and one with too many.
    assert "RecursionError" in read(failing(RecursionError()), lambda: head)[-1][0]
    assert len(read(failing(ValueError("x" * 10_000)), lambda: head)[-1][0]) <= 500


@pytest.mark.parametrize("head", [None, [PUBLISH, 7], [RESULT, 7], [EVENT, 7, 9]])
def test_read_raises_where_nobody_waits_for_an_answer(head: list[int] | None) -> None:
    with pytest.raises(Unfit, match="a flaw"):
        read(failing(ValueError("a flaw")), lambda: head)


# --- the guard


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard this process, until the test is over."""
    for name in READERS:
        monkeypatch.setattr(serializer, name, getattr(serializer, name))
    monkeypatch.setattr(serializer, "_flask_wamp", False, raising=False)
    guard_router()


@pytest.mark.parametrize(
    "reader", [JsonObjectSerializer(), MsgPackObjectSerializer(), CBORObjectSerializer()]
)
def test_guard_router_checks_what_every_serializer_reads(guarded: None, reader: Any) -> None:
    fit = [CALL, 1, {}, "com.example.x", [{"a": [b"b", "c", None, 1.5]}]]
    assert reader.unserialize(reader.serialize(fit)) == [fit]
    for value in (float("nan"), [float("inf")]):
        (instead,) = reader.unserialize(reader.serialize([CALL, 1, {}, "com.example.x", [value]]))
        assert instead[:4] == [CALL, 1, {}, UNFIT]
        with pytest.raises(Unfit):
            reader.unserialize(reader.serialize([PUBLISH, 1, {}, "com.example.topic", [value]]))


@pytest.mark.parametrize(
    ("reader", "payload"),
    [
        (JsonSerializer(), b'[48,7,{},"com.example.x",["\\u0000abc"]]'),
        (JsonSerializer(), b'[48,7,{},"com.example.x",' + b"[" * 100_000),
        (MsgPackSerializer(), b"\x95\x30\x07\x80\xa1x\xc1"),
        (MsgPackSerializer(), b"\x95\x30\x07\x80\xa1x" + b"\x91" * 100_000 + b"\x90"),
        (CBORSerializer(), b"\x85\x18\x30\x07\xa0\x61x\x81\xc2\x41\x01"),
        (CBORSerializer(), b"\x85\x18\x30\x07\xa0\x61x" + b"\x81" * 100_000 + b"\x80"),
    ],
    ids=["base64", "json deep", "no type", "msgpack deep", "bignum", "cbor deep"],
)
def test_guard_router_answers_calls_that_cannot_be_read(
    guarded: None, reader: Any, payload: bytes
) -> None:
    (call,) = reader.unserialize(payload)
    assert (type(call), call.request, call.procedure) == (message.Call, 7, UNFIT)
    assert call.args[0].startswith("the message cannot be read: ")


@pytest.mark.parametrize("kind", [JsonSerializer, MsgPackSerializer, CBORSerializer])
def test_guard_router_ends_the_connection_of_who_publishes_what_is_unfit(
    guarded: None, kind: Any
) -> None:
    reader = kind()
    payload, binary = reader.serialize(message.Publish(1, "com.example.topic", args=[float("nan")]))
    with pytest.raises(ProtocolError, match="the float nan"):
        reader.unserialize(payload, binary)


def test_guard_router_keeps_the_options_of_json(guarded: None) -> None:
    reader = JsonObjectSerializer(use_binary_hex_encoding=True)
    assert reader.unserialize(b'["0xff"]') == [[b"\xff"]]


def test_guard_router_again_changes_nothing(guarded: None) -> None:
    before = [getattr(serializer, name) for name in READERS]
    guard_router()
    assert [getattr(serializer, name) for name in READERS] == before


def test_guard_router_leaves_other_processes_alone() -> None:
    assert not getattr(serializer, "_flask_wamp", False)
    assert CBORObjectSerializer().unserialize(cbor2.dumps({1: 2})) == [{1: 2}]


# --- the recursion limit


@pytest.fixture
def recursion_limit() -> Iterator[None]:
    """Put the limit back when the test is over."""
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("recursion_limit")
@pytest.mark.parametrize(
    ("found", "left"), [(100_000, 1000), (1_000_000, 1000), (5000, 5000), (1000, 1000)]
)
def test_recursion_limit_is_put_back_where_a_package_has_raised_it(found: int, left: int) -> None:
    sys.setrecursionlimit(found)
    restore_recursion_limit()
    assert sys.getrecursionlimit() == left


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


@pytest.fixture
def transport() -> Transport:
    """Return the session's transport."""
    return Transport()


@pytest.fixture
def session(transport: Transport) -> Session:
    """Return a session that has joined."""
    return joined(transport)


def bring(transport: Transport, session: Session, payload: bytes) -> None:
    """Bring a message as bytes, as a RawSocket does."""
    for msg in transport._serializer.unserialize(payload, True):
        session.onMessage(msg)


def a_call(session: Session) -> Reply:
    """Return the reply to a call that was sent."""
    reply = Reply()
    session.call_for(reply, "com.example.x", [], {}, NO_OPTIONS)
    return reply


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
    reply, other = a_call(session), a_call(session)
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
    reply = a_call(session)
    bring(transport, session, unreadable(RESULT, 999))
    bring(transport, session, unreadable(ERROR, CALL, 999))
    assert not reply.done()
    transport.receive(message.Result(reply.request, args=[1, 2], kwargs={"a": 3}))
    assert reply.result(0) == CallResult((1, 2), {"a": 3})


def test_json_of_the_guarded_process_is_that_of_the_standard(guarded: None) -> None:
    reader = JsonObjectSerializer()
    for text in ('[48,1,{},"com.x",["\\ud800"]]', '[48,1,{},"com.x",[{"\\u0000":1}]]'):
        (instead,) = reader.unserialize(text.encode())
        json.dumps(instead, allow_nan=False).encode()
        assert instead[3] == UNFIT
