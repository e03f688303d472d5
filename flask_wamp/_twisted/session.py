"""The WAMP session: messages that carry payload are handled here, the rest by Autobahn.

Autobahn hands payload on as Python keyword arguments of its own functions, so that a peer who
sends ``fun=1`` or ``options=1`` breaks the call or the whole session; and it hides the list from
which the caller's true identity is read. This session takes Invocation, Event, Result, Published
and Error messages before that, and lets Autobahn do handshake, registration and subscription.
"""

import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from queue import SimpleQueue
from typing import Any, Protocol

from autobahn.exception import PayloadExceededError
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.serializer import CBORSerializer
from autobahn.wamp.types import CloseDetails

from ..errors import (
    INVALID_PAYLOAD,
    PAYLOAD_SIZE_EXCEEDED,
    ApplicationError,
    NotConnected,
    PayloadError,
    RemoteError,
    StreamOverflow,
)
from ..link import CallResult, result_value
from ..options import Options
from ..registry import Procedure, Subscription
from .strict import TolerantCBOR, Unreadable

#: The procedures of flow control; see :mod:`flask_wamp._twisted.flow`.
FLOW = "flask_wamp.flow."
#: Results of a stream that wait for their taker: at this many its callee is asked to pause.
PAUSE_AT = 512
#: At this many it may go on.
RESUME_AT = 128
#: At this many, of a callee that cannot be asked, the call is canceled.
OVERFLOW = 100_000
NO_OPTIONS = Options()

_RECEIVERS = (
    "exclude",
    "exclude_authid",
    "exclude_authrole",
    "eligible",
    "eligible_authid",
    "eligible_authrole",
)


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


class StreamReply(Reply):
    """What a thread waits for: the results of a call, one after another.

    :ivar token: names the stream to its callee, which asks whether its results are taken.
    """

    #: Stands behind the last result.
    END = object()

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.waiting: SimpleQueue[Any] = SimpleQueue()
        self.paused = False
        self.add_done_callback(lambda _: self.waiting.put(self.END))


