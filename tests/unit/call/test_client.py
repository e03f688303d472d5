"""``g.wampy``: what it sends, and what it makes of the answers."""

import datetime as dt
import functools
import gc
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import (
    WAMP,
    CallTimeout,
    NoSuchProcedure,
    OptionError,
    PayloadError,
    RemoteError,
)
from flask_wamp.call.client import Client
from flask_wamp.call.options import Options
from flask_wamp.state import state_of

from ..doubles import RecordingLink


@pytest.fixture
def client(app: Flask, link: RecordingLink) -> Client:
    """Return the application's client."""
    return state_of(app).client


@pytest.fixture
def no_stock(wamp: WAMP) -> type[Exception]:
    """Return an exception class that is declared."""

    @wamp.error("com.shop.no_stock")
    class NoStock(Exception):
        pass

    return NoStock


def test_client_call(client: Client, link: RecordingLink) -> None:
    assert client.call("com.example.add", 1, 2, key=3) == "answer"
    assert link.calls == [("com.example.add", [1, 2], {"key": 3}, Options(timeout=10.0))]


def test_client_call_takes_the_timeout_of_the_application() -> None:
    app = Flask("shop")
    app.config["WAMP_TIMEOUT"] = 2.5
    WAMP(app)
    link = RecordingLink()
    state_of(app).slot.attach(link)
    with app.app_context():
        g.wampy.call("x")
        g.wampy.publish("x")
    assert link.calls[0][3].timeout == 2.5
    assert link.published[0][3].timeout == 2.5


@pytest.mark.parametrize(
    "name", ["uri", "self", "args", "kwargs", "timeout", "acknowledge", "options"]
)
def test_client_call_keyword_named_like_a_parameter(
    client: Client, link: RecordingLink, name: str
) -> None:
    client.call("x", **{name: 1})
    client.rpc.x(**{name: 1})
    assert [call[2] for call in link.calls] == [{name: 1}, {name: 1}]


@pytest.mark.parametrize("name", ["uri", "self", "args", "kwargs", "timeout", "options"])
def test_client_publish_keyword_named_like_a_parameter(
    client: Client, link: RecordingLink, name: str
) -> None:
    keywords: dict[str, Any] = {name: 1}
    client.publish("x", **keywords)
    client.publish(topic="x", **keywords)
    assert [event[2] for event in link.published] == [{name: 1}, {name: 1}]


def test_client_call_encodes_arguments(client: Client, link: RecordingLink) -> None:
    client.call("x", (1, 2), when=dt.date(2026, 1, 2))
    assert link.calls[0][1:3] == ([[1, 2]], {"when": "Fri, 02 Jan 2026 00:00:00 GMT"})


def test_client_unfit_arguments_are_not_sent(client: Client, link: RecordingLink) -> None:
    with pytest.raises(PayloadError, match=r"argument \[0\] cannot travel: a object"):
        client.call("x", object())
    with pytest.raises(PayloadError, match=r"argument \['a'\]"):
        client.publish("x", a=object())
    assert link.calls == []
    assert link.published == []


@pytest.mark.parametrize("uri", ["", "a b", "a..b", 5, None])
def test_client_malformed_uri_is_not_sent(client: Client, link: RecordingLink, uri: Any) -> None:
    with pytest.raises(ValueError, match=r"g\.wampy\.call: .* is not a URI"):
        client.call(uri)
    with pytest.raises(ValueError, match=r"g\.wampy\.publish: .* is not a URI"):
        client.publish(uri)
    assert link.calls == []
    assert link.published == []


def test_client_meta_procedures_are_called(client: Client, link: RecordingLink) -> None:
    client.call("wamp.session.count")
    assert link.calls[0][0] == "wamp.session.count"


@pytest.mark.parametrize(
    "uri", ["add", "com.example.add", "_add", "com._private.call", "call", "publish", "rpc"]
)
def test_client_rpc(client: Client, link: RecordingLink, uri: str) -> None:
    """Also under names that look private, and under those of the client."""
    assert functools.reduce(getattr, uri.split("."), client.rpc)(1, b=2) == "answer"
    assert link.calls == [(uri, [1], {"b": 2}, Options(timeout=10.0))]


def test_client_rpc_with_prefix() -> None:
    app = Flask("shop")
    app.config["WAMP_URI_PREFIX"] = "shop"
    WAMP(app)
    link = RecordingLink()
    state_of(app).slot.attach(link)
    with app.app_context():
        g.wampy.rpc.add()
        g.wampy.rpc.com.example.add()
        g.wampy.call("add")
    assert [call[0] for call in link.calls] == ["shop.add", "com.example.add", "add"]


def test_client_rpc_without_a_name(client: Client, link: RecordingLink) -> None:
    with pytest.raises(ValueError, match="is not a URI"):
        client.rpc()
    assert link.calls == []


