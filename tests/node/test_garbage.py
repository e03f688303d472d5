"""What a stranger may send: anything. It is answered, or ends the stranger's own connection."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError as AutobahnError
from flask import Flask, g

from flask_wamp import WAMP, RemoteError
from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .conftest import trusted_url
from .strangers import (
    ECHO,
    EVERYTHING,
    INVALID_PAYLOAD,
    INVALID_UTF8,
    NOT_AUTHORIZED,
    PROTOCOL_ERROR,
    REFUSED,
    TOO_BIG,
    TOPIC,
    Bystanders,
    Raw,
    Stranger,
    encoded,
    laughs,
    nested,
    unhex,
)
from .support import (
    CALL,
    CANCEL,
    ERROR,
    HELLO,
    INVOCATION,
    LIMIT,
    PUBLISH,
    PUBLISHED,
    RAW_SERIALIZERS,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    YIELD,
    Peer,
    connected,
    error_of,
    http,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node


# --- values

#: Each is refused, but for JSON that is no UTF-8: there the WebSocket connection fails (RFC 6455, 8.1).
VALUES: list[tuple[str, str, Any, str | int]] = [
    (f"{kind} {depth} deep", serializer, nested(serializer, depth, dicts=kind == "dicts"), REFUSED)
    for serializer in RAW_SERIALIZERS
    for depth in (200, 500, 1100, 10_000, 100_000)
    for kind in ("lists", "dicts")
]
VALUES += [
    ("NaN", "json", Raw(b"NaN"), REFUSED),
    ("Infinity", "json", Raw(b"Infinity"), REFUSED),
    ("-Infinity", "json", Raw(b"-Infinity"), REFUSED),
    ("1e999", "json", Raw(b"1e999"), REFUSED),
    ("NaN", "msgpack", unhex("cb 7ff8000000000000"), REFUSED),
    ("Infinity", "msgpack", unhex("ca 7f800000"), REFUSED),
    ("NaN", "cbor", unhex("f9 7e00"), REFUSED),
    ("-Infinity", "cbor", unhex("fb fff0000000000000"), REFUSED),
    ("invalid UTF-8", "json", Raw(b'"\xc3\x28"'), INVALID_UTF8),
    ("invalid UTF-8", "msgpack", unhex("a2 c328"), REFUSED),
    ("invalid UTF-8", "cbor", unhex("62 c328"), REFUSED),
    ("a surrogate in UTF-8", "json", Raw(b'"\xed\xa0\x80"'), INVALID_UTF8),
    ("a surrogate in UTF-8", "msgpack", unhex("a3 eda080"), REFUSED),
    ("a surrogate in UTF-8", "cbor", unhex("63 eda080"), REFUSED),
    ("a lone surrogate", "json", Raw(b'"\\ud800"'), REFUSED),
    ("a lone surrogate deep down", "json", Raw(b'[{"a":["x\\udc00"]}]'), REFUSED),
    ("a lone surrogate in a key", "json", Raw(b'{"\\ud800":1}'), REFUSED),
    ("NUL and text", "msgpack", "\0abc", REFUSED),
    ("NUL and text", "cbor", "\0abc", REFUSED),
    ("NUL and Base64", "msgpack", "\0AQID", REFUSED),
    ("NUL and Base64", "cbor", "\0AQID", REFUSED),
    ("NUL", "cbor", "\0", REFUSED),
    ("NUL in a key", "json", Raw(b'{"\\u0000AQID":1}'), REFUSED),
    ("NUL in a key", "msgpack", {"\0abc": 1}, REFUSED),
    ("NUL in a key", "cbor", {"\0abc": 1}, REFUSED),
    ("NUL and no Base64", "json", Raw(b'"\\u0000abc"'), REFUSED),
    ("2**64", "json", 2**64, REFUSED),
    ("-2**63-1", "json", -(2**63) - 1, REFUSED),
    ("10**300", "json", 10**300, REFUSED),
    ("10**5000", "json", Raw(b"1" + b"0" * 5000), REFUSED),
    ("-2**64", "cbor", unhex("3b ffffffffffffffff"), REFUSED),
    ("2**64 as a bignum", "cbor", unhex("c2 49 010000000000000000"), REFUSED),
    ("-2**64-1 as a bignum", "cbor", unhex("c3 49 010000000000000000"), REFUSED),
    ("a big bignum", "cbor", Raw(b"\xc2\x5a\0\x0d\xbb\xa0" + b"\xab" * 900_000), REFUSED),
    ("a datetime", "cbor", datetime(2026, 1, 2, tzinfo=UTC), REFUSED),
    ("a timestamp", "cbor", unhex("c1 1a 514b67b0"), REFUSED),
    ("a datetime that is none", "cbor", unhex("c0 63 616263"), REFUSED),
    ("a date", "cbor", unhex("d9 03ec 6a 323032362d30312d3032"), REFUSED),
    ("a decimal", "cbor", unhex("c4 82 21 19 6ab3"), REFUSED),
    ("a decimal with a great exponent", "cbor", unhex("c4 82 1a 3b9ac9ff 01"), REFUSED),
    ("a bigfloat", "cbor", unhex("c5 82 1a 3b9ac9ff 01"), REFUSED),
    ("a fraction", "cbor", unhex("d8 1e 82 01 02"), REFUSED),
    ("a regexp", "cbor", unhex("d8 23 67 2861 2b292b24"), REFUSED),
    ("a MIME message", "cbor", unhex("d8 24 6a 413a20620a0a626f6479"), REFUSED),
    ("a UUID", "cbor", unhex("d8 25 50" + "07" * 16), REFUSED),
    ("a set", "cbor", unhex("d9 0102 82 01 02"), REFUSED),
    ("an unknown tag", "cbor", unhex("d9 270f 01"), REFUSED),
    ("undefined", "cbor", unhex("f7"), REFUSED),
    ("a simple value", "cbor", unhex("f0"), REFUSED),
    ("a billion laughs", "cbor", laughs(30), REFUSED),
    ("a list in itself", "cbor", unhex("d81c 81 d81d 00"), REFUSED),
    ("string references", "cbor", unhex("d9 0100 82 63 616161 d819 00"), REFUSED),
    ("a list that is not there", "cbor", unhex("9b 7fffffffffffffff"), REFUSED),
    ("a str that is not there", "cbor", unhex("7b 7fffffffffffffff"), REFUSED),
    ("a list that is not there", "msgpack", unhex("dd ffffffff"), REFUSED),
    ("an int as a key", "cbor", {1: 2}, REFUSED),
    ("bytes as a key", "cbor", {b"a": 2}, REFUSED),
    ("a list as a key", "cbor", unhex("a1 81 01 02"), REFUSED),
    ("a dict as a key", "cbor", unhex("a1 a0 02"), REFUSED),
    ("None as a key", "cbor", {None: 2}, REFUSED),
    ("an int as a key", "msgpack", {1: 2}, REFUSED),
    ("bytes as a key", "msgpack", {b"a": 2}, REFUSED),
    ("a list as a key", "msgpack", unhex("81 91 01 02"), REFUSED),
    ("an extension", "msgpack", unhex("d4 05 01"), REFUSED),
    ("a timestamp", "msgpack", unhex("d6 ff 00000001"), REFUSED),
    ("a timestamp that is none", "msgpack", unhex("c7 05 ff 0000000000"), REFUSED),
    ("a byte that means nothing", "msgpack", unhex("c1"), REFUSED),
    ("a message that ends early", "json", Raw(b'["'), REFUSED),
]  # fmt: skip


@attempt(
    "sessions",
    "values that are none of WAMP's, in every serializer",
    "an error, or the end of the connection; nobody else notices",
)
@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_values_get_an_error_or_end_their_own_connection(
    stranger: Stranger, bystanders: Bystanders, serializer: str
) -> None:
    for name, of, value, answer in VALUES:
        if of != serializer:
            continue
        code = answer if isinstance(answer, int) else PROTOCOL_ERROR
        got = [
            stranger.send(serializer, CALL, 1, {}, ECHO, [value]),
            stranger.send(serializer, CALL, 1, {}, EVERYTHING, [], {"value": value}),
            stranger.send(serializer, PUBLISH, 1, {"acknowledge": True}, TOPIC, [value]),
        ]
        assert (name, got) == (name, [answer, answer, code])
        bystanders.check()


@attempt("limits", "lists in lists, more than 100 deep", "an error; nobody else notices")
@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_values_100_deep_travel_and_deeper_ones_get_an_error(
    stranger: Stranger, bystanders: Bystanders, serializer: str
) -> None:
    def echo(depth: int) -> Any:
        return stranger.send(serializer, CALL, 1, {}, ECHO, [nested(serializer, depth)])

    assert echo(100)[0] == RESULT
    assert echo(101) in (REFUSED, INVALID_PAYLOAD)
    assert echo(102) == REFUSED
    assert echo(103) == REFUSED
    bystanders.check()


# --- the shape of messages


SHAPES: dict[str, tuple[Any, int | str]] = {
    "nothing in it": ([], PROTOCOL_ERROR),
    "a dict": ({"a": 1}, PROTOCOL_ERROR),
    "a text": ("x", PROTOCOL_ERROR),
    "None": (None, PROTOCOL_ERROR),
    "the kind alone": ([CALL], PROTOCOL_ERROR),
    "kind and request": ([CALL, 1], PROTOCOL_ERROR),
    "no procedure": ([CALL, 1, {}], PROTOCOL_ERROR),
    "one part too many": ([CALL, 1, {}, ECHO, [1], {}, 1], PROTOCOL_ERROR),
    "an event without topic": ([PUBLISH, 1, {}], PROTOCOL_ERROR),
    "a kind that there is not": ([999, 1], PROTOCOL_ERROR),
    "a kind below 0": ([-1, 1], PROTOCOL_ERROR),
    "a text as kind": (["48", 1, {}, ECHO], PROTOCOL_ERROR),
    "a list as kind": ([[48], 1, {}, ECHO], PROTOCOL_ERROR),
    "True as kind": ([True, 1, {}, ECHO], PROTOCOL_ERROR),
    "a message of routers": ([INVOCATION, 1, 1, {}], PROTOCOL_ERROR),
    "a result of nothing": ([RESULT, 1, {}, [1]], PROTOCOL_ERROR),
    "an error of a call": ([ERROR, CALL, 5, {}, "com.x"], PROTOCOL_ERROR),
    "request -1": ([CALL, -1, {}, ECHO, [1]], PROTOCOL_ERROR),
    "request 2**60": ([CALL, 2**60, {}, ECHO, [1]], PROTOCOL_ERROR),
    "request 2**70": ([CALL, 2**70, {}, ECHO, [1]], PROTOCOL_ERROR),
    "request 1.0": ([CALL, 1.0, {}, ECHO, [1]], PROTOCOL_ERROR),
    "request True": ([CALL, True, {}, ECHO, [1]], PROTOCOL_ERROR),
    "request '1'": ([CALL, "1", {}, ECHO, [1]], PROTOCOL_ERROR),
    "request None": ([CALL, None, {}, ECHO, [1]], PROTOCOL_ERROR),
    "arguments in a dict": ([CALL, 1, {}, ECHO, {"a": 1}], PROTOCOL_ERROR),
    "an int for arguments": ([CALL, 1, {}, ECHO, 5], PROTOCOL_ERROR),
    "a text for arguments": ([CALL, 1, {}, ECHO, "abc"], PROTOCOL_ERROR),
    "None for arguments": ([CALL, 1, {}, ECHO, None], REFUSED),
    "keywords in a list": ([CALL, 1, {}, ECHO, [1], [1]], PROTOCOL_ERROR),
    "None for keywords": ([CALL, 1, {}, ECHO, [1], None], PROTOCOL_ERROR),
    "no value": ([CALL, 1, {}, ECHO], REFUSED),
    "one value too many": ([CALL, 1, {}, ECHO, [1, 2]], REFUSED),
    "an unknown keyword": ([CALL, 1, {}, ECHO, [], {"other": 1}], REFUSED),
    "None for options": ([CALL, 1, None, ECHO, [1]], PROTOCOL_ERROR),
    "options in a list": ([CALL, 1, [], ECHO, [1]], PROTOCOL_ERROR),
    "the backend's right": ([REGISTER, 1, {}, "com.test.mine"], NOT_AUTHORIZED),
    "no such subscription policy": ([SUBSCRIBE, 1, {"match": "x"}, "com.x"], PROTOCOL_ERROR),
}


@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_shapes_that_are_none_of_wamp(
    stranger: Stranger, bystanders: Bystanders, serializer: str
) -> None:
    for name, (message, answer) in SHAPES.items():
        if name == "request 2**70" and serializer == "msgpack":
            continue  # It has no such number.
        got = stranger.strike(serializer, encoded(serializer, message))
        assert (name, got) == (name, answer)
        bystanders.check()


def test_shapes_of_frames_that_do_not_fit_the_serializer(
    stranger: Stranger, bystanders: Bystanders
) -> None:
    add = b'[48,1,{},"com.test.add",[1,1]]'
    for serializer, payload, binary, code in (
        ("json", b"", False, PROTOCOL_ERROR),
        ("cbor", b"", True, PROTOCOL_ERROR),
        ("msgpack", b"", True, PROTOCOL_ERROR),
        ("json", add + b" x", False, REFUSED),
        ("json", add, True, PROTOCOL_ERROR),
        ("cbor", add, False, PROTOCOL_ERROR),
        ("json", b"\xff\xfe", False, INVALID_UTF8),
    ):
        assert stranger.strike(serializer, payload, binary=binary) == code
        bystanders.check()


@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_shapes_of_messages_that_wamp_has_no_answer_to(
    peers_node: CrossbarNode, bystanders: Bystanders, serializer: str
) -> None:
    with raw_peer(peers_node.ws_url, serializer=serializer) as peer:
        peer.send([CANCEL, 5, {}])
        peer.send([YIELD, 5, {}, [1]])
        peer.send([ERROR, INVOCATION, 5, {}, "com.x"])
        assert peer.request([CALL, 1, {}, "com.test.add", [1, 1]])[3] == [2]
    bystanders.check()


def test_shapes_of_the_first_message(stranger: Stranger, bystanders: Bystanders) -> None:
    for value in (Raw(b"NaN"), Raw(b'"\\ud800"'), 2**64, nested("json", 200)):
        details = {"roles": {"caller": {}}, "authextra": {"x": value}}
        payload = encoded("json", [HELLO, "realm1", details])
        assert stranger.begin("json", payload) == PROTOCOL_ERROR
        bystanders.check()


def test_shapes_a_call_with_bytes_for_arguments_is_refused(
    stranger: Stranger, bystanders: Bystanders
) -> None:
    encrypted = {"enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "json"}
    for options in (encrypted, {}):
        assert stranger.send("cbor", CALL, 1, options, EVERYTHING, b"abc") == INVALID_PAYLOAD
    bystanders.check()


def test_shapes_an_event_with_bytes_for_arguments_reaches_no_handler(
    stranger: Stranger, bystanders: Bystanders, anonymous: Peer
) -> None:
    before = len(anonymous.call("com.test.seen", "any"))
    encrypted = {"enc_algo": "cryptobox", "enc_key": "k", "enc_serializer": "json"}
    for options in (encrypted, {}):
        stranger.send("cbor", PUBLISH, 1, {"acknowledge": True, **options}, TOPIC, b"abc")
    anonymous.publish(TOPIC, "good")

    def handled() -> list[Any]:
        found = [event["args"] for event in anonymous.call("com.test.seen", "any")[before:]]
        return found if ["good"] in found else []

    wait_until(handled, "the good event is handled")
    # Subscribers elsewhere may know what to do with the others.
    bystanders.catch_up()
    assert [] not in handled()


# --- options


FORWARDER = {"session": 1, "authid": "a", "authrole": "x"}
CALL_OPTIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "unknown": ({"x_foo": [1], "foo": 2}, RESULT),
    "timeout x": ({"timeout": "x"}, PROTOCOL_ERROR),
    "timeout 1.5": ({"timeout": 1.5}, PROTOCOL_ERROR),
    "timeout -1": ({"timeout": -1}, PROTOCOL_ERROR),
    "timeout None": ({"timeout": None}, PROTOCOL_ERROR),
    "timeout 2**63": ({"timeout": 2**63}, RESULT),
    "timeout 2**70": ({"timeout": 2**70}, REFUSED),
    "receive_progress 3": ({"receive_progress": 3}, PROTOCOL_ERROR),
    "transaction_hash 5": ({"transaction_hash": 5}, PROTOCOL_ERROR),
    "transaction_hash of 900 kB": ({"transaction_hash": "x" * 900_000}, RESULT),
    "caller x": ({"caller": "x"}, PROTOCOL_ERROR),
    "disclose_me 5": ({"disclose_me": 5}, RESULT),
    "forward_for x": ({"forward_for": "x"}, PROTOCOL_ERROR),
    "forward_for [1]": ({"forward_for": [1]}, PROTOCOL_ERROR),
    "forward_for [{}]": ({"forward_for": [{}]}, PROTOCOL_ERROR),
    "forward_for 10,000 sessions": ({"forward_for": [FORWARDER] * 10_000}, PROTOCOL_ERROR),
    "forward_for deep": ({"forward_for": [{**FORWARDER, "y": nested("json", 200)}]}, REFUSED),
    "NaN": ({"x": Raw(b"NaN")}, REFUSED),
    "a lone surrogate": ({"transaction_hash": Raw(b'"\\ud800"')}, REFUSED),
}
PUBLISH_OPTIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "unknown": ({"zzz": 1}, PUBLISHED),
    "acknowledge 3": ({"acknowledge": 3}, PROTOCOL_ERROR),
    "exclude x": ({"exclude": "x"}, PROTOCOL_ERROR),
    "exclude [x]": ({"exclude": ["x"]}, PROTOCOL_ERROR),
    "eligible [x]": ({"eligible": ["x"]}, PROTOCOL_ERROR),
    "exclude_authid 5": ({"exclude_authid": 5}, PROTOCOL_ERROR),
    "eligible_authrole [5]": ({"eligible_authrole": [5]}, PROTOCOL_ERROR),
    "exclude_me x": ({"exclude_me": "x"}, PROTOCOL_ERROR),
    "retain 1": ({"retain": 1}, PROTOCOL_ERROR),
    "forward_for [1]": ({"forward_for": [1]}, PROTOCOL_ERROR),
    "NaN": ({"x": Raw(b"NaN")}, PROTOCOL_ERROR),
}


def kind_of(answer: Any) -> Any:
    """Return the kind of an answer that is no error; the error's URI or the code of a close."""
    return answer[0] if isinstance(answer, list) else answer


