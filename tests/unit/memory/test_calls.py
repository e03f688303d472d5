"""Calls of the test client, and of the application while it is in use."""

import datetime as dt
import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from flask import Flask, abort, current_app, g, has_app_context, has_request_context, request
from flask.testing import FlaskClient

from flask_wamp import (
    WAMP,
    CallResult,
    DeclarationError,
    NoSuchProcedure,
    PayloadError,
    RemoteError,
    SetupError,
    call_finished,
    call_started,
    invocation,
)
from flask_wamp.state import state_of
from flask_wamp.testing import Call, WampTestClient

from ..doubles import RecordingLink, View, refusal, run_program


def who() -> list[Any]:
    """Return who calls."""
    return [invocation.caller_authid, invocation.caller_authrole, invocation.caller]


def fail() -> NoReturn:
    """Fail as nobody has foreseen."""
    raise ValueError("a secret")


# --- values and errors


def test_call_returns_what_has_travelled(wamp: WAMP, client: WampTestClient) -> None:
    given: list[Any] = []

    @wamp.callee
    def take(*args: Any, **kwargs: Any) -> Any:
        given.append((args, kwargs))
        return {1: (2, b"x"), "on": dt.date(2026, 1, 2)}

    argument = {"a": [1]}
    result = client.call("take", argument, (1, 2), key=dt.date(2026, 1, 2))
    assert result == {"1": [2, b"x"], "on": "Fri, 02 Jan 2026 00:00:00 GMT"}
    assert given == [(({"a": [1]}, [1, 2]), {"key": "Fri, 02 Jan 2026 00:00:00 GMT"})]
    # Nothing is shared, as it is between two processes.
    given[0][0][0]["a"].append(2)
    assert argument == {"a": [1]}


