"""Chromium, and polls on the project's node."""

import json
import os
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    sync_playwright,
)

from flask_wamp.node import CrossbarNode
from tests.people import Person

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "flask_app" / "static" / "vendor" / "wampy.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing(what: str) -> NoReturn:
    """Skip where something is missing, on a laptop; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run Chromium, for this package only: Playwright leaves an event loop in the main thread."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing("no Chromium here (Debian: apt-get install chromium)")
    if not VENDOR.exists():
        missing(f"no {VENDOR.relative_to(ROOT)} here: make {VENDOR.relative_to(ROOT)}")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


def post(node: CrossbarNode, path: str, **body: object) -> dict[str, Any]:
    """Send JSON over HTTP, as a program does, and return what it answers."""
    request = urllib.request.Request(
        node.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


class Poll:
    """A poll of one test alone."""

    def __init__(self, node: CrossbarNode, question: str, choices: list[str]) -> None:
        self.node = node
        self.owner = Person(node.url)
        self._created = self.owner.create(question, *choices)
        self.id: int = self._created["id"]
        self.url = f"{node.url}?poll={self.id}"
        self.choices = {choice["text"]: choice["id"] for choice in self._created["choices"]}

    def vote(self, text: str) -> None:
        """Vote over HTTP, from outside of any browser."""
        post(self.node, f"polls/{self.id}/votes", choice=self.choices[text])

    def results(self) -> dict[str, int]:
        """Return the votes that are in the database."""
        with urllib.request.urlopen(f"{self.node.url}polls/{self.id}", timeout=30) as response:
            return {choice["text"]: choice["votes"] for choice in json.load(response)["choices"]}


@pytest.fixture
def poll(browser: Browser, crossbar_node: CrossbarNode) -> Poll:
    return Poll(crossbar_node, "What do you drink?", ["Tea", "Coffee", "Water"])


class Visitor:
    """A person with a browser of their own, whose pages are watched.

    :ivar expected: which complaints may come, a regular expression.
    :ivar complaints: errors and warnings of the console, violations of the content security
        policy among them, uncaught exceptions, and requests to any other host.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.expected = r"(?!)"
        self.complaints: list[str] = []
        self._hosts: set[str] = set()
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self._on_address(request.url))

    def log_in(self, person: Person) -> "Visitor":
        """Have the cookies of somebody who is logged in."""
        self.context.add_cookies([{"name": "session", "value": person.cookie, "url": person.url}])
        return self

    def open(self, url: str) -> Page:
        """Open a page; requests to its host are fine from now on."""
        self._hosts.add(urlsplit(url).netloc)
        page = self.context.new_page()
        page.on("websocket", lambda websocket: self._on_address(websocket.url))
        page.goto(url)
        return page

    @contextmanager
    def complains(self, text: str) -> Iterator[None]:
        """Wait until what the block does has led to a complaint with *text*."""
        page = self.context.pages[0]
        yield
        deadline = time.monotonic() + 15
        while not any(text in complaint for complaint in self.complaints):
            assert time.monotonic() < deadline, self.complaints
            # Playwright delivers its events while it waits.
            with suppress(Error):
                page.evaluate("new Promise(requestAnimationFrame)")

    def surprises(self) -> list[str]:
        """Return what went on in the pages and must not have."""
        return [text for text in self.complaints if not re.search(self.expected, text)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _on_address(self, url: str) -> None:
        if urlsplit(url).netloc not in self._hosts:
            self.complaints.append(f"request to {url}")


Welcome = Callable[..., Visitor]


@pytest.fixture
def welcome(browser: Browser) -> Iterator[Welcome]:
    """Return a function that makes a visitor; it takes the settings of a browser context.

    What surprises in any page of any visitor fails the test.
    """
    visitors: list[Visitor] = []

    def make(**settings: Any) -> Visitor:
        context = browser.new_context(**settings)
        context.set_default_timeout(15_000)
        visitors.append(Visitor(context))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
    surprises = [surprise for visitor in visitors for surprise in visitor.surprises()]
    assert surprises == []


@pytest.fixture
def visitor(welcome: Welcome) -> Visitor:
    return welcome()
