"""What a supervisor does about its processes: the test's clock, and the test's processes."""

import signal
from typing import Any

import pytest

from flask_wamp._twisted.supervise.supervisor import FAILURES
from tests.attempts import attempt

from .doubles import World


def fired(deferred: Any) -> bool:
    """Tell whether something has happened."""
    return bool(deferred.called)


def test_ready_fires_when_all_processes_are_ready() -> None:
    world = World(3)
    assert [process.settings.slot for process in world.started] == [0, 1, 2]
    for process in world.started:
        assert not fired(world.supervisor.ready)
        process.be_ready()
    assert fired(world.supervisor.ready)
    assert world.supervisor.status()["ready"] == 3


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (
            -signal.SIGKILL,
            "was killed by SIGKILL: somebody did that, or the system, for its memory",
        ),
        (3, "exited with code 3"),
        (0, "exited with code 0"),
    ],
)
def test_process_that_served_is_back_at_once_and_the_log_says_how_it_ended(
    code: int, words: str
) -> None:
    world = World.ready(2)
    world.live(10)
    world.started[1].end(code)
    world.clock.advance(0)
    assert len(world.alive) == 2
    again = world.started[2].settings
    assert (again.slot, again.generation, again.force) == (1, 2, False)
    assert f"process 1 (pid 1001) {words}" in world.errors()
    assert world.supervisor.status()["slots"][1]["restarts"] == 1


def test_others_are_asked_to_take_over_at_once_and_again() -> None:
    """The router may know of the end a moment later than the supervisor."""
    world = World.ready(3)
    world.started[0].end(-9)
    world.clock.advance(0)
    assert world.started[1].words == world.started[2].words == ["nudge"]
    world.live(1)
    assert world.started[1].words.count("nudge") > 2
    assert "nudge" not in world.started[3].words


@pytest.mark.parametrize("unresponsive", [1.0, 3.0])
def test_silent_process_writes_down_where_it_is_and_is_killed(unresponsive: float) -> None:
    world = World.ready(2, unresponsive=unresponsive)
    hung, other = world.started
    world.live(5)
    for _turn in range(round(unresponsive / 0.25) - 2):
        other.beat()
        world.clock.advance(0.25)
    assert hung.signals == []
    other.beat()
    world.clock.advance(0.25)
    for _turn in range(2):
        other.beat()
        world.clock.advance(0.05)
    assert hung.signals == [signal.SIGUSR1]
    world.live(0.25)
    assert hung.signals == [signal.SIGUSR1, signal.SIGKILL]
    world.live(0.25)
    assert f"has not been heard of for {unresponsive:g} s" in world.errors()
    assert (hung.is_alive, other.is_alive, len(world.alive)) == (False, True, 2)


@attempt(
    "limits",
    "calls that compute on all threads, so that heartbeats are late",
    "the process is not taken for one that hangs",
)
def test_process_whose_threads_compute_in_turn_is_busy_and_not_for_ever() -> None:
    world = World.ready(2)
    busy, held = world.started
    busy.busy_threads, held.busy_threads = 8, 1
    for _turn in range(20):
        world.clock.advance(0.25)
    assert (busy.signals, held.signals) == ([], [signal.SIGUSR1, signal.SIGKILL])
    for _turn in range(40):
        world.clock.advance(0.25)
    assert busy.signals == [signal.SIGUSR1, signal.SIGKILL]


def test_supervisor_that_stood_still_itself_reads_first_and_kills_nobody() -> None:
    """Its own SIGSTOP, a suspended machine: the heartbeats are in the pipe."""
    world = World.ready(1)
    world.live(2)
    world.clock.advance(60)  # the timer is over before anything was read
    world.started[0].beat()
    world.live(2)
    assert world.started[0].signals == []


def test_process_without_a_router_is_no_hung_one() -> None:
    world = World.ready(1)
    world.live(60, joined=False)
    assert world.started[0].signals == []
    assert world.supervisor.status()["slots"][0]["joined"] is False


def test_view_that_runs_on_is_ended_with_its_process_where_there_is_a_limit() -> None:
    world = World.ready(2, view_limit=5)
    world.live(1, oldest=4.9)
    assert all(process.signals == [] for process in world.started)
    world.started[0].beat(oldest=5.1)
    assert world.started[0].signals == [signal.SIGUSR1]
    world.started[1].beat()
    world.clock.advance(0.25)
    world.clock.advance(0)
    assert not world.started[0].is_alive
    assert world.started[1].is_alive
    assert "a view that runs for 5.1 s, and view_limit is 5 s" in world.errors()


def test_without_a_limit_a_view_may_run_for_ever() -> None:
    world = World.ready(1)
    world.live(5, oldest=86_400)
    assert world.started[0].signals == []


def delays(world: World, ends: int, *, ready: bool) -> list[float]:
    """Return the seconds until the next start after each of *ends* ends."""
    found = []
    for _turn in range(ends):
        count = len(world.started)
        last = world.started[-1]
        if ready:
            last.be_ready()
        last.end(1)
        began = world.clock.seconds()
        while len(world.started) == count:
            world.started[0].beat()
            world.clock.advance(0.01)
        found.append(world.clock.seconds() - began)
    return found


