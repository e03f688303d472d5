"""What the node tests are made of: configurations, peers and waiting for conditions."""

import json
import os
import queue
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import pytest
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import (
    WampWebSocketClientFactory,
    WebSocketClientFactory,
    WebSocketClientProtocol,
)
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.serializer import (
    CBORObjectSerializer,
    CBORSerializer,
    JsonSerializer,
    MsgPackObjectSerializer,
    MsgPackSerializer,
)
from autobahn.wamp.types import (
    CallOptions,
    ComponentConfig,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)
from flask import Flask
from sqlalchemy import event as database_event
from sqlalchemy.orm import Session
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.python.failure import Failure

from flask_wamp import WAMP
from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode

from .static_rights import NARROW, STRANGERS

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATIONS = ROOT / "crossbar_config"
APPS = "tests.node.apps"
MakeApp = Callable[..., tuple[Flask, WAMP]]
#: Seconds that anything in these tests may take at most, but for the start of a node.
LIMIT = 40.0
#: Nodes that are stopped while something runs that never ends wait for it no longer than this.
SHORT = {"grace": 1.0}

SERIALIZERS: Mapping[str, Callable[[], Any]] = {
    "json": JsonSerializer,
    "msgpack": MsgPackSerializer,
    "cbor": CBORSerializer,
}


# --- waiting


def wait_until(condition: Callable[[], T], what: str, *, timeout: float = LIMIT) -> T:
    """Return the first true value of *condition*; fail, saying *what* was awaited, when late."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not so after {timeout:g} s; it is {value!r}")
        pause.wait(0.02)


def settled(look: Callable[[], int], what: str) -> int:
    """Return what *look* returns once it is not 0 and stays the same, 30 looks long."""
    last, same = 0, 0

    def stays() -> bool:
        nonlocal last, same
        now = look()
        same = same + 1 if now == last else 0
        last = now
        return now > 0 and same >= 30

    wait_until(stays, what, timeout=2 * LIMIT)
    return last


def missing_service(reason: str) -> NoReturn:
    """Skip the test on a laptop, and fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


# --- configurations


def repository_config(name: str = "single_node.json") -> dict[str, Any]:
    """Return one of the repository's configurations, with paths that hold anywhere."""
    config: dict[str, Any] = json.loads((CONFIGURATIONS / name).read_text())
    for worker in config["workers"]:
        if "pythonpath" in worker["options"]:
            worker["options"]["pythonpath"] = [str(ROOT)]
        else:
            worker["options"]["env"]["vars"]["PYTHONPATH"] = str(ROOT)
    return config


def _way_in(role: str) -> dict[str, Any]:
    return {"type": "websocket", "auth": {"anonymous": {"type": "static", "role": role}}}


def node_config(
    *, web: str | None, views: Sequence[str], wsgi: str = f"{APPS}.service", governed: bool = False
) -> dict[str, Any]:
    """Return the repository's single node with other classes in it.

    :param web: the router component; None leaves it, and the WSGI application, out.
    :param views: the components of one container; none leaves the container out.
    :param wsgi: the module of the WSGI application ``app``.
    :param governed: strangers may what the application declares, as everywhere but in tests.
    """
    config = repository_config()
    router, container = config["workers"][:2]
    paths = router["transports"][0]["paths"]
    if web is None:
        router["components"] = []
        paths["/"] = {"type": "json", "value": {}}
        paths["ws"]["auth"] = _way_in("anonymous")["auth"]
    else:
        router["components"][0]["classname"] = web
        router["components"][0]["extra"] = dict(SHORT)
        paths["/"]["module"] = wsgi
    roles = router["realms"][0]["roles"]
    if not governed:
        next(role for role in roles if role["name"] == "anonymous")["permissions"] = STRANGERS
    # A way in over WebSocket with the backend's rights, for peers that can do nothing else.
    paths["trusted"] = _way_in("backend")
    # The rights that the README's node gives to browsers: those to one namespace.
    paths["narrow"] = _way_in("narrow")
    roles.append({"name": "narrow", "permissions": [NARROW]})
    # Without a supervisor: who serves is in the container.
    template = {k: value for k, value in container["components"][0].items() if k != "extra"}
    container["components"] = [
        {**template, "id": f"views{number}", "classname": classname, "extra": dict(SHORT)}
        for number, classname in enumerate(views)
    ]
    config["workers"] = [router, container] if views else [router]
    return config


# --- nodes


