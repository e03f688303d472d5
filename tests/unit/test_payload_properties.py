"""Properties of payload: what is encoded, checked or read, for values that nobody has thought of."""

from collections import OrderedDict
from enum import Enum
from typing import Any

import cbor2
import pytest
from autobahn.wamp.serializer import (
    CBORObjectSerializer,
    JsonObjectSerializer,
    MsgPackObjectSerializer,
)
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_wamp import PayloadError
from flask_wamp._twisted.heads import cbor_head, json_head, msgpack_head
from flask_wamp._twisted.strict import check, checked, read, strict_cbor
from flask_wamp.payload import Unfit, encode, encode_arguments, unfit_arguments, weight

from ..properties import SETTINGS, same

pytestmark = pytest.mark.slow

SERIALIZERS: list[Any] = [JsonObjectSerializer(), MsgPackObjectSerializer(), CBORObjectSerializer()]
INVOCATION, RESULT, CALL, YIELD, ERROR = 68, 50, 48, 70, 8

provider = Flask("payload").json


class Awkward(Enum):
    """An enumeration of what cannot travel, and of what can."""

    SET = frozenset({1})
    TEXT = "text"


class Text(str):
    """A text of another type."""

    __slots__ = ()


class Number(int):
    """An int of another type."""


class Unhelpful:
    """A value whose conversion to JSON has an error of its own."""

    def __html__(self) -> str:
        raise ValueError("no")


#: Any Unicode, lone surrogates and NUL at the beginning among it.
texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.builds("\0{}".format, st.text(max_size=4)),
)
awkward = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**63) - 2, 2**64 + 1),
    st.floats(),
    st.binary(max_size=8),
    texts,
    st.complex_numbers(),
    st.decimals(),
    st.fractions(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.ip_addresses(),
    st.binary(max_size=4).map(bytearray),
    st.binary(max_size=4).map(lambda data: memoryview(data)),  # noqa: PLW0108 - for mypy
    st.frozensets(st.integers(), max_size=2),
    st.builds(Text, texts),
    st.builds(Number, st.integers()),
    st.sampled_from([*Awkward, object(), object, len, Unhelpful(), ..., NotImplemented, range(3)]),
)
keys = st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none(), st.binary(max_size=3))
anything = st.recursive(
    awkward,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(keys, inner, max_size=2).map(OrderedDict),
        st.tuples(inner, st.integers(90, 110)).map(lambda pair: deep(*pair)),
    ),
    max_leaves=12,
)


def deep(value: Any, depth: int) -> Any:
    """Return *value* in *depth* lists."""
    for _ in range(depth):
        value = [value]
    return value


@SETTINGS
@given(anything)
def test_properties_what_is_encoded_travels_and_all_else_is_a_payload_error(value: Any) -> None:
    try:
        encoded = encode(value, provider)
    except PayloadError:
        return
    check([YIELD, 1, {}, [encoded]])
    assert unfit_arguments([encoded], {"value": encoded}) is None
    assert weight(encoded) > 0
    # What was encoded can be sent on.
    assert same(encode(encoded, provider), encoded)
    message = [YIELD, 1, {}, [encoded], {"value": encoded}]
    for serializer in SERIALIZERS:
        assert same(serializer.unserialize(serializer.serialize(message)), [message])


@SETTINGS
@given(st.lists(anything, max_size=3), st.dictionaries(texts, anything, max_size=3))
def test_properties_encoded_arguments_are_fit(args: list[Any], kwargs: dict[str, Any]) -> None:
    try:
        encoded = encode_arguments(args, kwargs, provider)
    except PayloadError:
        return
    check([CALL, 1, {}, "com.example.x", *encoded])
    assert unfit_arguments(*encoded) is None


