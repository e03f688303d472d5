"""What stands in for a reactor, a transport and a router."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from autobahn.exception import PayloadExceededError
from autobahn.wamp import message, role
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.serializer import CBORSerializer
from autobahn.wamp.types import ComponentConfig, TransportDetails
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from flask_wamp._twisted.session import Session

SESSION_ID = 1001
TIMEOUT = 20.0


def eventually(condition: Callable[[], Any], timeout: float = TIMEOUT) -> None:
    """Wait until threads have made *condition* true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.001)


class Turns:
    """Stands in for the reactor: the test runs, on its own thread, what threads hand over."""

    def __init__(self) -> None:
        self.wake_ups = 0
        self._work: SimpleQueue[Callable[[], Any]] = SimpleQueue()

    def call_from_thread(self, work: Callable[[], Any]) -> None:
        """Run *work* at one of the next turns."""
        self.wake_ups += 1
        self._work.put(work)

    def run_one(self) -> None:
        """Run the next piece of work, which is there already."""
        self._work.get_nowait()()

    def run_pending(self) -> None:
        """Run what is there."""
        while not self._work.empty():
            self.run_one()

    def run_until(self, condition: Callable[[], Any], timeout: float = TIMEOUT) -> None:
        """Run what comes, until *condition* is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "what the test waits for did not happen"
            try:
                work = self._work.get(timeout=0.01)
            except Empty:
                continue
            work()


class Transport:
    """Carries messages in their serialized form, as a RawSocket would, to a list."""

    def __init__(self, *, limit: int = 2**20) -> None:
        self.sent: list[Any] = []
        self.on_send: Callable[[Any], None] = self.sent.append
        self.transport_details = TransportDetails()
        self.closed = False
        self._limit = limit
        self._serializer = CBORSerializer()
        self._session: Session | None = None

    def open(self, session: Session) -> None:
        """Be the transport of *session*."""
        self._session = session
        session.onOpen(self)

    def send(self, msg: Any) -> None:
        """Send a message."""
        if self.closed:
            raise TransportLost
        data, _ = self._serializer.serialize(msg)
        if len(data) > self._limit:
            raise PayloadExceededError(f"{len(data)} bytes, more than {self._limit}")
        self.on_send(self._serializer.unserialize(data)[0])

    def receive(self, msg: Any) -> None:
        """Bring a message to the session."""
        assert self._session is not None
        data, _ = self._serializer.serialize(msg)
        self._session.onMessage(self._serializer.unserialize(data)[0])

    def lose(self) -> None:
        """Be gone."""
        assert self._session is not None
        self.closed = True
        self._session.onClose(False)

    def isOpen(self) -> bool:
        """Tell whether messages can be sent."""
        return not self.closed

    is_open = isOpen

    def close(self) -> None:
        """Close, as a session asks for after it was left."""
        self.closed = True

    abort = close

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """Return the messages of one kind that were sent."""
        return [msg for msg in self.sent if type(msg) is kind]


def welcome(authrole: str = "backend") -> message.Welcome:
    """Return the message by which a router lets a session join."""
    return message.Welcome(
        SESSION_ID,
        {"broker": role.RoleBrokerFeatures(), "dealer": role.RoleDealerFeatures()},
        realm="realm1",
        authid="anonymous",
        authrole=authrole,
        authmethod="anonymous",
    )


def joined(transport: Transport, session: Session | None = None) -> Session:
    """Return a session that has joined its realm over *transport*."""
    session = session or Session(ComponentConfig(realm="realm1"))
    transport.open(session)
    transport.receive(welcome())
    del transport.sent[:]
    return session


class Router:
    """Registers, subscribes and routes the calls of one session to itself, if it so wishes.

    :param refused: URIs that may not be registered or subscribed to.
    :param disclose: callees learn who calls.
    """

    def __init__(
        self, turns: Turns, *, refused: tuple[str, ...] = (), disclose: bool = True
    ) -> None:
        self.transport = Transport()
        self.transport.on_send = self._take
        self.session = joined(self.transport)
        self.registrations: dict[str, int] = {}
        self.subscriptions: dict[str, int] = {}
        self._turns = turns
        self._refused = refused
        self._disclose = disclose
        self._calls: dict[int, int] = {}
        self._requests = 0

    def invoke(
        self,
        uri: str,
        /,
        *args: Any,
        caller: int | None = 7,
        authrole: str | None = "anonymous",
        **kwargs: Any,
    ) -> int:
        """Let a peer call *uri*, and return the request."""
        self._requests += 1
        self.transport.receive(
            message.Invocation(
                self._requests,
                self.registrations[uri],
                args=list(args),
                kwargs=kwargs,
                caller=caller,
                caller_authrole=authrole if caller else None,
            )
        )
        return self._requests

    def answer(self, request: int) -> Any:
        """Return the answer to a request, Yield or Error, when it has come."""
        found: list[Any] = []

        def look() -> bool:
            found.extend(self.answers(request))
            return bool(found)

        self._turns.run_until(look)
        assert len(found) == 1
        return found[0]

    def answers(self, request: int) -> list[Any]:
        """Return the answers to a request that have come."""
        return [
            msg
            for msg in self.transport.sent
            if type(msg) in (message.Yield, message.Error) and msg.request == request
        ]

    def value(self, request: int) -> Any:
        """Return the value that answers a request."""
        msg = self.answer(request)
        assert type(msg) is message.Yield, msg
        return msg.args[0]

    def error(self, request: int) -> message.Error:
        """Return the error that answers a request."""
        msg = self.answer(request)
        assert type(msg) is message.Error, msg
        assert msg.request_type == message.Invocation.MESSAGE_TYPE
        return msg

    def publish(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Let a peer publish to *topic*."""
        event = message.Event(self.subscriptions[topic], 5, args=list(args), kwargs=kwargs)
        self.transport.receive(event)

    def _take(self, msg: Any) -> None:
        self.transport.sent.append(msg)
        kind = type(msg)
        if kind is message.Register:
            self._admit(msg, msg.procedure, self.registrations, message.Registered)
        elif kind is message.Subscribe:
            self._admit(msg, msg.topic, self.subscriptions, message.Subscribed)
        elif kind is message.Call:
            self._turns.call_from_thread(lambda: self._call(msg))
        elif kind in (message.Yield, message.Error) and msg.request in self._calls:
            self._turns.call_from_thread(lambda: self._result(msg))

    def _admit(self, msg: Any, uri: str, admitted: dict[str, int], reply: Any) -> None:
        if uri in self._refused:
            error = message.Error(
                msg.MESSAGE_TYPE, msg.request, "wamp.error.not_authorized", args=[f"no {uri}"]
            )
            self.transport.receive(error)
            return
        number = admitted.setdefault(uri, len(admitted) + 1)
        self.transport.receive(reply(msg.request, number))

    def _call(self, call: message.Call) -> None:
        self._requests += 1
        self._calls[self._requests] = call.request
        self.transport.receive(
            message.Invocation(
                self._requests,
                self.registrations[call.procedure],
                args=call.args,
                kwargs=call.kwargs,
                caller=SESSION_ID if self._disclose else None,
                caller_authrole="backend" if self._disclose else None,
            )
        )

    def _result(self, msg: Any) -> None:
        call = self._calls.pop(msg.request)
        if type(msg) is message.Yield:
            self.transport.receive(message.Result(call, args=msg.args, kwargs=msg.kwargs))
            return
        self.transport.receive(
            message.Error(
                message.Call.MESSAGE_TYPE, call, msg.error, args=msg.args, kwargs=msg.kwargs
            )
        )


