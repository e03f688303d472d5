"""The WAMP session: messages that carry payload are handled here, the rest by Autobahn.

Autobahn hands payload on as Python keyword arguments of its own functions, so that a peer who
sends ``fun=1`` or ``options=1`` breaks the call or the whole session; and it hides the list from
which the caller's true identity is read. This session takes Invocation, Event, Result, Published
and Error messages before that, and lets Autobahn do handshake, registration and subscription.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from autobahn.wamp import message
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.types import CloseDetails

from ..call.options import Options
from ..declare.declared import Procedure, Subscription
from ..errors import INVALID_PAYLOAD, ApplicationError, NotConnected, RemoteError
from ..results import result_value
from .engine.sessions import EngineSession
from .flow import FLOW
from .heads import Unreadable
from .messages import call_message, payload_of, publish_message, send_error, unfit_uri
from .replies import MAY_HAVE_RUN, Reply, StreamReply

NO_OPTIONS = Options()


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


class Brake(Protocol):
    """Keeps the connection from being read, but while an answer is awaited."""

    def look(self) -> None:
        """Something is awaited."""


class Session(EngineSession):
    """A session that calls and publishes for threads, and serves through a :class:`Server`.

    Every method runs on the reactor's thread.
    """

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.server: Server | None = None
        #: Keeps the connection from being read, where a handler wants that.
        self.brake: Brake | None = None
        self._replies: dict[int, Reply] = {}

    def call_for(
        self, reply: Reply, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> None:
        """Send a call whose answer, or results, go to *reply*."""
        reply.uri = uri
        stream = reply.token if isinstance(reply, StreamReply) else None
        self._request(
            reply, lambda request: call_message(request, uri, args, kwargs, options, stream)
        )

    def publish_for(
        self,
        reply: Reply | None,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        options: Options,
    ) -> None:
        """Send an event; with a *reply*, it is to be acknowledged."""
        acknowledge = reply is not None
        self._request(
            reply,
            lambda request: publish_message(
                request, topic, args, kwargs, options, acknowledge=acknowledge
            ),
        )

    def tell_flow(self, what: str, token: str) -> None:
        """Tell the node's flow control, where there is one; see :mod:`flask_wamp._twisted.flow`."""
        if self.has_transport:
            self.call_for(Reply(), FLOW + what, [token], {}, NO_OPTIONS)

    def awaits(self, uri: str) -> bool:
        """Tell whether a call of *uri* by this process is unanswered."""
        return any(reply.uri == uri for reply in self._replies.values())

    def awaits_answers(self) -> bool:
        """Tell whether the router owes this session an answer to anything."""
        return bool(self._replies) or self.autobahn_awaits_answers()

    def cancel(self, reply: Reply, mode: str | None = None) -> None:
        """Tell the router that nobody waits for the answer to a call any more."""
        waited = self._replies.pop(reply.request, None)
        if waited is not None and waited.uri and self.has_transport:
            waited.resume()
            self.send(message.Cancel(reply.request, mode or message.Cancel.KILLNOWAIT))

    def forget_replies(self) -> None:
        """Tell nobody what becomes of the calls and publishes that are unanswered."""
        self._replies.clear()

    def progress(self, request: int, value: Any) -> None:
        """Send *value* as a progressive result of the invocation *request*.

        :raises Exception: it cannot be sent.
        """
        self._reply(message.Yield(request, progress=True, **payload_of(value)))

    def answer(self, request: int, value: Any) -> None:
        """Answer the invocation *request* with *value*."""
        try:
            self._reply(message.Yield(request, **payload_of(value)))
        except Exception as error:  # noqa: BLE001
            # Serializers raise errors of their own; a call without an answer helps nobody.
            self.refuse_unfit(request, error)

    def refuse_unfit(self, request: int, error: Exception) -> None:
        """Answer the invocation *request* with what kept its result from being sent."""
        self.refuse(request, ApplicationError(unfit_uri(error), str(error)))

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
            self._reply(message.Error(kind, request, unfit_uri(unfit), args=[text]))

    def onMessage(self, msg: Any) -> None:
        """Take the messages that carry payload; Autobahn takes the others."""
        kind = type(msg)
        if kind is Unreadable:
            self._unreadable(msg)
        elif not self.has_joined:
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
        request = self.next_request()
        if reply is not None:
            reply.session, reply.request = self, request
            self._replies[request] = reply
            if self.brake is not None:
                self.brake.look()
        try:
            self.send(make(request))
        except Exception as error:
            # Whatever kept the message from going out is the waiting thread's to know.
            self._replies.pop(request, None)
            if reply is not None:
                reply.sent = False
                reply.fail(send_error(error))
            elif not isinstance(error, TransportLost):
                raise

    def _answer_to_nobody_of_ours(self, msg: Any) -> None:
        """Hand Autobahn the answers to its own requests; drop one to a call that was given up."""
        if (
            type(msg) is message.Error and msg.request_type not in _GIVEN_UP
        ) or self.is_request_of_autobahn(msg.request):
            super().onMessage(msg)

    def _result(self, msg: message.Result) -> None:
        if msg.payload is not None:
            text = "payload that the router does not read is not supported"
            error = RemoteError.from_uri(INVALID_PAYLOAD, [text])
            self._settle(msg.request, lambda reply: reply.fail(error))
            return
        value = result_value(msg.args or (), msg.kwargs)
        if msg.progress:
            self._replies[msg.request].part(value)
        else:
            self._settle(msg.request, lambda reply: reply.succeed(value))

    def _settle(self, request: int, outcome: Callable[[Reply], None]) -> None:
        reply = self._replies.pop(request)
        reply.resume()
        outcome(reply)

    def _revoked(self, msg: Any) -> None:
        if type(msg) is message.Unregistered:
            number = msg.registration
            self.drop_registration(number)
        else:
            number = msg.subscription
            self.drop_subscription(number)
        if self.server is not None:
            self.server.revoked(number)

    def _reply(self, msg: Any) -> None:
        # The router told the caller when the transport went away.
        if self.has_joined:
            with contextlib.suppress(TransportLost):
                self.send(msg)

    def _end(self, reason: str) -> None:
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            reply.fail(
                NotConnected(
                    f"the session ended while an answer was awaited: {reason}; {MAY_HAVE_RUN}"
                )
            )
        if self.server is not None:
            self.server.lost()
            self.server = None


_ANSWERS = (message.Result, message.Published, message.Error)
_REVOCATIONS = (message.Unregistered, message.Unsubscribed)
_GIVEN_UP = (message.Call.MESSAGE_TYPE, message.Publish.MESSAGE_TYPE)
