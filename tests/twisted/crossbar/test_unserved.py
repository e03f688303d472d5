"""Procedures that have lost the last process that served them, and are back."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from flask_wamp.crossbar.unserved import Unserved
from flask_wamp.health import Health

ADD, BUY = "com.test.add", "com.test.buy"


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, text: str, **values: Any) -> None:
        """Log an error."""
        self.lines.append("error: " + text.format(**values))

    def warn(self, text: str, **values: Any) -> None:
        """Log a warning."""
        self.lines.append("warning: " + text.format(**values))


class Node:
    """A session in the router's process, and its router."""

    def __init__(self, end_after: float | None = None) -> None:
        self.log = Log()
        self.clock = Clock()
        self.health = Health(joined=True, looked=True)
        self.served = {ADD, BUY}
        self.failed: list[str] = []
        self._handlers: list[Callable[..., Any]] = []
        wanted = [(ADD, "exact"), (BUY, "exact")]
        Unserved(self, self.clock, wanted, self.health, end_after).watch()

    def call(self, procedure: str, *args: Any, **_kwargs: Any) -> "Deferred[int | None]":
        """Look a procedure up."""
        assert procedure == "wamp.registration.lookup"
        return succeed(5 if args[0] in self.served else None)

    def subscribe(self, handler: Any, topic: Any = None, options: Any = None) -> Any:
        """Subscribe to the router's events."""
        self._handlers.append(handler)
        return succeed(None)

    def fail(self, what: str) -> None:
        """End."""
        self.failed.append(what)

    def change(self, *served: str) -> None:
        """Let other procedures be served from now on."""
        self.served = set(served)
        for handler in self._handlers:
            handler(1, 2)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.pump([0.05] * round(seconds / 0.05))


def test_procedure_without_a_process_is_named_once_and_again_when_it_is_back() -> None:
    node = Node()
    node.change(BUY)
    node.wait(0.5)
    assert node.health.missing == [ADD]
    assert node.log.lines == []
    node.wait(5)
    assert node.log.lines == [
        "error: flask-wamp: no process serves com.test.add any more: calls fail until one does"
    ]
    node.change(BUY, ADD)
    node.wait(0.5)
    assert node.health.missing == []
    assert node.health.is_ready
    assert len(node.log.lines) == 2
    assert node.log.lines[1].startswith("warning: flask-wamp: served again, after 5.")
    assert node.log.lines[1].endswith(": com.test.add")


def test_procedure_that_is_handed_over_is_not_named() -> None:
    node = Node()
    for _ in range(5):
        node.change(BUY)
        node.wait(0.8)
        node.change(ADD, BUY)
        node.wait(0.8)
    assert node.log.lines == []


def test_each_one_counts_its_own_time() -> None:
    node = Node()
    node.change(BUY)
    node.wait(0.8)
    node.change()
    node.wait(0.5)
    assert len(node.log.lines) == 1
    assert ADD in node.log.lines[0]
    assert BUY not in node.log.lines[0]
    node.wait(1)
    assert BUY in node.log.lines[1]


def test_node_that_stops_complains_of_nothing() -> None:
    node = Node(end_after=3)
    node.change(BUY)
    node.wait(0.5)
    node.health.stopping = True
    node.wait(10)
    assert node.log.lines == []
    assert node.failed == []


def test_node_ends_where_nobody_serves_for_too_long() -> None:
    node = Node(end_after=3)
    node.change(BUY)
    node.wait(2)
    node.change(BUY, ADD)
    node.wait(2)
    node.change()
    node.wait(2)
    assert node.failed == []
    node.wait(2)
    assert len(node.failed) == 1, "one end for all that is missing"
    assert "com.test.add, com.test.buy" in node.failed[0]
    assert "3 s" in node.failed[0]


def test_node_ends_once_however_many_procedures_nobody_serves() -> None:
    node = Node(end_after=3)
    node.change()
    node.wait(5)
    assert len(node.failed) == 1
    assert f"{ADD}, {BUY}" in node.failed[0]
