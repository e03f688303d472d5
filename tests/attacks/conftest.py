"""The node that is attacked: the default configuration, and one for all of these tests."""

import itertools
import re
import resource
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from flask_wamp._twisted.reactor_thread import running_reactor
from flask_wamp.node import CrossbarNode
from tests.node.logins import Member, Person, member
from tests.node.support import http, repository_config, wait_until

from .app import KEY

_names = (f"user{number}" for number in itertools.count(1))


def fort_config() -> dict[str, Any]:
    """Return the default configuration, with the application that is attacked."""
    config = repository_config()
    router, container = config["workers"][:2]
    router["components"][0]["classname"] = "tests.attacks.app.Web"
    router["transports"][0]["paths"]["/"]["module"] = "tests.attacks.app"
    container["components"][0]["classname"] = "tests.attacks.app.Views"
    config["workers"] = [router, container]
    return config


class Fort:
    """The node, and what nobody may read in its log."""

    def __init__(self, node: CrossbarNode) -> None:
        self.node = node
        self.url = node.ws_url
        self.secrets = {KEY}
        self.router = int(http(node.url).body)

    def logged_in(self, name: str = "") -> Person:
        """Return a browser in which somebody, nobody else by default, has logged in."""
        person = Person(self.node)
        person.post(f"login/{name or next(_names)}")
        self.keep_secret(person.cookie)
        return person

    def ticket(self, name: str, *, many: bool = False) -> str:
        """Return a ticket of the application's."""
        issued = Person(self.node).post(f"ticket/{name}?{'many' if many else ''}")
        self.keep_secret(issued)
        return issued

    def keep_secret(self, text: str) -> None:
        """See that a cookie or a ticket, changed or not, is in no log."""
        for part in re.split(r"[;=\s]+", text):
            if len(part) > 20:
                self.secrets.add(part)
                # Nor are its parts: what was signed, and the signature.
                self.secrets.update(each for each in part.split(".") if len(each) > 20)

    def refusal(self, method: str | None = None, **given: Any) -> str:
        """Return what is said to who is not let in."""
        self.keep_secret(given.get("cookie", ""))
        self.keep_secret(given.get("ticket", ""))
        with pytest.raises(ConnectionError) as raised:
            Member.log_in(self.url, method, **given).close()
        return str(raised.value)

    def person(self, method: str | None = None, **given: Any) -> tuple[str, str]:
        """Return role and authid of who is let in."""
        self.keep_secret(given.get("cookie", ""))
        with member(self.url, method, **given) as peer:
            return peer.person

    def serves(self) -> bool:
        """See that a visitor can call, and a page loads, in the process that did before."""
        with member(self.url) as visitor:
            assert visitor.call("com.fort.gate", 1) == [1]
        return int(http(self.node.url).body) == self.router

    def told(self, since: int) -> list[str]:
        """Return the lines about strangers that were logged since the log had that length."""
        lines = self.node.log[since:].splitlines()
        return [line for line in lines if "flask-wamp: " in line]


@pytest.fixture(scope="session", autouse=True)
def _reactor() -> None:
    """Start the reactor of the peers, and let this process have as many connections as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    running_reactor()


@pytest.fixture(scope="session")
def _fort() -> Iterator[Fort]:
    with CrossbarNode(fort_config()) as node:
        yield Fort(node)


@pytest.fixture
def fort(_fort: Fort) -> Iterator[Fort]:
    """Give the node, which serves on after each attempt, and has logged no secret."""
    since = len(_fort.node.log)
    yield _fort
    assert _fort.serves()
    log = _fort.node.log[since:]
    assert [secret for secret in _fort.secrets if secret in log] == []
    assert "Unhandled" not in log


@pytest.fixture
def visitor(fort: Fort) -> Iterator[Member]:
    """Give somebody who has not logged in."""
    with member(fort.url) as peer:
        yield peer


@pytest.fixture
def user(fort: Fort) -> Iterator[Member]:
    """Give somebody who has logged in."""
    with member(fort.url, cookie=fort.logged_in().cookie) as peer:
        yield peer


def level(fort: Fort, what: str, rounds: Any, *, most: int = 10_000_000) -> None:
    """See that the second time leaves no more memory behind than the first."""
    router = psutil.Process(fort.router)
    rounds()
    before = router.memory_info().rss
    rounds()
    wait_until(lambda: router.memory_info().rss - before < most, f"{what}: the memory is level")
