"""The ways in which calls and publishes are made; each tells the ledger what comes back."""

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from autobahn.twisted.rawsocket import WampRawSocketClientFactory
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory
from autobahn.wamp import message
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer
from autobahn.wamp.types import ComponentConfig, PublishOptions, SubscribeOptions
from flask import Flask, g
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.python.failure import Failure

from flask_wamp import WAMP, CallTimeout
from flask_wamp._twisted.reactor_thread import running_reactor
from tests.node.support import on_reactor

from .ledger import PUBLISH, SEND, Call, Ledger, Witness
from .names import PAGE, WITHIN, name_of

#: Seconds between two attempts of a peer to connect, and how long one may take.
RETRY, CONNECT_WITHIN = 0.1, 2.0
#: Calls that one way has in flight at most, in threads where it needs them.
AT_ONCE = 12
NOT_CONNECTED = "not connected"
#: What is answered by which message, but for errors.
ANSWERS: dict[type, int] = {
    message.Result: message.Call.MESSAGE_TYPE,
    message.Published: message.Publish.MESSAGE_TYPE,
}


class Way(Protocol):
    """A way to call and publish."""

    name: str

    def begin(self, call: Call) -> None:
        """Send a call or publish; what comes back goes to the ledger. Does not wait."""

    def close(self) -> None:
        """End it."""


class _Session(ApplicationSession):
    """A session that says when it joins and when it is lost."""

    peer: "AutobahnPeer"

    def onJoin(self, details: Any) -> Any:
        return self.peer.joined(self)

    def onMessage(self, msg: Any) -> None:
        """Note an answer to what has been answered, or was never asked."""
        if self._is_awaited(msg):
            super().onMessage(msg)
        else:
            self.peer.ledger.stray(f"{type(msg).__name__} {msg.request} by {self.peer.name}")

    def _is_awaited(self, msg: Any) -> bool:
        kind = msg.request_type if isinstance(msg, message.Error) else ANSWERS.get(type(msg))
        requests = {
            message.Call.MESSAGE_TYPE: self._call_reqs,
            message.Publish.MESSAGE_TYPE: self._publish_reqs,
        }
        return kind not in requests or msg.request in requests[kind]

    def onDisconnect(self) -> None:
        self.peer.lost(self)


class AutobahnPeer:
    """An Autobahn session that connects again whenever it is lost.

    :param address: a TCP port, for a WebSocket, or the path of a Unix socket, for a RawSocket.
    """

    def __init__(self, ledger: Ledger, name: str, address: int | str) -> None:
        self.name = name
        self.ledger = ledger
        self._address = address
        self._reactor = running_reactor()
        self._is_closed = False
        self.session: ApplicationSession | None = None
        on_reactor(self._connect)

    @property
    def is_joined(self) -> bool:
        """Whether there is a session."""
        return self.session is not None

    def begin(self, call: Call) -> None:
        """Send a call or publish."""
        self._reactor.callFromThread(self._send, call)

    def close(self) -> None:
        """Leave for good."""

        def leave() -> None:
            self._is_closed = True
            if self.session is not None:
                self.session.leave()

        on_reactor(leave)

    def joined(self, session: ApplicationSession) -> Any:
        """There is a session."""
        self.session = session

    def lost(self, session: ApplicationSession) -> None:
        """There is none any more."""
        if self.session is session:
            self.session = None

    def _connect(self) -> None:
        if self._is_closed:
            return
        factory: Any
        endpoint: Any
        if isinstance(self._address, int):
            url = f"ws://127.0.0.1:{self._address}/trusted"
            factory = WampWebSocketClientFactory(
                self._make, url=url, serializers=[JsonSerializer()]
            )
            factory.setProtocolOptions(openHandshakeTimeout=CONNECT_WITHIN)
            endpoint = TCP4ClientEndpoint(
                self._reactor, "127.0.0.1", self._address, timeout=CONNECT_WITHIN
            )
        else:
            factory = WampRawSocketClientFactory(self._make, serializer=CBORSerializer())
            endpoint = UNIXClientEndpoint(self._reactor, self._address, timeout=CONNECT_WITHIN)
        factory.noisy = False
        self._protocol_of(factory)
        endpoint.connect(factory).addErrback(lambda _: self._connect_later())

    def _protocol_of(self, factory: Any) -> None:
        """Have the next attempt begin when a connection is lost, joined or not."""
        peer, lost = self, factory.protocol.connectionLost

        class Protocol(factory.protocol):
            def connectionLost(self, reason: Any) -> None:
                lost(self, reason)
                peer._connect_later()

        factory.protocol = Protocol

    def _connect_later(self) -> None:
        self._reactor.callLater(RETRY, self._connect)

    def _make(self) -> ApplicationSession:
        session = _Session(ComponentConfig(realm="realm1"))
        session.peer = self
        return session

    def _send(self, call: Call) -> None:
        if self.session is None:
            self.ledger.error(call, NOT_CONNECTED, may_have_run=False)
            return
        try:
            sent: Any = self._sent(self.session, call)
        except Exception as error:  # noqa: BLE001 - whatever Autobahn says of a dying transport
            self.ledger.error(call, name_of(error))
            return
        if call.kind == SEND:
            self.ledger.result(call, call.number)
            return
        # It is not canceled at the router: Autobahn takes the answer to that for a violation of the
        # protocol, and ends the session.
        too_late = self._reactor.callLater(
            call.within, self.ledger.timeout, call, "its time was over"
        )

        def ended() -> bool:
            """Tell whether the answer is in time."""
            if too_late.active():
                too_late.cancel()
                return True
            return False

        def succeeded(value: Any) -> None:
            if ended():
                self.ledger.result(call, call.number if call.kind == PUBLISH else value)

        def failed(failure: Failure) -> None:
            error: Any = failure.value
            if ended():
                self.ledger.error(call, name_of(error))

        sent.addCallbacks(succeeded, failed)

    def _sent(self, session: ApplicationSession, call: Call) -> Any:
        if call.kind == PUBLISH:
            acknowledged = PublishOptions(acknowledge=True)
            return session.publish(call.what, call.number, options=acknowledged)
        if call.kind == SEND:
            return session.publish(call.what, call.number)
        return session.call(call.what, call.number)


