"""The process's own connection where other processes serve the same application."""

from concurrent.futures import Future

import pytest
from autobahn.wamp import message
from flask import g

from flask_wamp import NotConnected, RegistrationFailed, SetupError
from flask_wamp._twisted.call.link import SessionLink
from flask_wamp._twisted.connection.background import BackgroundLink
from flask_wamp._twisted.serve.binding import PATIENCE
from flask_wamp._twisted.serve.standing import Standing
from flask_wamp.servers import serving
from flask_wamp.state import state_of

from ..doubles import Turns
from .test_background import Process, process

__all__ = ["process"]


def start(process: Process, timeout: float = 20.0) -> None:
    """Do what ``wamp.start()`` does with ``WAMP_SERVE``."""
    serving.start(state_of(process.app), timeout)


def refuse(process: Process) -> message.Register:
    """Refuse the next registration, and return it."""
    register = process.next_message(message.Register)
    assert isinstance(register, message.Register)
    process.receive(message.Error(64, register.request, "wamp.error.not_authorized"))
    return register


def test_background_shares_and_calls_pass_meanwhile(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: "x")
    started = process.begin(lambda: start(process))
    process.connect()
    register = process.next_message(message.Register)
    assert (register.procedure, register.invoke) == ("com.example.x", "roundrobin")

    answer = process.begin(lambda: g.wampy.call("com.example.y"))
    call = process.next_message(message.Call)
    process.receive(message.Result(call.request, args=[5]))
    assert process.outcome(answer) == 5
    assert not started.done()

    process.receive(message.Registered(register.request, 1))
    assert process.outcome(started) is None
    process.receive(message.Invocation(9, 1))
    assert process.next_message(message.Yield).args == ["x"]
    # A second time there is nothing to do.
    assert process.outcome(process.begin(lambda: start(process))) is None
    with pytest.raises(SetupError, match="declared after WAMP_SERVE had served the declarations"):
        process.wamp.callee("com.example.late")(lambda: "late")


def test_background_shares_what_is_not_refused_and_calls_pass(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: "x")
    started = process.begin(lambda: start(process))
    process.connect()
    refuse(process)
    assert process.outcome(started) is None
    answer = process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.receive(message.Published(process.next_message(message.Publish).request, 7))
    assert process.outcome(answer) == 7


def test_background_shares_after_the_first_use(process: Process) -> None:
    answer = process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.connect()
    process.receive(message.Published(process.next_message(message.Publish).request, 7))
    assert process.outcome(answer) == 7
    process.wamp.callee("com.example.x")(lambda: "x")
    started = process.begin(lambda: start(process))
    process.register()
    assert process.outcome(started) is None
    assert process.attempts == 1


def test_background_shares_again_after_a_loss(process: Process) -> None:
    """And stands for the same election, whatever was added meanwhile."""
    process.wamp.subscribe("com.example.topic")(lambda: None)
    started = process.begin(lambda: start(process))
    process.connect()
    first = refuse(process)
    assert process.outcome(started) is None
    process.wamp._registry.add_subscription(lambda: None, "com.example.late", late=True)
    process.lose()
    process.connect_again(2)
    assert process.next_message(message.Register).procedure == first.procedure


def test_background_shares_once_there_is_a_router(process: Process) -> None:
    """``wamp.start()`` gives up; what it has begun goes on."""
    process.wamp.callee("com.example.x")(lambda: "x")
    started = process.begin(lambda: start(process, 0.05))
    process.dialled()
    process.refuse()
    with pytest.raises(NotConnected, match=r"within 0\.05 s; this process serves once it is"):
        process.outcome(started)
    process.connect_again(2)
    process.register()
    process.receive(message.Invocation(9, 1))
    assert process.next_message(message.Yield).args == ["x"]


def test_background_shares_nothing_where_a_component_has_the_session(
    process: Process, turns: Turns
) -> None:
    slot = state_of(process.app).slot
    slot.attach(SessionLink(turns.queue()))
    assert serving.share(state_of(process.app)) is None
    with pytest.raises(SetupError, match="a Crossbar component has the application's session"):
        start(process)
    slot.attach(None)
    assert process.attempts == 0


#: A process that somebody watches, and that has everything alone.
WATCHED = Standing(shared=False, patience=PATIENCE)


def share(process: Process) -> "Future[None]":
    """Do what a serving process does."""
    state = state_of(process.app)
    link = state.slot.get(lambda: BackgroundLink(state))
    assert isinstance(link, BackgroundLink)
    return link.share(WATCHED, "the shop")


def test_background_serves_with_the_next_session_where_one_ends_at_the_beginning(
    process: Process,
) -> None:
    """A router that goes meanwhile has refused nothing."""
    process.wamp.callee("com.example.x")(lambda: "x")
    started = share(process)
    process.connect()
    process.next_message(message.Register)
    process.lose()
    process.connect_again(2)
    assert not started.done()
    process.register()
    assert process.outcome(started) is None


def test_background_that_is_watched_fails_where_it_is_refused(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: "x")
    started = share(process)
    process.connect()
    assert refuse(process).invoke == "single"
    with pytest.raises(RegistrationFailed, match=r"com\.example\.x"):
        process.outcome(started)
