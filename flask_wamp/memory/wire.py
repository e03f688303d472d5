"""What becomes of a payload on the way: it is written and read again, as between two processes."""

from typing import Any

import cbor2

from ..errors import PAYLOAD_SIZE_EXCEEDED, ApplicationError, RemoteError
from ..payload import MAX_DEPTH
from ..results import CallResult, result_value

#: Bytes of a message at most, which is what the node's Unix socket takes.
MAX_MESSAGE = 16 * 2**20


def travelled(args: Any, kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return an encoded payload as its receiver gets it: equal, and nobody else's.

    :raises RemoteError: ``wamp.error.payload_size_exceeded``.
    """
    data = cbor2.dumps([list(args), kwargs])
    if len(data) > MAX_MESSAGE:
        text = f"the payload has {len(data)} bytes, and a message at most {MAX_MESSAGE}"
        raise RemoteError.from_uri(PAYLOAD_SIZE_EXCEEDED, [text])
    received: tuple[list[Any], dict[str, Any]] = cbor2.loads(data, max_depth=MAX_DEPTH + 3)
    return received[0], received[1]


def received(value: Any) -> Any:
    """Return what a caller gets for what a procedure has answered with."""
    if isinstance(value, CallResult):
        return result_value(*travelled(value.args, value.kwargs))
    return result_value(*travelled([value], {}))


def received_error(error: ApplicationError) -> RemoteError:
    """Return what a caller raises for what a procedure has answered with."""
    args, kwargs = travelled(error.args, error.kwargs)
    return RemoteError.from_uri(error.uri, args, kwargs)
