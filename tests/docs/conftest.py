"""The blocks of the how-tos, and the one shop that they build, in its node."""

import importlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask, g
from playwright.sync_api import Browser, Page

from flask_wamp import WAMP
from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode
from flask_wamp.node.preset import Target, configuration
from tests.browser.conftest import browser
from tests.node.support import (
    Peer,
    connected,
    forget_listeners,
    wait_until,
)

__all__ = ["browser"]

ROOT = Path(__file__).parents[2]
PAGES = ("serving", "calling", "bad-input", "command-line", "node")
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WAMPY_JS = ROOT / "flask_app" / "static" / "vendor" / "wampy.min.js"


class Block(NamedTuple):
    """A block of code: its language, the name that stands behind that, and its text."""

    language: str
    name: str
    text: str


BLOCKS = [
    Block(*found)
    for page in PAGES
    for found in BLOCK.findall((ROOT / "docs/howto" / f"{page}.md").read_text())
]
#: The files, a later block of the same name at the end of an earlier one; scripts of pages, JSON.
TEXTS: dict[str, str] = defaultdict(str)
for block in BLOCKS:
    TEXTS[block.name] += ("\n" if TEXTS[block.name] else "") + block.text
SESSIONS = [block.name for block in BLOCKS if block.language == "pycon"]


def node_config() -> dict[str, Any]:
    """Return what init writes for the shop, with what the how-tos put into it."""
    config = configuration("single", Target("shop.app", "app"))
    router = config["workers"][0]
    realm = router["realms"][0]
    realm.update(json.loads(TEXTS["store"]))
    router["transports"][0]["paths"]["ws"]["options"].update(json.loads(TEXTS["limits"]))
    return config


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the how-tos in it."""
    directory = tmp_path_factory.mktemp("howto")
    (directory / ".crossbar").mkdir()
    (directory / ".crossbar/config.json").write_text(json.dumps(node_config()))
    for name in {block.name for block in BLOCKS if block.language == "python"}:
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXTS[name])
    return directory


@pytest.fixture(scope="package")
def node(project: Path) -> Iterator[CrossbarNode]:
    """The shop's node, whose socket is where its directory should be."""
    running_reactor()
    with CrossbarNode(project / ".crossbar/config.json") as node:
        (project / ".crossbar/router.sock").symlink_to(node.directory / "router.sock")
        yield node


@pytest.fixture(scope="package")
def shell(node: CrossbarNode, project: Path) -> Iterator[Flask]:
    """The shop's application in this process, as `flask shell` has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project))
        patch.setenv("FLASK_WAMP_URL", node.backend_url)
        shop = importlib.import_module("shop.app")
        app: Flask = shop.app
        with app.app_context():
            assert g.wampy.call("com.shop.berlin.stock", "tea") == 7
        yield app
        shop.wamp.stop(app)
        forget_listeners(importlib.import_module("shop.events"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
            del sys.modules[name]


@pytest.fixture
def peer(node: CrossbarNode) -> Iterator[Peer]:
    """An Autobahn peer, as browsers are."""
    with connected(node.ws_url) as peer:
        yield peer


@pytest.fixture
def service(node: CrossbarNode) -> Iterator[WAMP]:
    """The extension of a second application, in this process, with the backend's rights."""
    app = Flask("service")
    app.config["WAMP_URL"] = node.backend_url
    wamp = WAMP(app)
    yield wamp
    wamp.stop(app)


@pytest.fixture
def logged(node: CrossbarNode) -> Callable[[str], None]:
    """A function that waits until the node has logged a text, since the test began."""
    start = len(node.log)

    def wait(text: str) -> None:
        wait_until(lambda: text in node.log[start:], f"the node logs {text!r}")

    return wait


class Browsing:
    """A page of the shop, on which the how-tos' scripts run; what it says to its console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))

    def run(self, *names: str, more: str = "") -> list[str]:
        """Run blocks, then *more*, in one function, and return what was said meanwhile."""
        self.said.clear()
        script = "".join(TEXTS[name] for name in names)
        self.page.evaluate("async () => {" + script + more + "}")
        return [text for text in self.said if not text.startswith("Failed to load")]


@pytest.fixture
def browsing(node: CrossbarNode, browser: Browser) -> Iterator[Browsing]:
    page = browser.new_page()
    page.goto(node.url + "quotes/tea")
    page.add_script_tag(content=WAMPY_JS.read_text())
    yield Browsing(page)
    page.close()
