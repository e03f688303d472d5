"""What travels, as what, and what is refused with which words."""

import datetime as dt
import decimal
import enum
import ipaddress
import json
import math
import re
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.json.provider import DefaultJSONProvider
from markupsafe import Markup

from flask_wamp import PayloadError
from flask_wamp.payload import MAX_DEPTH, encode, encode_arguments, unfit_arguments, weight


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: "Point | None" = None


class Color(enum.StrEnum):
    """An enumeration of texts."""

    RED = "red"


class OldColor(str, enum.Enum):  # noqa: UP042 - its str() is not its value
    """An enumeration of texts, as it was written before Python 3.11."""

    RED = "red"


class Size(enum.IntEnum):
    """An enumeration of numbers."""

    BIG = 3


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - the class is what is tested

provider = Flask("payload").json


def released() -> memoryview:
    """Return what can be read no more."""
    with memoryview(b"x") as view:
        return view


def dicts(depth: int) -> dict[str, Any]:
    """Return dicts in dicts."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, 1, -1, 1.5, -0.0, "", "text", "größe 例 🎈", b"", b"\x00\xff",
        [], {}, [1, [2, {"a": None}]], {"a": {"b": [b"c"]}},
        2**63, 2**64 - 1, -(2**63),
    ],
)  # fmt: skip
def test_payload_plain_values_travel_as_they_are(value: Any) -> None:
    encoded = encode(value, provider)
    assert encoded == value
    assert type(encoded) is type(value)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ((1, (2,)), [1, [2]]),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (dt.date(2026, 1, 2), "Fri, 02 Jan 2026 00:00:00 GMT"),
        (
            dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
            "Fri, 02 Jan 2026 03:04:05 GMT",
        ),
        (Markup("<b>"), "<b>"),
        (Color.RED, "red"),
        (Size.BIG, 3),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Pair(1, 2), [1, 2]),
        ([Point(1)], [{"x": 1, "y": None}]),
        ({"when": dt.date(2026, 1, 2)}, {"when": "Fri, 02 Jan 2026 00:00:00 GMT"}),
    ],
)
def test_payload_other_values_travel_as_the_application_encodes_them(
    value: Any, encoded: Any
) -> None:
    result = encode(value, provider)
    assert result == encoded
    assert type(result) is type(encoded)
    assert json.dumps(result, default=repr)


def test_payload_provider_of_the_application_decides() -> None:
    class Provider(DefaultJSONProvider):
        @staticmethod
        def default(o: Any) -> Any:
            """Write addresses as texts."""
            return str(o) if isinstance(o, ipaddress.IPv4Address) else {"?": 1}

    app = Flask("payload")
    app.json = Provider(app)
    address = ipaddress.IPv4Address("10.0.0.1")
    assert encode({"at": address}, app.json) == {"at": "10.0.0.1"}
    assert encode(object(), app.json) == {"?": 1}


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a", "a"),
        ("größe", "größe"),
        (1, "1"),
        (-(2**70), str(-(2**70))),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (Color.RED, "red"),
        (OldColor.RED, "red"),
        (Size.BIG, "3"),
        (Markup("<b>"), "<b>"),
    ],
)
def test_payload_dict_keys_become_str_as_json_has_them(key: Any, encoded: str) -> None:
    ((result, item),) = encode({key: 5}, provider).items()
    assert (result, item) == (encoded, 5)
    assert type(result) is str
    assert json.loads(json.dumps({key: 5})) == {encoded: 5}


@pytest.mark.parametrize("key", [(1, 2), b"a", uuid.UUID(int=1), frozenset(), Point])
def test_payload_dict_key_of_another_type_is_refused(key: Any) -> None:
    with pytest.raises(PayloadError, match=f"a dict key of type {type(key).__name__}"):
        encode({key: 5}, provider)


def test_payload_dict_key_with_lone_surrogate_is_refused() -> None:
    with pytest.raises(PayloadError, match="lone surrogates"):
        encode({"\ud800": 5}, provider)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "the float nan"),
        (math.inf, "the float inf"),
        (-math.inf, "the float -inf"),
        (2**64, "an int of more than 64 bits"),
        (-(2**63) - 1, "an int of more than 64 bits"),
        ("\ud800", "a str with lone surrogates"),
        ("\0x", "a str that begins with NUL, which in JSON stands for bytes"),
        (released(), "a memoryview (operation forbidden on released memoryview object)"),
        (Markup("\udfff"), "a str with lone surrogates"),
        (object(), "a object (Object of type object is not JSON serializable)"),
        ({1, 2}, "a set (Object of type set is not JSON serializable)"),
        (1j, "a complex"),
        ((n for n in "ab"), "a generator"),
        (len, "a builtin_function_or_method"),
        (Point(2**64), "an int of more than 64 bits"),
        (decimal.Decimal, "a type"),
        (OrderedDict(a=b"x"), "a OrderedDict (Object of type bytes"),
    ],
)
def test_payload_unfit_value_names_its_type(value: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=r"^the value.* cannot travel: ") as caught:
        encode(value, provider)
    assert f" cannot travel: {reason}" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, object()], "the value[1] cannot"),
        ({"a": object()}, "the value['a'] cannot"),
        ({"a": [0, {"b": (1, object())}]}, "the value['a'][1]['b'][1] cannot"),
        ([{"a": 1}, {5: math.nan}], "the value[1][5] cannot"),
        ({"a": {(1,): 5}}, "the value['a'][(1,)] cannot"),
        ([Point(2**64)], "the value[0]['x'] cannot"),
    ],
)
def test_payload_unfit_value_names_its_place(value: Any, place: str) -> None:
    with pytest.raises(PayloadError) as caught:
        encode(value, provider)
    assert str(caught.value).startswith(place)


def test_payload_message_names_what_was_encoded() -> None:
    with pytest.raises(PayloadError, match=re.escape("the result[0] cannot travel: a object")):
        encode([object()], provider, what="the result")


def test_payload_arguments_are_encoded() -> None:
    args, kwargs = encode_arguments((1, (2,)), {"when": dt.date(2026, 1, 2)}, provider)
    assert args == [1, [2]]
    assert kwargs == {"when": "Fri, 02 Jan 2026 00:00:00 GMT"}


@pytest.mark.parametrize(
    ("args", "kwargs", "place"),
    [
        ([1, object()], {}, "argument [1] cannot travel"),
        ([], {"a": [object()]}, "argument ['a'][0] cannot travel"),
    ],
)
def test_payload_unfit_argument_names_its_place(
    args: list[Any], kwargs: dict[str, Any], place: str
) -> None:
    with pytest.raises(PayloadError, match=re.escape(place)):
        encode_arguments(args, kwargs, provider)


@pytest.mark.parametrize(
    "make",
    [
        lambda depth: encode(nested(depth), provider),
        lambda depth: encode(dicts(depth), provider),
        lambda depth: encode(OrderedDict(a=nested(depth - 2)), provider),
        lambda depth: encode_arguments([nested(depth)], {}, provider),
        lambda depth: encode_arguments([], {"a": nested(depth)}, provider),
    ],
)
def test_payload_depth_limit(make: Callable[[int], Any]) -> None:
    make(MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 500):
        with pytest.raises(PayloadError, match=f"nested over {MAX_DEPTH} deep"):
            make(depth)


def test_payload_ten_thousand_deep_in_another_type() -> None:
    with pytest.raises(PayloadError, match="a OrderedDict"):
        encode(OrderedDict(a=nested(10_000)), provider)


def test_payload_cycle() -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(PayloadError, match=f"a dict nested over {MAX_DEPTH} deep"):
        encode(value, provider)


def test_payload_cycle_of_another_type() -> None:
    point = Point(1)
    point.y = point
    with pytest.raises(PayloadError, match="a Point"):
        encode(point, provider)


def test_payload_result_shares_nothing_with_the_value() -> None:
    """What travels is written on another thread later, when the view may have gone on."""
    value = {"a": [1]}
    encoded = encode(value, provider)
    value["a"].append(2)
    assert encoded == {"a": [1]}


# --- what peers send


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-(2**63), None),
        (2**64 - 1, None),
        (1.5, None),
        (b"\0", None),
        ({"a": [True, None, "größe"]}, None),
        (nested(MAX_DEPTH + 1), None),
        (nested(MAX_DEPTH + 2), f"values nested over {MAX_DEPTH} deep"),
        (nested(10_000), f"values nested over {MAX_DEPTH} deep"),
        (-(2**63) - 1, "an int of more than 64 bits"),
        (2**64, "an int of more than 64 bits"),
        (math.nan, "the float nan, which JSON does not have"),
        ({1: 2}, "a dict key of type int"),
        ({"\0": 1}, "a str that begins with NUL, which in JSON stands for bytes"),
        ((1,), "a tuple, which not every serializer has"),
    ],
)
def test_payload_of_peers_is_checked(value: Any, reason: str | None) -> None:
    text = reason and f"the payload has {reason}"
    assert unfit_arguments([value], None) == text
    assert unfit_arguments(None, {"a": value}) == text


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (None, 8),
        (1, 8),
        ("ab", 6),
        (b"abc", 7),
        ([], 4),
        ([1, "a"], 17),
        ((1, [2]), 24),
        ({}, 4),
        ({"key": 1, "k": "ab"}, 30),
    ],
)
def test_payload_weight(value: Any, bytes_: int) -> None:
    assert weight(value) == bytes_
