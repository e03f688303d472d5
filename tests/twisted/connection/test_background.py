"""The connection of the process's own, with a router and without."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from autobahn.wamp import message
from flask import Flask, g

from flask_wamp import WAMP, NotConnected, RegistrationFailed, SessionInfo, SetupError
from flask_wamp._twisted import notices
from flask_wamp._twisted.connection import background
from flask_wamp._twisted.connection.background import BackgroundLink
from flask_wamp._twisted.connection.outage import not_within
from flask_wamp._twisted.serve.leaving import SYSTEM_SHUTDOWN
from flask_wamp.call.options import Options
from flask_wamp.state import state_of

from ..doubles import SESSION_ID, TIMEOUT, FarEnd, Turns, eventually


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """Return an application whose router is not there."""
    app = Flask("shop")
    app.config["WAMP_URL"] = f"unix:{tmp_path}/router.sock"
    app.config["WAMP_TIMEOUT"] = 0.05
    wamp = WAMP(app)
    yield app
    wamp.stop(app)


def test_background_first_use_connects(app: Flask) -> None:
    late = r"not connected to unix:.*sock within 0\.05 s: .*; it was not sent"
    with app.app_context(), pytest.raises(NotConnected, match=late) as caught:
        g.wampy.call("com.example.x")
    assert not caught.value.may_have_run
    assert str(caught.value).count("not connected") == 1
    assert isinstance(state_of(app).slot.link, BackgroundLink)


@pytest.mark.parametrize(
    ("urls", "absent", "text"),
    [
        ("ws://a", "there is no session yet", "ws://a within 2 s: there is no session yet"),
        ("ws://a", "not connected to ws://a: refused", "ws://a within 2 s: refused"),
        ("ws://a", "ws://a: refused", "ws://a within 2 s: refused"),
        (
            "ws://a, ws://b",
            "not connected to ws://a: refused; ws://b: gone",
            "ws://a, ws://b within 2 s: ws://a: refused; ws://b: gone",
        ),
    ],
)
def test_background_says_once_what_it_is_not_connected_to(
    urls: str, absent: str, text: str
) -> None:
    assert not_within(2, urls, absent) == f"not connected to {text}"


@pytest.mark.parametrize("acknowledge", [True, False])
def test_background_publish_without_a_router(app: Flask, acknowledge: bool) -> None:
    with app.app_context(), pytest.raises(NotConnected, match="not connected to"):
        g.wampy.publish("com.example.x", acknowledge=acknowledge)


def test_background_start_without_a_router(app: Flask) -> None:
    """And declarations that came too late are refused from then on."""
    wamp = WAMP()
    other = Flask("other")
    other.config["WAMP_URL"] = app.config["WAMP_URL"]
    wamp.init_app(other)
    wamp.callee("com.example.x")(lambda: None)
    with pytest.raises(NotConnected, match=r"not connected to unix:.* within 0\.1 s: "):
        wamp.start(timeout=0.1)
    with pytest.raises(SetupError, match=r"after WAMP\.start\(\)"):
        wamp.callee("com.example.y")(lambda: None)
    wamp.stop()


def test_background_stop_and_connect_again(app: Flask) -> None:
    links = []
    for _ in range(3):
        with app.app_context(), pytest.raises(NotConnected):
            g.wampy.call("com.example.x")
        links.append(state_of(app).slot.link)
        WAMP().stop(app)
        assert state_of(app).slot.link is None
    assert len(set(map(id, links))) == 3


def test_background_link_is_of_no_use_after_the_stop(app: Flask) -> None:
    with app.app_context(), pytest.raises(NotConnected):
        g.wampy.call("com.example.x")
    link = state_of(app).link()
    WAMP().stop(app)
    with pytest.raises(NotConnected, match=r"closed by wamp\.stop\(\)"):
        link.call("com.example.x", [], {}, Options(timeout=1))


# --- with a router, on a test reactor whose thread is the test's own


class Process(FarEnd):
    """A process of an application, its reactor, and the router that it connects to."""

    def __init__(self, turns: Turns, threads: ThreadPoolExecutor) -> None:
        super().__init__()
        self.reactor.callFromThread = turns.call_from_thread
        self.turns = turns
        self.app = Flask("shop")
        self.app.config["WAMP_URL"] = "unix:/run/router.sock"
        self.wamp = WAMP(self.app)
        self._threads = threads

    def begin(self, work: Callable[[], Any]) -> "Future[Any]":
        """Do *work* on a thread, in a context of the application."""

        def in_context() -> Any:
            with self.app.app_context():
                return work()

        return self._threads.submit(in_context)

    def dialled(self, attempt: int = 1) -> None:
        """Wait for an attempt to connect."""
        self.turns.run_until(lambda: self.attempts == attempt)

    def connect(self, attempt: int = 1) -> None:
        """Let an attempt to connect succeed."""
        self.dialled(attempt)
        self.join()

    def connect_again(self, attempt: int) -> None:
        """Let the attempt succeed that comes after the delay."""
        self.reactor.advance(self.delay)
        self.connect(attempt)

    def next_message(self, kind: type[Any]) -> Any:
        """Return the next message, which has to be of one kind."""
        self.turns.run_until(self.wire.value)
        (sent,) = self.sent()
        assert type(sent) is kind, sent
        return sent

    def outcome(self, work: "Future[Any]") -> Any:
        """Return what has come of what was begun."""
        self.turns.run_until(work.done)
        return work.result()

    def answer_question(self, procedure: str, answer: Any) -> None:
        """Answer what the process asks the router's meta API."""
        call = self.next_message(message.Call)
        assert call.procedure == procedure
        self.receive(message.Result(call.request, args=[answer]))

    def register(self) -> None:
        """Register the one procedure that the application has."""
        self.receive(message.Registered(self.next_message(message.Register).request, 1))

    def serve(self) -> None:
        """Start to serve one procedure."""
        self.wamp.callee("com.example.x")(lambda: 1)
        started = self.begin(self.wamp.start)
        self.connect()
        self.register()
        self.outcome(started)


