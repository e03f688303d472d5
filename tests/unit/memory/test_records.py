"""Records of calls and publications, to be compared."""

import pytest
from flask import Flask, g

from flask_wamp import WAMP
from flask_wamp.testing import Call, Publication, WampTestClient


@pytest.mark.parametrize("kind", [Call, Publication])
def test_record_compares_by_what_travelled(kind: type[Call] | type[Publication]) -> None:
    record = kind("com.shop.sold", "tea", count=2)
    assert record == kind("com.shop.sold", "tea", count=2)
    for other in (
        kind("com.shop.sold", "tea"),
        kind("com.shop.sold", count=2),
        kind("com.shop", "tea", count=2),
        kind("com.shop.sold", "tea", count=3),
        ("com.shop.sold", "tea", 2),
        None,
    ):
        assert record != other
    assert Call("x") != Publication("x")
    with pytest.raises(TypeError, match="unhashable"):
        hash(record)
    assert kind("x", self=1, name=2, args=3).kwargs == {"self": 1, "name": 2, "args": 3}


def test_record_has_what_was_called(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    client.stub("com.other", lambda *args, **kwargs: None, match="prefix")
    with app.app_context():
        g.wampy.call("com.other.a", (1, 2), key={3: None})
        slow = g.wampy.with_options(timeout=0.5, cancel_mode="kill")
        slow.start_call("com.other.b").result()
        list(slow.with_options(timeout=10.0).stream("com.other.c"))
        g.wampy.rpc.com.other.a()
    first, second, third, fourth = client.calls
    assert (first.uri, first.args, first.kwargs, first.options) == (
        "com.other.a", ([1, 2],), {"key": {"3": None}}, {},
    )  # fmt: skip
    assert (second.uri, second.options) == ("com.other.b", {"timeout": 0.5, "cancel_mode": "kill"})
    assert third.options == {"cancel_mode": "kill"}
    assert client.calls_of("com.other.a") == [first, fourth]
    assert client.calls_of("com.other") == []
    # Options are looked at, and not compared.
    assert second == Call("com.other.b")


def test_record_reads_as_it_is_written(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    with app.app_context():
        g.wampy.publish("com.shop.sold", "tea", count=2)
        g.wampy.with_options(retain=True, timeout=3).publish("com.shop.sold")
    assert list(map(repr, client.published)) == [
        "Publication('com.shop.sold', 'tea', count=2)",
        "<Publication('com.shop.sold') with timeout=3.0, retain=True>",
    ]
    assert repr(Call("x", 1)) == "Call('x', 1)"
    assert Publication("com.shop.sold").topic == "com.shop.sold"


def test_records_may_be_cleared(app: Flask, wamp: WAMP, client: WampTestClient) -> None:
    with app.app_context():
        g.wampy.publish("one")
        client.published.clear()
        g.wampy.publish("two")
    assert client.published == [Publication("two")]