def test_options_of_a_call(stranger: Stranger, bystanders: Bystanders) -> None:
    for name, (options, answer) in CALL_OPTIONS.items():
        got = kind_of(stranger.send("json", CALL, 1, options, ECHO, [1]))
        assert (name, got) == (name, answer)
        bystanders.check()


def test_options_of_an_event(stranger: Stranger, bystanders: Bystanders) -> None:
    for name, (options, answer) in PUBLISH_OPTIONS.items():
        all_options = {"acknowledge": True, **options}
        got = stranger.send("json", PUBLISH, 1, all_options, "com.test.topic.garbage", [1])
        assert (name, kind_of(got)) == (name, answer)
        bystanders.check()


# --- URIs


INVALID_URI = "wamp.error.invalid_uri"
NO_PROCEDURE = "wamp.error.no_such_procedure"
URIS: dict[str, tuple[Any, int | str, int | str]] = {
    "1 MB": ("com." + "x" * 1_000_000, INVALID_URI, INVALID_URI),
    "100,000 dots": ("a." * 100_000 + "a", INVALID_URI, INVALID_URI),
    "1,000 characters": ("com." + "x" * 996, NO_PROCEDURE, PUBLISHED),
    "a NUL in it": ("com.\0test", NO_PROCEDURE, PUBLISHED),
    "a space": ("com.test add", PROTOCOL_ERROR, PROTOCOL_ERROR),
    "control characters": ("com.\n\x1b[31mtest", PROTOCOL_ERROR, PROTOCOL_ERROR),
    "no characters": ("", PROTOCOL_ERROR, PROTOCOL_ERROR),
    "two dots": ("com..test", PROTOCOL_ERROR, PROTOCOL_ERROR),
    "a hash": ("com.#test", PROTOCOL_ERROR, PROTOCOL_ERROR),
    "5": (5, PROTOCOL_ERROR, PROTOCOL_ERROR),
    "None": (None, PROTOCOL_ERROR, PROTOCOL_ERROR),
    "a list": (["com.test.echo"], PROTOCOL_ERROR, PROTOCOL_ERROR),
    "a lone surrogate": (Raw(b'"com.test.\\ud800"'), REFUSED, PROTOCOL_ERROR),
    "the router's": ("wamp.session.count", NOT_AUTHORIZED, INVALID_URI),
}  # fmt: skip


