"""What the application's rights add to a call: a governed role beside one of the configuration.

``python -m benchmarks.rights`` starts a node and prints the figures. Both roles come in over a Unix
socket of their own; rounds alternate between them.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from autobahn.twisted.component import Component
from autobahn.twisted.wamp import ApplicationSession
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import react

from flask_wamp.node import CrossbarNode

ROOT = Path(__file__).parent.parent
#: A role of the configuration, and one that the application governs.
STATIC, GOVERNED = "narrow", "anonymous"
ROUNDS = 15
#: New sessions of a round, each of which makes a first call.
SESSIONS = 20
REPEATED = 300
#: A bare component's, which roles may call by name, and a Flask view that a function lets call.
NAMED, ASKED = "com.bench.bare", "com.bench.flask"


@inlineCallbacks
def first(socket: str) -> Any:
    """Return the seconds that the first call of a session takes: the median of some sessions."""
    seconds = []
    for _ in range(SESSIONS):
        session, close = yield join(socket)
        begin = time.perf_counter()
        yield session.call(NAMED, 1, 2)
        seconds.append(time.perf_counter() - begin)
        close()
    return median(seconds)


@inlineCallbacks
def repeated(session: ApplicationSession, uri: str) -> Any:
    """Return the seconds that a call takes, one after another: the median."""
    seconds = []
    for _ in range(REPEATED):
        begin = time.perf_counter()
        yield session.call(uri, 1, 2)
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def join(socket: str) -> "Deferred[tuple[ApplicationSession, Callable[[], Any]]]":
    """Join the realm over a Unix socket, and return the session and what ends it."""
    component = Component(
        transports=[
            {
                "type": "rawsocket",
                "endpoint": {"type": "unix", "path": socket},
                "serializer": "cbor",
                "max_retries": 0,
            }
        ],
        realm="realm1",
    )
    joined: Deferred[tuple[ApplicationSession, Callable[[], Any]]] = Deferred()
    component.on_join(lambda session, _details: joined.callback((session, component.stop)))
    component.start()
    return joined


def measure(sockets: dict[str, str]) -> None:
    """Print the figures of each role as JSON."""

    @inlineCallbacks
    def main(_reactor: Any) -> Any:
        figures: dict[str, list[float]] = {}
        sessions = {}
        for role, socket in sockets.items():
            sessions[role], _close = yield join(socket)
        for _ in range(ROUNDS):
            for role, session in sessions.items():
                seconds = yield first(sockets[role])
                figures.setdefault(f"{role} first", []).append(seconds)
                for name, uri in (("repeated", NAMED), ("asked", ASKED)):
                    seconds = yield repeated(session, uri)
                    figures.setdefault(f"{role} {name}", []).append(seconds)
        print(json.dumps(figures))

    react(main)


def main() -> None:
    """Start the node, measure, and print the table."""
    from .__main__ import node_config, print_row

    config = node_config()
    router = config["workers"][0]
    permission = {"uri": "com.bench.", "match": "prefix", "allow": {"call": True}, "cache": False}
    router["realms"][0]["roles"].append({"name": STATIC, "permissions": [permission]})
    for role in (STATIC, GOVERNED):
        router["transports"].append(
            {
                "type": "rawsocket",
                "id": role,
                "endpoint": {"type": "unix", "path": f"{role}.sock"},
                "serializers": ["cbor"],
                "auth": {"anonymous": {"type": "static", "role": role}},
            }
        )
    with CrossbarNode(config) as node:
        sockets = {role: str(node.directory / f"{role}.sock") for role in (STATIC, GOVERNED)}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.rights", json.dumps(sockets)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures: dict[str, list[float]] = json.loads(done.stdout)
    for name, title in (
        ("first", "first call of a session"),
        ("repeated", "repeated call"),
        ("asked", "repeated call of a view; a function is asked"),
    ):
        base = f"{STATIC} {name}"
        print_row(f"{title}: configuration", figures, base, base, "us", 1e6)
        print_row(f"{title}: application", figures, f"{GOVERNED} {name}", base, "us", 1e6)


if __name__ == "__main__":
    if sys.argv[1:]:
        measure(json.loads(sys.argv[1]))
    else:
        main()