def start_all(nodes: Sequence[CrossbarNode], *, at_once: int = 3) -> None:
    """Start *nodes*, several at once."""
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(CrossbarNode.start, nodes))


def complaints(node: CrossbarNode, since: int) -> list[str]:
    """Return what a container of *node* has logged, and errors anywhere, behind *since* bytes."""
    lines = node.log[since:].splitlines()
    return [line for line in lines if re.search(r"\[Container|rror|Traceback", line)]


def discard(node: CrossbarNode) -> None:
    """End *node*, whatever its state, and remove what it left."""
    if node.process is not None:
        node.kill()
    node.remove()


# --- SQLAlchemy


def forget_listeners(recipe: Any) -> None:
    """Take the listeners back that the documentation's recipe has put on every session."""
    for name, listener in (
        ("after_commit", recipe.publish_events),
        ("after_transaction_create", recipe.note_savepoint),
        ("after_transaction_end", recipe.drop_events),
    ):
        database_event.remove(Session, name, listener)


# --- HTTP


@dataclass(frozen=True)
class Answer:
    """The answer to an HTTP request."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body as what its JSON says."""
        return json.loads(self.body)


def http(url: str, body: Any = None, *, timeout: float = LIMIT) -> Answer:
    """GET *url*, or POST *body* to it as JSON; redirects are followed."""
    request = urllib.request.Request(url)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())


# --- Autobahn peers


def on_reactor(function: Callable[[], Any], *, timeout: float = LIMIT) -> Any:
    """Run *function* on the reactor's thread, and return what its Deferred fires with."""
    return start_on_reactor(function).result(timeout)


def start_on_reactor(function: Callable[[], Any]) -> "Future[Any]":
    """Run *function* on the reactor's thread, and give its outcome to the future."""
    outcome: Future[Any] = Future()

    def fail(failure: Failure) -> None:
        outcome.set_exception(failure.value)

    def run() -> None:
        maybeDeferred(function).addCallbacks(outcome.set_result, fail)

    running_reactor().callFromThread(run)
    return outcome


@dataclass(frozen=True)
class Received:
    """An event as an Autobahn handler gets it."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    details: Any


class Events:
    """The events of a subscription, in the order in which they came."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Received] = queue.Queue()

    def put(self, *args: Any, details: Any = None, **kwargs: Any) -> None:
        """Take an event; the handler that is subscribed."""
        self._queue.put(Received(args, kwargs, details))

    def get(self, *, timeout: float = LIMIT) -> Received:
        """Return the next event, waiting for it."""
        return self._queue.get(timeout=timeout)

    def waiting(self) -> list[Received]:
        """Return the events that have come by now."""
        events = []
        while not self._queue.empty():
            events.append(self._queue.get())
        return events


class _PeerSession(ApplicationSession):
    def __init__(self, config: ComponentConfig, joined: "Future[_PeerSession]") -> None:
        super().__init__(config)
        self.joined = joined
        self.left: Future[Any] = Future()
        self.welcome: Any = None

    def onJoin(self, details: Any) -> None:
        self.welcome = details
        self.joined.set_result(self)

    def onLeave(self, details: Any) -> None:
        if not self.joined.done():
            self.joined.set_exception(ConnectionError(f"{details.reason}: {details.message}"))
        super().onLeave(details)

    def onDisconnect(self) -> None:
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("the transport was lost"))
        if not self.left.done():
            self.left.set_result(None)