def test_uris_that_are_none(stranger: Stranger, bystanders: Bystanders) -> None:
    for name, (uri, called, published) in URIS.items():
        got = [
            stranger.send("json", CALL, 1, {}, uri, [1]),
            stranger.send("json", PUBLISH, 1, {"acknowledge": True}, uri, [1]),
        ]
        assert (name, [kind_of(answer) for answer in got]) == (name, [called, published])
        bystanders.check()


# --- sizes


@attempt("limits", "messages above the limit, in every serializer", "the connection ends")
@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_sizes_up_to_the_limit_travel_and_beyond_it_end_the_connection(
    stranger: Stranger, bystanders: Bystanders, serializer: str
) -> None:
    def echo(size: int) -> Any:
        return stranger.send(serializer, CALL, 1, {}, ECHO, ["x" * size])

    assert echo(900_000)[3] == ["x" * 900_000]
    assert echo(16_000_000) == TOO_BIG
    bystanders.check()


@pytest.mark.parametrize(
    ("serializer", "uri"),
    [("json", ECHO), ("msgpack", ECHO), ("cbor", ECHO), ("cbor", EVERYTHING)],
)
def test_sizes_100_000_keyword_arguments(
    stranger: Stranger, bystanders: Bystanders, serializer: str, uri: str
) -> None:
    keywords = {f"{number:05x}": 1 for number in range(100_000)}
    written: bytes = RAW_SERIALIZERS[serializer].serialize(keywords)
    # In JSON it is 1 MB, the limit, but for the spaces.
    written = written.replace(b" ", b"") if serializer == "json" else written
    answer = stranger.send(serializer, CALL, 1, {}, uri, [], Raw(written))
    if uri == ECHO:
        assert answer == REFUSED
    else:
        assert answer[3] == [{"args": [], "kwargs": keywords}]
    bystanders.check()