class Wire(StringTransportWithDisconnection):
    """A transport that ends at once when it is aborted, as a socket does."""

    aborted = False

    def abortConnection(self) -> None:
        """Be gone."""
        self.aborted = True
        untyped: Any = self
        untyped.loseConnection()


new_wire: Any = Wire


class FarEnd:
    """A test reactor, and the router that is reached through it."""

    def __init__(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.serializer = CBORSerializer()
        self.wire: Any = new_wire()

    @property
    def attempts(self) -> int:
        """How often the connector has dialled."""
        return len(self.reactor.unixClients)

    @property
    def delay(self) -> float:
        """The seconds until the next attempt."""
        (call,) = self.reactor.getDelayedCalls()
        return float(call.getTime() - self.reactor.seconds())

    def refuse(self) -> None:
        """Refuse the attempt that is under way."""
        factory = self.reactor.unixClients[-1][1]
        factory.clientConnectionFailed(self.reactor.connectors[-1], Failure(Refused()))

    def accept(self) -> None:
        """Accept the attempt, as a RawSocket that has yet to shake hands."""
        factory = self.reactor.unixClients[-1][1]
        protocol = factory.buildProtocol(None)
        self.wire = new_wire()
        self.wire.protocol = protocol
        protocol.makeConnection(self.wire)

    def shake_hands(self) -> None:
        """Answer the handshake: CBOR, and messages of up to 16 MiB."""
        assert self.wire.value()[:1] == b"\x7f"
        self.wire.clear()
        self.receive_bytes(b"\x7f\xf3\x00\x00")

    def receive_bytes(self, data: bytes) -> None:
        """Bring bytes to the connector's side."""
        protocol: Any = self.wire.protocol
        protocol.dataReceived(data)

    def receive(self, msg: Any) -> None:
        """Bring a message to the session."""
        data, _ = self.serializer.serialize(msg)
        self.receive_bytes(len(data).to_bytes(4, "big") + data)

    def sent(self) -> list[Any]:
        """Return the messages that were sent since the last look."""
        data, messages = self.wire.value(), []
        self.wire.clear()
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            messages += self.serializer.unserialize(data[4:end])
            data = data[end:]
        return messages

    def join(self) -> None:
        """Let the session join."""
        self.accept()
        self.shake_hands()
        (hello,) = self.sent()
        assert (type(hello), hello.realm) == (message.Hello, "realm1")
        self.receive(welcome())

    def lose(self) -> None:
        """Lose the connection."""
        self.wire.loseConnection()
