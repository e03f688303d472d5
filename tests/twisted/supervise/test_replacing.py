"""Reloads and recycling: a process serves until the next one does."""

import signal
from typing import Any

from .doubles import World


def outcome_of(deferred: Any) -> Any:
    """Return what a Deferred has fired with."""
    found: list[Any] = []
    deferred.addCallback(found.append)
    assert found, "it has not fired"
    return found[0]


def test_reload_replaces_one_at_a_time_and_each_serves_until_the_next_does() -> None:
    world = World.ready(2)
    first, second = world.started
    done = world.supervisor.reload()
    (third,) = world.started[2:]
    assert (third.settings.slot, third.settings.generation, third.settings.force) == (0, 2, True)
    world.live(3)
    assert first.words == second.words == []
    third.be_ready()
    world.clock.advance(0)
    assert third.words == ["take"]
    assert first.words == ["drain"]
    (fourth,) = world.started[3:]
    assert fourth.settings.slot == 1
    first.report("drained", unfinished=0)
    first.end(0)
    fourth.be_ready()
    world.clock.advance(0)
    assert second.words == ["drain"]
    assert not done.called
    second.end(0)
    assert outcome_of(done) == {"replaced": 2, "failed": ""}
    assert world.alive == [third, fourth]
    assert world.errors() == ""


def test_replacement_that_fails_leaves_the_old_process_serving_and_the_reason() -> None:
    world = World.ready(2)
    done = world.supervisor.reload()
    new = world.started[2]
    new.report("failed", why="cannot load 'a:b': SyntaxError in line 3")
    new.end(1)
    outcome = outcome_of(done)
    assert outcome["replaced"] == 0
    assert "SyntaxError in line 3" in outcome["failed"]
    world.live(30)
    assert world.alive == world.started[:2]
    assert all(process.words == [] for process in world.started)


def test_old_process_serves_until_the_new_one_has_taken_everything() -> None:
    world = World.ready(1)
    world.supervisor.reload()
    old, new = world.started
    new.takes = False
    new.be_ready()
    world.live(1)
    assert new.words == ["take"]
    assert old.words == []
    new.report("taken", procedures=1, subscribes=True)
    assert old.words == ["drain"]


def test_new_process_that_does_not_say_so_is_not_waited_for_for_ever() -> None:
    world = World.ready(1)
    world.supervisor.reload()
    old, new = world.started
    new.takes = False
    new.be_ready()
    world.live(6)
    assert old.words == ["drain"]


def test_what_a_new_process_took_before_it_died_goes_back() -> None:
    world = World.ready(1)
    done = world.supervisor.reload()
    old, new = world.started
    new.takes = False
    new.be_ready()
    new.end(-11)
    assert old.words == ["take"]
    assert "SIGSEGV" in outcome_of(done)["failed"]
    world.live(10)
    assert world.alive == [old]


def test_replacement_that_never_is_ready_is_ended() -> None:
    world = World.ready(1, start_limit=5)
    done = world.supervisor.reload()
    world.live(6, calls=1)
    assert world.started[1].signals == [signal.SIGUSR1, signal.SIGKILL]
    assert "was not ready within 5 s" in outcome_of(done)["failed"]
    assert world.alive == [world.started[0]]


def test_old_process_that_dies_during_a_reload_is_followed_by_the_replacement() -> None:
    world = World.ready(1)
    world.live(10)
    done = world.supervisor.reload()
    world.started[0].end(-11)
    world.clock.advance(0)
    assert len(world.started) == 2
    world.started[1].be_ready()
    world.clock.advance(0)
    assert outcome_of(done) == {"replaced": 1, "failed": ""}
    assert world.alive == [world.started[1]]


def test_both_may_die_and_the_slot_is_filled_again() -> None:
    world = World.ready(1)
    world.live(10)
    done = world.supervisor.reload()
    world.started[0].end(-11)
    world.started[1].end(-11)
    world.clock.advance(1)
    assert outcome_of(done)["failed"]
    assert len(world.alive) == 1


def test_two_reloads_follow_one_another() -> None:
    world = World.ready(1)
    first, second = world.supervisor.reload(), world.supervisor.reload()
    assert len(world.started) == 2
    world.started[1].be_ready()
    world.clock.advance(0)
    world.started[0].end(0)
    assert outcome_of(first)["replaced"] == 1
    assert len(world.started) == 3
    world.started[2].be_ready()
    world.clock.advance(0)
    world.started[1].end(0)
    assert outcome_of(second)["replaced"] == 1


def test_old_process_that_does_not_end_is_killed() -> None:
    world = World.ready(1, grace=5)
    done = world.supervisor.reload()
    world.started[1].be_ready()
    world.clock.advance(0)
    world.live(5)
    assert world.started[0].is_alive
    world.live(5)
    assert world.started[0].signals == [signal.SIGKILL]
    assert outcome_of(done)["replaced"] == 1


def test_process_is_replaced_after_about_so_many_calls() -> None:
    world = World.ready(1, max_calls=100)
    world.live(1, calls=89)
    assert len(world.started) == 1
    world.live(1, calls=111)
    assert len(world.started) == 2
    assert world.started[1].settings.force
    world.started[1].be_ready()
    world.clock.advance(0)
    assert world.started[0].words == ["drain"]
    world.started[0].end(0)
    assert world.alive == [world.started[1]]
    assert world.errors() == ""


def test_recycling_is_spread_and_one_at_a_time() -> None:
    world = World.ready(8, max_calls=1000)
    quotas = set(world.supervisor._quotas.values())
    assert len(quotas) == 8
    assert all(900 <= quota <= 1100 for quota in quotas)
    for process in list(world.started):
        process.beat(calls=1200)
    assert len(world.started) == 9
    world.started[8].be_ready()
    world.clock.advance(0)
    assert len(world.started) == 10


def test_recycling_that_fails_is_tried_again_later() -> None:
    world = World.ready(1, max_calls=10)
    world.live(0.25, calls=20)
    world.started[1].end(1)
    world.live(5, calls=20)
    assert len(world.started) == 2
    world.live(10, calls=20)
    assert len(world.started) == 3


def test_without_a_number_of_calls_nothing_is_replaced() -> None:
    world = World.ready(1)
    world.live(1, calls=10**9)
    assert len(world.started) == 1


def test_status_tells_of_each_process() -> None:
    world = World.ready(2)
    world.live(2, calls=7, running=2, subscribes=True, metrics={"calls": 7})
    status = world.supervisor.status()
    assert (status["processes"], status["ready"]) == (2, 2)
    first = status["slots"][0]
    assert (first["slot"], first["pid"], first["generation"]) == (0, 1000, 1)
    assert (first["calls"], first["running"], first["subscribes"]) == (7, 2, True)
    assert (first["age"], first["metrics"]) == (2.0, {"calls": 7})
    world.started[0].end(-11)
    first = world.supervisor.status()["slots"][0]
    assert (first["pid"], first["ready"], first["restarts"]) == (None, False, 1)
    assert "SIGSEGV" in first["last_end"]
