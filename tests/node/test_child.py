"""The serving process of a supervisor, driven through its pipes."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from autobahn.wamp.exception import ApplicationError

from flask_wamp._twisted.supervise.settings import ChildSettings
from flask_wamp.node import CrossbarNode

from .children import Child, child
from .conftest import trusted_url
from .relay import Relay
from .support import APPS, ROOT, Peer, connected, error_of, on_reactor, wait_until

pytestmark = pytest.mark.node

#: Seconds without a heartbeat after which a supervisor takes a process for hung.
UNRESPONSIVE = 1.0


def test_child_serves_and_tells_how_it_does(peers_node: CrossbarNode, trusted: Peer) -> None:
    with child(peers_node) as process:
        ready = process.report("ready")
        assert [report["is"] for report in process.reports] == ["loaded", "ready"]
        assert (ready["procedures"], ready["subscribes"]) == (6, True)
        assert trusted.call("wamp.session.get", ready["session"])["authrole"] == "backend"
        assert trusted.call("com.replaced.pid") == process.pid
        beat = wait_until(
            lambda: next(
                (each for each in process.beats if each["calls"] == 1 and not each["running"]), None
            ),
            "a beat has the call",
        )
        assert beat == {
            "is": "beat",
            "oldest": None,
            "running": 0,
            "calls": 1,
            "joined": True,
            "session": ready["session"],
            "procedures": 6,
            "subscribes": True,
        }
        trusted.call("com.replaced.say", "hello")
        assert process.line("hello, printed") == (1, "hello, printed")
        assert process.line("hello, complained") == (2, "hello, complained")
        stream, line = process.line("logged")
        assert stream == 2
        assert re.fullmatch(r"<4>\[[0-9a-f]{16}\] replaced: hello, logged", line)
        # Each line of a traceback has its priority.
        assert process.line("LookupError: hello") == (2, "<3>    LookupError: hello")
        process.tell("drain")
        assert process.report("drained") == {"is": "drained", "unfinished": 0}
        assert process.end() == 0
        assert error_of(lambda: trusted.call("com.replaced.pid")).error.endswith(
            "no_such_procedure"
        )


class Load:
    """Peers that call and publish all the time, and account for all of it."""

    def __init__(self, node: CrossbarNode) -> None:
        self.answered = 0
        self.failed: list[Any] = []
        self.wrong: list[Any] = []
        self.published = 0
        self._stop = threading.Event()
        self._caller = Peer.connect(trusted_url(node))
        self._publisher = Peer.connect(trusted_url(node))
        self.handled = self._publisher.subscribe("com.replaced.handled")
        self._threads = [threading.Thread(target=work) for work in (self._call, self._publish)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        for first in itertools.count(0, 20):
            numbers = range(first, first + 20)
            calls = [[number] for number in numbers]
            answers = self._caller.call_all("com.replaced.double", calls)
            answers += self._caller.call_all("com.replaced.alone", [[]] * 5)
            self.failed += [outcome for success, outcome in answers if not success]
            results = [outcome for success, outcome in answers[:20] if success]
            self.wrong += [
                pair for pair in zip(numbers, results, strict=False) if 2 * pair[0] != pair[1]
            ]
            self.answered += len(answers)
            if self._stop.is_set():
                return

    def _publish(self) -> None:
        while not self._stop.wait(0.001):
            self._publisher.publish("com.replaced.topic", self.published)
            self.published += 1

    def more(self) -> None:
        """Wait until more has been called and published."""
        answered, published = self.answered, self.published
        wait_until(
            lambda: self.answered > answered + 50 and self.published > published + 20,
            "calls and events go on",
        )

    def end(self) -> list[tuple[int, int]]:
        """End, and return the events that were handled: process and number."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        events: list[tuple[int, int]] = []

        def all_handled() -> bool:
            events.extend(tuple(each.args) for each in self.handled.waiting())
            return len(events) >= self.published

        wait_until(all_handled, "all events are handled")
        return events

    def close(self) -> None:
        """Leave."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._caller.close()
        self._publisher.close()


@pytest.mark.parametrize(
    ("shared", "replacements"),
    [
        (False, 1),
        pytest.param(False, 5, marks=pytest.mark.slow),
        pytest.param(True, 5, marks=pytest.mark.slow),
    ],
)
def test_child_replaces_another_one_under_load_and_no_call_fails_and_no_event_is_lost_or_doubled(
    peers_node: CrossbarNode, shared: bool, replacements: int
) -> None:
    """With a single process, and with two that share."""
    running = [child(peers_node, shared=shared).ready() for _ in range(2 if shared else 1)]
    load = Load(peers_node)
    try:
        for generation in range(2, replacements + 2):
            load.more()
            new = child(peers_node, shared=shared, force=True, generation=generation).ready()
            load.more()
            old = running.pop(0)
            running.append(new)
            new.take_over_from(old)
            load.more()
        events = load.end()
    finally:
        load.close()
        for process in running:
            process.__exit__()
    assert load.failed == []
    assert load.wrong == []
    numbers = [number for _, number in events]
    assert Counter(numbers) == Counter(range(load.published))
    # In order as well: they were published one after another.
    assert numbers == sorted(numbers)
    assert len({pid for pid, _ in events}) > 1


def test_child_that_drains_finishes_the_call_that_runs(
    peers_node: CrossbarNode, trusted: Peer, tmp_path: Path
) -> None:
    """And answers it after the grace."""
    with child(peers_node, grace=60) as process:
        process.ready()
        call = trusted.start_call("com.replaced.sleep", str(tmp_path / "wake"))
        process.line("asleep")
        process.tell("drain")
        wait_until(lambda: process.beats[-1]["procedures"] == 0, "it has unregistered")
        assert not call.done()
        (tmp_path / "wake").touch()
        assert call.result(20) == process.pid
        assert process.end() == 0
    with child(peers_node, grace=0.1) as process:
        process.ready()
        call = trusted.start_call("com.replaced.sleep", str(tmp_path / "never"))
        process.line("asleep")
        process.tell("drain")
        with pytest.raises(ApplicationError) as raised:
            call.result(20)
        assert raised.value.error == "wamp.error.unavailable"
        assert raised.value.kwargs["may_have_run"] is True
        assert process.report("drained") == {"is": "drained", "unfinished": 1}
        assert process.end() == 0


def test_child_ends_with_its_supervisor_whatever_it_does(
    peers_node: CrossbarNode, trusted: Peer, tmp_path: Path
) -> None:
    with child(peers_node) as process:
        process.ready()
        trusted.start_call("com.replaced.sleep", str(tmp_path / "never")).add_done_callback(
            lambda call: call.exception()
        )
        process.line("asleep")
        process.hang_up()
        assert process.end() == 1


#: Starts a serving process, and is ended; somebody else keeps the pipe.
PARENT = """
import sys, threading
from flask_wamp._twisted.supervise.processes import CHILD, spawn
print(spawn(CHILD, sys.argv[1], (0, 1, 1, int(sys.argv[2]))), flush=True)
threading.Event().wait()
"""


@pytest.mark.slow
def test_child_ends_with_its_parent_though_its_pipe_stays_open(peers_node: CrossbarNode) -> None:
    settings = ChildSettings(f"{APPS}.replaced:app", url=peers_node.backend_url)
    commands, kept = os.pipe()
    reports, theirs = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, settings.to_json(), str(theirs)],
        stdin=commands,
        stdout=subprocess.PIPE,
        pass_fds=(theirs,),
        cwd=ROOT,
        text=True,
    )
    os.close(theirs)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    with os.fdopen(reports) as told, parent.stdout:
        assert any('"ready"' in line for line in told)
        parent.kill()
        parent.wait()
        # The end of its reports is its end; its commands have none.
        assert {json.loads(line)["is"] for line in told} <= {"beat"}
    wait_until(lambda: is_dead(pid), "it has ended")
    os.close(commands)
    os.close(kept)


def is_dead(pid: int) -> bool:
    """Tell whether a process has ended, whoever is to ask about it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_child_says_how_long_a_view_runs_and_where_it_is(
    peers_node: CrossbarNode, trusted: Peer, tmp_path: Path
) -> None:
    with child(peers_node) as process:
        process.ready()
        call = trusted.start_call("com.replaced.sleep", str(tmp_path / "wake"))
        process.line("asleep")
        wait_until(lambda: (process.beats[-1]["oldest"] or 0) > 0.5, "it runs for long")
        assert process.beats[-1]["running"] == 1
        process.signal(signal.SIGUSR1)
        stream, _ = process.line("in sleep")
        assert stream == 2
        # A terminal's Ctrl-C is not for it.
        process.signal(signal.SIGINT)
        (tmp_path / "wake").touch()
        assert call.result(20) == process.pid
        wait_until(lambda: process.beats[-1]["oldest"] is None, "it runs no more")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["C code", "stopped"])
