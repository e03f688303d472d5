"""A stranger who sends anything, and the bystanders who must not notice."""

import itertools
import json
import time
from typing import Any

from flask_wamp.node import CrossbarNode

from .support import (
    CALL,
    ERROR,
    EVENT,
    PUBLISH,
    RAW_SERIALIZERS,
    REGISTER,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    Peer,
    RawPeer,
    http,
)

ECHO = "com.test.echo"
EVERYTHING = "com.test.everything"
TOPIC = "com.test.topic.any"
#: Seconds that an answer, and all that is asked about a node's health, may take.
QUICKLY = 10.0
#: Stands for the kind of message where a connection was closed.
CLOSED = -1

REFUSED = "wamp.error.invalid_argument"
INVALID_PAYLOAD = "wamp.error.invalid_payload"
NOT_AUTHORIZED = "wamp.error.not_authorized"
#: Codes with which a WebSocket connection is closed (RFC 6455, 7.4.1).
PROTOCOL_ERROR, INVALID_UTF8, TOO_BIG = 1002, 1007, 1009


# --- messages as bytes


class Raw(bytes):
    """A value as it stands in a message."""


def unhex(digits: str) -> Raw:
    """Return the value whose bytes are *digits*."""
    return Raw(bytes.fromhex(digits))


def encoded(serializer: str, value: Any) -> bytes:
    """Return *value* as *serializer* writes it, with :class:`Raw` values as they are."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, list):
        return _container(serializer, "[", [encoded(serializer, item) for item in value])
    if isinstance(value, dict):
        pairs = [(encoded(serializer, key), encoded(serializer, value[key])) for key in value]
        return _container(serializer, "{", pairs)
    written: bytes = RAW_SERIALIZERS[serializer].serialize(value)
    return written


def _container(serializer: str, kind: str, parts: list[Any]) -> bytes:
    if serializer == "json":
        items = [b":".join(part) if kind == "{" else part for part in parts]
        return kind.encode() + b",".join(items) + {"[": b"]", "{": b"}"}[kind]
    items = [b"".join(part) if kind == "{" else part for part in parts]
    short, long = _HEADS[serializer, kind]
    count = len(parts)
    head = bytes([short + count]) if count < 16 else bytes([long]) + count.to_bytes(4, "big")
    return head + b"".join(items)


_HEADS = {
    ("msgpack", "["): (0x90, 0xDD),
    ("msgpack", "{"): (0x80, 0xDF),
    ("cbor", "["): (0x80, 0x9A),
    ("cbor", "{"): (0xA0, 0xBA),
}
_LISTS = {
    "json": (b"[", b"[]", b"]"),
    "msgpack": (b"\x91", b"\x90", b""),
    "cbor": (b"\x81", b"\x80", b""),
}
_DICTS = {
    "json": (b'{"a":', b"{}", b"}"),
    "msgpack": (b"\x81\xa1a", b"\x80", b""),
    "cbor": (b"\xa1\x61a", b"\xa0", b""),
}


def nested(serializer: str, depth: int, *, dicts: bool = False) -> Raw:
    """Return lists in lists, or dicts in dicts."""
    opening, innermost, closing = (_DICTS if dicts else _LISTS)[serializer]
    return Raw(opening * (depth - 1) + innermost + closing * (depth - 1))


def laughs(levels: int) -> Raw:
    """Return CBOR whose shared references unfold to lists of 2 ** *levels* elements."""
    twice = [(b"\xd8\x1d" + encoded("cbor", level)) * 2 for level in range(levels)]
    shared = [b"\xd8\x1c\x80", *(b"\xd8\x1c\x82" + pair for pair in twice)]
    return Raw(_container("cbor", "[", shared))


def colliding(count: int) -> Raw:
    """Return a CBOR dict of *count* keys that have all one hash: CPython's of a tuple has no secret."""
    one, two, five = 11400714785074694791, 14029467366897019727, 2870177450012600261
    unsigned = 2**64 - 1
    inverse = pow(two, -1, 2**64)
    keys: list[bytes] = []
    for number in itertools.count(1):
        if len(keys) == count:
            break
        lane = five + number * two & unsigned
        lane = ((lane << 31 | lane >> 33) & unsigned) * one & unsigned
        other = (7 - lane) * inverse & unsigned
        if other < 2**61 - 1:  # It is its own hash, as an int.
            keys.append(b"\x82\x1b" + number.to_bytes(8) + b"\x1b" + other.to_bytes(8) + b"\0")
    return Raw(b"\xba" + count.to_bytes(4) + b"".join(keys))