def test_client_rpc_has_no_magic_methods(client: Client) -> None:
    """What looks for protocols on an object, copy and mock for instance, finds none."""
    with pytest.raises(AttributeError, match="__deepcopy__"):
        _ = client.rpc.__deepcopy__
    assert repr(client.rpc.com.add) == "<rpc com.add>"


def test_client_repr_names_the_application(client: Client) -> None:
    assert repr(client) == "<Client of 'shop'>"


def test_client_publish(client: Client, link: RecordingLink) -> None:
    link.answer = 77
    assert client.publish("spam", 1, 2, key=3) == 77
    assert client.publish(topic="spam", message="x") == 77
    assert link.published == [
        ("spam", [1, 2], {"key": 3}, Options(timeout=10.0)),
        ("spam", [], {"message": "x"}, Options(timeout=10.0)),
    ]


def test_client_publish_unacknowledged(client: Client, link: RecordingLink) -> None:
    link.answer = None
    assert client.publish("spam", acknowledge=False) is None
    assert link.published == [("spam", [], {}, Options(timeout=10.0, acknowledge=False))]


@pytest.mark.parametrize("error", [CallTimeout("late"), RemoteError.from_uri("com.example.x")])
def test_client_errors_are_raised(client: Client, link: RecordingLink, error: Exception) -> None:
    link.answer = error
    with pytest.raises(type(error)) as caught:
        client.call("x")
    assert caught.value is error
    with pytest.raises(type(error)):
        client.publish("x")


def test_client_declared_error_is_raised_again(
    wamp: WAMP, client: Client, link: RecordingLink
) -> None:
    @wamp.error("com.example.no_stock")
    class NoStock(Exception):
        def __init__(self, article: str, *, left: int) -> None:
            super().__init__(f"{left} of {article}")
            self.left = left

    link.answer = RemoteError.from_uri("com.example.no_stock", ["pen"], {"left": 2})
    with pytest.raises(NoStock, match="2 of pen") as caught:
        client.rpc.buy()
    assert caught.value.left == 2
    assert caught.value.__cause__ is link.answer


def test_client_declared_error_with_unfit_payload_is_a_remote_error(
    wamp: WAMP, client: Client, link: RecordingLink
) -> None:
    @wamp.error("com.example.no_stock")
    class NoStock(Exception):
        def __init__(self, article: str) -> None:
            super().__init__(article)

    link.answer = RemoteError.from_uri("com.example.no_stock", [], {"other": 1})
    with pytest.raises(RemoteError) as caught:
        client.call("buy")
    assert caught.value is link.answer


def test_client_no_such_procedure(client: Client, link: RecordingLink) -> None:
    link.answer = RemoteError.from_uri("wamp.error.no_such_procedure", ["no 'x'"])
    with pytest.raises(NoSuchProcedure, match="no 'x'"):
        client.call("x")


# --- options


def test_client_with_options(client: Client, link: RecordingLink) -> None:
    client.with_options(timeout=3, cancel_mode="kill").call("x")
    client.with_options(retain=True).with_options(exclude_me=True).publish("x")
    client.call("x")
    assert [options for *_call, options in link.calls] == [
        Options(timeout=3.0, cancel_mode="kill"),
        Options(timeout=10.0),
    ]
    assert link.published[0][3] == Options(timeout=10.0, retain=True, exclude_me=True)


def test_client_with_options_of_another_method(client: Client, link: RecordingLink) -> None:
    retaining = client.with_options(retain=True)
    for name in ("call", "start_call", "stream"):
        with pytest.raises(OptionError, match=rf"retain=\.\.\.\)\.{name}\(\): retain is no option"):
            getattr(retaining, name)("x")
    killing = client.with_options(cancel_mode="kill")
    with pytest.raises(OptionError, match=r"\.publish\(\): cancel_mode is no option of publish"):
        killing.publish("x")
    with pytest.raises(OptionError, match="retain is no option of call"):
        retaining.rpc.x()
    assert link.calls == link.published == []


def test_client_with_options_refuses_at_once(client: Client) -> None:
    with pytest.raises(OptionError, match="there is no such option"):
        client.with_options(time_out=3)


def test_client_rpc_has_the_options_of_its_client(client: Client, link: RecordingLink) -> None:
    client.with_options(timeout=3).rpc.com.shop.add(1)
    assert link.calls == [("com.shop.add", [1], {}, Options(timeout=3.0))]


def test_client_publish_acknowledge_beside_the_option(client: Client, link: RecordingLink) -> None:
    """What is given last counts."""
    link.answer = None
    unacknowledged = client.with_options(acknowledge=False)
    unacknowledged.publish("x")
    unacknowledged.publish("x", acknowledge=True)
    assert [options.acknowledge for *_event, options in link.published] == [False, True]
    wrong: Any = "no"
    with pytest.raises(OptionError, match="give True or False"):
        client.publish("x", acknowledge=wrong)


# --- calls whose result is awaited later