@SETTINGS
@given(st.lists(anything, max_size=3), st.dictionaries(keys, anything, max_size=3))
def test_properties_unfit_arguments_are_told_and_never_raise(
    args: list[Any], kwargs: dict[Any, Any]
) -> None:
    reason = unfit_arguments(args, kwargs)
    assert reason is None or reason.startswith("the payload has ")
    try:
        check([CALL, 1, {}, "com.example.x", args, kwargs])
    except Unfit:
        return
    # The router's process lets nothing through that the serving one would not take, but for the
    # depth, which it counts from the message on.
    assert reason is None or "nested" in reason


# --- what comes from the wire


def _values(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=3)
        ),
        max_leaves=10,
    )


heads = st.one_of(st.sampled_from([CALL, YIELD, ERROR, INVOCATION, RESULT, 1, 16]), awkward)
cbor_values = _values(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.binary(max_size=8),
        texts.filter(str.isascii),
        st.datetimes().map(lambda when: when.astimezone()),
        st.decimals(allow_nan=False),
        st.fractions(),
        st.uuids(),
        st.builds(cbor2.CBORTag, st.integers(0, 60_000), st.integers(0, 9)),
        st.builds(cbor2.CBORSimpleValue, st.sampled_from([0, 7, 19, 32, 255])),
        st.just(cbor2.undefined),
    ),
    st.one_of(texts.filter(str.isascii), st.integers(-5, 5), st.booleans(), st.binary(max_size=2)),
)


def assert_answered(raw: Any) -> None:
    """See that a message is sent on, replaced by one that can be, or refused as :class:`Unfit`."""
    try:
        instead = checked(raw)
    except Unfit:
        return
    check(instead)
    for serializer in SERIALIZERS:
        serializer.unserialize(serializer.serialize(instead))
    if instead is not raw:
        assert raw[0] in (CALL, YIELD, ERROR)
        assert instead[1] == (raw[1] if raw[0] == CALL else INVOCATION) or raw[0] == YIELD


@SETTINGS
@given(st.one_of(anything, st.lists(st.one_of(heads, anything), max_size=6)))
def test_properties_checked_raises_nothing_but_unfit(raw: Any) -> None:
    assert_answered(raw)


@SETTINGS
@given(
    st.lists(st.one_of(st.sampled_from([CALL, YIELD, ERROR, INVOCATION]), cbor_values), max_size=6)
)
def test_properties_what_cbor_can_carry_is_checked(message: list[Any]) -> None:
    data = cbor2.dumps(message)
    try:
        raw = strict_cbor(data)
    except (Unfit, cbor2.CBORDecodeError):
        return
    assert_answered(raw)


bytes_of_messages = st.one_of(
    st.binary(max_size=40),
    # The beginning of a message, and then anything.
    st.tuples(
        st.sampled_from(
            [b"\x85\x18\x30\x07\xa0\x61a", b"\x84\x18\x44", b"\x95\x30\x07\x80\xa1a", b"[48,7,"]
        ),
        st.binary(max_size=40),
    ).map(b"".join),
    st.lists(cbor_values, max_size=6).map(cbor2.dumps),
)


@settings(SETTINGS, max_examples=200)
@given(bytes_of_messages)
def test_properties_bytes_of_any_kind_are_read_answered_or_unfit(data: bytes) -> None:
    text = data.decode(errors="replace")
    for load, head in (
        (lambda: strict_cbor(data), lambda: cbor_head(data)),
        (lambda: SERIALIZERS[1].unserialize(data)[0], lambda: msgpack_head(data)),
        (lambda: SERIALIZERS[0].unserialize(text.encode())[0], lambda: json_head(text)),
    ):
        try:
            instead = read(load, head)
        except Unfit:
            continue
        check(instead)


@settings(SETTINGS, max_examples=200)
@given(bytes_of_messages)
def test_properties_the_head_of_a_message_is_found_or_not(data: bytes) -> None:
    for head in (cbor_head(data), msgpack_head(data), json_head(data.decode(errors="replace"))):
        assert head is None or (len(head) > 1 and all(type(number) is int for number in head))
