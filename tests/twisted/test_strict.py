"""What is checked before anything else sees it, and what is sent on in place of what does not fit."""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
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

from flask_wamp._twisted.engine.readers import TolerantCBOR, guard_router
from flask_wamp._twisted.engine.recursion import restore_recursion_limit
from flask_wamp._twisted.strict import MESSAGE_DEPTH, UNFIT, check, checked, read, strict_cbor
from flask_wamp.payload import MAX_DEPTH, Unfit
from tests.node.strangers import colliding

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
        [Decimal("sNaN"), 1, 2**64],
    ],
)
def test_checked_raises_where_nobody_waits_for_an_answer(raw: Any) -> None:
    if raw == []:
        raw = [float("inf")]
    with pytest.raises(Unfit, match=r"64 bits|inf|Decimal"):
        checked(raw)


def test_checked_refuses_a_hello_that_names_others() -> None:
    hello = [1, "realm1", {"roles": {}}]
    assert checked(hello) is hello
    for forwarders in ([], [{"session": 1}], None):
        with pytest.raises(Unfit, match="forward_for, which is for routers"):
            checked([1, "realm1", {"roles": {}, "forward_for": forwarders}])


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


@pytest.mark.parametrize(
    "data",
    [colliding(20_000), b"\xd9\x01\x02" + cbor2.dumps([1, 2]), cbor2.dumps({1: 2})],
    ids=["20,000 keys of one hash", "a set", "an int as key"],
)
def test_strict_cbor_refuses_what_has_to_be_hashed_before_it_is_hashed(data: bytes) -> None:
    """Keys of one hash take a time of their number squared: half a minute, for these."""
    began = time.monotonic()
    with pytest.raises(cbor2.CBORDecodeError):
        strict_cbor(data)
    assert time.monotonic() - began < 5


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


def test_json_of_the_guarded_process_is_that_of_the_standard(guarded: None) -> None:
    reader = JsonObjectSerializer()
    for text in ('[48,1,{},"com.x",["\\ud800"]]', '[48,1,{},"com.x",[{"\\u0000":1}]]'):
        (instead,) = reader.unserialize(text.encode())
        json.dumps(instead, allow_nan=False).encode()
        assert instead[3] == UNFIT


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