def test_client_start_call(client: Client, link: RecordingLink) -> None:
    link.answer = {"com.shop.add": 5}
    pending = client.with_options(timeout=3).start_call("com.shop.add", (1,), b=2)
    assert link.calls == [("com.shop.add", [[1]], {"b": 2}, Options(timeout=3.0))]
    assert pending.uri == "com.shop.add"
    assert pending.done()
    assert pending.result() == pending.result(timeout=0) == 5
    assert repr(pending) == "<PendingCall 'com.shop.add' done>"
    pending.cancel()
    assert link.canceled == ["com.shop.add"]


@pytest.mark.parametrize("name", ["start_call", "stream"])
def test_client_refused_arguments_start_nothing(
    client: Client, link: RecordingLink, name: str
) -> None:
    begin = getattr(client, name)
    with pytest.raises(PayloadError):
        begin("x", object())
    with pytest.raises(ValueError, match=rf"g\.wampy\.{name}: 'a b' is not a URI"):
        begin("a b")
    assert link.calls == []


@pytest.mark.parametrize("timeout", [-1, -0.1])
def test_client_pending_call_cannot_wait_less_than_nothing(
    client: Client, link: RecordingLink, timeout: float
) -> None:
    link.answer = {"x": 1}
    with pytest.raises(OptionError, match=r"give seconds from 0, as in 0\.5"):
        client.start_call("x").result(timeout)


def test_client_pending_call_raises_what_is_declared(
    client: Client, link: RecordingLink, no_stock: type[Exception]
) -> None:
    remote = RemoteError.from_uri("com.shop.no_stock", ["pen"])
    link.answer = {"buy": remote, "late": CallTimeout("late"), "other": RemoteError("com.x")}
    with pytest.raises(no_stock, match="pen") as caught:
        client.start_call("buy").result()
    assert caught.value.__cause__ is remote
    for uri, error in (("late", CallTimeout), ("other", RemoteError)):
        with pytest.raises(error) as raised:
            client.start_call(uri).result()
        assert raised.value is link.answer[uri]


def test_client_gather_has_the_results_in_the_order_of_the_calls(
    client: Client, link: RecordingLink
) -> None:
    link.answer = {"a": 1, "b": None, "c": 3}
    assert client.gather(client.start_call(uri) for uri in "cab") == [3, 1, None]
    assert [call[0] for call in link.calls] == ["c", "a", "b"]
    assert link.canceled == []
    assert client.gather([]) == []


def test_client_gather_cancels_the_others_where_one_fails(
    client: Client, link: RecordingLink, no_stock: type[Exception]
) -> None:
    link.answer = {"a": 1, "b": RemoteError.from_uri("com.shop.no_stock", ["pen"]), "c": 3}
    with pytest.raises(no_stock, match="pen"):
        client.gather([client.start_call(uri) for uri in "abc"])
    assert {"a", "c"} <= set(link.canceled)


# --- streams


def test_client_stream(client: Client, link: RecordingLink) -> None:
    link.answer = [1, None, 3]
    stream = client.with_options(timeout=3).stream("com.shop.count", (1,), b=2)
    assert link.calls == [("com.shop.count", [[1]], {"b": 2}, Options(timeout=3.0))]
    assert stream.uri == "com.shop.count"
    assert repr(stream) == "<Stream 'com.shop.count'>"
    assert iter(stream) is stream
    assert next(stream) == 1
    assert list(stream) == [None, 3]


def test_client_stream_that_is_left_is_closed(client: Client, link: RecordingLink) -> None:
    link.answer = [1, 2, 3]
    for part in client.stream("com.shop.count"):
        assert part == 1
        break
    gc.collect()
    assert link.canceled == ["com.shop.count"]


def test_client_stream_as_a_context_manager(client: Client, link: RecordingLink) -> None:
    """Left by an exception, whose traceback keeps the loop's own reference."""
    link.answer = [1, 2, 3]

    def fail(part: int) -> None:
        assert (part, link.canceled) == (1, [])
        raise KeyError

    stream = client.stream("com.shop.count")
    with pytest.raises(KeyError), stream:
        fail(next(stream))
    assert link.canceled == ["com.shop.count"]


def test_client_stream_raises_what_is_declared(
    client: Client, link: RecordingLink, no_stock: type[Exception]
) -> None:
    remote = RemoteError.from_uri("com.shop.no_stock", ["pen"])
    link.answer = [1, remote]
    stream = client.stream("x")
    assert next(stream) == 1
    with pytest.raises(no_stock, match="pen") as caught:
        next(stream)
    assert caught.value.__cause__ is remote


def test_client_history_and_meta_are_of_the_client(client: Client, link: RecordingLink) -> None:
    link.answer = None
    assert client.history("com.shop.sold") == []
    link.answer = 3
    assert client.meta.count_sessions() == 3
    assert [call[0] for call in link.calls] == [
        "wamp.subscription.lookup",
        "wamp.session.count",
    ]