def test_child_that_hangs_beats_no_more(peers_node: CrossbarNode, trusted: Peer, how: str) -> None:
    with child(peers_node) as process:
        process.ready()
        if how == "stopped":
            process.signal(signal.SIGSTOP)
        else:
            trusted.start_call("com.replaced.count").add_done_callback(
                lambda call: call.exception()
            )
            process.line("counting")
        wait_until(lambda: time.monotonic() - process.last_beat > UNRESPONSIVE, "no beat comes")
        if how == "C code":
            process.signal(signal.SIGUSR1)
            process.line("in count")
        process.signal(signal.SIGKILL)
        assert process.end() == -signal.SIGKILL


@pytest.mark.slow
def test_child_that_is_told_to_end_by_itself_finishes_first(
    peers_node: CrossbarNode, trusted: Peer, tmp_path: Path
) -> None:
    """The node goes on. The second time it does not finish."""
    for again in (False, True):
        with child(peers_node, grace=60) as process:
            process.ready()
            wake = tmp_path / f"wake{again}"
            call = trusted.start_call("com.replaced.sleep", str(wake))
            process.line("asleep")
            process.signal(signal.SIGTERM)
            wait_until(lambda: process.beats[-1]["procedures"] == 0, "it has unregistered")
            if again:
                process.signal(signal.SIGTERM)
                assert process.end() == -signal.SIGTERM
                assert isinstance(call.exception(20), ApplicationError)
            else:
                wake.touch()
                assert call.result(20) == process.pid
                assert process.end() == 0