class Peer:
    """An Autobahn session over WebSocket, used from the test's thread."""

    def __init__(self, session: _PeerSession) -> None:
        self.session = session
        self.id: int = session.welcome.session
        self.role: str = session.welcome.authrole

    @classmethod
    def connect(cls, url: str, *, serializer: str = "json") -> Self:
        """Join realm1 at *url*."""
        joined: Future[_PeerSession] = Future()
        factory = WampWebSocketClientFactory(
            lambda: _PeerSession(ComponentConfig(realm="realm1"), joined),
            url=url,
            serializers=[SERIALIZERS[serializer]()],
            reactor=running_reactor(),
        )
        factory.noisy = False
        connect_factory(factory)
        return cls(joined.result(LIMIT))

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call *uri* and return its result."""
        return on_reactor(lambda: self.session.call(uri, *args, **kwargs))

    def start_call(self, uri: str, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Call *uri*, and let the future have the result."""
        return start_on_reactor(lambda: self.session.call(uri, *args, **kwargs))

    def call_all(
        self, uri: str, all_args: Sequence[Sequence[Any]], *, timeout: float = LIMIT
    ) -> list[tuple[bool, Any]]:
        """Call *uri* with each of *all_args* at once, and return (success, outcome) of each."""
        return list(
            on_reactor(
                lambda: DeferredList(
                    [self.session.call(uri, *args) for args in all_args], consumeErrors=True
                ),
                timeout=timeout,
            )
        )

    def begin(self, uri: str, /, *args: Any, timeout: int | None = None) -> "PeerCall":
        """Call *uri* for progressive results, and return the call that is under way.

        :param timeout: seconds after which the router cancels it.
        """
        return PeerCall(self.session, uri, args, timeout)

    def register(self, uri: str, function: Callable[..., Any], **options: Any) -> Any:
        """Serve *function*, on the reactor's thread, under *uri*; return the registration.

        :param options: those of Autobahn's ``RegisterOptions``.
        """
        return on_reactor(lambda: self.session.register(function, uri, RegisterOptions(**options)))

    def subscribe(self, topic: str, *, match: str | None = None) -> Events:
        """Subscribe to *topic*, and return where its events go."""
        events = Events()
        options = SubscribeOptions(match=match, details_arg="details")
        on_reactor(lambda: self.session.subscribe(events.put, topic, options))
        return events

    def publish(self, topic: str, /, *args: Any, **kwargs: Any) -> int:
        """Publish to *topic*, acknowledged, and return the publication id."""
        options = PublishOptions(acknowledge=True)
        publication = on_reactor(
            lambda: self.session.publish(topic, *args, options=options, **kwargs)
        )
        return int(publication.id)

    def publish_retained(self, topic: str, /, *args: Any) -> int:
        """Publish to *topic* an event that the router keeps, and return the publication id."""
        options = PublishOptions(acknowledge=True, retain=True)
        return int(on_reactor(lambda: self.session.publish(topic, *args, options=options)).id)

    def publish_all(self, topic: str, values: Sequence[Any]) -> None:
        """Publish each of *values* to *topic* in order, and wait for the last acknowledgment."""

        def publish() -> Any:
            for value in values[:-1]:
                self.session.publish(topic, value)
            return self.session.publish(topic, values[-1], options=PublishOptions(acknowledge=True))

        on_reactor(publish)

    def drop(self) -> None:
        """Lose the connection, without a word to the router."""
        transport: Any = self.session._transport
        on_reactor(transport.transport.abortConnection)
        self.session.left.result(LIMIT)

    def close(self) -> None:
        """Leave the realm, and wait until the transport has closed."""
        if self.session.is_attached():
            start_on_reactor(self.session.leave)
        self.session.left.result(LIMIT)


class PeerCall:
    """A call of an Autobahn session that takes progressive results."""

    def __init__(
        self, session: ApplicationSession, uri: str, args: Sequence[Any], timeout: int | None
    ) -> None:
        self._parts = Events()
        self._outcome: Future[Any] = Future()
        options = CallOptions(on_progress=self._parts.put, timeout=timeout)

        def call() -> Any:
            deferred = session.call(uri, *args, options=options)
            deferred.addCallbacks(
                self._outcome.set_result, lambda failure: self._outcome.set_exception(failure.value)
            )
            return deferred

        self._call = on_reactor(lambda: [call()])[0]

    def part(self) -> Any:
        """Return the next progressive result, waiting for it."""
        return self._parts.get().args[0]

    def parts(self) -> list[Any]:
        """Return the progressive results that have come and were not taken yet."""
        return [part.args[0] for part in self._parts.waiting()]

    def received(self) -> list[Received]:
        """Return these results with their whole payload."""
        return self._parts.waiting()

    def result(self, *, timeout: float = LIMIT) -> Any:
        """Wait for the last result and return it, or raise the error."""
        return self._outcome.result(timeout)

    def done(self) -> bool:
        """Tell whether the last result, or an error, has come."""
        return self._outcome.done()

    def cancel(self) -> None:
        """Tell the router that the results are not wanted any more."""
        on_reactor(self._call.cancel)


def error_of(call: Callable[[], Any]) -> ApplicationError:
    """Return the WAMP error that *call* raises."""
    with pytest.raises(ApplicationError) as raised:
        call()
    return raised.value


@contextmanager
def connected(url: str, *, serializer: str = "json") -> Iterator[Peer]:
    """Give an Autobahn peer that has joined at *url*."""
    peer = Peer.connect(url, serializer=serializer)
    try:
        yield peer
    finally:
        peer.close()


