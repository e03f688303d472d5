"""Generators as progressive procedures, and callers that cancel, go away or take their time."""

import itertools
import queue
import re
import socket
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from autobahn.exception import PayloadExceededError
from autobahn.wamp.serializer import CBORObjectSerializer
from flask import g, request

from flask_wamp import Canceled, RemoteError, invocation
from flask_wamp._twisted.replies import PAUSE_AT
from flask_wamp._twisted.serve.window import AHEAD, PARTS
from flask_wamp.crossbar.flow_host import UNSENT
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import Wampy, javascript_wampy
from .support import (
    CALL,
    CANCEL,
    ERROR,
    HELLO,
    LIMIT,
    RESULT,
    WELCOME,
    MakeApp,
    Peer,
    RawPeer,
    complaints,
    error_of,
    http,
    raw_peer,
    settled,
    wait_until,
)

pytestmark = pytest.mark.node

PROGRESS = {"receive_progress": True}
#: Bytes that may be under way to a caller who takes none: kernels keep a few MB for a socket.
UNDER_WAY = 8 << 20
#: Items of 200 bytes that a slow loop may be behind: those that wait for it, those on their way,
#: and what the router and the socket hold for a busy process that has yet to read.
HELD = PAUSE_AT + AHEAD * PARTS + (UNSENT + 2**18) // 200
#: Bytes by which the processes of a node may grow while a caller takes nothing.
GROWTH = 30 << 20


def pulled(peer: Peer, name: str) -> int:
    """Return how many items the generator *name* was asked for."""
    return int(peer.call("com.serving.pulled", name))


def ends(peer: Peer, name: str, *recorded: Any) -> None:
    """Wait until the generator *name* has run its ``finally``; see what it has recorded."""
    wait_until(lambda: "finally" in peer.call("com.serving.seen", name), f"{name} has ended")
    assert peer.call("com.serving.seen", name) == [*recorded, "finally"]


# --- results


def test_results_come_as_they_are_yielded(anonymous: Peer, name: str) -> None:
    call = anonymous.begin("com.serving.in_steps", name)
    assert call.part() == "first"
    assert not call.done()
    anonymous.call("com.serving.release", name)
    assert call.part() == "second"
    assert call.result() is None


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_results_are_complete_and_in_order(anonymous: Peer, count: int) -> None:
    numbers = list(range(count))
    call = anonymous.begin("com.serving.count", count)
    assert call.result() is None
    assert call.parts() == numbers
    call = anonymous.begin("com.serving.count_and_sum", count)
    assert call.result() == sum(numbers)
    assert call.parts() == numbers


def test_results_without_progress_are_a_list(anonymous: Peer, make_app: MakeApp) -> None:
    assert anonymous.call("com.serving.count", 3) == [0, 1, 2]
    assert anonymous.call("com.serving.count", 0) == []
    assert anonymous.call("com.serving.count_and_sum", 4) == [0, 1, 2, 3, 6]
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.call("com.serving.count", 3) == [0, 1, 2]


def test_results_of_several_values(anonymous: Peer) -> None:
    call = anonymous.begin("com.serving.several_values")
    assert call.result() is None
    assert [(part.args, part.kwargs) for part in call.received()] == [
        ((1, 2), {"key": "a"}),
        ((3,), {"key": "b"}),
    ]


def test_results_of_several_values_are_whole_in_the_list(anonymous: Peer) -> None:
    told = anonymous.call("com.serving.several_values")
    assert re.findall(r"\d|'[ab]'", str(told)) == ["1", "2", "'a'", "3", "'b'"], told


def test_results_have_the_context_of_the_call(anonymous: Peer) -> None:
    expected = [
        {"uri": "com.serving.uses_context", "parts": [], "number": number, "sum": 3}
        for number in range(2)
    ]
    call = anonymous.begin("com.serving.uses_context")
    assert call.result() is None
    assert call.parts() == expected
    assert anonymous.call("com.serving.uses_context") == expected


