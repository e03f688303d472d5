"""What peers may send, checked before anything else sees it.

The serializers that Crossbar.io uses let through more than WAMP's data model (spec, 6.1): CBOR tags,
NaN, lone surrogates, any depth. What one serializer reads another cannot write, or not read again,
and there is no way back to the sender by then: the call is never answered, the event is lost for
everybody, or the session of the receiver ends. :mod:`flask_wamp._twisted.engine.readers` has what
reads messages ask here.
"""

from collections.abc import Callable
from typing import Any

import cbor2
from autobahn.wamp import message

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
    """Return what the CBOR *data* says, without the tags that cost too much.

    A key of a dict is a text: arrays of numbers whose hashes are all the same are easily made, and
    a dict of them takes minutes.
    """
    return cbor2.loads(
        data,
        max_depth=MESSAGE_DEPTH,
        semantic_decoders=_REFUSED,
        tag_hook=_untagged,
        strict_hashable_types=True,
    )


def checked(raw: Any) -> Any:
    """Return a message as it is, or what is sent on in its place.

    :raises Unfit: it cannot travel, and nobody waits for an answer.
    """
    if _claims_forwarders(raw):
        raise Unfit("a HELLO with forward_for, which is for routers")
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


def _claims_forwarders(raw: Any) -> bool:
    """Tell whether *raw* is a HELLO that names others: Autobahn passes over it, and so nobody sees."""
    if type(raw) is not list or len(raw) < 3 or type(raw[0]) is not int:
        return False
    is_hello = raw[0] == message.Hello.MESSAGE_TYPE
    return is_hello and isinstance(raw[2], dict) and "forward_for" in raw[2]


def _instead(raw: Any, reason: str) -> list[Any] | None:
    """Return a message that answers in place of *raw*; None where nobody waits for an answer."""
    if type(raw) is not list or [type(part) for part in raw[:2]] != [int, int]:
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


def _refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise Unfit("a CBOR tag that is no WAMP value")


_REFUSED: dict[int, Callable[..., Any]] = dict.fromkeys(COSTLY_TAGS, _refuse)
