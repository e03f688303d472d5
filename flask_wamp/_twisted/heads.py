"""The leading integers of messages that cannot be read as a whole: what such a message belongs to."""

import io
import re
from collections.abc import Callable
from typing import Any

import cbor2
import msgpack
from autobahn.wamp import message


class Unreadable:
    """A message whose beginning alone can be read.

    :ivar head: its leading integers, the kind of message and what it belongs to.
    :ivar reason: why the rest cannot be read.
    """

    def __init__(self, head: list[int], reason: str) -> None:
        self.head = head
        self.reason = reason


#: Kinds of messages, and how many leading integers say what each belongs to.
_HEADS = {
    message.Call.MESSAGE_TYPE: 2,
    message.Yield.MESSAGE_TYPE: 2,
    message.Invocation.MESSAGE_TYPE: 3,
    message.Event.MESSAGE_TYPE: 3,
    message.Result.MESSAGE_TYPE: 2,
    message.Error.MESSAGE_TYPE: 3,
}
#: Bytes in which these integers are.
_HEAD = 30
_JSON_HEAD = re.compile(
    r"\s*\[\s*([0-9]{1,3})\s*,\s*([0-9]{1,16})\s*(?:,\s*([0-9]{1,16})\s*)?[,\]]"
)


def cbor_head(payload: bytes) -> list[int] | None:
    """Return the leading integers of a message in CBOR, or None where it carries no payload."""
    is_short_list = payload[:1] and payload[0] >> 5 == 4 and payload[0] & 0x1F < 24
    if not is_short_list:
        return None
    decoder = cbor2.CBORDecoder(io.BytesIO(payload[1:_HEAD]), read_size=1)
    return _head_from(decoder.decode)


def msgpack_head(payload: bytes) -> list[int] | None:
    """Return the leading integers of a message in MessagePack; see :func:`cbor_head`."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(payload[:_HEAD])
    try:
        unpacker.read_array_header()
    except Exception:  # noqa: BLE001
        # It is no list, or nothing at all.
        return None
    return _head_from(unpacker.unpack)


def json_head(text: str) -> list[int] | None:
    """Return the leading integers of a message in JSON; see :func:`cbor_head`."""
    found = _JSON_HEAD.match(text)
    if found is None:
        return None
    numbers = iter([int(digits) for digits in found.groups() if digits is not None])
    return _head_from(lambda: next(numbers))


def _head_from(take: Callable[[], Any]) -> list[int] | None:
    try:
        head = [take()]
        head += (take() for _ in range(_HEADS[head[0]] - 1))
    except Exception:  # noqa: BLE001
        # Cut off, of another kind, or no number: there is nobody to answer.
        return None
    return head if all(type(number) is int for number in head) else None
