"""Pages of other sites, in a browser whose user is logged in to the poll."""

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Frame, Page

from tests.attempts import attempt
from tests.node.support import RawPeer

from .conftest import Poll, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Opens a WebSocket as any script may, joins, and returns who it is by the router's word.
JOIN = """url => new Promise(resolve => {
    const socket = new WebSocket(url, ["wamp.2.json"]);
    socket.onopen = () => socket.send('[1,"realm1",{"roles":{"caller":{}}}]');
    socket.onmessage = event => resolve(JSON.parse(event.data)[2].authrole);
    socket.onclose = () => resolve("closed");
})"""
REFUSED = "WebSocket connection to "


def site(context: BrowserContext, origin: str) -> None:
    """Let a site be there for this browser."""
    context.route(f"{origin}/**", lambda route: route.fulfill(content_type="text/html", body="hi"))


def ask(page: Page | Frame, poll: Poll) -> Any:
    """Return the role that a script of *page* gets at the poll's node; "closed" for none."""
    return page.evaluate(JOIN, poll.node.ws_url)


@pytest.fixture
def victim(visitor: Visitor, poll: Poll) -> Visitor:
    """Give the browser of somebody who is logged in."""
    visitor.expected = f"{REFUSED}|request to "
    return visitor.log_in(poll.owner)


def test_page_of_the_node_itself_is_its_user(victim: Visitor, poll: Poll) -> None:
    """What the others try works where it is meant to."""
    assert ask(victim.open(poll.url), poll) == "user"


@attempt(
    "pages",
    "a page of another site, host or port, opened by somebody who is logged in (Chromium)",
    "no connection",
)
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://127.0.0.1:9", "http://localhost:9", "https://evil.example"],
)
def test_page_of_another_origin(victim: Visitor, poll: Poll, origin: str) -> None:
    site(victim.context, origin)
    assert ask(victim.open(f"{origin}/"), poll) == "closed"


@attempt(
    "pages",
    "a sandboxed frame, a `data:` page and an empty one: the origin `null` (Chromium)",
    "no connection",
)
@pytest.mark.parametrize("kind", ["sandbox", "data", "blank"])
def test_page_without_an_origin(victim: Visitor, poll: Poll, kind: str) -> None:
    site(victim.context, "http://evil.example")
    page: Page | Frame
    if kind == "data":
        page = victim.open("data:text/html,hi")
    elif kind == "blank":
        page = victim.open("about:blank")
    else:
        page = victim.open("http://evil.example/")
        page.evaluate(
            """html => {
                const frame = document.createElement("iframe");
                frame.setAttribute("sandbox", "allow-scripts");
                frame.srcdoc = html;
                return new Promise(resolve => { frame.onload = resolve; document.body.append(frame); });
            }""",
            "hi",
        )
        page = page.frames[-1]
    assert page.evaluate("origin") == "null"
    assert ask(page, poll) == "closed"


@attempt(
    "pages", "the poll's own page in a frame of another site's (Chromium)", "it is not shown there"
)
def test_page_in_a_frame_of_another_site(victim: Visitor, poll: Poll) -> None:
    site(victim.context, "http://evil.example")
    victim.expected += "|frame-ancestors|Failed to load"
    page = victim.open("http://evil.example/")
    has_loaded = page.evaluate(
        """url => new Promise(resolve => {
            const frame = document.createElement("iframe");
            frame.src = url;
            frame.onload = resolve;
            document.body.append(frame);
        }).then(() => document.querySelector("iframe").contentDocument === null)""",
        poll.url,
    )
    assert has_loaded
    assert page.frames[-1].url.startswith("chrome-error:")


@attempt("pages", "a program, which sends no origin", "it may connect, and is who its cookie says")
def test_program_without_an_origin(poll: Poll) -> None:
    peer = RawPeer(poll.node.ws_url)
    peer.join()
    peer.close()
    for origin in ("null", "http://evil.example", "file://"):
        with pytest.raises(ConnectionRefusedError):
            RawPeer(poll.node.ws_url, origin=origin)
