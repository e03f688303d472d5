"""The WAMP session: messages that carry payload are handled here, the rest by Autobahn.

Autobahn hands payload on as Python keyword arguments of its own functions, so that a peer who
sends ``fun=1`` or ``options=1`` breaks the call or the whole session; and it hides the list from
which the caller's true identity is read. This session takes Invocation, Event, Result, Published
and Error messages before that, and lets Autobahn do handshake, registration and subscription.
"""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol

from autobahn.exception import PayloadExceededError
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.types import CloseDetails

from ..errors import (
    INVALID_PAYLOAD,
    PAYLOAD_SIZE_EXCEEDED,
    ApplicationError,
    NotConnected,
    PayloadError,
    RemoteError,
)
from ..link import CallResult


class Reply(Future[Any]):
    """What a thread waits for: the answer to a call, or the acknowledgment of a publish.

    The first outcome counts, whichever thread it comes from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.session: Session | None = None
        self.request = 0
        self.uri = ""

    def succeed(self, value: Any) -> None:
        """Give the waiting thread *value*, unless it has given up."""
        with contextlib.suppress(InvalidStateError):
            self.set_result(value)

    def fail(self, error: Exception) -> None:
        """Raise *error* in the waiting thread, unless it has given up."""
        with contextlib.suppress(InvalidStateError):
            self.set_exception(error)


class Server(Protocol):
    """Answers invocations and handles events, on the reactor's thread."""

    def invoke(self, invocation: message.Invocation) -> None:
        """Begin to answer; the answer goes to :meth:`Session.answer` later."""

    def interrupt(self, request: int) -> None:
        """The caller of the invocation *request* does not want the answer any more."""

    def handle(self, event: message.Event) -> None:
        """Queue the event for the handlers of its subscription."""

    def lost(self) -> None:
        """The session is over: answers have nowhere to go."""


