"""What stands in for a reactor, a transport and a router."""

import math
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from autobahn.exception import PayloadExceededError
from autobahn.wamp import message, role
from autobahn.wamp.exception import TransportLost
from autobahn.wamp.serializer import CBORSerializer
from autobahn.wamp.types import ComponentConfig, TransportDetails
from flask import Flask
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.serve.binding import ViewServer, bind
from flask_wamp._twisted.serve.gates import Limits
from flask_wamp._twisted.session import Session
from flask_wamp._twisted.threads import ElasticPool, ReactorQueue
from flask_wamp.call.options import Options
from flask_wamp.state import state_of

SESSION_ID = 1001
TIMEOUT = 20.0
#: The options of calls, and of publishes that are acknowledged.
OPTIONS = Options(timeout=TIMEOUT)
UNACKNOWLEDGED = Options(timeout=TIMEOUT, acknowledge=False)
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"


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
        self.clock = Clock()
        self._work: SimpleQueue[Callable[[], Any]] = SimpleQueue()

    def queue(self) -> ReactorQueue:
        """Return a queue into this reactor."""
        return ReactorQueue(self.call_from_thread, self.clock.callLater)

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
        self._serializer: Any = CBORSerializer()
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
    :param refusal: the error that says so.
    :param disclose: callees learn who calls.
    """

    def __init__(
        self,
        turns: Turns,
        *,
        refused: tuple[str, ...] = (),
        refusal: str = "wamp.error.not_authorized",
        disclose: bool = True,
    ) -> None:
        self.transport = Transport()
        self.transport.on_send = self._take
        self.session = joined(self.transport)
        self.registrations: dict[str, int] = {}
        self.subscriptions: dict[str, int] = {}
        #: What the router itself answers, by procedure; raised if it is an exception.
        self.answers_of: dict[str, Any] = {}
        #: The events that are kept, by topic.
        self.retained: dict[str, Any] = {}
        #: Topics whose requests for the event that is kept are not answered.
        self.silent: set[str] = set()
        self._turns = turns
        self._refused = refused
        self._refusal = refusal
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
        procedure: str | None = None,
        progress: bool = False,
        token: str | None = None,
        **kwargs: Any,
    ) -> int:
        """Let a peer call *uri*, and return the request.

        :param procedure: what it calls, where *uri* is a pattern.
        :param progress: it takes progressive results.
        :param token: what it calls the stream of these.
        """
        self._requests += 1
        self.transport.receive(
            message.Invocation(
                self._requests,
                self.registrations[uri],
                args=list(args),
                kwargs=kwargs,
                caller=caller,
                caller_authrole=authrole if caller else None,
                procedure=procedure,
                receive_progress=progress or None,
                transaction_hash=token,
            )
        )
        return self._requests

    def interrupt(self, request: int) -> None:
        """Let the caller cancel, or be gone."""
        self.transport.receive(message.Interrupt(request, "killnowait"))

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
        """Return the answers to a request that have come, progressive results apart."""
        return [
            msg
            for msg in self.transport.sent
            if type(msg) in (message.Yield, message.Error)
            and msg.request == request
            and not getattr(msg, "progress", False)
        ]

    def parts(self, request: int) -> list[Any]:
        """Return the progressive results that have come, each a list of values."""
        return [
            msg.args
            for msg in self.transport.of_kind(message.Yield)
            if msg.request == request and msg.progress
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

    def publish(
        self,
        pattern: str,
        /,
        *args: Any,
        topic: str | None = None,
        carried: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Let a peer publish to what was subscribed to, or to a *topic* of that pattern."""
        self.transport.receive(
            message.Event(
                self.subscriptions[pattern],
                5,
                args=list(args),
                kwargs=kwargs,
                topic=topic,
                transaction_hash=carried,
            )
        )

    def _take(self, msg: Any) -> None:
        self.transport.sent.append(msg)
        kind = type(msg)
        if kind is message.Register:
            self._admit(msg, msg.procedure, self.registrations, message.Registered)
        elif kind is message.Subscribe:
            self._subscribe(msg)
        elif kind is message.Unregister:
            self._drop(self.registrations, msg.registration)
            self.transport.receive(message.Unregistered(msg.request))
        elif kind is message.Unsubscribe:
            self._drop(self.subscriptions, msg.subscription)
            self.transport.receive(message.Unsubscribed(msg.request))
        elif kind is message.Call:
            self._turns.call_from_thread(lambda: self._call(msg))
        elif kind is message.Cancel:
            self._turns.call_from_thread(lambda: self._cancel(msg.request))
        elif kind in (message.Yield, message.Error):
            self._turns.call_from_thread(lambda: self._result(msg))

    def _admit(self, msg: Any, uri: str, admitted: dict[str, int], reply: Any) -> None:
        if uri in self._refused:
            error = message.Error(msg.MESSAGE_TYPE, msg.request, self._refusal, args=[f"no {uri}"])
            self.transport.receive(error)
            return
        number = admitted.setdefault(uri, len(admitted) + 1)
        self.transport.receive(reply(msg.request, number))

    def _subscribe(self, msg: message.Subscribe) -> None:
        if msg.get_retained and msg.topic in self.silent:
            return
        self._admit(msg, msg.topic, self.subscriptions, message.Subscribed)
        if msg.get_retained and msg.topic in self.retained:
            event = message.Event(
                self.subscriptions[msg.topic], 4, args=[self.retained[msg.topic]], retained=True
            )
            self.transport.receive(event)

    def _drop(self, admitted: dict[str, int], number: int) -> None:
        for uri in [uri for uri, other in admitted.items() if other == number]:
            del admitted[uri]

    def _answer_itself(self, call: message.Call) -> None:
        answer = self.answers_of.get(call.procedure, LookupError(NO_SUCH_PROCEDURE))
        if callable(answer):
            answer = answer(*call.args)
        if isinstance(answer, Exception):
            error = message.Error(message.Call.MESSAGE_TYPE, call.request, str(answer.args[0]))
            self.transport.receive(error)
        else:
            self.transport.receive(message.Result(call.request, args=[answer]))

    def _call(self, call: message.Call) -> None:
        if call.procedure not in self.registrations:
            self._answer_itself(call)
            return
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
                receive_progress=call.receive_progress,
                transaction_hash=call.transaction_hash,
            )
        )

    def _cancel(self, call: int) -> None:
        for request in [request for request, other in self._calls.items() if other == call]:
            del self._calls[request]
            self.interrupt(request)
            error = message.Error(message.Call.MESSAGE_TYPE, call, "wamp.error.canceled")
            self.transport.receive(error)

    def _result(self, msg: Any) -> None:
        call = self._calls.get(msg.request)
        if call is None:
            return
        progress = getattr(msg, "progress", None)
        if not progress:
            del self._calls[msg.request]
        if type(msg) is message.Yield:
            result = message.Result(call, args=msg.args, kwargs=msg.kwargs, progress=progress)
            self.transport.receive(result)
            return
        self.transport.receive(
            message.Error(
                message.Call.MESSAGE_TYPE, call, msg.error, args=msg.args, kwargs=msg.kwargs
            )
        )