def test_process_that_never_serves_is_started_again_more_and_more_slowly() -> None:
    world = World(2)
    world.started[0].be_ready()  # so the supervisor does not give up
    found = delays(world, 12, ready=False)
    assert 0.07 < found[0] < 0.14
    assert found[1] < found[3] < found[5]
    assert 7.9 < found[-1] < 12.1
    assert world.failed == []
    assert "another one starts in 0.1 s" in world.errors()


def test_process_that_dies_soon_after_it_is_ready_backs_off_too() -> None:
    world = World(2)
    world.started[0].be_ready()
    found = delays(world, 14, ready=True)
    assert found[:3] == pytest.approx([0, 0, 0], abs=0.02)
    assert found[3] > 0.05
    assert found[-1] > 7.9


def test_long_service_forgives_short_ones() -> None:
    world = World(2)
    world.started[0].be_ready()
    assert delays(world, 6, ready=True)[-1] > 0.2
    world.started[-1].be_ready()
    world.live(10)
    assert delays(world, 1, ready=True)[0] < 0.02
    assert delays(world, 1, ready=True)[0] < 0.02


def test_supervisor_gives_up_and_says_why_where_no_process_ever_serves() -> None:
    world = World(1)
    for _turn in range(FAILURES):
        assert world.failed == []
        world.clock.advance(20)
        process = world.started[-1]
        process.say("Traceback (most recent call last):")
        process.say("ModuleNotFoundError: No module named 'nothing'")
        process.report("failed", why="cannot load 'nothing:app': no module named 'nothing'")
        process.end(1)
        if world.failed:
            break
    (message,) = world.failed
    assert "no module named 'nothing'" in message
    assert "exited with code 1" in message
    assert "\n" not in message
    world.clock.advance(60)
    assert world.alive == []


def test_supervisor_gives_up_after_some_failures_in_a_row() -> None:
    world = World(1)
    for _turn in range(FAILURES):
        assert world.failed == []
        world.started[-1].say("Fatal: no disk")
        world.started[-1].end(-signal.SIGABRT)
        world.clock.advance(3)
    (message,) = world.failed
    assert "was killed by SIGABRT" in message
    assert "Fatal: no disk" in message


def test_supervisor_whose_other_process_serves_does_not_give_up() -> None:
    world = World(2)
    world.started[0].be_ready()
    delays(world, FAILURES + 3, ready=False)
    assert world.failed == []
    assert world.supervisor.status()["ready"] == 1


def test_process_that_is_never_ready_is_ended() -> None:
    world = World(2, start_limit=10)
    world.started[1].be_ready()
    for _turn in range(50):
        world.started[1].beat()
        world.clock.advance(0.25)
    assert world.started[0].signals == [signal.SIGUSR1, signal.SIGKILL]
    assert "was not ready within 10 s" in world.errors()


def test_without_a_router_nobody_is_given_up() -> None:
    world = World.ready(1, start_limit=10)
    world.supervisor.is_reachable = False
    world.live(10)
    world.started[0].end(-9)
    world.clock.advance(1)
    for _turn in range(100):
        world.clock.advance(1)
    assert world.failed == []
    assert world.started[1].is_alive
    world.supervisor.is_reachable = True
    for _turn in range(20):
        world.clock.advance(1)
    assert not world.started[1].is_alive


def test_process_that_cannot_be_started_is_a_failure_like_others() -> None:
    world = World.ready(1)
    world.live(10)
    world.cannot_start = True
    world.started[0].end(-9)
    for _turn in range(100):
        world.clock.advance(1)
    (message,) = world.failed
    assert "cannot be started" in message


def test_output_is_logged_at_its_own_level() -> None:
    world = World(1)
    process = world.started[0]
    process.say("printed", stream=1)
    process.say("to standard error")
    process.say("<3>grave")
    process.say("<6>by the way")
    assert world.log == [
        ("info", "[0] printed"),
        ("warn", "[0] to standard error"),
        ("error", "[0] grave"),
        ("info", "[0] by the way"),
    ]


@attempt("limits", "a view that prints what moves a terminal's cursor", "it is shown, and not done")
def test_output_is_harmless_where_it_is_logged() -> None:
    world = World(1)
    world.started[0].say("a\ttab, \x1b[2J\x9b and \u2028")
    assert world.log == [("warn", "[0] a\ttab, \\x1b[2J\\x9b and \\u2028")]


def test_stop_lets_processes_drain_and_leaves_none() -> None:
    world = World.ready(2, grace=5)
    gone = world.supervisor.stop(drain=True)
    first, second = world.started
    assert first.words == second.words == ["drain"]
    first.report("drained", unfinished=0)
    first.end(0)
    assert not fired(gone)
    world.live(12)
    assert fired(gone)
    assert world.alive == []
    assert len(world.started) == 2


def test_stop_of_the_node_lets_processes_serve_until_the_router_goes() -> None:
    world = World.ready(2, grace=5)
    gone = world.supervisor.stop(drain=False)
    world.live(3)
    assert len(world.alive) == 2
    assert all(process.words == [] for process in world.started)
    world.supervisor.hang_up()
    world.clock.advance(0)
    assert fired(gone)
    assert world.alive == []


def test_end_during_a_stop_starts_nothing() -> None:
    world = World.ready(2)
    world.supervisor.stop(drain=False)
    world.started[0].end(-11)
    world.clock.advance(1)
    assert len(world.started) == 2
    world.supervisor.hang_up()
    world.clock.advance(20)
    assert world.alive == []
