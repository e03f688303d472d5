"""How ids travel with calls and events: one short text in a field that the router passes on.

WAMP has no field for a caller's own details that Crossbar.io 26.10 would hand to the callee: it drops
options that begin with ``_`` or ``x_``. It does pass ``transaction_hash`` from Call to Invocation and
from Publish to Event, as it is, so everything that is to travel beside the payload shares that::

    fw1;e=<event id>;s=<stream>;c=<correlation id>;t=<traceparent>

Each part may be missing. A part that is unknown or malformed is passed over, and the others count. What
stands there in any other form is another program's, and at most the name of a stream. (Crossbar.io
leaves the field out of retained events that it hands to late subscribers.)

Nothing of it is proof of anything: whoever may call or publish may write it.
"""

import re
from typing import NamedTuple

#: How a text of ours begins: the format's version.
VERSION = "fw1"
#: Characters of each id.
MAX_ID = 64
#: Characters of a whole text; a longer one is not read.
MAX_TEXT = 512

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: What most calls and events bring, read at once.
_USUAL = re.compile(r"fw1;c=([A-Za-z0-9._-]{1,64})")
#: The traceparent of W3C Trace Context, version 00; ids of zeros alone are invalid there.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Carried(NamedTuple):
    """What came with a call or an event; a part is None where it did not come.

    :ivar stream: what the caller calls the stream of results.
    :ivar event_id: the stable id of a durable event.
    :ivar correlation: the correlation id of the request that it belongs to.
    :ivar traceparent: the span that has caused it (W3C Trace Context).
    """

    stream: str | None = None
    event_id: str | None = None
    correlation: str | None = None
    traceparent: str | None = None


NOTHING = Carried()


def is_id(text: str) -> bool:
    """Tell whether *text* may be an id: 1 to 64 of letters, digits, ``.``, ``_`` and ``-``, in ASCII."""
    return _ID.fullmatch(text) is not None


def is_traceparent(text: str) -> bool:
    """Tell whether *text* is a traceparent, version 00."""
    return _TRACEPARENT.fullmatch(text) is not None


def pack(
    stream: str | None = None,
    event_id: str | None = None,
    correlation: str | None = None,
    traceparent: str | None = None,
) -> str | None:
    """Return what is to travel as ``transaction_hash``; None where there is nothing.

    :raises ValueError: a part is no id, or no traceparent.
    """
    text = ""
    for name, part in (("e", event_id), ("s", stream), ("c", correlation)):
        if part is not None:
            if _ID.fullmatch(part) is None:
                raise ValueError(
                    f"{part!r} is no id of 1 to {MAX_ID} of A-Z, a-z, 0-9, '.', '_', '-'"
                )
            text += f";{name}={part}"
    if traceparent is not None:
        if _TRACEPARENT.fullmatch(traceparent) is None:
            raise ValueError(f"{traceparent!r} is no traceparent of version 00")
        text += f";t={traceparent}"
    return VERSION + text if text else None


def unpack(text: str | None) -> Carried:
    """Return what came as ``transaction_hash``, whoever wrote it."""
    if text is None or len(text) > MAX_TEXT:
        return NOTHING
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        return Carried(None, None, usual[1])
    version, *parts = text.split(";")
    if version != VERSION:
        return Carried(stream=text) if len(text) <= MAX_ID else NOTHING
    found: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        field = _FIELDS.get(name)
        if field is not None and field[1].fullmatch(value):
            found.setdefault(field[0], value)
    return Carried(**found)


def untrusted(text: str) -> str | None:
    """Return what is left of *text* where a stranger has written it: of ours, the name of its stream."""
    if not text.startswith(f"{VERSION};"):
        return text
    return pack(stream=unpack(text).stream)


_FIELDS = {
    "e": ("event_id", _ID),
    "s": ("stream", _ID),
    "c": ("correlation", _ID),
    "t": ("traceparent", _TRACEPARENT),
}
