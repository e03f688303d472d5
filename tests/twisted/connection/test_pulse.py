"""Routers that are connected and do not answer any more."""

import pytest
from autobahn.wamp import message
from twisted.internet.task import Clock

from flask_wamp._twisted.connection.pulse import GRACE, PROBE, Pulse
from flask_wamp.config import WampConfig

from ..doubles import SESSION_ID
from .test_connector import World


class Patient:
    """A pulse of 10 seconds, and what it does."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked = 0
        self.deaths: list[str] = []
        self.is_read = True
        self.pulse = Pulse(
            self.clock,
            10.0,
            ask=self._ask,
            is_reading=lambda: self.is_read,
            dead=self.deaths.append,
        )

    def _ask(self) -> None:
        self.asked += 1

    def live(self, seconds: float, *, answers: bool) -> None:
        """Let time pass; the router may answer what it is asked."""
        for _ in range(round(seconds * 8)):
            asked = self.asked
            self.clock.advance(0.125)
            if answers and self.asked != asked:
                self.pulse.heard()


@pytest.fixture
def patient() -> Patient:
    """Return a pulse."""
    return Patient()


def test_pulse_asks_after_silence_only(patient: Patient) -> None:
    for _ in range(20):
        patient.live(9.5, answers=False)
        patient.pulse.heard()
    assert patient.asked == 0
    patient.live(100, answers=True)
    assert patient.asked == 10
    assert patient.deaths == []
    patient.pulse.stop()
    patient.pulse.stop()
    assert patient.clock.getDelayedCalls() == []


def test_pulse_silent_router_is_dead_after_one_and_a_half_intervals(patient: Patient) -> None:
    patient.live(14.75, answers=False)
    assert patient.deaths == []
    patient.live(0.25, answers=False)
    assert patient.deaths == ["the router has given no sign of life for 15.0 s"]
    assert patient.clock.getDelayedCalls() == []


def test_pulse_of_a_process_that_was_stopped_itself(patient: Patient) -> None:
    """The answer is in the socket, and is read before anybody is given up."""
    patient.live(10, answers=False)
    assert patient.asked == 1
    patient.clock.advance(600)
    assert patient.deaths == []
    patient.clock.advance(GRACE / 2)
    patient.pulse.heard()
    patient.live(100, answers=True)
    assert patient.deaths == []

    patient.live(20, answers=False)
    assert len(patient.deaths) == 1


def test_pulse_what_is_not_read_cannot_be_heard(patient: Patient) -> None:
    patient.live(10, answers=False)
    patient.is_read = False
    patient.live(100, answers=False)
    assert patient.deaths == []
    patient.is_read = True
    patient.live(30, answers=False)
    assert len(patient.deaths) == 1


def test_pulse_over_a_raw_socket_is_a_call_that_nobody_answers() -> None:
    world = World()
    world.connector.connect()
    world.join()
    world.sent()
    for _ in range(3):
        world.reactor.advance(10)
        (call,) = world.sent()
        assert (type(call), call.procedure) == (message.Call, PROBE)
        world.receive(message.Error(48, call.request, "wamp.error.no_such_procedure"))
    world.reactor.advance(10)
    world.reactor.advance(5)
    assert world.wire.aborted
    assert world.log[-1] == "lost: the router has given no sign of life for 15.0 s"
    # And it connects again.
    world.reactor.advance(1)
    assert world.attempts == 2
    world.join()
    assert world.sessions[-1].session_id == SESSION_ID


def test_pulse_may_be_off() -> None:
    world = World(ping=0)
    world.connector.connect()
    world.join()
    world.sent()
    world.reactor.advance(3600)
    assert world.sent() == []
    assert not world.wire.aborted


def test_pulse_is_ten_seconds_by_default() -> None:
    assert WampConfig.from_mapping({}).ping == 10