def test_sizes_that_a_subscriber_cannot_take_are_its_loss_alone(
    peers_node: CrossbarNode, stranger: Stranger, bystanders: Bystanders
) -> None:
    topic = "com.test.topic.garbage"
    with (
        connected(peers_node.ws_url, serializer="json") as json_peer,
        connected(peers_node.ws_url, serializer="cbor") as cbor_peer,
    ):
        in_json, in_cbor = json_peer.subscribe(topic), cbor_peer.subscribe(topic)
        growing = "\x01" * 600_000  # 3.6 MB in JSON
        got = stranger.send("cbor", PUBLISH, 1, {"acknowledge": True}, topic, [growing])
        assert kind_of(got) == PUBLISHED
        json_peer.publish("com.test.topic.garbage", "mine is not for me")
        cbor_peer.publish(topic, "good")
        assert in_json.get().args == ("good",)
        assert in_cbor.get().args == (growing,)
    bystanders.check()


# --- callees


UNFIT: dict[str, Any] = {
    "datetime": datetime(2026, 1, 2, tzinfo=UTC),
    "NaN": float("nan"),
    "NUL": "\0abc",
    "deep NaN": [{"a": [float("inf")]}],
}


@pytest.mark.parametrize("name", UNFIT)
def test_callees_with_a_result_that_cannot_travel(
    peers_node: CrossbarNode, stranger: Stranger, bystanders: Bystanders, anonymous: Peer, name: str
) -> None:
    value = UNFIT[name]

    def refuse() -> None:
        raise AutobahnError("com.garbage.no", value)

    with connected(trusted_url(peers_node), serializer="cbor") as callee:
        callee.register("com.garbage.result", lambda: value)
        callee.register("com.garbage.error", refuse)
        for uri in ("com.garbage.result", "com.garbage.error"):
            assert stranger.send("json", CALL, 1, {}, uri) == INVALID_PAYLOAD
            answer = http(peers_node.url + "wampy", {"call": uri})
            assert (answer.status, answer.json["error"]) == (502, INVALID_PAYLOAD)
            # A view that takes no heed of it fails; its process does not.
            failed = error_of(functools.partial(anonymous.call, "com.test.call", uri))
            assert failed.error == "wamp.error.runtime_error"
        assert callee.call("com.test.add", 1, 2) == 3
    bystanders.check()