# --- the stranger, and those who must not notice


class Stranger:
    """Sends what it likes, on a connection for each serializer that it opens again when it must."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._peers: dict[str, RawPeer] = {}

    def send(self, serializer: str, *message: Any) -> Any:
        """Send a message; see :meth:`strike`."""
        return self.strike(serializer, encoded(serializer, list(message)))

    def strike(self, serializer: str, payload: bytes, *, binary: bool | None = None) -> Any:
        """Send *payload*: return the error's URI, the code of the close, or the answer.

        Where there is an answer, the connection is of use afterwards.
        """
        if serializer not in self._peers:
            self._peers[serializer] = self._connect(serializer)
            self._peers[serializer].join()
        peer = self._peers[serializer]
        answer = self._answer(peer, payload, binary)
        if answer[0] == CLOSED:
            del self._peers[serializer]
            return answer[1]
        assert peer.request([CALL, 2, {}, "com.test.add", [1, 1]])[:2] == [RESULT, 2]
        if answer[0] != ERROR:
            return answer
        assert answer[1] in (CALL, PUBLISH, REGISTER, SUBSCRIBE)
        assert answer[2] == 1
        return answer[4]

    def begin(self, serializer: str, payload: bytes) -> Any:
        """Send *payload* as the first message, and return the code of the close."""
        answer = self._answer(self._connect(serializer), payload, None)
        assert answer[0] == CLOSED
        return answer[1]

    def close(self) -> None:
        """Leave."""
        for peer in self._peers.values():
            peer.close()

    def _connect(self, serializer: str) -> RawPeer:
        peer = RawPeer(self._url, serializer=serializer)
        peer.closed.add_done_callback(lambda closed: peer.messages.put([CLOSED, *closed.result()]))
        return peer

    def _answer(self, peer: RawPeer, payload: bytes, binary: bool | None) -> list[Any]:
        peer.send_bytes(payload, binary=binary)
        return peer.messages.get(timeout=QUICKLY)


class Bystanders:
    """Other peers of the node: one that calls, and subscribers of what the stranger publishes to."""

    def __init__(self, node: CrossbarNode) -> None:
        self._node = node
        self._caller = Peer.connect(node.ws_url)
        self._autobahn = Peer.connect(node.ws_url, serializer="json")
        self._strict = _StrictPeer(node.ws_url)
        self._events = self._autobahn.subscribe(TOPIC)
        self._strict.join()
        assert self._strict.request([SUBSCRIBE, 1, {}, TOPIC])[0] == SUBSCRIBED
        self._numbers = itertools.count()
        self.pids = self._pids()

    def check(self) -> None:
        """See that the processes are the same, that everything works, and nothing else has come."""
        begin = time.monotonic()
        assert self._pids() == self.pids
        assert self._caller.call("com.test.add", 1, 2) == 3
        number = next(self._numbers)
        self._caller.publish(TOPIC, "good", number)
        assert self._events.get(timeout=QUICKLY).args == ("good", number)
        event = self._strict.messages.get(timeout=QUICKLY)
        assert event[0] == EVENT
        assert event[4] == ["good", number]
        assert time.monotonic() - begin < QUICKLY

    def catch_up(self) -> None:
        """Drop the events that have come."""
        self._caller.publish(TOPIC, "last")
        while self._events.get(timeout=QUICKLY).args != ("last",):
            pass
        while self._strict.messages.get(timeout=QUICKLY)[4:] != [["last"]]:
            pass

    def close(self) -> None:
        """Leave."""
        for peer in (self._caller, self._autobahn, self._strict):
            peer.close()

    def _pids(self) -> list[int]:
        router = http(self._node.url + "pid").json["pid"]
        return [router, self._caller.call("com.test.pid")]


class _StrictPeer(RawPeer):
    """A peer whose JSON is that of the standard, as wampy.js's is; anything else ends it."""

    def take(self, payload: bytes) -> None:
        def refuse(constant: str) -> Any:
            raise ValueError(f"{constant} is not JSON")

        self.messages.put(json.loads(payload, parse_constant=refuse))