@pytest.fixture
def process(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """Return a process, which is stopped in the end."""
    with ThreadPoolExecutor(4) as threads:
        process = Process(turns, threads)
        monkeypatch.setattr(background, "running_reactor", lambda: process.reactor)
        yield process
        stopping = process.begin(process.wamp.stop)
        turns.run_until(
            lambda: stopping.done() or process.reactor.advance(0.1)  # as the clock goes on
        )


def test_background_call_waits_for_the_first_attempt(process: Process) -> None:
    answer = process.begin(lambda: g.wampy.call("com.example.x"))
    process.connect()
    call = process.next_message(message.Call)
    process.receive(message.Result(call.request, args=[5]))
    assert process.outcome(answer) == 5


def test_background_call_in_flight_when_the_connection_drops(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    answer = process.begin(lambda: g.wampy.call("com.example.x"))
    process.connect()
    process.next_message(message.Call)
    process.lose()
    with pytest.raises(NotConnected, match=r"while an answer was awaited.*may have") as caught:
        process.outcome(answer)
    assert caught.value.may_have_run
    assert "the connection to unix:/run/router.sock was lost" in caplog.text


@pytest.mark.parametrize(
    ("expected", "reason", "level", "what"),
    [
        ((), SYSTEM_SHUTDOWN, "WARNING", "was lost"),
        ((SYSTEM_SHUTDOWN,), SYSTEM_SHUTDOWN, "INFO", "has ended"),
        ((SYSTEM_SHUTDOWN,), "wamp.close.killed", "WARNING", "was lost"),
        (("",), "wamp.close.killed", "INFO", "has ended"),
    ],
)
def test_background_loss_that_is_expected_is_no_warning(
    process: Process,
    caplog: pytest.LogCaptureFixture,
    expected: tuple[str, ...],
    reason: str,
    level: str,
    what: str,
) -> None:
    caplog.set_level("INFO", "flask_wamp")
    answer = process.begin(lambda: g.wampy.call("com.example.x"))
    process.connect()
    process.next_message(message.Call)
    link = state_of(process.app).slot.link
    assert isinstance(link, BackgroundLink)
    link.outage.expected = expected
    process.receive(message.Goodbye(reason, "the node stops"))
    process.lose()
    with pytest.raises(NotConnected, match=f"awaited: {reason}: the node stops; "):
        process.outcome(answer)
    (line,) = [record for record in caplog.records if "the node stops" in record.message]
    assert line.levelname == level
    assert line.message.endswith(f"{what}: {reason}: the node stops")


def test_background_start_returns_once_everything_is_registered(process: Process) -> None:
    process.wamp.callee("com.example.double")(lambda n: 2 * n)
    started = process.begin(process.wamp.start)
    process.connect()
    register = process.next_message(message.Register)
    assert register.procedure == "com.example.double"
    assert not started.done()
    process.receive(message.Registered(register.request, 1))
    assert process.outcome(started) is None
    process.receive(message.Invocation(9, 1, args=[4]))
    assert process.next_message(message.Yield).args == [8]


def test_background_start_after_the_first_use(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: 1)
    answer = process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.connect()
    process.receive(message.Published(process.next_message(message.Publish).request, 7))
    assert process.outcome(answer) == 7
    started = process.begin(process.wamp.start)
    process.register()
    assert process.outcome(started) is None
    assert process.attempts == 1
    assert process.outcome(process.begin(process.wamp.start)) is None
    assert process.sent() == []


def test_background_start_refused_by_the_router(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: 1)
    started = process.begin(process.wamp.start)
    process.connect()
    register = process.next_message(message.Register)
    process.receive(
        message.Error(64, register.request, "wamp.error.procedure_already_exists", args=["taken"])
    )
    process.answer_question("wamp.registration.lookup", 55)
    process.answer_question("wamp.registration.get", {"invoke": "single"})
    process.answer_question("wamp.registration.list_callees", [77])
    process.answer_question("wamp.session.get", {"authid": "bob", "authrole": "backend"})
    with pytest.raises(
        RegistrationFailed, match=r"'com\.example\.x' .*already_exists - taken .*'bob'"
    ):
        process.outcome(started)


def test_background_registers_again_after_a_loss(process: Process) -> None:
    process.serve()
    for attempt in (2, 3):
        process.lose()
        process.connect_again(attempt)
        process.register()
        process.receive(message.Invocation(9, 1))
        assert process.next_message(message.Yield).args == [1]


def test_background_refused_after_a_loss_tries_again(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process may have taken over for a while."""
    process.serve()
    process.lose()
    process.reactor.advance(process.delay)
    process.join()
    register = process.next_message(message.Register)
    process.receive(message.Error(64, register.request, "wamp.error.procedure_already_exists"))
    # It asks who has taken over, and the router does not tell.
    question = process.next_message(message.Call)
    process.receive(message.Error(48, question.request, "wamp.error.not_authorized"))
    assert "already_exists" in caplog.text
    process.next_message(message.Goodbye)
    process.lose()
    process.connect_again(3)
    process.register()
    process.receive(message.Invocation(9, 1))
    assert process.next_message(message.Yield).args == [1]


def test_background_start_that_took_too_long_serves_nothing_later(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: 1)
    started = process.begin(lambda: process.wamp.start(timeout=0.05))
    process.dialled()
    with pytest.raises(NotConnected, match=r"within 0\.05 s: there is no session yet"):
        process.outcome(started)
    process.turns.run_pending()
    process.join()
    process.turns.run_pending()
    assert process.sent() == []


def test_background_second_start_that_took_too_long_ends_nothing(process: Process) -> None:
    """What was registered before the loss is registered again, whoever waits no longer."""
    process.serve()
    process.lose()
    again = process.begin(lambda: process.wamp.start(timeout=0.05))
    with pytest.raises(NotConnected, match=r"within 0\.05 s"):
        process.outcome(again)
    process.turns.run_pending()
    process.connect_again(2)
    process.register()
    process.receive(message.Invocation(9, 1))
    assert process.next_message(message.Yield).args == [1]


def test_background_two_starts_at_once_register_once(process: Process) -> None:
    process.wamp.callee("com.example.x")(lambda: 1)
    starts = [process.begin(process.wamp.start) for _ in range(2)]
    process.connect()
    process.register()
    for started in starts:
        assert process.outcome(started) is None
    assert process.sent() == []


def test_background_stop_ends_the_session_and_what_waits(process: Process) -> None:
    answer = process.begin(lambda: g.wampy.call("com.example.x"))
    process.connect()
    process.next_message(message.Call)
    stopped = process.begin(process.wamp.stop)
    with pytest.raises(NotConnected, match=r"closed by wamp\.stop\(\)"):
        answer.result(TIMEOUT)
    process.next_message(message.Goodbye)
    assert not stopped.done()
    process.lose()
    assert process.outcome(stopped) is None
    assert process.reactor.getDelayedCalls() == []


def test_background_reactor_that_stops_releases_what_waits(process: Process) -> None:
    answer = process.begin(lambda: g.wampy.call("com.example.x"))
    process.connect()
    process.next_message(message.Call)
    for trigger, args, kwargs in process.reactor.triggers["before"]["shutdown"]:
        trigger(*args, **kwargs)
    with pytest.raises(NotConnected, match="the reactor has stopped"):
        answer.result(TIMEOUT)


# --- what is added while running


def test_background_added_procedure_is_registered_at_once(process: Process) -> None:
    process.serve()
    added = process.begin(lambda: process.wamp.add_procedure(lambda: 2, "com.example.y"))
    register = process.next_message(message.Register)
    assert register.procedure == "com.example.y"
    assert not added.done()
    process.receive(message.Registered(register.request, 2))
    handle = process.outcome(added)
    process.receive(message.Invocation(9, 2))
    assert process.next_message(message.Yield).args == [2]

    removed = process.begin(handle.remove)
    unregister = process.next_message(message.Unregister)
    assert unregister.registration == 2
    process.receive(message.Unregistered(unregister.request))
    assert process.outcome(removed) is None


def test_background_added_procedure_is_registered_again_after_a_loss(process: Process) -> None:
    process.serve()
    added = process.begin(lambda: process.wamp.add_procedure(lambda: 2, "com.example.y"))
    process.receive(message.Registered(process.next_message(message.Register).request, 2))
    handle = process.outcome(added)
    process.lose()
    process.connect_again(2)
    process.turns.run_until(process.wire.value)
    registers = process.sent()
    assert [msg.procedure for msg in registers] == ["com.example.x", "com.example.y"]
    for number, register in enumerate(registers):
        process.receive(message.Registered(register.request, number + 5))
    process.receive(message.Invocation(9, 6))
    assert process.next_message(message.Yield).args == [2]

    # Removed while there is no session, it does not come back.
    process.lose()
    with pytest.raises(NotConnected):
        process.outcome(process.begin(handle.remove))
    process.connect_again(3)
    process.register()


def test_background_added_procedure_that_is_refused(process: Process) -> None:
    process.serve()
    added = process.begin(lambda: process.wamp.add_procedure(lambda: 2, "com.example.y"))
    register = process.next_message(message.Register)
    process.receive(message.Error(64, register.request, "wamp.error.not_authorized", args=["no"]))
    with pytest.raises(RegistrationFailed, match=r"'com\.example\.y' .*not_authorized - no"):
        process.outcome(added)
    # The session serves on.
    process.receive(message.Invocation(9, 1))
    assert process.next_message(message.Yield).args == [1]


def test_background_added_procedure_without_a_session(process: Process) -> None:
    process.serve()
    process.lose()
    adding = process.begin(lambda: process.wamp.add_procedure(lambda: 2, "com.example.y"))
    with pytest.raises(NotConnected):
        process.outcome(adding)
    process.connect_again(2)
    process.register()


def test_background_added_before_it_serves_is_served_with_the_others(process: Process) -> None:
    answer = process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.connect()
    process.receive(message.Published(process.next_message(message.Publish).request, 7))
    process.outcome(answer)
    added = process.begin(lambda: process.wamp.add_procedure(lambda: 2, "com.example.y"))
    handle = process.outcome(added)
    assert process.sent() == []
    started = process.begin(process.wamp.start)
    process.register()
    assert process.outcome(started) is None
    removed = process.begin(handle.remove)
    unregister = process.next_message(message.Unregister)
    process.receive(message.Unregistered(unregister.request))
    assert process.outcome(removed) is None


def test_background_added_subscription(process: Process) -> None:
    process.serve()
    seen: list[int] = []
    added = process.begin(lambda: process.wamp.add_subscription(seen.append, "com.example.topic"))
    subscribe = process.next_message(message.Subscribe)
    process.receive(message.Subscribed(subscribe.request, 5))
    handle = process.outcome(added)
    process.receive(message.Event(5, 6, args=[1]))
    process.turns.run_until(lambda: seen)
    assert seen == [1]
    removed = process.begin(handle.remove)
    unsubscribe = process.next_message(message.Unsubscribe)
    assert unsubscribe.subscription == 5
    process.receive(message.Unsubscribed(unsubscribe.request))
    assert process.outcome(removed) is None


# --- who is told


def test_background_tells_who_joins_and_leaves(process: Process) -> None:
    """After everything is registered, and again after a loss."""
    seen: list[Any] = []
    process.wamp.on_join(lambda session: seen.append(("join", session.realm)))
    process.wamp.on_leave(lambda session: seen.append(("leave", session.session)))
    process.wamp.callee("com.example.x")(lambda: 1)
    started = process.begin(process.wamp.start)
    process.connect()
    register = process.next_message(message.Register)
    assert seen == []
    process.receive(message.Registered(register.request, 1))
    process.outcome(started)
    eventually(lambda: len(seen) == 1)
    process.lose()
    eventually(lambda: len(seen) == 2)
    process.connect_again(2)
    process.register()
    eventually(lambda: len(seen) == 3)
    assert seen == [("join", "realm1"), ("leave", SESSION_ID), ("join", "realm1")]


def test_background_stop_waits_until_it_is_told(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_waits, go_on = threading.Event(), threading.Event()
    told: list[str | None] = []
    wait = notices.Notices.wait

    def noted_wait(told_by: notices.Notices, timeout: float) -> None:
        stop_waits.set()
        wait(told_by, timeout)

    monkeypatch.setattr(notices.Notices, "wait", noted_wait)

    @process.wamp.on_leave
    def leave(session: SessionInfo) -> None:
        assert go_on.wait(TIMEOUT)
        told.append(session.reason)

    answer = process.begin(lambda: g.wampy.publish("com.example.topic"))
    process.connect()
    process.receive(message.Published(process.next_message(message.Publish).request, 7))
    process.outcome(answer)
    stopping = process.begin(process.wamp.stop)
    process.next_message(message.Goodbye)
    process.lose()
    process.turns.run_until(stop_waits.is_set)
    assert not stopping.done()
    go_on.set()
    process.outcome(stopping)
    assert len(told) == 1


# --- calls that are started, and streams


def test_background_started_call_waits_for_the_first_attempt(process: Process) -> None:
    pending = process.outcome(process.begin(lambda: g.wampy.start_call("com.example.x")))
    assert not pending.done()
    process.connect()
    call = process.next_message(message.Call)
    process.receive(message.Result(call.request, args=[5]))
    assert process.outcome(process.begin(pending.result)) == 5