def test_callees_with_a_progressive_result_that_cannot_travel(
    peers_node: CrossbarNode, bystanders: Bystanders
) -> None:
    with (
        raw_peer(trusted_url(peers_node), serializer="cbor") as callee,
        raw_peer(peers_node.ws_url) as caller,
    ):
        assert callee.request([REGISTER, 1, {}, "com.garbage.parts"])[0] == REGISTERED
        caller.send([CALL, 1, {"receive_progress": True}, "com.garbage.parts"])
        invocation = callee.receive()
        callee.send([YIELD, invocation[1], {"progress": True}, [1]])
        callee.send([YIELD, invocation[1], {"progress": True}, [float("nan")]])
        callee.send([YIELD, invocation[1], {}, [2]])
        part, error = caller.receive(), caller.receive()
        assert part[3] == [1]
        assert error[:5] == [ERROR, CALL, 1, {}, INVALID_PAYLOAD]
        assert callee.request([CALL, 2, {}, "com.test.add", [1, 1]])[3] == [2]
        assert caller.request([CALL, 2, {}, "com.test.add", [1, 1]])[3] == [2]
    bystanders.check()


def test_callees_with_a_result_that_cannot_be_read(
    peers_node: CrossbarNode, bystanders: Bystanders
) -> None:
    with (
        raw_peer(trusted_url(peers_node), serializer="cbor") as callee,
        raw_peer(peers_node.ws_url) as caller,
    ):
        assert callee.request([REGISTER, 1, {}, "com.garbage.bomb"])[0] == REGISTERED
        for answer in ([YIELD], [ERROR, INVOCATION]):
            caller.send([CALL, 1, {}, "com.garbage.bomb"])
            request = callee.receive()[1]
            rest = ["com.x", [laughs(30)]] if answer[0] == ERROR else [[laughs(30)]]
            callee.send_bytes(encoded("cbor", [*answer, request, {}, *rest]))
            assert caller.receive()[:5] == [ERROR, CALL, 1, {}, INVALID_PAYLOAD]
        assert callee.request([CALL, 2, {}, "com.test.add", [1, 1]])[3] == [2]
    bystanders.check()