@pytest.mark.slow
def test_child_takes_over_at_once_from_one_that_has_died(
    peers_node: CrossbarNode, trusted: Peer
) -> None:
    handled = trusted.subscribe("com.replaced.handled")
    with child(peers_node, shared=True) as first:
        first.ready()
        with child(peers_node, shared=True, slot=1) as second:
            assert second.report("ready")["subscribes"] is False
            first.signal(signal.SIGKILL)
            first.end()
            second.tell("nudge")
            # Either may come first, where the router notices the death only between the two.
            wait_until(
                lambda: second.beats[-1]["subscribes"] and second.beats[-1]["procedures"] == 6,
                "it subscribes, and has what one has alone",
            )
            assert trusted.call("com.replaced.alone") == second.pid
            trusted.publish("com.replaced.topic", 1)
            assert handled.get().args == (second.pid, 1)


@pytest.mark.slow
def test_child_waits_a_moment_for_what_somebody_else_has(
    peers_node: CrossbarNode, trusted: Peer
) -> None:
    registration = trusted.register("com.replaced.pid", lambda: 1)
    with child(peers_node) as process:
        process.report("loaded")
        wait_until(lambda: process.beats and process.beats[-1]["procedures"] == 5, "others")
        on_reactor(registration.unregister)
        assert process.report("ready")["procedures"] == 6


@pytest.mark.slow
def test_child_gives_up_what_somebody_else_has(peers_node: CrossbarNode, trusted: Peer) -> None:
    trusted.register("com.replaced.pid", lambda: 1)
    with child(peers_node) as process:
        why = process.report("failed")["why"]
        assert "the router refused the procedure 'com.replaced.pid'" in why
        assert f"at session {trusted.id}" in why
        assert process.end() == 1


@pytest.mark.parametrize(
    ("application", "why"),
    [
        (f"{APPS}.replaced:nothing", "no Flask application"),
        pytest.param(f"{APPS}.broken:app", "cannot load", marks=pytest.mark.slow),
        pytest.param("no_such_module:app", "No module named", marks=pytest.mark.slow),
    ],
)
def test_child_that_cannot_load_says_why(
    peers_node: CrossbarNode, application: str, why: str
) -> None:
    with child(peers_node, application=application) as process:
        assert why in process.report("failed")["why"]
        assert process.end() == 1


@pytest.mark.slow
def test_child_whose_connection_is_cut_serves_again(relay: Relay) -> None:
    with Child(relay.url) as process, connected(relay.url) as peer:
        process.ready()
        assert peer.call("com.replaced.pid") == process.pid
        relay.cut()
        process.line("was lost")
        with connected(relay.url) as again:
            wait_until(
                lambda: again.call("wamp.registration.lookup", "com.replaced.pid"), "it serves"
            )
            assert again.call("com.replaced.pid") == process.pid
    assert process.reports[-1]["is"] == "ready"


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_child_takes_over_from_its_own_session_that_the_router_takes_for_alive(
    relay: Relay, trusted: Peer, shared: bool
) -> None:
    with Child(relay.url, shared=shared) as process:
        process.ready()
        former = process.beats[-1]["session"]
        for _ in range(3):
            relay.lose()
            beat = serving_again(process, former)
            assert former in trusted.call("wamp.session.list"), "the router has noticed"
            assert beat["procedures"] == 6
            former = beat["session"]
        assert not any("another process" in line for _stream, line in process.output)


def serving_again(process: Child, former: int) -> dict[str, Any]:
    """Wait until a process handles the events in another session, and return what it tells."""

    def find() -> dict[str, Any] | None:
        beat = process.beats[-1]
        return beat if beat["subscribes"] and beat["session"] not in (None, former) else None

    found = wait_until(find, "it handles the events again")
    assert found is not None
    return found