def test_call_returns_several_values(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("several")(lambda: CallResult((1, (2,)), {"a": 3}))
    assert client.call("several") == CallResult((1, [2]), {"a": 3})


def test_call_of_a_route_runs_its_pipeline(
    app: Flask, wamp: WAMP, view: View, client: WampTestClient
) -> None:
    @app.before_request
    def guard() -> None:
        if invocation and invocation.caller_authrole != "staff":
            abort(403)

    @view("/items/<int:number>")
    def item(number: int) -> list[Any]:
        return [number, request.method, request.path]

    wamp.procedure("item", allow=["user", "staff"])

    with pytest.raises(RemoteError) as raised:
        client.as_caller("bob", "user").call("item", 7)
    assert raised.value.uri == "wamp.error.not_authorized"
    staff = client.as_caller("ann", "staff")
    assert staff.call("item", 7) == [7, "CALL", "/items/7"]


@pytest.mark.parametrize("uri", ["no.such", "ad", "adds", "wamp.session.count"])
def test_call_of_what_nobody_serves(wamp: WAMP, client: WampTestClient, uri: str) -> None:
    wamp.callee("add")(sum)
    client.stub("no.such", returns=1)
    with pytest.raises(NoSuchProcedure, match=f"no callee registered for procedure <{uri}>"):
        client.call(uri)


@pytest.mark.parametrize("uri", ["", "a..b", 5])
def test_call_of_what_is_no_uri(client: WampTestClient, uri: Any) -> None:
    for method in (client.call, client.stream, client.publish):
        with pytest.raises(ValueError, match=rf"client\.{method.__name__}: .* is not a URI"):
            method(uri)


def test_call_with_what_cannot_travel(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("give")(lambda *args: object())
    with pytest.raises(PayloadError, match=r"argument \[0\] cannot travel: a object"):
        client.call("give", object())
    with pytest.raises(RemoteError, match=r"error\.invalid_payload: the result cannot"):
        client.call("give")


def test_call_with_what_is_too_big(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("give")(lambda size, *_: b"x" * size)
    for arguments in ((0, b"x" * 2**24), (2**24,)):
        with pytest.raises(RemoteError) as raised:
            client.call("give", *arguments)
        assert raised.value.uri == "wamp.error.payload_size_exceeded"
    with pytest.raises(RemoteError, match="payload_size_exceeded"):
        client.publish("topic", b"x" * 2**24)
    assert len(client.call("give", 2**23)) == 2**23


def test_call_raises_the_declared_exception(wamp: WAMP, client: WampTestClient) -> None:
    @wamp.error("com.shop.no_stock")
    class NoStock(Exception):
        def __init__(self, article: str, *, left: int) -> None:
            super().__init__(f"{left} of {article}")
            self.article, self.left = article, left

    @wamp.callee
    def take() -> None:
        raise raised_by_the_view

    raised_by_the_view = NoStock("tea", left=1)
    with pytest.raises(NoStock) as raised:
        client.call("take")
    assert (raised.value.article, raised.value.left) == ("tea", 1)
    assert raised.value is not raised_by_the_view


# --- defects


@pytest.mark.parametrize(
    ("testing", "config", "propagate", "reaches"),
    [
        (True, None, None, True),
        (False, None, None, False),
        (True, False, None, False),
        (False, True, None, True),
        (True, True, False, False),
        (False, False, True, True),
    ],
)
def test_defect_reaches_the_test_as_with_flask(
    app: Flask,
    wamp: WAMP,
    testing: bool,
    config: bool | None,
    propagate: bool | None,
    reaches: bool,
) -> None:
    wamp.callee(fail)
    wamp.subscribe("topic")(fail)

    @wamp.callee
    def part() -> Iterator[int]:
        yield 1
        fail()

    client = wamp.test_client(propagate=propagate)
    app.testing = testing
    app.config["PROPAGATE_EXCEPTIONS"] = config
    expected = (ValueError, "a secret") if reaches else (RemoteError, "The procedure failed")
    with client:
        for call in (
            lambda: client.call("fail"),
            lambda: client.call("part"),
            lambda: list(client.stream("part")),
        ):
            with pytest.raises(expected[0], match=expected[1]):
                call()
        if reaches:
            with pytest.raises(ValueError, match="a secret"):
                client.publish("topic")
        else:
            client.publish("topic")


def test_defect_keeps_its_own_chain(wamp: WAMP, client: WampTestClient) -> None:
    @wamp.callee
    def chained() -> None:
        try:
            fail()
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as raised:
        client.call("chained")
    assert isinstance(raised.value.__cause__, ValueError)
    assert raised.value.__context__ is raised.value.__cause__


def test_defect_of_a_nested_call_is_generic_for_the_view_and_its_cause_is_there(
    wamp: WAMP, client: WampTestClient
) -> None:
    """The application sees what it sees in production, and the test can look behind it."""
    wamp.callee(fail)
    seen: list[str] = []

    @wamp.callee
    def outer() -> None:
        try:
            g.wampy.rpc.fail()
        except RemoteError as error:
            seen.append(error.uri)
            raise

    with pytest.raises(RemoteError) as raised:
        client.call("outer")
    assert seen == ["wamp.error.runtime_error"]
    chain = []
    error: BaseException | None = raised.value
    while error is not None:
        chain.append(type(error).__name__)
        error = error.__cause__
    assert chain == ["RemoteError", "Defect", "ValueError"]


def test_foreseen_errors_are_no_defects(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("find")(lambda: abort(404))
    wamp.callee("end")(lambda: sys.exit(3))
    with pytest.raises(RemoteError, match="not_found"):
        client.call("find")
    with pytest.raises(RemoteError, match="the procedure ended with SystemExit"):
        client.call("end")


@pytest.mark.parametrize("exception", [KeyboardInterrupt, pytest.fail.Exception])
def test_what_ends_a_test_goes_through(
    app: Flask, wamp: WAMP, exception: type[BaseException]
) -> None:
    """Ctrl-C, and pytest.fail() in a view, whatever is propagated."""

    @wamp.callee
    def inner(*_numbers: int) -> None:
        raise exception("stop")

    wamp.callee("outer")(lambda: [g.wampy.rpc.inner()])
    wamp.subscribe("topic")(inner)
    with wamp.test_client(propagate=False) as client:
        for act in (lambda: client.call("outer"), lambda: client.publish("topic")):
            with pytest.raises(exception, match="stop"):
                act()
        # And leaves nothing behind: later events are not kept back, nor this one handled later.
        heard: list[int] = []
        for topic in ("topic", "other"):
            wamp.subscribe(topic)(heard.append)
        with pytest.raises(exception, match="stop"):
            client.publish("topic", 0)
        client.publish("other", 1)
        assert heard == [1]


# --- who calls


def test_identity_of_the_caller(app: Flask, wamp: WAMP) -> None:
    wamp.callee("who", allow="everyone")(who)
    with wamp.test_client() as client:
        assert client.call("who") == ["tester", "backend", client.session.session]
        bob = client.as_caller("bob", "user", session=4711)
        assert bob.call("who") == ["bob", "user", 4711]
        assert repr(bob) == "<Caller of 'shop': 'bob', 'user'>"
        assert client.as_caller(None, None).call("who")[:2] == [None, None]
        sessions = {client.as_caller().session.session for _ in range(3)}
        assert len(sessions | {client.session.session, client.app_session.session}) == 5
    with wamp.test_client(authid="ann", authrole="staff", session=7) as client:
        assert client.call("who") == ["ann", "staff", 7]
        assert repr(client) == "<WampTestClient of 'shop': 'ann', 'staff'>"


def test_identity_of_the_application_itself(wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee(who)
    wamp.callee("ask")(lambda: [who(), g.wampy.rpc.who(), who()])
    outer, inner, again = client.call("ask")
    own = client.app_session
    assert inner == [own.authid, "backend", own.session]
    assert outer == again == ["tester", "backend", client.session.session]


def test_views_run_without_the_contexts_of_the_test(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    @wamp.callee
    def look() -> list[Any]:
        g.mine = True
        return [has_request_context(), current_app.name]

    wamp.callee("ask")(lambda: [g.wampy.rpc.look(), "mine" in g])
    with app.test_request_context("/"):
        g.mine = False
        assert client.call("ask") == [[False, "shop"], False]
        assert g.mine is False
    assert not has_app_context()


def test_signals_are_sent(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    told: list[tuple[str, Any]] = []

    def started(sender: Flask, *, invocation: Any) -> None:
        told.append(("started", invocation.uri))

    def finished(sender: Flask, *, invocation: Any, error: Any) -> None:
        told.append(("finished", error and error.uri))

    wamp.callee("find")(lambda: abort(404))
    client.stub("com.other.price", returns=1)
    with call_started.connected_to(started, app), call_finished.connected_to(finished, app):
        with pytest.raises(RemoteError):
            client.call("find")
        with app.app_context():
            g.wampy.call("com.other.price")
    assert told == [("started", "find"), ("finished", "wamp.error.not_found")]


# --- streams


def test_stream_goes_on_when_it_is_asked_and_is_closed_when_it_is_left(
    wamp: WAMP, client: WampTestClient
) -> None:
    did: list[Any] = []

    @wamp.callee
    def count() -> Iterator[int]:
        try:
            for number in range(1_000_000):
                did.append(number)
                yield number
        finally:
            did.append(["closed", invocation.cancelled])

    with client.stream("count") as results:
        assert [next(results), next(results)] == [0, 1]
        assert did == [0, 1]
    assert did == [0, 1, ["closed", True]]
    assert list(results) == []


def test_stream_of_the_application_itself(
    app: Flask, wamp: WAMP, client: WampTestClient, http: FlaskClient
) -> None:
    wamp.callee("count")(lambda: (each for each in range(1_000_000)))

    @app.get("/first")
    def first() -> list[int]:
        found = []
        for number in g.wampy.stream("count"):
            found.append(number)
            if len(found) == 3:
                break
        return found

    assert http.get("/first").json == [0, 1, 2]
    assert client.calls == [Call("count")]


def test_stream_that_nobody_ends_is_ended_with_the_client(wamp: WAMP) -> None:
    closed: list[bool] = []

    @wamp.callee
    def count() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    with wamp.test_client() as client:
        results = client.stream("count")
        assert next(results) == 1
    assert closed == [True]
    assert list(results) == []


# --- started calls


def test_started_calls_are_answered_at_once_and_in_order(
    app: Flask, wamp: WAMP, client: WampTestClient
) -> None:
    did: list[int] = []

    @wamp.callee
    def double(number: int) -> int:
        did.append(number)
        if number == 3:
            abort(404)
        return 2 * number

    with app.app_context():
        calls = [g.wampy.start_call("double", number) for number in (1, 2)]
        assert did == [1, 2]
        assert [call.done() for call in calls] == [True, True]
        assert g.wampy.gather(calls) == [2, 4]
        failing = g.wampy.start_call("double", 3)
        with pytest.raises(RemoteError, match="not_found"):
            failing.result()
        calls[0].cancel()
        assert calls[0].result() == 2


# --- the client itself


def test_client_is_to_be_used_as_a_context_manager(wamp: WAMP) -> None:
    client = wamp.test_client()
    for act in (
        lambda: client.call("add"),
        lambda: client.stream("add"),
        lambda: client.publish("topic"),
        lambda: client.as_caller().call("add"),
    ):
        text = refusal(SetupError, act)
        assert "with wamp.test_client() as client" in text
    with client:
        client.publish("topic")
    assert "not in use" in refusal(SetupError, client.publish, "topic")


def test_client_restores_what_was_there(app: Flask, wamp: WAMP, link: RecordingLink) -> None:
    slot = state_of(app).slot
    with wamp.test_client():
        assert slot.link is not link
    assert slot.link is link
    with pytest.raises(KeyError), wamp.test_client():
        raise KeyError
    assert slot.link is link


def test_client_starts_nothing(app: Flask, wamp: WAMP) -> None:
    threads = threading.enumerate()
    wamp.callee("add")(lambda a, b: a + b)
    with wamp.test_client() as client:
        assert client.call("add", 1, 2) == 3
        assert threading.enumerate() == threads
    assert state_of(app).slot.link is None


def test_clients_may_be_nested(app: Flask, wamp: WAMP) -> None:
    with wamp.test_client() as outer, app.app_context():
        outer.stub("com.other.price", returns="outer")
        with wamp.test_client() as inner:
            inner.stub("com.other.price", returns="inner")
            assert g.wampy.call("com.other.price") == "inner"
        assert g.wampy.call("com.other.price") == "outer"
        with outer:
            assert g.wampy.call("com.other.price") == "outer"
        outer.publish("topic")
    assert [len(each.calls) for each in (outer, inner)] == [2, 1]


def test_clients_of_several_applications() -> None:
    wamp = WAMP()
    apps = [Flask("one"), Flask("two")]
    apps[1].config["WAMP_URI_PREFIX"] = "two"
    for app in apps:
        wamp.init_app(app)
    wamp.callee("name")(lambda: current_app.name)
    assert "This WAMP has 2" in refusal(SetupError, wamp.test_client)
    with wamp.test_client(apps[0]) as one, wamp.test_client(apps[1]) as two:
        assert (one.call("name"), two.call("name")) == ("one", "two")
        # One application as the service that another calls.
        one.stub("com.two.name", lambda: two.call("name"))
        with apps[0].app_context():
            assert g.wampy.call("com.two.name") == "two"


def test_client_of_an_application_without_the_extension() -> None:
    assert "call wamp.init_app(app)" in refusal(SetupError, WampTestClient, Flask("bare"))


def test_client_takes_what_is_declared_late(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("early")(lambda: "early")
    assert client.call("early") == "early"
    handle = wamp.add_procedure(lambda: "late", "late")
    assert client.call("late") == "late"
    handle.remove()
    with pytest.raises(NoSuchProcedure):
        client.call("late")


def test_client_refuses_annotations_that_cannot_be_checked(wamp: WAMP) -> None:
    def view(a: "no_such_type") -> None:  # type: ignore[name-defined]  # noqa: F821
        """Cannot be checked."""

    wamp.callee(view)
    with pytest.raises(DeclarationError), wamp.test_client():
        pass


def test_client_serves_many_threads(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    wamp.callee("echo")(lambda number: [number, invocation.caller_authid])
    wamp.callee("ask")(lambda number: g.wampy.rpc.echo(number)[0])
    wrong: list[Any] = []

    def work(number: int) -> None:
        caller = client.as_caller(f"user {number}")
        for _ in range(50):
            if caller.call("echo", number) != [number, f"user {number}"]:
                wrong.append(number)
            if caller.call("ask", number) != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(client.calls) == 8 * 50
    assert sorted(call.args[0] for call in client.calls) == sorted(list(range(8)) * 50)


def test_client_loads_no_reactor() -> None:
    """Neither the import nor the use, with a real generator among it."""
    printed = run_program(
        """
        import json, sys
        from flask import Flask, g
        from flask_wamp import WAMP
        import flask_wamp.testing, flask_wamp.testing.pytest_plugin

        app = Flask("shop")
        wamp = WAMP(app)
        wamp.callee("count")(lambda: (each for each in range(3)))
        wamp.callee("ask")(lambda: [g.wampy.publish("topic"), list(g.wampy.stream("count"))])
        with wamp.test_client() as client:
            assert client.call("ask") == [1, [0, 1, 2]]
        loaded = {name.partition(".")[0] for name in sys.modules}
        print(json.dumps(sorted(loaded & {"twisted", "autobahn", "txaio", "crossbar", "asyncio"})))
        """
    )
    assert json.loads(printed) == []


def test_client_makes_a_thousand_calls_in_far_less_than_a_second(
    wamp: WAMP, client: WampTestClient
) -> None:
    """The processor's time, which what else runs does not change; it takes a tenth of this."""
    wamp.callee("add")(lambda a, b: a + b)
    begun = time.process_time()
    assert [client.call("add", number, 1) for number in range(1000)] == list(range(1, 1001))
    assert time.process_time() - begun < 1


def test_client_is_not_served_over_nor_stopped(app: Flask, wamp: WAMP) -> None:
    """What an application does by itself does not reach for a router meanwhile."""
    wamp.callee("add")(lambda a, b: a + b)
    with wamp.test_client() as client:
        assert "or a test client" in refusal(SetupError, wamp.start)
        wamp.stop()
        assert client.call("add", 1, 2) == 3
