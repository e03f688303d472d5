"""Very many connections at once, and those that come to nothing."""

from contextlib import ExitStack

import psutil
import pytest

from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .sockets import read_to_end, tcp, text_frame, upgrade, upgraded, websocket
from .strangers import Bystanders
from .support import http, wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]


@attempt(
    "limits",
    "1,000 handshakes at once, and 200 that stay half open",
    "all join, the half-open ones are cut off; the memory is level",
)
def test_thousand_handshakes_at_once_and_others_half_open(
    peers_node: CrossbarNode, bystanders: Bystanders
) -> None:
    router = psutil.Process(http(peers_node.url + "pid").json["pid"])
    files = router.num_fds()

    def rounds() -> int:
        """Let 1,000 peers join at once, and 200 never; return the router's memory afterwards."""
        with ExitStack() as stack:
            half_open = [stack.enter_context(websocket(peers_node, "ws")) for _ in range(100)]
            half_open += [stack.enter_context(tcp(peers_node)) for _ in range(100)]
            crowd = [stack.enter_context(tcp(peers_node)) for _ in range(1000)]
            for connection in crowd:
                upgrade(connection, "ws")
            for connection in crowd:
                upgraded(connection)
                connection.sendall(text_frame(b'[1,"realm1",{"roles":{"caller":{}}}]'))
            for connection in crowd:
                assert b"[2," in connection.recv(1024)
            for connection in half_open[:100]:
                assert read_to_end(connection)[0] == 0x88
        wait_until(lambda: router.num_fds() <= files, "the connections are gone")
        return int(router.memory_info().rss)

    before = rounds()
    assert rounds() - before < 10_000_000
    bystanders.check()