def connect_factory(factory: Any, source: str | None = None) -> None:
    """Connect a WebSocket client factory to its address, from *source* where that is given."""
    reactor, bound = running_reactor(), source and (source, 0)
    endpoint = TCP4ClientEndpoint(reactor, factory.host, factory.port, bindAddress=bound)
    on_reactor(lambda: endpoint.connect(factory))


# --- a peer that speaks the protocol message by message


class _RawProtocol(WebSocketClientProtocol):
    def onOpen(self) -> None:
        self.factory.peer.opened.set_result(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.factory.peer.take(payload)

    def onPing(self, payload: bytes) -> None:
        self.factory.peer.pings.put(payload)
        super().onPing(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        peer = self.factory.peer
        if not peer.opened.done():
            peer.opened.set_exception(ConnectionRefusedError(str(reason)))
        peer.closed.set_result((code, reason))


class _PlainJson:
    """JSON without Autobahn's notation for bytes."""

    BINARY = False

    def serialize(self, message: Any) -> bytes:
        return json.dumps(message).encode()

    def unserialize(self, payload: bytes) -> list[Any]:
        return [json.loads(payload)]


RAW_SERIALIZERS: Mapping[str, Any] = {
    "json": _PlainJson(),
    "msgpack": MsgPackObjectSerializer(),
    "cbor": CBORObjectSerializer(),
}

HELLO, WELCOME, ABORT, ERROR = 1, 2, 3, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT = 16, 17, 32, 33, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED, INVOCATION, YIELD = 48, 49, 50, 64, 65, 68, 70


class RawPeer:
    """A client that sends and receives WAMP messages as lists.

    :param origin: the ``Origin`` header of the handshake; None sends none.
    :cvar source: the address that it connects from, ``"127.0.0.2"``; None for any.
    """

    source: str | None = None

    def __init__(self, url: str, *, origin: str | None = None, serializer: str = "json") -> None:
        self._serializer = RAW_SERIALIZERS[serializer]
        self.opened: Future[Any] = Future()
        self.closed: Future[tuple[int | None, str | None]] = Future()
        self.messages: queue.Queue[list[Any]] = queue.Queue()
        self.pings: queue.Queue[bytes] = queue.Queue()
        factory: Any = WebSocketClientFactory(
            url, origin=origin, protocols=[f"wamp.2.{serializer}"], reactor=running_reactor()
        )
        factory.protocol = _RawProtocol
        factory.noisy = False
        factory.peer = self
        connect_factory(factory, self.source)
        self._protocol = self.opened.result(LIMIT)

    def join(self) -> int:
        """Join realm1, and return the session id."""
        roles: dict[str, Any] = {"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}}
        welcome = self.request([HELLO, "realm1", {"roles": roles}])
        assert welcome[0] == WELCOME
        return int(welcome[1])

    def send(self, message: list[Any]) -> None:
        """Send a message."""
        self.send_bytes(self._serializer.serialize(message))

    def send_bytes(self, payload: bytes, *, binary: bool | None = None) -> None:
        """Send what may be a message; *binary* as a frame of that kind, whatever the serializer."""
        is_binary = self._serializer.BINARY if binary is None else binary
        on_reactor(lambda: self._protocol.sendMessage(payload, is_binary))

    def take(self, payload: bytes) -> None:
        """Take a message that has come."""
        self.messages.put(self._serializer.unserialize(payload)[0])

    def stop_reading(self) -> None:
        """Leave what comes in the socket."""
        on_reactor(self._protocol.transport.pauseProducing)

    def read_on(self) -> None:
        """Take again what comes."""
        on_reactor(self._protocol.transport.resumeProducing)

    def receive(self) -> list[Any]:
        """Return the next message."""
        return self.messages.get(timeout=LIMIT)

    def request(self, message: list[Any]) -> list[Any]:
        """Send a message, and return the next one that comes."""
        self.send(message)
        return self.receive()

    def drop(self) -> None:
        """Lose the connection, where it is open."""
        if not self.closed.done():
            on_reactor(self._protocol.transport.abortConnection)
        self.closed.result(LIMIT)

    def close(self) -> None:
        """Close the connection, where it is open."""
        if not self.closed.done():
            on_reactor(self._protocol.sendClose)
        self.closed.result(LIMIT)


@contextmanager
def raw_peer(url: str, *, serializer: str = "json") -> Iterator[RawPeer]:
    """Give a peer that has joined realm1."""
    peer = RawPeer(url, serializer=serializer)
    try:
        peer.join()
        yield peer
    finally:
        peer.close()
