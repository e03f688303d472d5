"""The configuration for production, in a browser that takes the certificate as it is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import WebSocket, expect

from flask_wamp.node import CrossbarNode
from tests.production import production_node

from .conftest import Welcome

pytestmark = [pytest.mark.node, pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def production(
    browser: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[CrossbarNode, int]]:
    """Run the node, and give it with the port of plain HTTP."""
    with production_node(tmp_path_factory.mktemp("production") / "polls.sqlite") as node:
        yield node


def test_visitor_of_plain_http_gets_the_live_page(
    production: tuple[CrossbarNode, int], welcome: Welcome
) -> None:
    node, port = production
    visitor = welcome(ignore_https_errors=True)
    visitor.open(node.url).close()
    opened: list[WebSocket] = []
    page = visitor.context.new_page()
    # Playwright cannot call a method of a list.
    page.on("websocket", lambda websocket: opened.append(websocket))  # noqa: PLW0108
    page.goto(f"http://localhost:{port}/?poll=1")
    expect(page.locator("#connection")).to_have_text("live")
    assert page.url == f"{node.url}?poll=1"
    assert [each.url for each in opened] == [node.ws_url]
    visitor.expected = rf"request to http://localhost:{port}/"
