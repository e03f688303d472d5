"""What a view returns or sends, as values that JSON, MessagePack and CBOR can all carry."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from .errors import PayloadError

MAX_DEPTH = 100
MIN_INT = -(2**63)
MAX_INT = 2**64 - 1

_PLAIN = frozenset({bool, type(None), bytes})


class JSONProvider(Protocol):
    """The part of Flask's ``app.json`` that encoding needs."""

    def dumps(self, obj: Any) -> str:
        """Return *obj* as JSON text."""

    def loads(self, s: str) -> Any:
        """Return what the JSON text *s* says."""


class Unfit(Exception):
    """A value that cannot travel, with the way to it, innermost step first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.steps: list[str] = []


def encode(value: Any, json: JSONProvider, *, what: str = "the value") -> Any:
    """Return *value* as dicts, lists, str, numbers, bool, None and bytes.

    These travel as they are; a tuple becomes a list, bytearray and memoryview become bytes, a
    dict's keys become str as JSON has them. Anything else is what *json* makes of it.

    :param what: names the value in the message.
    :raises PayloadError: something in it cannot travel; the text names its type and place.
    """
    try:
        return _encode(value, json, 0)
    except Unfit as unfit:
        raise _payload_error(what, unfit) from unfit.__cause__


def encode_arguments(
    args: Iterable[Any], kwargs: Mapping[str, Any], json: JSONProvider
) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword payload, each value encoded.

    :raises PayloadError: a value cannot travel.
    """
    try:
        return _encode_list(args, json, 0), _encode_dict(kwargs, json, 0)
    except Unfit as unfit:
        raise _payload_error("argument ", unfit) from unfit.__cause__


def _payload_error(what: str, unfit: Unfit) -> PayloadError:
    return PayloadError(f"{what}{''.join(reversed(unfit.steps))} cannot travel: {unfit}")


def _encode(value: Any, json: JSONProvider, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return _encodable(value)
    if kind is int:
        if MIN_INT <= value <= MAX_INT:
            return value
        raise Unfit("an int of more than 64 bits")
    if kind in _PLAIN:
        return value
    if kind is float:
        if math.isfinite(value):
            return value
        raise Unfit(f"the float {value}, which JSON does not have")
    if depth >= MAX_DEPTH:
        raise Unfit(f"a {kind.__name__} nested over {MAX_DEPTH} deep")
    if kind is dict:
        return _encode_dict(value, json, depth + 1)
    if kind is list or kind is tuple:
        return _encode_list(value, json, depth + 1)
    if kind is bytearray or kind is memoryview:
        return _octets(value)
    return _through_json(value, json, depth)


def _octets(value: bytearray | memoryview) -> bytes:
    try:
        return bytes(value)
    except ValueError as error:
        raise Unfit(f"a {type(value).__name__} ({error})") from error


def _encode_list(items: Iterable[Any], json: JSONProvider, depth: int) -> list[Any]:
    encoded: list[Any] = []
    try:
        for item in items:
            encoded.append(_encode(item, json, depth))  # noqa: PERF401 - its length is the index
    except Unfit as unfit:
        unfit.steps.append(f"[{len(encoded)}]")
        raise
    return encoded


def _encode_dict(items: Mapping[Any, Any], json: JSONProvider, depth: int) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in items.items():
            encoded[_encode_key(key)] = _encode(item, json, depth)
    except Unfit as unfit:
        unfit.steps.append(f"[{key!r}]")
        raise
    return encoded


def _encode_key(key: Any) -> str:
    if type(key) is str:
        return _encodable(key)
    if type(key) is bool:
        return "true" if key else "false"
    if key is None:
        return "null"
    # Not str(key), which an enumeration has its own words for.
    if isinstance(key, str):
        return _encodable(str.__str__(key))
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        return float.__repr__(key)
    raise Unfit(f"a dict key of type {type(key).__name__}")


def _encodable(text: str) -> str:
    if text[:1] == "\0":
        # That is how bytes travel in JSON (WAMP spec, 6.2), whatever this peer's own serializer.
        raise Unfit("a str that begins with NUL, which in JSON stands for bytes")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unfit("a str with lone surrogates") from None
    return text


def _through_json(value: Any, json: JSONProvider, depth: int) -> Any:
    """Return what the application's JSON provider makes of a *value* of another type."""
    try:
        plain = json.loads(json.dumps(value))
    except Exception as error:
        # A provider, or a value's own methods, may raise anything.
        raise Unfit(f"a {type(value).__name__} ({error})") from error
    return _encode(plain, json, depth + 1)


def weight(value: Any) -> int:
    """Return roughly how many bytes an encoded *value* takes on the wire."""
    if isinstance(value, str | bytes):
        return len(value) + 4
    if isinstance(value, dict):
        return 4 + sum(len(key) + 4 + weight(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return 4 + sum(map(weight, value))
    return 8


def unfit_arguments(args: list[Any] | None, kwargs: dict[str, Any] | None) -> str | None:
    """Tell why what a peer has sent is no WAMP payload, or None; see :func:`check_plain`."""
    try:
        # The list of all of it, the arguments' own list or dict, and the innermost value.
        check_plain([args or [], kwargs or {}], MAX_DEPTH + 3)
    except Unfit as unfit:
        return f"the payload has {unfit}"
    return None


def check_plain(value: Any, max_depth: int) -> None:
    """Refuse what not every serializer can carry; level by level, so that depth costs no stack.

    Serializers let through what JSON does not have, values of their own types, and any depth.

    :raises Unfit: something in *value* is of that kind.
    """
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise Unfit(f"values nested over {MAX_DEPTH} deep")
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                _encodable(item)
            elif kind is int:
                if not MIN_INT <= item <= MAX_INT:
                    raise Unfit("an int of more than 64 bits")
            elif kind in _PLAIN:
                pass
            elif kind is list:
                below += item
            elif kind is dict:
                for key in item:
                    if type(key) is not str:
                        raise Unfit(f"a dict key of type {type(key).__name__}")
                    _encodable(key)
                below += item.values()
            elif kind is float:
                if not math.isfinite(item):
                    raise Unfit(f"the float {item}, which JSON does not have")
            else:
                raise Unfit(f"a {kind.__name__}, which not every serializer has")
        level = below
