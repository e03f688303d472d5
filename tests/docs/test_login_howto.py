"""The blocks of the how-to about logging in, run at a node."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest

from flask_wamp.login import Handshake
from flask_wamp.login.authenticator import Authenticator
from flask_wamp.node import CrossbarNode
from flask_wamp.state import state_of
from tests.node.logins import REFUSED, Member, Person, member
from tests.node.support import LIMIT, node_config

from .conftest import BLOCK, ROOT

PAGE = ROOT / "docs/howto/login.md"
#: The files, a later block of the same name at the end of an earlier one.
FILES: dict[str, str] = {}
for _language, name, text in BLOCK.findall(PAGE.read_text()):
    FILES[name] = FILES[name] + "\n\n" + text if name in FILES else text
#: The private key whose public one is on the page.
PRINTER = "4d57d97a68f555696620a6d849c0ce582568518d729eb753dc7c732de2804510"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with the files of the page."""
    directory = tmp_path_factory.mktemp("login")
    for name, text in FILES.items():
        if name.endswith(".py"):
            (directory / name).write_text(text)
    return directory


@pytest.fixture(scope="module")
def node(project: Path) -> Iterator[CrossbarNode]:
    """Run the club's node."""
    session = "flask_wamp.crossbar."
    web, views = session + "WebSession", session + "ViewsSession"
    config = node_config(web=web, views=[views], wsgi="club", governed=True)
    router, container = config["workers"]
    for worker in (router, container):
        worker["options"]["pythonpath"] = [str(ROOT), str(project)]
        worker["components"][0]["extra"] = {"application": "club:app"}
    router["transports"][0]["paths"]["ws"]["auth"].update(json.loads(FILES["methods"]))
    with CrossbarNode(config) as node:
        yield node


def logged_in(node: CrossbarNode, name: str) -> Person:
    """Return a browser whose user has logged in."""
    person = Person(node)
    person.post("login", urlencode({"name": name}))
    return person


@pytest.mark.node
@pytest.mark.slow
def test_users_and_their_roles(node: CrossbarNode) -> None:
    for name, role in (("ann", "board"), ("eve", "user")):
        with member(node.ws_url, cookie=logged_in(node, name).cookie) as page:
            assert page.call("com.club.who") == f"{name} ({role})"
    with member(node.ws_url) as page:
        assert page.person[0] == "anonymous"


@pytest.mark.node
@pytest.mark.slow
def test_logging_out_everywhere(node: CrossbarNode) -> None:
    person = logged_in(node, "dan")
    cookie = person.cookie
    page = Member.log_in(node.ws_url, cookie=cookie)
    assert person.post_json("logout-everywhere") == {"ended": 1}
    page.session.left.result(LIMIT)
    with pytest.raises(ConnectionError, match=REFUSED):
        Member.log_in(node.ws_url, cookie=cookie)


@pytest.mark.node
@pytest.mark.slow
def test_change_of_a_role(node: CrossbarNode) -> None:
    person = logged_in(node, "bob")
    page = Member.log_in(node.ws_url, cookie=person.cookie)
    assert page.person == ("user", "bob")
    assert person.post_json("elect/bob") == {"dropped": 1}
    page.session.left.result(LIMIT)
    with member(node.ws_url, cookie=person.cookie) as page:
        assert page.person == ("board", "bob")


@pytest.mark.node
@pytest.mark.slow
def test_ticket(node: CrossbarNode) -> None:
    with member(node.ws_url, "ticket", **logged_in(node, "ann").post_json("ticket")) as peer:
        assert peer.call("com.club.who") == "ann (user)"


@pytest.mark.node
@pytest.mark.slow
def test_devices(node: CrossbarNode) -> None:
    secret = "a long secret, which the door knows as well"
    with member(node.ws_url, "wampcra", authid="front-door", secret=secret) as door:
        assert door.person == ("device", "front-door")
    with member(node.ws_url, "cryptosign", authid="printer", privkey=PRINTER) as printer:
        assert printer.person == ("device", "printer")


def imported(project: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module of the project, for this test."""
    monkeypatch.syspath_prepend(str(project))
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    return module


def test_login_of_the_tutorial(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = imported(project, "diary", monkeypatch).app
    interface: Any = app.session_interface
    content = {"user_id": 7, "_wamp_login": "1700000000000.abcdefgh"}
    cookie = interface.get_signing_serializer(app).dumps(content)
    authenticator = Authenticator(app, state_of(app).registry)
    page = Handshake({"HTTP_COOKIE": f"session={cookie}", "HTTP_HOST": "localhost"})
    assert authenticator.decide(page) == ("user", "7")
    decided = authenticator.decide(page.without_cookies())
    assert decided is not None
    assert decided[0] == "anonymous"
