"""A durable event as a row has it: its payload as CBOR, its options as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import cbor2

from ..call.options import DurableOptions, Options
from ..errors import PAYLOAD_SIZE_EXCEEDED, OptionError, PayloadError, RemoteError
from ..payload import MAX_DEPTH, unfit_arguments

#: Bytes of an event at most, which is what a node's Unix socket takes.
MAX_EVENT = 16 * 2**20
#: Bytes that are left for what else is in its message.
_ENVELOPE = 1024

#: The options that mean the same whoever sends the event, and whenever.
_TRAVELLING = frozenset(
    {
        "disclose_me",
        "eligible_authid",
        "eligible_authrole",
        "exclude_authid",
        "exclude_authrole",
        "retain",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """An event that waits in the outbox.

    :ivar id: its place in the order.
    :ivar event_id: what its consumers know it by, 32 hexadecimal digits.
    :ivar attempts: how often it was sent in vain.
    """

    id: int
    event_id: str
    topic: str
    payload: bytes
    options: str
    attempts: int

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the positional and the keyword payload.

        :raises PayloadError: it is none.
        """
        try:
            args, kwargs = cbor2.loads(self.payload, max_depth=MAX_DEPTH + 3)
        except (cbor2.CBORDecodeError, TypeError, ValueError) as error:
            raise PayloadError(f"the payload is no pair of CBOR: {error}") from error
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise PayloadError("the payload is no list and dict")
        reason = unfit_arguments(args, kwargs)
        if reason:
            raise PayloadError(reason)
        return args, kwargs

    def publish_options(self, timeout: float) -> Options:
        """Return what it is published with.

        :param timeout: seconds for the acknowledgment.
        :raises OptionError: there are options that cannot be.
        """
        try:
            given = json.loads(self.options)
        except ValueError as error:
            raise OptionError(f"the options are no JSON: {error}") from error
        if not isinstance(given, dict) or not _TRAVELLING.issuperset(given):
            raise OptionError(f"{self.options} are no options of a durable event")
        wanted = {**given, "timeout": timeout, "acknowledge": True}
        return DurableOptions(event_id=self.event_id).updated(wanted)


def encoded(
    topic: str, args: list[Any], kwargs: Mapping[str, Any], options: Options
) -> tuple[bytes, str]:
    """Return payload and options as a row has them.

    :raises OptionError: an option means nothing later, or in another process.
    :raises RemoteError: ``wamp.error.payload_size_exceeded``, as a publish at once raises it.
    """
    given = {}
    for each in fields(Options):
        value = getattr(options, each.name)
        if value is None:
            continue
        if each.name not in _TRAVELLING:
            allowed = ", ".join(sorted(_TRAVELLING))
            raise OptionError(
                f"publish(durable=True, {each.name}=...): a durable event is sent later, by another "
                f"session and until it is acknowledged, so it takes {allowed}"
            )
        given[each.name] = value
    payload = cbor2.dumps([args, dict(kwargs)])
    options_json = json.dumps(given, separators=(",", ":"))
    size = len(payload) + len(topic.encode()) + len(options_json) + _ENVELOPE
    if size > MAX_EVENT:
        text = f"the event has {size} bytes, and a message at most {MAX_EVENT}"
        raise RemoteError.from_uri(PAYLOAD_SIZE_EXCEEDED, [text])
    return payload, options_json