class Subscriber(AutobahnPeer):
    """A peer that subscribes, again after each loss, and notes what it gets for the ledger."""

    def __init__(self, ledger: Ledger, address: str, topics: dict[str, Witness]) -> None:
        self._topics = topics
        super().__init__(ledger, "subscriber", address)

    def joined(self, session: ApplicationSession) -> Any:
        for topic, witness in self._topics.items():
            subscribed = session.subscribe(
                self._taker(witness), topic, SubscribeOptions(match="exact")
            )
            subscribed.addCallbacks(self._noter(witness), lambda _: None)
        return super().joined(session)

    def lost(self, session: ApplicationSession) -> None:
        for witness in self._topics.values():
            witness.lost(self.ledger.now())
        super().lost(session)

    def _taker(self, witness: Witness) -> Callable[[int], None]:
        return lambda number: witness.received.append((number, self.ledger.now()))

    def _noter(self, witness: Witness) -> Callable[[Any], None]:
        return lambda _: witness.subscribed(self.ledger.now())


class _Threads:
    """What the ways that wait share: threads, as many as calls may be in flight."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.name = name
        self.ledger = ledger
        self._free = threading.Semaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"chaos {name}")

    def _submit(self, call: Call, work: Callable[[Call], None]) -> None:
        self._pool.submit(self._run, call, work)

    def _run(self, call: Call, work: Callable[[Call], None]) -> None:
        try:
            work(call)
        except TimeoutError as error:
            self.ledger.timeout(call, name_of(error), getattr(error, "may_have_run", None))
        except Exception as error:  # noqa: BLE001 - each is an entry
            self.ledger.error(call, name_of(error), getattr(error, "may_have_run", None))

    def close(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown()


class FlaskWay(_Threads):
    """Another Flask application with the extension, which calls with ``g.wampy``."""

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(ledger, "flask")
        self.app = Flask("tests.chaos.caller")
        self.app.config.from_mapping({"WAMP_URL": url, "WAMP_TIMEOUT": WITHIN})
        self.wamp = WAMP(self.app)

    def begin(self, call: Call) -> None:
        """Send a call or publish from a thread."""
        self._submit(call, self._work)

    def _work(self, call: Call) -> None:
        with self.app.app_context():
            if call.kind in (PUBLISH, SEND):
                g.wampy.with_options(acknowledge=call.kind == PUBLISH).publish(
                    call.what, call.number
                )
                self.ledger.result(call, call.number)
            else:
                self.ledger.result(call, g.wampy.call(call.what, call.number))

    def close(self) -> None:
        """End the connection, when what runs has ended."""
        super().close()
        self.wamp.stop(self.app)


class HTTPWay(_Threads):
    """Requests to the hosted application, whose views call and publish."""

    def __init__(self, ledger: Ledger, port: int) -> None:
        super().__init__(ledger, "http")
        self._port = port

    def begin(self, call: Call) -> None:
        """Send the request from a thread."""
        self._submit(call, self._work)

    def _work(self, call: Call) -> None:
        path = f"{call.kind if call.kind in (PUBLISH, SEND) else 'call'}/{call.what}"
        if call.what == PAGE:
            path = PAGE
        # The view has WITHIN seconds; the request a little more, so that its answer is seen.
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WITHIN + 1)
        try:
            connection.request("GET", f"/{path}/{call.number}")
            response = connection.getresponse()
            self._enter(call, response.status, response.read())
        finally:
            connection.close()

    def _enter(self, call: Call, status: int, body: bytes) -> None:
        try:
            answer = json.loads(body)
        except ValueError:
            self.ledger.error(call, f"HTTP {status}")
            return
        error = answer.get("error")
        if error is None:
            self.ledger.result(call, answer.get("number"))
        elif error == CallTimeout.__name__:
            self.ledger.timeout(call, error, answer.get("may_have_run"))
        else:
            self.ledger.error(call, error, answer.get("may_have_run"))