class Session(ApplicationSession):
    """A session that calls and publishes for threads, and serves through a :class:`Server`.

    Every method runs on the reactor's thread.
    """

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.server: Server | None = None
        self._replies: dict[int, Reply] = {}

    def call_for(self, reply: Reply, uri: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Send a call whose answer goes to *reply*."""
        reply.uri = uri
        self._request(reply, lambda request: message.Call(request, uri, args=args, kwargs=kwargs))

    def publish_for(
        self, reply: Reply | None, topic: str, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Send an event; with a *reply*, it is to be acknowledged.

        The publisher's own process gets the event as well, where it subscribes: its views share
        one session, and which of them published must make no difference.
        """
        self._request(
            reply,
            lambda request: message.Publish(
                request,
                topic,
                args=args,
                kwargs=kwargs,
                acknowledge=reply is not None,
                exclude_me=False,
            ),
        )

    def awaits(self, uri: str) -> bool:
        """Tell whether a call of *uri* by this process is unanswered."""
        return any(reply.uri == uri for reply in self._replies.values())

    def cancel(self, reply: Reply) -> None:
        """Tell the router that nobody waits for the answer to a call any more."""
        waited = self._replies.pop(reply.request, None)
        if waited is not None and waited.uri and self._transport is not None:
            self._transport.send(message.Cancel(reply.request, message.Cancel.KILLNOWAIT))

    def answer(self, request: int, value: Any) -> None:
        """Answer the invocation *request* with *value*."""
        try:
            self._reply(message.Yield(request, args=[value]))
        except Exception as error:  # noqa: BLE001
            # Serializers raise errors of their own; a call without an answer helps nobody.
            self.refuse(request, ApplicationError(_unfit_uri(error), str(error)))

    def refuse(self, request: int, error: ApplicationError) -> None:
        """Answer the invocation *request* with *error*."""
        kind = message.Invocation.MESSAGE_TYPE
        try:
            self._reply(
                message.Error(kind, request, error.uri, args=list(error.args), kwargs=error.kwargs)
            )
        except Exception as unfit:  # noqa: BLE001
            # As above.
            text = f"the error {error.uri}: {unfit}"
            self._reply(message.Error(kind, request, _unfit_uri(unfit), args=[text]))

    def onMessage(self, msg: Any) -> None:
        """Take the messages that carry payload; Autobahn takes the others."""
        kind = type(msg)
        if self._session_id is None:
            super().onMessage(msg)
        elif kind is message.Invocation and self.server is not None:
            self.server.invoke(msg)
        elif kind in _ANSWERS and msg.request not in self._replies:
            self._answer_to_nobody_of_ours(msg)
        elif kind is message.Result:
            self._result(msg)
        elif kind is message.Event and self.server is not None:
            self.server.handle(msg)
        elif kind is message.Published:
            self._settle(msg.request, lambda reply: reply.succeed(msg.publication))
        elif kind is message.Error:
            error = RemoteError.from_uri(msg.error, msg.args or (), msg.kwargs)
            self._settle(msg.request, lambda reply: reply.fail(error))
        elif kind is message.Interrupt and self.server is not None:
            self.server.interrupt(msg.request)
        else:
            super().onMessage(msg)

    def onLeave(self, details: CloseDetails) -> Any:
        """End what waits: the session is over."""
        self._end(": ".join(text for text in (details.reason, details.message) if text))
        return super().onLeave(details)

    def onDisconnect(self) -> None:
        """End what waits: the transport is gone."""
        self._end("the transport was lost")
        super().onDisconnect()

    def _request(self, reply: Reply | None, make: Callable[[int], Any]) -> None:
        request = self._request_id_gen.next()
        if reply is not None:
            reply.session, reply.request = self, request
            self._replies[request] = reply
        try:
            if self._transport is None:
                raise TransportLost
            self._transport.send(make(request))
        except Exception as error:
            # Whatever kept the message from going out is the waiting thread's to know.
            self._replies.pop(request, None)
            if reply is not None:
                reply.fail(_send_error(error))
            elif not isinstance(error, TransportLost):
                raise

    def _answer_to_nobody_of_ours(self, msg: Any) -> None:
        """Hand Autobahn the answers to its own requests; drop one to a call that was given up."""
        if (
            (type(msg) is message.Error and msg.request_type not in _GIVEN_UP)
            or msg.request in self._call_reqs
            or msg.request in self._publish_reqs
        ):
            super().onMessage(msg)

    def _result(self, msg: message.Result) -> None:
        args, kwargs = msg.args or (), msg.kwargs
        if kwargs or len(args) > 1:
            value: Any = CallResult(tuple(args), kwargs or {})
        else:
            value = args[0] if args else None
        self._settle(msg.request, lambda reply: reply.succeed(value))

    def _settle(self, request: int, outcome: Callable[[Reply], None]) -> None:
        outcome(self._replies.pop(request))

    def _reply(self, msg: Any) -> None:
        # The router told the caller when the transport went away.
        if self._transport is not None and self._session_id is not None:
            with contextlib.suppress(TransportLost):
                self._transport.send(msg)

    def _end(self, reason: str) -> None:
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply.fail(NotConnected(f"the session ended while an answer was awaited: {reason}"))
        if self.server is not None:
            self.server.lost()
            self.server = None


_ANSWERS = (message.Result, message.Published, message.Error)
_GIVEN_UP = (message.Call.MESSAGE_TYPE, message.Publish.MESSAGE_TYPE)


def _send_error(error: Exception) -> Exception:
    if isinstance(error, TransportLost):
        return NotConnected("the message could not be sent: the transport was lost")
    if isinstance(error, PayloadExceededError):
        return RemoteError.from_uri(PAYLOAD_SIZE_EXCEEDED, [str(error)])
    return PayloadError(f"the message could not be sent: {str(error) or type(error).__name__}")


def _unfit_uri(error: Exception) -> str:
    is_too_big = isinstance(error, PayloadExceededError)
    return PAYLOAD_SIZE_EXCEEDED if is_too_big else INVALID_PAYLOAD


def caller_of(invocation: message.Invocation) -> tuple[int | None, str | None, str | None]:
    """Return the caller's session, authid and role, as the router knows them.

    A caller may send a ``forward_for`` list of its own, whose first entry the router then shows
    as the caller. The entry that the router itself appended is the last.
    """
    if invocation.forward_for:
        return _forwarder(invocation.forward_for)
    return invocation.caller, invocation.caller_authid, invocation.caller_authrole


def publisher_of(event: message.Event) -> tuple[int | None, str | None, str | None]:
    """Return the publisher's session, authid and role; see :func:`caller_of`."""
    if event.forward_for:
        return _forwarder(event.forward_for)
    return event.publisher, event.publisher_authid, event.publisher_authrole


def _forwarder(
    forward_for: list[dict[str, Any]],
) -> tuple[int | None, str | None, str | None]:
    last = forward_for[-1]
    return last.get("session"), last.get("authid"), last.get("authrole")
