"""Calls into views, and out of them: arguments, results, identity."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import g

from flask_wamp import (
    CallResult,
    CallTimeout,
    Canceled,
    InvalidArgument,
    NoSuchProcedure,
    PayloadError,
    RegistrationFailed,
    RemoteError,
)
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import python
from .support import (
    CALL,
    ERROR,
    INVOCATION,
    LIMIT,
    REGISTER,
    REGISTERED,
    RESULT,
    SERIALIZERS,
    YIELD,
    MakeApp,
    Peer,
    connected,
    error_of,
    http,
    on_reactor,
    raw_peer,
    wait_until,
)

pytestmark = pytest.mark.node

#: Names that mean something to functions on the way, in Autobahn, Twisted or this package.
AWKWARD = ("fun", "self", "options", "error", "callee", "args", "kwargs", "uri", "timeout", "topic")


# --- arguments


@pytest.mark.parametrize(
    ("args", "kwargs", "parameter"),
    [
        ([], {}, "a"),
        ([1], {"c": 3}, "c"),
        ([1], {"a": 3}, "a"),
        ([1, 2, 3], {}, "b"),
    ],
)
def test_arguments_that_do_not_fit_name_the_parameter(
    anonymous: Peer, args: list[int], kwargs: dict[str, int], parameter: str
) -> None:
    error = error_of(lambda: anonymous.call("com.test.add", *args, **kwargs))
    assert error.error == "wamp.error.invalid_argument"
    assert parameter in error.args[0]
    assert error.kwargs["status"] == 400


def test_arguments_have_defaults(anonymous: Peer) -> None:
    assert anonymous.call("com.test.add", 1) == 11
    assert anonymous.call("com.test.add", b=2, a=1) == 3


def test_arguments_type_error_of_the_view_is_no_misfit_and_runs_once(anonymous: Peer) -> None:
    before = len(anonymous.call("com.test.seen", "type_error"))
    error = error_of(lambda: anonymous.call("com.test.type_error"))
    assert error.error == "wamp.error.runtime_error"
    assert len(anonymous.call("com.test.seen", "type_error")) == before + 1


def test_arguments_with_awkward_names_into_a_view(peers_node: CrossbarNode) -> None:
    keywords = {name: f"the value of {name}" for name in AWKWARD}
    with raw_peer(peers_node.ws_url) as peer:
        answer = peer.request([CALL, 1, {}, "com.test.everything", [1, 2], keywords])
        assert answer[0] == RESULT
        assert answer[3] == [{"args": [1, 2], "kwargs": keywords}]
        # The session lives on.
        assert peer.request([CALL, 2, {}, "com.test.add", [1, 1]])[3] == [2]


def test_arguments_with_awkward_names_out_of_a_view(
    peers_node: CrossbarNode, make_app: MakeApp
) -> None:
    keywords = {name: f"the value of {name}" for name in AWKWARD}
    app, _ = make_app()
    with raw_peer(trusted_url(peers_node)) as peer:
        registered = peer.request([REGISTER, 1, {}, "com.raw.awkward"])
        assert registered[0] == REGISTERED
        with ThreadPoolExecutor(1) as threads, app.app_context():
            client = g.wampy
            called = threads.submit(lambda: client.call("com.raw.awkward", 1, **keywords))
            invocation = peer.receive()
            assert invocation[0] == INVOCATION
            assert invocation[4:] == [[1], keywords]
            peer.send([YIELD, invocation[1], {}, [], keywords])
            assert called.result(LIMIT) == CallResult((), keywords)
            refused = threads.submit(lambda: client.call("com.raw.awkward"))
            invocation = peer.receive()
            peer.send([ERROR, INVOCATION, invocation[1], {}, "com.raw.no", ["why"], keywords])
            with pytest.raises(RemoteError) as raised:
                refused.result(LIMIT)
    assert raised.value.uri == "com.raw.no"
    assert raised.value.args == ("why",)
    assert raised.value.kwargs == keywords


def test_arguments_with_awkward_names_from_flask_to_flask(make_app: MakeApp) -> None:
    keywords = {name: name.upper() for name in AWKWARD}
    app, _ = make_app()
    with app.app_context():
        result = g.wampy.call("com.test.everything", **keywords)
        assert result == {"args": [], "kwargs": keywords}
        assert g.wampy.rpc.com.test.everything(1, **keywords)["args"] == [1]


def test_arguments_that_cannot_travel_are_refused_here(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context(), pytest.raises(PayloadError, match="object"):
        g.wampy.call("com.test.echo", {"deep": [object()]})


# --- results


@pytest.mark.parametrize("serializer", sorted(SERIALIZERS))
def test_results_of_every_type_over_every_serializer(
    peers_node: CrossbarNode, serializer: str
) -> None:
    with connected(peers_node.ws_url, serializer=serializer) as peer:
        assert peer.call("com.test.types") == {
            "none": None,
            "true": True,
            "int": -7,
            "big": 2**53,
            "float": 0.5,
            "text": "größer ∞ 🌍",
            "tuple": [1, 2],
            "nested": [{"a": [1]}],
            "datetime": "Fri, 02 Jan 2026 03:04:05 GMT",
            "date": "Fri, 02 Jan 2026 00:00:00 GMT",
            "decimal": "1.50",
            "uuid": "00000000-0000-0000-0000-000000000007",
            "dataclass": {"x": 1, "y": 2},
        }
        assert peer.call("com.test.bytes") == bytes(range(256))
        assert peer.call("com.test.echo", {"b": [b"\x00\xff"]}) == {"b": [b"\x00\xff"]}


def test_results_of_every_type_from_flask_to_flask(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        for value in (None, True, 0, -1, 2**53, 0.5, "größer 🌍", b"\x00\xff", [1, [2]], {"a": 1}):
            assert g.wampy.call("com.test.echo", value) == value
        assert g.wampy.call("com.test.types")["decimal"] == "1.50"


def test_results_that_cannot_travel_name_the_type(peers_node: CrossbarNode) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        answer = peer.request([CALL, 1, {}, "com.test.unfit", []])
    assert answer[:5] == [ERROR, CALL, 1, {}, "wamp.error.invalid_payload"]
    assert "object" in answer[5][0]
    assert "lock" in answer[5][0]


def test_results_too_big_for_the_transport_are_errors_not_lost_calls(
    anonymous: Peer, make_app: MakeApp
) -> None:
    assert anonymous.call("com.test.big", 1 << 19) == "x" * (1 << 19)
    # The router's own word: it sends no message to a browser that it would not take from one.
    error = error_of(lambda: anonymous.call("com.test.big", 1 << 21))
    assert "exceeding payload limit of 1048576 octets" in str(error)
    app, _ = make_app()
    with app.app_context():
        for _ in range(2):
            with pytest.raises(RemoteError) as raised:
                g.wampy.call("com.test.big", 17 << 20)
            assert raised.value.uri == "wamp.error.payload_size_exceeded"
            with pytest.raises(RemoteError) as raised:
                g.wampy.call("com.test.echo", "x" * (17 << 20))
            assert raised.value.uri == "wamp.error.payload_size_exceeded"
        assert g.wampy.call("com.test.add", 1, 2) == 3


def test_results_of_a_route_are_the_same_both_ways(
    peers_node: CrossbarNode, anonymous: Peer
) -> None:
    assert http(peers_node.url + "add/2?b=3").json == {"sum": 5, "method": "GET"}
    assert anonymous.call("com.test.route", 2, b=3) == {"sum": 5, "method": "CALL"}
    assert anonymous.call("com.test.route", a=2) == {"sum": 7, "method": "CALL"}


# --- identity


@pytest.mark.parametrize("spoofed", [False, True])
def test_identity_of_a_caller_is_the_routers_word(peers_node: CrossbarNode, spoofed: bool) -> None:
    options: dict[str, Any] = {}
    url, role = peers_node.ws_url, "anonymous"
    if spoofed:
        # A browser's connection would end (test_guard_messages.py); a service may be a router.
        options["forward_for"] = [{"session": 1, "authid": "root", "authrole": "admin"}]
        url, role = trusted_url(peers_node), "backend"
    with raw_peer(url) as peer:
        answer = peer.request([CALL, 1, options, "com.test.who", [], {}])
        assert answer[0] == RESULT
        seen = answer[3][0]
    assert seen["authrole"] == role
    assert seen["uri"] == "com.test.who"
    assert seen["caller"] != 1
    assert seen["authid"] != "root"


def test_identity_of_a_caller_is_its_session(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    assert anonymous.call("com.test.who")["caller"] == anonymous.id
    assert anonymous.call("com.test.who")["authid"] == anonymous.session.welcome.authid
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.call("com.test.who")["authrole"] == "backend"
    assert http(peers_node.url + "wampy", {"call": "com.test.who"}).json["result"]["authrole"] == (
        "backend"
    )


# --- many at once


def test_many_64_calls_at_once_get_their_own_results(anonymous: Peer) -> None:
    outcomes = anonymous.call_all("com.test.echo", [[number] for number in range(64)])
    assert outcomes == [(True, number) for number in range(64)]


def test_many_16_threads_with_60_calls_get_their_own_results(make_app: MakeApp) -> None:
    app, _ = make_app(WAMP_TIMEOUT=60)

    def work(thread: int) -> list[tuple[int, int]]:
        with app.app_context():
            return [tuple(g.wampy.call("com.test.echo", [thread, n])) for n in range(60)]

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(work, range(16)))
    assert results == [[(thread, n) for n in range(60)] for thread in range(16)]


def test_many_960_calls_at_once_from_one_process(make_app: MakeApp) -> None:
    """16 threads that start 60 threads each: all 960 calls are in flight together."""
    app, _ = make_app(WAMP_TIMEOUT=60)

    def call(number: int) -> int:
        with app.app_context():
            return int(g.wampy.call("com.test.echo", number))

    with ThreadPoolExecutor(960) as threads:
        assert list(threads.map(call, range(960))) == list(range(960))


def test_many_1024_calls_at_once_nested_5_deep_on_4_threads(anonymous: Peer) -> None:
    outcomes = anonymous.call_all(
        "com.test.nested", [[5, number] for number in range(1024)], timeout=90
    )
    failed = [outcome for success, outcome in outcomes if not success]
    assert failed == []
    assert [outcome for _, outcome in outcomes] == [[number] * 6 for number in range(1024)]


def test_many_http_requests_with_calls_at_once(peers_node: CrossbarNode) -> None:
    def ask(number: int) -> Any:
        return http(peers_node.url + "wampy", {"call": "com.test.nested", "args": [1, number]}).json

    with ThreadPoolExecutor(32) as threads:
        answers = list(threads.map(ask, range(64)))
    assert answers == [{"result": [number, number]} for number in range(64)]


# --- calls that are not answered


def test_unanswered_call_times_out_and_the_late_answer_harms_nothing(
    peers_node: CrossbarNode, anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with raw_peer(trusted_url(peers_node)) as peer, app.app_context():
        assert peer.request([REGISTER, 1, {}, "com.raw.late"])[0] == REGISTERED
        # Connected, so that the call is sent within its time.
        assert g.wampy.call("com.test.echo", 0) == 0
        with pytest.raises(CallTimeout, match=r"'com\.raw\.late'.*0\.5 s"):
            g.wampy.with_options(timeout=0.5).call("com.raw.late")
        invocation = peer.receive()
        assert invocation[0] == INVOCATION
        peer.send([YIELD, invocation[1], {}, ["late"]])
        for number in range(20):
            assert g.wampy.call("com.test.echo", number) == number


def test_unanswered_call_of_a_view_leaves_it_running_and_the_service_well(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, _ = make_app()
    with app.app_context():
        assert g.wampy.call("com.test.held") == []
        # A call whose time is over before its view begins is not made.
        pending = g.wampy.with_options(timeout=1).start_call("com.test.hold", "late view")
        wait_until(lambda: g.wampy.call("com.test.held") == ["late view"], "the view runs")
        with pytest.raises(CallTimeout):
            pending.result()
        assert g.wampy.call("com.test.held") == ["late view"]
        g.wampy.call("com.test.release", "late view")
        wait_until(lambda: g.wampy.call("com.test.held") == [], "the view has ended")
        assert g.wampy.call("com.test.add", 1, 2) == 3


def test_unanswered_call_is_canceled_when_the_callee_is_killed(
    peers_node: CrossbarNode, make_app: MakeApp
) -> None:
    app, _ = make_app()
    url = {"FLASK_WAMP_URL": peers_node.backend_url}
    with python("-m", "tests.node.apps.script", "serve", env=url) as callee, app.app_context():
        callee.wait_for("serving")
        client = g.wampy
        outcome: Future[Any] = Future()

        def call() -> None:
            try:
                outcome.set_result(client.call("com.outside.hold"))
            except Exception as error:  # noqa: BLE001 - what it is, is what is tested
                outcome.set_exception(error)

        thread = threading.Thread(target=call)
        thread.start()
        callee.wait_for("holding")
        callee.kill()
        with pytest.raises(Canceled):
            outcome.result(LIMIT)
        thread.join(LIMIT)
        with pytest.raises(NoSuchProcedure):
            client.call("com.outside.hold")


# --- registrations of one's own


def test_start_serves_from_this_process_and_stop_ends_it(
    anonymous: Peer, make_app: MakeApp
) -> None:
    app, wamp = make_app(WAMP_URI_PREFIX="com.here")

    @wamp.callee
    def twice(value: int) -> int:
        return 2 * value

    wamp.start(app)
    assert anonymous.call("com.here.twice", 4) == 8
    with app.app_context():
        assert g.wampy.rpc.twice(5) == 10
    wamp.start(app)
    assert anonymous.call("com.here.twice", 6) == 12
    wamp.stop(app)
    error = error_of(lambda: anonymous.call("com.here.twice", 4))
    assert error.error == "wamp.error.no_such_procedure"
    wamp.start(app)
    assert anonymous.call("com.here.twice", 7) == 14


def test_start_with_a_procedure_that_is_taken_names_it(make_app: MakeApp) -> None:
    app, wamp = make_app()

    @wamp.callee("com.test.add")
    def taken() -> None:
        return None

    with pytest.raises(RegistrationFailed) as raised:
        wamp.start(app)
    assert "com.test.add" in str(raised.value)
    assert "taken" in str(raised.value)
    assert "procedure_already_exists" in str(raised.value)


def test_start_with_a_role_that_may_not_register_names_it(
    peers_node: CrossbarNode, make_app: MakeApp
) -> None:
    app, wamp = make_app(WAMP_URL=peers_node.ws_url)

    @wamp.callee("com.here.forbidden")
    def forbidden() -> None:
        return None

    with pytest.raises(RegistrationFailed, match=r"com\.here\.forbidden.*not_authorized"):
        wamp.start(app)


def test_calls_of_what_nobody_serves_raise(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        with pytest.raises(NoSuchProcedure) as raised:
            g.wampy.call("com.test.nothing")
        assert raised.value.uri == "wamp.error.no_such_procedure"
        with pytest.raises(InvalidArgument, match="'a'"):
            g.wampy.call("com.test.add")


def test_calls_from_the_reactor_thread_are_refused(make_app: MakeApp) -> None:
    app, _ = make_app()
    with app.app_context():
        client = g.wampy
        assert client.call("com.test.add", 1, 2) == 3

    def call() -> Any:
        return client.call("com.test.add", 1, 2)

    with pytest.raises(RuntimeError, match="reactor thread"):
        on_reactor(call)