def test_callees_with_bytes_for_a_result(
    peers_node: CrossbarNode, make_app: Callable[..., tuple[Flask, WAMP]]
) -> None:
    app, _ = make_app()
    with (
        raw_peer(trusted_url(peers_node), serializer="cbor") as callee,
        app.app_context(),
        ThreadPoolExecutor(1) as threads,
    ):
        assert callee.request([REGISTER, 1, {}, "com.garbage.bytes"])[0] == REGISTERED
        client = g.wampy
        called = threads.submit(lambda: client.call("com.garbage.bytes"))
        callee.send([YIELD, callee.receive()[1], {}, b"abc"])
        with pytest.raises(RemoteError) as raised:
            called.result(LIMIT)
    assert raised.value.uri == INVALID_PAYLOAD


# --- permissions, recursion, memory


@pytest.mark.parametrize("serializer", sorted(RAW_SERIALIZERS))
def test_permissions_that_do_not_cover_the_answer_make_another_error_of_it(
    peers_node: CrossbarNode, bystanders: Bystanders, serializer: str
) -> None:
    stranger = Stranger(peers_node.ws_url.removesuffix("ws") + "narrow")
    value = Raw(b"NaN") if serializer == "json" else "\0abc"
    assert stranger.send(serializer, CALL, 1, {}, ECHO, [value]) == NOT_AUTHORIZED
    stranger.close()
    bystanders.check()


