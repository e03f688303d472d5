"""The peers by the name of wampy on a transport that asks its peers whether they are there."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from flask_wamp import connect
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .programs import Wampy, nameko_wamp, python_wampy
from .support import APPS, LIMIT, RawPeer, node_config

pytestmark = [pytest.mark.node, pytest.mark.wampy, pytest.mark.slow]

PINGS = 5


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run a node that asks as the presets do, but more often."""
    module = f"{APPS}.observed"
    config = node_config(web=f"{module}.Web", views=[f"{module}.Views"], wsgi=module)
    way_in = config["workers"][0]["transports"][0]["paths"]["trusted"]
    way_in["options"] = {
        "auto_ping_interval": 1000,
        "auto_ping_timeout": 5000,
        "auto_ping_size": 12,
    }
    with CrossbarNode(config) as node:
        yield node


@pytest.mark.parametrize(
    ("run", "procedure"), [(python_wampy, "wampy_country"), (nameko_wamp, "nameko_country")]
)
def test_service_serves_on_when_it_is_asked(
    node: CrossbarNode, run: Callable[[str, str], AbstractContextManager[Wampy]], procedure: str
) -> None:
    url = trusted_url(node)
    with run(url, "service"), connect(url, "realm1") as wampy:
        # A peer that came later has been asked as often.
        observer = RawPeer(url)
        try:
            pings = [observer.pings.get(timeout=LIMIT) for _ in range(PINGS)]
            assert wampy.call(procedure, "france")["country"] == "FRANCE"
        finally:
            observer.close()
    # What wampy can read: it takes a ping for text, and ends at the first that is none.
    assert all(ping.decode().isprintable() for ping in pings)
    assert len(set(pings)) == PINGS
