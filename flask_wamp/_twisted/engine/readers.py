"""Autobahn's serializers read through the checks of :mod:`flask_wamp._twisted.strict`.

A message keeps what it was serialized to in ``_serialized`` (``autobahn/wamp/message.py``), and has room for nothing
else; ``tests/twisted/crossbar/test_held.py`` tells where that has changed.

Autobahn 26.10.2, ``autobahn/wamp/serializer.py``: the functions ``_loads``, ``_unpackb`` and
``_cbor_loads`` read whatever the format can say, to any depth, and there is no setting for it. They
can be left alone once Autobahn takes limits for what its serializers read; until then
``tests/node/test_garbage.py`` fails without them, and ``tests/twisted/test_strict.py`` where they
are called otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Any

from autobahn.wamp import serializer
from autobahn.wamp.serializer import (
    CBORSerializer,
    JsonSerializer,
    MsgPackSerializer,
    Serializer,
)

from ...payload import Unfit
from ..heads import Unreadable, cbor_head, json_head, msgpack_head
from ..strict import read, strict_cbor


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


def _refuse_ubjson(*_args: Any) -> Any:
    raise Unfit("UBJSON is not accepted: use JSON, MessagePack or CBOR")


class Garbled:
    """Stands for what cannot be read.

    :ivar reason: why, in words that its sender may have chosen.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason


class GuardedReader:
    """A transport's serializer, which makes one message of what it cannot read.

    Autobahn's transports write a traceback into the log for each, as its sender likes: with his own
    text in it, and lines that look like others.

    :ivar octets: bytes of the message that was read last; of several, those of one of them.
    """

    octets = 0

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._serializer, name)

    def unserialize(self, payload: bytes, isBinary: bool | None = None) -> list[Any]:
        """Return the messages in *payload*, or :class:`Garbled`."""
        try:
            messages = list(self._serializer.unserialize(payload, isBinary))
        except Exception as error:  # noqa: BLE001
            # Whatever is wrong with what a stranger sends.
            return [Garbled(str(error) or type(error).__name__)]
        self.octets = len(payload) // max(1, len(messages))
        return messages


def attach(msg: Any, companion: object) -> None:
    """Let *companion* be there for as long as a message is."""
    msg._serialized[companion] = b""  # noqa: SLF001 - see above


class _Tolerant(Serializer):  # type: ignore[misc,unused-ignore]
    """A serializer of Autobahn's, for which a message that cannot be read is one among others."""

    #: Returns the leading integers of a message.
    head_of: Callable[[bytes], list[int] | None]

    def unserialize(self, payload: bytes, isBinary: bool | None = None) -> list[Any]:
        """Return the messages in *payload*, or an :class:`Unreadable` one."""
        try:
            messages: list[Any] = super().unserialize(payload, isBinary)
        except Exception as error:
            # Whatever is wrong with it: others wait for this session.
            head = type(self).head_of(payload)
            if head is None:
                raise
            return [Unreadable(head, str(error))]
        return messages


class TolerantCBOR(_Tolerant, CBORSerializer):
    """CBOR."""

    head_of = staticmethod(cbor_head)


class TolerantMsgPack(_Tolerant, MsgPackSerializer):
    """MessagePack."""

    head_of = staticmethod(msgpack_head)


class TolerantJSON(_Tolerant, JsonSerializer):
    """JSON."""

    @staticmethod
    def head_of(payload: bytes) -> list[int] | None:
        """Return the leading integers of a message; what follows may be no text at all."""
        return json_head(payload.decode("utf-8", errors="replace"))


_TOLERANT: Mapping[type[Any], Callable[[], Any]] = {
    CBORSerializer: TolerantCBOR,
    MsgPackSerializer: TolerantMsgPack,
    JsonSerializer: TolerantJSON,
}


def tolerant(serializer: Any) -> Any:
    """Return a serializer that is tolerant, in place of one of Autobahn's; else the same one.

    Batches, where a message that cannot be read has no end, stay as they are.
    """
    make = _TOLERANT.get(type(serializer))
    if make is None or serializer.SERIALIZER_ID.endswith(".batched"):
        return serializer
    return make()