def test_recursion_without_end_is_an_error(stranger: Stranger, bystanders: Bystanders) -> None:
    assert stranger.send("json", CALL, 1, {}, "com.test.recurse") == "wamp.error.runtime_error"
    bystanders.check()


@attempt("limits", "all of that again and again", "the memory is level")
def test_memory_reaches_a_plateau(
    peers_node: CrossbarNode, stranger: Stranger, bystanders: Bystanders
) -> None:
    processes = [psutil.Process(pid) for pid in bystanders.pids]
    big = b"x" * 500_000
    answered: dict[str, list[tuple[list[Any], Any]]] = {
        "json": [
            ([CALL, 1, {}, ECHO, ["x" * 500_000]], RESULT),
            ([CALL, 1, {}, ECHO, [Raw(b'"\\ud800' + big + b'"')]], REFUSED),
            ([CALL, 1, {}, "com.test." + "y" * 500_000], INVALID_URI),
        ],
        "cbor": [
            ([CALL, 1, {}, ECHO, [big, float("nan")]], REFUSED),
            ([CALL, 1, {}, ECHO, [big], {"\0": 1}], REFUSED),
        ],
    }
    ending = [
        ("cbor", encoded("cbor", [PUBLISH, 1, {}, TOPIC, [big, laughs(30)]])),
        ("msgpack", encoded("msgpack", [PUBLISH, 1, {}, TOPIC, [big, "\0"]])),
    ]

    def rounds() -> int:
        """Send 150 messages, and return the memory that the node's processes then have."""
        for serializer, messages in answered.items():
            with raw_peer(peers_node.ws_url, serializer=serializer) as peer:
                for message, answer in messages:
                    payload = encoded(serializer, message)
                    for _ in range(26):
                        peer.send_bytes(payload)
                        got = peer.receive()
                        assert (got[4] if got[0] == ERROR else got[0]) == answer
        for serializer, payload in ending * 10:
            assert stranger.strike(serializer, payload) == PROTOCOL_ERROR
        return sum(process.memory_info().rss for process in processes)

    before = rounds()
    grown = rounds() - before
    # Any one of these messages left behind each time would make more.
    assert grown < 10_000_000
    bystanders.check()
