"""An HTTP view with one call, under each server of ``make test-servers`` and hosted by the node.

The servers run one after another, each with the command of docs/howto/servers.md, and each
round of theirs beside one of the hosted view.
"""

from collections.abc import Iterator

from flask_wamp.node import CrossbarNode
from tests.servers.programs import ALL, start

from .http_load import requests_per_second

ROUNDS = 3
#: Of the servers' application, and of the hosted one.
PATH, HOSTED_PATH = "/call/1", "/call"


def throughputs(node: CrossbarNode) -> Iterator[tuple[str, int, list[float], list[float]]]:
    """Give name, workers, and requests per second of each server and of the node beside it."""
    for name, server in ALL.items():
        with start(server, node, env={"FLASK_WAMP_SERVE": "false"}) as running:
            running.wait()
            requests_per_second(running.port, PATH)
            theirs, hosted = [], []
            for _ in range(ROUNDS):
                theirs.append(requests_per_second(running.port, PATH))
                hosted.append(requests_per_second(node.port, HOSTED_PATH))
        yield name, server.workers, theirs, hosted
