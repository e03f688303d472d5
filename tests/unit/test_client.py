"""``g.wampy``: what it sends, and what it makes of the answers."""

import datetime as dt
from typing import Any

import pytest
from flask import Flask, g

from flask_wamp import WAMP, CallTimeout, NoSuchProcedure, PayloadError, RemoteError
from flask_wamp.client import Client
from flask_wamp.state import state_of

from .doubles import RecordingLink


@pytest.fixture
def link(app: Flask, wamp: WAMP) -> RecordingLink:
    """Return the application's link."""
    link = RecordingLink("answer")
    state_of(app).slot.attach(link)
    return link


@pytest.fixture
def client(app: Flask, link: RecordingLink) -> Client:
    """Return the application's client."""
    return state_of(app).client


def test_client_call(client: Client, link: RecordingLink) -> None:
    assert client.call("com.example.add", 1, 2, key=3) == "answer"
    assert link.calls == [("com.example.add", [1, 2], {"key": 3}, 10.0)]


def test_client_call_takes_the_timeout_of_the_application() -> None:
    app = Flask("shop")
    app.config["WAMP_TIMEOUT"] = 2.5
    WAMP(app)
    link = RecordingLink()
    state_of(app).slot.attach(link)
    with app.app_context():
        g.wampy.call("x")
        g.wampy.publish("x")
    assert link.calls[0][3] == 2.5
    assert link.published[0][4] == 2.5


@pytest.mark.parametrize("name", ["uri", "self", "args", "kwargs", "timeout", "acknowledge"])
def test_client_call_keyword_named_like_a_parameter(
    client: Client, link: RecordingLink, name: str
) -> None:
    client.call("x", **{name: 1})
    client.rpc.x(**{name: 1})
    assert [call[2] for call in link.calls] == [{name: 1}, {name: 1}]


@pytest.mark.parametrize("name", ["uri", "self", "args", "kwargs", "timeout"])
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


def test_client_rpc_bare_name(client: Client, link: RecordingLink) -> None:
    assert client.rpc.add(1, b=2) == "answer"
    assert link.calls == [("add", [1], {"b": 2}, 10.0)]


def test_client_rpc_dotted_name(client: Client, link: RecordingLink) -> None:
    client.rpc.com.example.add(1)
    assert link.calls[0][0] == "com.example.add"


def test_client_rpc_private_looking_name(client: Client, link: RecordingLink) -> None:
    client.rpc._add()
    client.rpc.com._private.call()
    assert [call[0] for call in link.calls] == ["_add", "com._private.call"]


def test_client_rpc_names_of_the_client_are_procedures(client: Client, link: RecordingLink) -> None:
    client.rpc.call()
    client.rpc.publish()
    client.rpc.rpc()
    assert [call[0] for call in link.calls] == ["call", "publish", "rpc"]


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
        ("spam", [1, 2], {"key": 3}, True, 10.0),
        ("spam", [], {"message": "x"}, True, 10.0),
    ]


def test_client_publish_unacknowledged(client: Client, link: RecordingLink) -> None:
    link.answer = None
    assert client.publish("spam", acknowledge=False) is None
    assert link.published == [("spam", [], {}, False, 10.0)]


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
