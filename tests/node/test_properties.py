"""Properties of payload on its way through a node: what every serializer carries comes back."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_wamp.node import CrossbarNode

from ..properties import SETTINGS, payloads, same, texts
from .support import LIMIT, SERIALIZERS, Events, Peer, connected

pytestmark = pytest.mark.node

#: Names that are parameters of Autobahn's own functions.
TAKEN = ("self", "procedure", "topic", "options")

names = texts.filter(lambda name: name not in TAKEN)
arguments = st.lists(payloads, max_size=3)
keywords = st.dictionaries(names, payloads, max_size=3)


@pytest.fixture(scope="module")
def peers(peers_node: CrossbarNode) -> Iterator[dict[str, Peer]]:
    """Give a peer for each serializer."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(connected(peers_node.ws_url, serializer=name))
            for name in SERIALIZERS
        }


@pytest.fixture(scope="module")
def events(peers: dict[str, Peer]) -> dict[str, Events]:
    """Give the events that the peers get."""
    return {name: peer.subscribe("com.test.topic.property") for name, peer in peers.items()}


@settings(SETTINGS, max_examples=60)
@given(value=payloads)
def test_properties_a_value_comes_back_as_it_was(peers: dict[str, Peer], value: Any) -> None:
    calls = {name: peer.start_call("com.test.echo", value) for name, peer in peers.items()}
    for name, call in calls.items():
        assert same(call.result(LIMIT), value), name


@SETTINGS
@given(args=arguments, kwargs=keywords)
def test_properties_arguments_reach_the_view_as_they_are(
    peers: dict[str, Peer], args: list[Any], kwargs: dict[str, Any]
) -> None:
    calls = {
        name: peer.start_call("com.test.everything", *args, **kwargs)
        for name, peer in peers.items()
    }
    for name, call in calls.items():
        assert same(call.result(LIMIT), {"args": args, "kwargs": kwargs}), name


@settings(SETTINGS, max_examples=50)
@given(args=arguments, kwargs=keywords)
def test_properties_arguments_go_from_view_to_view_as_they_are(
    peers: dict[str, Peer], args: list[Any], kwargs: dict[str, Any]
) -> None:
    kwargs.pop("uri", None)  # a parameter of the view between
    calls = {
        name: peer.start_call("com.test.call", "com.test.everything", *args, **kwargs)
        for name, peer in peers.items()
    }
    for name, call in calls.items():
        assert same(call.result(LIMIT), {"args": args, "kwargs": kwargs}), name


@settings(SETTINGS, max_examples=30)
@given(args=arguments, kwargs=keywords)
def test_properties_events_are_the_same_in_every_serializer(
    peers: dict[str, Peer], events: dict[str, Events], args: list[Any], kwargs: dict[str, Any]
) -> None:
    kwargs.pop("details", None)  # where the subscribers have the event's details
    for publisher, peer in peers.items():
        peer.publish("com.test.topic.property", *args, **kwargs)
        for subscriber, received in events.items():
            if subscriber != publisher:
                event = received.get()
                assert same(list(event.args), args), (publisher, subscriber)
                assert same(event.kwargs, kwargs), (publisher, subscriber)