def test_results_of_a_route_are_the_same_both_ways(anonymous: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()

    @app.get("/words/<word>")
    @wamp.callee("com.here.words")
    def words(word: str) -> Iterator[str]:
        for number in range(3):
            yield f"{request.method} {word} {number};"

    wamp.start(app)
    call = anonymous.begin("com.here.words", "tea")
    assert call.result() is None
    assert call.parts() == ["CALL tea 0;", "CALL tea 1;", "CALL tea 2;"]
    assert anonymous.call("com.here.words", word="tea") == [f"CALL tea {n};" for n in range(3)]


# --- errors


@pytest.mark.parametrize("count", [0, 3])
def test_errors_come_behind_the_results(anonymous: Peer, count: int) -> None:
    call = anonymous.begin("com.serving.fails_after", count, "declared")
    error = error_of(call.result)
    assert (error.error, error.args, error.kwargs) == (
        "com.serving.error.enough", (count,), {"limit": count},
    )  # fmt: skip
    assert call.parts() == list(range(count))
    error = error_of(lambda: anonymous.call("com.serving.fails_after", count, "declared"))
    assert (error.error, error.args) == ("com.serving.error.enough", (count,))


def test_errors_nobody_chose_tell_nothing_but_an_id(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    call = anonymous.begin("com.serving.fails_after", 2, "defect")
    error = error_of(call.result)
    assert error.error == "wamp.error.runtime_error"
    assert "secret" not in str(error)
    assert call.parts() == [0, 1]
    peers_node.wait_for_log(f"com.serving.fails_after failed [{error.kwargs['id']}]", timeout=LIMIT)


@pytest.mark.parametrize("progress", [False, True])
def test_errors_of_a_result_that_cannot_travel(peers_node: CrossbarNode, progress: bool) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        options = {"receive_progress": progress}
        peer.send([CALL, 1, options, "com.serving.fails_after", [2, "unfit"]])
        if progress:
            assert [peer.receive()[3] for _ in range(2)] == [[0], [1]]
        answer = peer.receive()
    assert answer[:5] == [ERROR, CALL, 1, {}, "wamp.error.invalid_payload"]
    assert "object" in answer[5][0]


def test_errors_of_arguments_come_before_the_first_result(anonymous: Peer) -> None:
    call = anonymous.begin("com.serving.count")
    assert error_of(call.result).error == "wamp.error.invalid_argument"


def test_errors_of_a_list_that_is_too_long(anonymous: Peer, name: str) -> None:
    # Autobahn has an exception of its own for wamp.error.payload_size_exceeded.
    with pytest.raises(PayloadExceededError, match="ask for progressive ones"):
        anonymous.call("com.serving.items", name, 1_000_000, 10_000)
    ends(anonymous, name)
    assert 1000 < pulled(anonymous, name) < 2000


# --- callers that cancel or go away


def test_cancel_closes_the_generator(peers_node: CrossbarNode, anonymous: Peer, name: str) -> None:
    logged = len(peers_node.log)
    call = anonymous.begin("com.serving.endless", name)
    assert [call.part() for _ in range(1000)] == list(range(1000))
    call.cancel()
    ends(anonymous, name, "closed")
    count = pulled(anonymous, name)
    assert anonymous.begin("com.serving.count", 2).result() is None
    assert pulled(anonymous, name) == count
    assert complaints(peers_node, logged) == []


@pytest.mark.parametrize("mode", ["kill", "killnowait"])
@pytest.mark.parametrize("progress", [False, True])
def test_cancel_of_every_mode_that_tells_the_callee(
    peers_node: CrossbarNode, anonymous: Peer, name: str, mode: str, progress: bool
) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        peer.send([CALL, 1, {"receive_progress": progress}, "com.serving.endless", [name]])
        wait_until(lambda: pulled(anonymous, name), "the generator runs")
        peer.send([CANCEL, 1, {"mode": mode}])
        answer = peer.receive()
        while answer[0] == RESULT:
            assert answer[2]["progress"]
            answer = peer.receive()
        assert answer[:3] == [ERROR, CALL, 1]
        assert answer[4] == "wamp.error.canceled"
        ends(anonymous, name, "closed")
        # Nothing comes behind the error.
        answer = peer.request([CALL, 2, {}, "com.serving.count", [1]])
        assert (answer[:2], answer[3]) == ([RESULT, 2], [[0]])


def test_cancel_while_the_generator_works(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    logged = len(peers_node.log)
    call = anonymous.begin("com.serving.endless_slowly", name)
    assert call.part() == 0
    call.cancel()
    # It noticed, and what it yielded then went nowhere.
    ends(anonymous, name, True)
    assert call.parts() == []
    assert complaints(peers_node, logged) == []


def test_cancel_by_a_timeout_of_the_router(anonymous: Peer, name: str) -> None:
    # Of 1 s, which it may cut short by as much, the router may leave the view no time to begin.
    call = anonymous.begin("com.serving.endless_slowly", name, timeout=2)
    assert error_of(call.result).error == "wamp.error.canceled"
    ends(anonymous, name, True)


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("procedure", ["endless", "endless_slowly"])
def test_caller_that_goes_away_closes_the_generator(
    peers_node: CrossbarNode, anonymous: Peer, name: str, procedure: str, politely: bool
) -> None:
    logged = len(peers_node.log)
    peer = Peer.connect(peers_node.ws_url)
    call = peer.begin(f"com.serving.{procedure}", name)
    assert call.part() == 0
    if politely:
        peer.close()
    else:
        peer.drop()
    ends(anonymous, name, "closed" if procedure == "endless" else True)
    assert complaints(peers_node, logged) == []


def test_caller_that_cancels_with_skip_and_goes_away_closes_the_generator(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    """In the mode "skip" the router tells the callee nothing, then or later."""
    try:
        with raw_peer(peers_node.ws_url) as peer:
            peer.send([CALL, 1, PROGRESS, "com.serving.endless", [name]])
            wait_until(lambda: pulled(anonymous, name), "the generator runs")
            peer.send([CANCEL, 1, {"mode": "skip"}])
        ends(anonymous, name, "closed")
    finally:
        anonymous.call("com.serving.release", name)


def test_leaving_the_loop_of_a_flask_caller_closes_the_generator(
    anonymous: Peer, make_app: MakeApp, name: str
) -> None:
    app, _ = make_app()
    with app.app_context():
        with g.wampy.stream("com.serving.endless", name) as stream:
            assert list(itertools.islice(stream, 1000)) == list(range(1000))
        ends(anonymous, name, "closed")
        assert g.wampy.call("com.serving.count", 1) == [0]


def test_stop_of_the_callers_link_closes_the_generator(
    anonymous: Peer, make_app: MakeApp, name: str
) -> None:
    app, wamp = make_app()
    with app.app_context():
        stream = g.wampy.stream("com.serving.endless", name)
        assert next(stream) == 0
        wamp.stop(app)
        ends(anonymous, name, "closed")
        with pytest.raises((Canceled, ConnectionError, RemoteError)):
            list(stream)


def test_stop_of_the_callee_ends_the_results(anonymous: Peer, make_app: MakeApp) -> None:
    app, wamp = make_app()
    ended: queue.Queue[bool] = queue.Queue()

    @wamp.callee("com.here.endless")
    def endless() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            ended.put(invocation.cancelled)

    wamp.start(app)
    call = anonymous.begin("com.here.endless")
    assert call.part() == 0
    wamp.stop(app)
    assert error_of(call.result).error == "wamp.error.canceled"
    assert ended.get(timeout=LIMIT) is True


# --- callers that take their time


def processes(node: CrossbarNode, peer: Peer) -> list[psutil.Process]:
    """Return the router of *node*, and the container that serves the generators."""
    pids = (http(node.url + "pid").json["pid"], peer.call("com.serving.pid"))
    assert pids[0] != pids[1]
    return [psutil.Process(pid) for pid in pids]


def memory(running: list[psutil.Process]) -> int:
    """Return how many bytes *running* processes have in memory together."""
    return sum(int(process.memory_info().rss) for process in running)


def take(peer: RawPeer, numbers: range, size: int) -> None:
    """Take the progressive results *numbers* of request 1, and see that none is missing."""
    for number in numbers:
        kind, _request, details, args = peer.receive()
        assert (kind, details.get("progress"), args) == (RESULT, True, [f"{number:<{size}}"])


@pytest.mark.parametrize(("count", "size"), [(100_000, 200), (5000, 50_000)])
def test_slow_caller_holds_the_generator_back(
    peers_node: CrossbarNode, anonymous: Peer, name: str, count: int, size: int
) -> None:
    """A client that stops reading from its socket, while many items, or large ones, are on offer."""
    under_way = UNDER_WAY // size
    running = processes(peers_node, anonymous)
    before = memory(running)
    # On a path whose clients are not asked for a sign of life.
    peer = RawPeer(trusted_url(peers_node))
    try:
        peer.join()
        peer.stop_reading()
        peer.send([CALL, 1, PROGRESS, "com.serving.items", [name, count, size]])
        held_at = settled(lambda: pulled(anonymous, name), "items were pulled")
        assert held_at < under_way
        assert memory(running) - before < GROWTH
        # The thread that waits is not missed.
        assert anonymous.call_all("com.serving.count", [[1]] * 20) == [(True, [0])] * 20

        peer.read_on()
        take(peer, range(held_at), size)
        wait_until(lambda: pulled(anonymous, name) > held_at, "the generator goes on")
    finally:
        peer.drop()
    ends(anonymous, name)
    assert memory(running) - before < GROWTH


class SocketPeer:
    """A client of the Unix socket, which reads when it is told to (WAMP spec, 5.3.2, RawSocket)."""

    def __init__(self, node: CrossbarNode) -> None:
        self._cbor = CBORObjectSerializer()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(LIMIT)
        self._socket.connect(node.backend_url.removeprefix("unix:"))
        self._socket.sendall(b"\x7f\xf3\0\0")
        assert self._read(4)[:1] == b"\x7f"
        self.send([HELLO, "realm1", {"roles": {"caller": {}}}])
        assert self.receive()[0] == WELCOME

    def send(self, message: list[Any]) -> None:
        """Send a message."""
        payload = self._cbor.serialize(message)
        self._socket.sendall(len(payload).to_bytes(4, "big") + payload)

    def receive(self) -> list[Any]:
        """Read the next message."""
        (message,) = self._cbor.unserialize(self._read(int.from_bytes(self._read(4), "big")))
        assert isinstance(message, list)
        return message

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            assert part, "the router has closed the connection"
            data += part
        return data


def test_slow_service_at_the_unix_socket_holds_the_generator_back(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    running = processes(peers_node, anonymous)
    before = memory(running)
    peer = SocketPeer(peers_node)
    try:
        peer.send([CALL, 1, PROGRESS, "com.serving.items", [name, 100_000, 200]])
        held_at = settled(lambda: pulled(anonymous, name), "items were pulled")
        assert held_at < UNDER_WAY // 200
        assert memory(running) - before < GROWTH
        for number in range(held_at):
            assert peer.receive()[3] == [f"{number:<200}"]
        wait_until(lambda: pulled(anonymous, name) > held_at, "the generator goes on")
    finally:
        peer.close()
    ends(anonymous, name)


def test_slow_caller_of_a_callee_that_stops(peers_node: CrossbarNode, make_app: MakeApp) -> None:
    """The generator is held back at that time, and must not wait for ever."""
    app, wamp = make_app()
    ended: queue.Queue[bool] = queue.Queue()
    count = 0

    @wamp.callee("com.here.held_back")
    def held_back() -> Iterator[str]:
        nonlocal count
        try:
            while True:
                count += 1
                yield "x" * 1000
        finally:
            ended.put(invocation.cancelled)

    wamp.start(app)
    peer = RawPeer(trusted_url(peers_node))
    try:
        peer.join()
        peer.stop_reading()
        peer.send([CALL, 1, PROGRESS, "com.here.held_back", []])
        settled(lambda: count, "items were pulled")
        assert ended.empty()
        wamp.stop(app)
        assert ended.get(timeout=LIMIT) is True
    finally:
        peer.drop()


def test_slow_callers_do_not_keep_others_out(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    """One client, which reads nothing, asks for more streams than there are threads."""
    names = [f"{name} {number}" for number in range(30)]
    peer = RawPeer(trusted_url(peers_node))
    try:
        peer.join()
        peer.stop_reading()
        for number, each in enumerate(names):
            peer.send([CALL, number + 1, PROGRESS, "com.serving.items", [each, 10_000, 200]])
        settled(lambda: sum(anonymous.call("com.serving.all_pulled", names)), "items were pulled")
        assert anonymous.call("com.serving.count", 2) == [0, 1]
        wait_until(
            lambda: all(anonymous.call("com.serving.all_pulled", names)), "all of them have begun"
        )
        assert anonymous.begin("com.serving.count", 200).result() is None
    finally:
        peer.drop()
    for each in names:
        ends(anonymous, each)


def test_slow_loop_of_a_flask_caller_holds_the_generator_back(
    anonymous: Peer, make_app: MakeApp, name: str
) -> None:
    app, _ = make_app()
    with app.app_context():
        stream = g.wampy.stream("com.serving.items", name, 12_000, 200)
        for number in range(12_000):
            assert next(stream) == f"{number:<200}"
            if number in {0, 6000}:
                held_at = settled(lambda: pulled(anonymous, name), "items were pulled")
                assert held_at <= number + HELD
        assert next(stream, None) is None
    ends(anonymous, name)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_slow_caller_gets_a_million_items_in_little_memory(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    """A client that reads by fits and starts, and takes them all."""
    running = processes(peers_node, anonymous)
    before = memory(running)
    with raw_peer(trusted_url(peers_node)) as peer:
        peer.send([CALL, 1, PROGRESS, "com.serving.items", [name, 1_000_000, 200]])
        for start in range(0, 1_000_000, 50_000):
            take(peer, range(start, start + 50_000), 200)
            peer.stop_reading()
            held_at = settled(lambda: pulled(anonymous, name), "items were pulled")
            assert held_at < start + 50_000 + peer.messages.qsize() + UNDER_WAY // 200
            assert memory(running) - before < GROWTH
            peer.read_on()
        last = peer.receive()
        assert (last[:2], "progress" in last[2]) == ([RESULT, 1], False)
    ends(anonymous, name)


# --- wampy.js


@pytest.mark.wampy
def test_javascript_gets_results_as_they_are_yielded(
    javascript_peer: Wampy, anonymous: Peer, name: str
) -> None:
    order = {"uri": "com.serving.in_steps", "args": [name], "progress": "part"}
    assert javascript_peer.order("start", **order) == {"result": None}
    assert javascript_peer.event() == {"event": "part", "args": ["first"], "kwargs": {}}
    anonymous.call("com.serving.release", name)
    assert javascript_peer.event() == {"event": "part", "args": ["second"], "kwargs": {}}
    assert javascript_peer.event()["event"] == "outcome"


@pytest.mark.wampy
def test_javascript_gets_the_last_result_and_the_error(javascript_peer: Wampy) -> None:
    order = {"uri": "com.serving.count_and_sum", "args": [4], "progress": "part"}
    assert javascript_peer.order("call", **order)["result"] == 6
    assert [javascript_peer.event()["args"] for _ in range(4)] == [[0], [1], [2], [3]]
    assert javascript_peer.call("com.serving.count_and_sum", 4)["result"] == [0, 1, 2, 3, 6]
    order = {"uri": "com.serving.fails_after", "args": [2, "declared"], "progress": "part"}
    told = javascript_peer.order("call", **order)
    assert (told["error"], told["args"]) == ("com.serving.error.enough", [2])
    assert [javascript_peer.event()["args"] for _ in range(2)] == [[0], [1]]


@pytest.mark.wampy
@pytest.mark.parametrize("mode", [None, "kill", "killnowait"])
def test_javascript_cancels(
    javascript_peer: Wampy, anonymous: Peer, name: str, mode: str | None
) -> None:
    order = {"uri": "com.serving.endless_slowly", "args": [name], "progress": "part"}
    assert javascript_peer.order("start", **order) == {"result": None}
    assert javascript_peer.event()["args"] == [0]
    options = {"options": {"mode": mode}} if mode else {}
    assert javascript_peer.order("cancel", **options) == {"result": True}
    told = javascript_peer.event()
    assert (told["event"], told["error"]) == ("outcome", "wamp.error.canceled")
    ends(anonymous, name, True)
    assert javascript_peer.call("com.serving.count", 1)["result"] == [0]


@pytest.mark.wampy
def test_javascript_that_is_killed_closes_the_generator(
    peers_node: CrossbarNode, anonymous: Peer, name: str
) -> None:
    with javascript_wampy(peers_node.ws_url) as peer:
        order = {"uri": "com.serving.endless_slowly", "args": [name], "progress": "part"}
        assert peer.order("start", **order) == {"result": None}
        assert peer.event()["args"] == [0]
    ends(anonymous, name, True)