class Server(Protocol):
    """Answers invocations and handles events, on the reactor's thread."""

    def add(self, declared: Procedure | Subscription) -> Any:
        """Serve one more procedure or subscription; returns a Deferred."""

    def remove(self, declared: Procedure | Subscription) -> Any:
        """Serve one less; returns a Deferred."""

    def invoke(self, invocation: message.Invocation) -> None:
        """Begin to answer; the answer goes to :meth:`Session.answer` later."""

    def interrupt(self, request: int) -> None:
        """The caller of the invocation *request* does not want the answer any more."""

    def handle(self, event: message.Event) -> None:
        """Queue the event for the handlers of its subscription."""

    def revoked(self, number: int) -> None:
        """The router has taken a registration or subscription away."""

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

    def call_for(
        self, reply: Reply, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> None:
        """Send a call whose answer, or results, go to *reply*."""
        reply.uri = uri
        token = reply.token if isinstance(reply, StreamReply) else None
        fields = {"receive_progress": token and True, "transaction_hash": token}
        self._request(
            reply,
            lambda request: _message(
                message.Call, options, request, uri, args=args, kwargs=kwargs, **fields
            ),
        )

    def publish_for(
        self,
        reply: Reply | None,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        options: Options,
    ) -> None:
        """Send an event; with a *reply*, it is to be acknowledged.

        The publisher's own process gets the event as well, where it subscribes: its views share
        one session, and which of them published must make no difference.
        """
        receivers = {
            name: list(getattr(options, name))
            for name in _RECEIVERS
            if getattr(options, name) is not None
        }
        self._request(
            reply,
            lambda request: _message(
                message.Publish,
                options,
                request,
                topic,
                args=args,
                kwargs=kwargs,
                acknowledge=reply is not None,
                exclude_me=bool(options.exclude_me),
                retain=options.retain,
                **receivers,
            ),
        )

    def on_part(self, reply: StreamReply) -> None:
        """A result of a stream has come."""
        waiting = reply.waiting.qsize()
        if waiting >= OVERFLOW:
            reply.fail(
                StreamOverflow(
                    f"{waiting} results of {reply.uri} wait already: take them faster, or let "
                    "the callee send fewer"
                )
            )
            self.cancel(reply)
        elif waiting >= PAUSE_AT and not reply.paused:
            reply.paused = True
            self._tell_flow("pause", reply)
            # The taker, on its thread, may have passed the mark before it could see the pause.
            if reply.waiting.qsize() <= RESUME_AT:
                self.resume(reply)

    def resume(self, reply: StreamReply) -> None:
        """The results of a stream have been taken: the callee may send more."""
        if reply.paused:
            reply.paused = False
            self._tell_flow("resume", reply)

    def _tell_flow(self, what: str, reply: StreamReply) -> None:
        """Tell the node's flow control, where there is one; see :mod:`flask_wamp._twisted.flow`."""
        if self._transport is not None:
            self.call_for(Reply(), FLOW + what, [reply.token], {}, NO_OPTIONS)

    def awaits(self, uri: str) -> bool:
        """Tell whether a call of *uri* by this process is unanswered."""
        return any(reply.uri == uri for reply in self._replies.values())

    def cancel(self, reply: Reply, mode: str | None = None) -> None:
        """Tell the router that nobody waits for the answer to a call any more."""
        waited = self._replies.pop(reply.request, None)
        if waited is not None and waited.uri and self._transport is not None:
            self._end_pause(waited)
            self._transport.send(message.Cancel(reply.request, mode or message.Cancel.KILLNOWAIT))

    def progress(self, request: int, value: Any) -> None:
        """Send *value* as a progressive result of the invocation *request*.

        :raises Exception: it cannot be sent.
        """
        self._reply(message.Yield(request, progress=True, **_payload(value)))

    def answer(self, request: int, value: Any) -> None:
        """Answer the invocation *request* with *value*."""
        try:
            self._reply(message.Yield(request, **_payload(value)))
        except Exception as error:  # noqa: BLE001
            # Serializers raise errors of their own; a call without an answer helps nobody.
            self.refuse_unfit(request, error)

    def refuse_unfit(self, request: int, error: Exception) -> None:
        """Answer the invocation *request* with what kept its result from being sent."""
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

    def onOpen(self, transport: Any) -> None:
        """Read CBOR so that a message that cannot be read does not end the session."""
        if type(getattr(transport, "_serializer", None)) is CBORSerializer:
            tolerant: Any = TolerantCBOR
            transport._serializer = tolerant()  # noqa: SLF001 - Crossbar.io makes it
        super().onOpen(transport)

    def onMessage(self, msg: Any) -> None:
        """Take the messages that carry payload; Autobahn takes the others."""
        kind = type(msg)
        if kind is Unreadable:
            self._unreadable(msg)
        elif self._session_id is None:
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
        elif kind in _REVOCATIONS and not msg.request:
            self._revoked(msg)
        elif kind is message.Interrupt and self.server is not None:
            self.server.interrupt(msg.request)
        else:
            super().onMessage(msg)

    def _unreadable(self, msg: Unreadable) -> None:
        """Let a message that cannot be read be the end of its call, or of nothing."""
        kind, request = msg.head[0], msg.head[-1]
        text = f"the message cannot be read: {msg.reason}"[:500]
        if kind == message.Invocation.MESSAGE_TYPE:
            self.refuse(msg.head[1], ApplicationError(INVALID_PAYLOAD, text))
        elif kind == message.Event.MESSAGE_TYPE:
            self.log.error("flask-wamp: an event is dropped: {text}", text=text)
        elif request in self._replies:
            error = RemoteError.from_uri(INVALID_PAYLOAD, [text])
            self._settle(request, lambda reply: reply.fail(error))

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
        if msg.payload is not None:
            text = "payload that the router does not read is not supported"
            error = RemoteError.from_uri(INVALID_PAYLOAD, [text])
            self._settle(msg.request, lambda reply: reply.fail(error))
            return
        value = result_value(msg.args or (), msg.kwargs)
        if not msg.progress:
            self._settle(msg.request, lambda reply: reply.succeed(value))
            return
        reply = self._replies[msg.request]
        if isinstance(reply, StreamReply):
            reply.waiting.put(value)
            self.on_part(reply)

    def _settle(self, request: int, outcome: Callable[[Reply], None]) -> None:
        reply = self._replies.pop(request)
        self._end_pause(reply)
        outcome(reply)

    def _end_pause(self, reply: Reply) -> None:
        if isinstance(reply, StreamReply):
            self.resume(reply)

    def _revoked(self, msg: Any) -> None:
        if type(msg) is message.Unregistered:
            number = msg.registration
            self._registrations.pop(number, None)
        else:
            number = msg.subscription
            self._subscriptions.pop(number, None)
        if self.server is not None:
            self.server.revoked(number)

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


class _Discloses:
    """The option ``disclose_me`` (WAMP spec, 10.2.4 and 10.3.2), which Autobahn leaves out."""

    disclose_me: bool | None = None

    def marshal(self) -> list[Any]:
        """Return the message as a list."""
        marshalled: list[Any] = super().marshal()  # type: ignore[misc]
        marshalled[2]["disclose_me"] = self.disclose_me
        return marshalled


class _DisclosingCall(_Discloses, message.Call):
    pass


class _DisclosingPublish(_Discloses, message.Publish):
    pass


_DISCLOSING = {message.Call: _DisclosingCall, message.Publish: _DisclosingPublish}


def _message(kind: Any, options: Options, *args: Any, **fields: Any) -> Any:
    """Return a message of a *kind* that may ask for disclosure."""
    if options.disclose_me is None:
        return kind(*args, **fields)
    msg = _DISCLOSING[kind](*args, **fields)
    msg.disclose_me = options.disclose_me
    return msg


_ANSWERS = (message.Result, message.Published, message.Error)
_REVOCATIONS = (message.Unregistered, message.Unsubscribed)
_GIVEN_UP = (message.Call.MESSAGE_TYPE, message.Publish.MESSAGE_TYPE)


def _send_error(error: Exception) -> Exception:
    if isinstance(error, TransportLost):
        return NotConnected("the message could not be sent: the transport was lost")
    if isinstance(error, PayloadExceededError):
        return RemoteError.from_uri(PAYLOAD_SIZE_EXCEEDED, [str(error)])
    return PayloadError(f"the message could not be sent: {str(error) or type(error).__name__}")


def _payload(value: Any) -> dict[str, Any]:
    if isinstance(value, CallResult):
        return {"args": list(value.args), "kwargs": value.kwargs or None}
    return {"args": [value]}


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
