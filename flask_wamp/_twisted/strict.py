"""What peers may send, checked before anything else sees it.

The serializers that Crossbar.io uses let through more than WAMP's data model (spec, 6.1): CBOR tags,
NaN, lone surrogates, any depth. What one serializer reads another cannot write, or not read again,
and there is no way back to the sender by then: the call is never answered, the event is lost for
everybody, or the session of the receiver ends. So :func:`guard_router` checks whatever comes into
the router's process, and :class:`TolerantCBOR` keeps what cannot be read from ending a session of
ours, whatever the router.
"""

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import cbor2
import msgpack
from autobahn.wamp import message, serializer
from autobahn.wamp.serializer import CBORSerializer

from ..errors import INVALID_PAYLOAD
from ..payload import MAX_DEPTH, Unfit, check_plain

#: The procedure that answers calls whose payload cannot travel; its argument is the reason.
UNFIT = "flask_wamp.unfit_payload"
#: Around the payload there is the message, with its own lists and dicts.
MESSAGE_DEPTH = MAX_DEPTH + 3
#: CBOR tags whose decoding takes time or memory out of proportion to their size: big decimals and
#: fractions, regular expressions, MIME, and shared values, of which a few bytes make gigabytes.
COSTLY_TAGS = (2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 256)
#: An array of bytes (RFC 8746).
UINT8_ARRAY = 64
#: Python's own limit, which py_ecc, a package that Crossbar.io imports, raises to 100,000: deeper
#: than the C stack is, so that deep recursion ends the process without a word.
RECURSION_LIMIT = 1000
PY_ECC_LIMIT = 100_000


def restore_recursion_limit() -> None:
    """Let endless recursion be a RecursionError again, not the end of the process."""
    if sys.getrecursionlimit() >= PY_ECC_LIMIT:
        sys.setrecursionlimit(RECURSION_LIMIT)


def guard_router() -> None:
    """Check every message that this process reads, from now on.

    A call that cannot be read, or whose payload cannot travel, goes to :data:`UNFIT`; the result
    or error of a callee becomes ``wamp.error.invalid_payload``. Anything else of that kind ends its
    sender's connection.
    """
    readers: Any = serializer
    if getattr(readers, "_flask_wamp", False):
        return
    readers._flask_wamp = True  # noqa: SLF001 - Autobahn has no setting for what it reads with
    json_loads, unpack = readers._loads, readers._unpackb  # noqa: SLF001

    def read_json(text: str, **options: Any) -> Any:
        return read(lambda: json_loads(text, **options), lambda: json_head(text))

    readers._loads = read_json  # noqa: SLF001
    readers._unpackb = lambda data: read(lambda: unpack(data), lambda: msgpack_head(data))  # noqa: SLF001
    # A few bytes of UBJSON make gigabytes, and nobody needs it beside the others.
    ubjson = getattr(readers, "UBJSONObjectSerializer", None)
    if ubjson is not None:
        ubjson.unserialize = _refuse_ubjson
    readers._cbor_loads = lambda data: read(lambda: strict_cbor(data), lambda: cbor_head(data))  # noqa: SLF001


def read(load: Callable[[], Any], head: Callable[[], list[int] | None]) -> Any:
    """Return the message that *load* reads, or what is sent on in its place.

    :param head: reads the leading integers of a message that cannot be read as a whole.
    :raises Unfit: it cannot be read or travel, and nobody waits for an answer.
    """
    try:
        raw = load()
    except Exception as error:  # noqa: BLE001
        # Whatever a serializer raises for what a stranger sends, a RecursionError included.
        reason = str(error) or type(error).__name__
        replacement = _instead(head(), f"the message cannot be read: {reason}"[:500])
        if replacement is None:
            raise Unfit(reason[:500]) from None
        return replacement
    return checked(raw)


def strict_cbor(data: bytes) -> Any:
    """Return what the CBOR *data* says, without the tags that cost too much."""
    return cbor2.loads(
        data, max_depth=MESSAGE_DEPTH, semantic_decoders=_REFUSED, tag_hook=_untagged
    )


def checked(raw: Any) -> Any:
    """Return a message as it is, or what is sent on in its place.

    :raises Unfit: it cannot travel, and nobody waits for an answer.
    """
    try:
        check(raw)
    except Unfit as error:
        replacement = _instead(raw, f"the message has {error}")
        if replacement is None:
            raise
        return replacement
    return raw


def check(raw: Any) -> None:
    """Refuse a message that cannot travel.

    :raises Unfit: something in it not every serializer can carry.
    """
    check_plain(raw, MESSAGE_DEPTH)


def _instead(raw: Any, reason: str) -> list[Any] | None:
    """Return a message that answers in place of *raw*; None where nobody waits for an answer."""
    if type(raw) is not list or len(raw) < 2 or type(raw[1]) is not int:
        return None
    kind, request = raw[0], raw[1]
    if kind == message.Call.MESSAGE_TYPE:
        return [kind, request, {}, UNFIT, [reason]]
    if kind == message.Yield.MESSAGE_TYPE:
        return _invocation_error(request, reason)
    if kind == message.Error.MESSAGE_TYPE and len(raw) > 2 and type(raw[2]) is int:
        return _invocation_error(raw[2], reason)
    return None


def _invocation_error(request: int, reason: str) -> list[Any]:
    invocation = message.Invocation.MESSAGE_TYPE
    return [message.Error.MESSAGE_TYPE, invocation, request, {}, INVALID_PAYLOAD, [reason]]


def _untagged(tag: Any, *_immutable: Any) -> Any:
    """Return the bytes of a browser's Uint8Array, which cbor-x writes with a tag."""
    if tag.tag == UINT8_ARRAY and type(tag.value) is bytes:
        return tag.value
    return _refuse()


def _refuse_ubjson(*_args: Any) -> Any:
    raise Unfit("UBJSON is not accepted: use JSON, MessagePack or CBOR")


def _refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise Unfit("a CBOR tag that is no WAMP value")


_REFUSED: dict[int, Callable[..., Any]] = dict.fromkeys(COSTLY_TAGS, _refuse)


class Unreadable:
    """A message whose beginning alone can be read.

    :ivar head: its leading integers, the kind of message and what it belongs to.
    :ivar reason: why the rest cannot be read.
    """

    def __init__(self, head: list[int], reason: str) -> None:
        self.head = head
        self.reason = reason


class TolerantCBOR(CBORSerializer):  # type: ignore[misc,unused-ignore]
    """Autobahn's CBOR serializer, for which a message that cannot be read is one among others."""

    def unserialize(self, payload: bytes, isBinary: bool | None = None) -> list[Any]:
        """Return the messages in *payload*, or an :class:`Unreadable` one."""
        try:
            messages: list[Any] = super().unserialize(payload, isBinary)
        except Exception as error:
            # Whatever is wrong with it: others wait for this session.
            head = cbor_head(payload)
            if head is None:
                raise
            return [Unreadable(head, str(error))]
        return messages


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