class Serving:
    """Serves an application on threads, through a :class:`Router`."""

    def __init__(self, app: Flask, turns: Turns) -> None:
        self._state = state_of(app)
        self._turns = turns
        self._queue = turns.queue()
        self._pools: list[ElasticPool] = []
        #: Those of the last pool.
        self.limits = Limits()

    @property
    def pool(self) -> ElasticPool:
        """The pool that views run in."""
        return self._pools[-1]

    def __call__(self, threads: int = 4, **options: Any) -> Router:
        """Serve with a pool of its own, and return the router."""
        pool = ElasticPool(threads, self._queue)
        pool.start()
        self._pools.append(pool)
        self.limits = Limits()
        return self.again(**options)

    def again(self, **options: Any) -> Router:
        """Serve through a new session, as after a loss."""
        outcomes: list[Any] = []
        router = Router(self._turns, **options)
        link = SessionLink(self._queue)
        link.attach(router.session)
        self._state.slot.attach(link)
        bind(router.session, self._state, self.pool, self.limits).addBoth(outcomes.append)
        self._turns.run_until(lambda: outcomes)
        if not isinstance(outcomes[0], ViewServer):
            outcomes[0].raiseException()
        # As at a router that is none of ours, from the second call on: nobody is asked who calls.
        memory = self._state.callers._memory
        assert memory is not None
        memory.silent_until = math.inf
        return router

    def stop(self) -> None:
        """Let the threads end."""
        for pool in self._pools:
            pool.stop()


class Blocked:
    """A place in a view where the test holds it."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self) -> None:
        self.reached.release()
        assert self.go_on.wait(TIMEOUT)

    def wait(self) -> None:
        """Wait until one more view is there."""
        assert self.reached.acquire(timeout=TIMEOUT)


class Wire(StringTransportWithDisconnection):
    """A transport that ends at once when it is aborted, as a socket does."""

    aborted = False

    def abortConnection(self) -> None:
        """Be gone."""
        self.aborted = True
        untyped: Any = self
        untyped.loseConnection()


new_wire: Any = Wire


class MemoryReactor(MemoryReactorClock):
    """A test reactor whose triggers can be taken away, as a reactor's can."""

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Take away the one that was added with this id."""
        phase, event, number = triggerID
        self.triggers[phase][event][number] = (lambda: None, (), {})

    def addSystemEventTrigger(self, phase: str, eventType: str, *rest: Any, **kw: Any) -> Any:
        """Keep a trigger, and return its id."""
        super().addSystemEventTrigger(phase, eventType, *rest, **kw)
        return phase, eventType, len(self.triggers[phase][eventType]) - 1


new_reactor: Any = MemoryReactor


class FarEnd:
    """A test reactor, and the router that is reached through it."""

    def __init__(self) -> None:
        self.reactor: Any = new_reactor()
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
