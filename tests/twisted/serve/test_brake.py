"""When a session's connection is read, and when it is left."""

from twisted.internet.task import Clock

from flask_wamp._twisted.serve.brake import LOOK, Brake


class Reader:
    """A session."""

    def __init__(self) -> None:
        self.has_transport = True
        self._reads = True
        self.awaits = False

    def awaits_answers(self) -> bool:
        """Tell whether it awaits an answer."""
        return self.awaits

    def read(self, on: bool) -> None:
        """Read, or do not."""
        assert self._reads != on
        self._reads = on

    def reads(self) -> bool:
        """Tell which."""
        return self._reads


def test_brake_is_on_while_anybody_holds_it() -> None:
    clock, session = Clock(), Reader()
    brake = Brake(session, clock.callLater)
    brake.look()
    brake.hold("a")
    brake.hold("b")
    brake.hold("b")
    assert not session.reads()
    brake.release("a")
    brake.release("c")
    assert not session.reads()
    brake.release("b")
    assert session.reads()
    assert clock.getDelayedCalls() == []


def test_brake_lets_answers_through() -> None:
    clock, session = Clock(), Reader()
    brake = Brake(session, clock.callLater)
    brake.hold("a")
    session.awaits = True
    brake.look()
    assert session.reads()
    clock.advance(LOOK)
    assert session.reads()
    session.awaits = False
    clock.advance(LOOK)
    assert not session.reads()
    # Of a request that nobody has told of, as those of Autobahn.
    session.awaits = True
    clock.advance(LOOK)
    assert session.reads()


def test_brake_ends_with_the_session() -> None:
    clock, session = Clock(), Reader()
    brake = Brake(session, clock.callLater)
    brake.hold("a")
    session.has_transport = False
    clock.advance(LOOK)
    assert clock.getDelayedCalls() == []
    assert not session.reads()
    brake.release("a")
    brake.hold("a")
    assert clock.getDelayedCalls() == []
