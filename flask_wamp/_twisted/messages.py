"""Calls, publishes and results as messages, and what keeps a message from being sent."""

from typing import Any

from autobahn.exception import PayloadExceededError
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost

from ..call.options import RECEIVERS, Options, event_id_of
from ..errors import (
    INVALID_PAYLOAD,
    PAYLOAD_SIZE_EXCEEDED,
    NotConnected,
    PayloadError,
    RemoteError,
)
from ..results import CallResult
from .engine.disclosure import disclosing


def call_message(
    request: int,
    uri: str,
    args: list[Any],
    kwargs: dict[str, Any],
    options: Options,
    stream: str | None = None,
) -> message.Call:
    """Return a call, for progressive results where it has the name of a *stream*."""
    msg: message.Call = disclosing(
        message.Call,
        options.disclose_me,
        request,
        uri,
        args=args,
        kwargs=kwargs,
        receive_progress=stream and True,
        transaction_hash=stream,
    )
    return msg


def publish_message(
    request: int,
    topic: str,
    args: list[Any],
    kwargs: dict[str, Any],
    options: Options,
    *,
    acknowledge: bool,
) -> message.Publish:
    """Return a publish.

    The publisher's own process gets the event as well, where it subscribes: its views share
    one session, and which of them published must make no difference.
    """
    receivers = {
        name: list(getattr(options, name))
        for name in RECEIVERS
        if getattr(options, name) is not None
    }
    msg: message.Publish = disclosing(
        message.Publish,
        options.disclose_me,
        request,
        topic,
        args=args,
        kwargs=kwargs,
        acknowledge=acknowledge,
        exclude_me=bool(options.exclude_me),
        retain=options.retain,
        # Crossbar.io hands this on to subscribers as it is.
        transaction_hash=event_id_of(options),
        **receivers,
    )
    return msg


def send_error(error: Exception) -> Exception:
    if isinstance(error, TransportLost):
        return NotConnected(
            "the message could not be sent: the transport was lost", may_have_run=False
        )
    if isinstance(error, PayloadExceededError):
        return RemoteError.from_uri(PAYLOAD_SIZE_EXCEEDED, [str(error)])
    return PayloadError(f"the message could not be sent: {str(error) or type(error).__name__}")


def payload_of(value: Any) -> dict[str, Any]:
    if isinstance(value, CallResult):
        return {"args": list(value.args), "kwargs": value.kwargs or None}
    return {"args": [value]}


def unfit_uri(error: Exception) -> str:
    is_too_big = isinstance(error, PayloadExceededError)
    return PAYLOAD_SIZE_EXCEEDED if is_too_big else INVALID_PAYLOAD
