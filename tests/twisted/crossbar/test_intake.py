"""Which requests are taken, by their heads."""

from typing import Any

import pytest
from flask import Flask

from flask_wamp import SetupError
from flask_wamp._twisted.engine.channels import Head
from flask_wamp.crossbar.intake import (
    MAX_BODY,
    ONE_HOST,
    OTHER_HOST,
    Intake,
    hosts_of,
    max_body_of,
)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str, **values: Any) -> None:
        self.lines.append(text.format(**values))


def judged(host: str, hosts: list[str] | None = None, address: str = "192.0.2.7") -> Any:
    return Intake(hosts, Log())(Head((host,), 0, address))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:8080", "shop.localhost:8080", "127.0.0.1", "127.0.0.1:8080",
        "127.8.8.8", "[::1]", "[::1]:8080", "192.0.2.7", "192.0.2.7:80",
    ],
)  # fmt: skip
def test_intake_answers_as_this_machine(host: str) -> None:
    assert judged(host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8080", "localhost.evil.example", "notlocalhost", "192.0.2.8",
        "127.0.0.1.evil.example", "[2001:db8::1]", "::1.evil.example", "", " ", "localhost@evil.example",
        "localhost/", "127.0.0.1 evil", "2130706433", "0x7f.1", "xn--", "é.localhost",
    ],
)  # fmt: skip
def test_intake_answers_under_no_other_name(host: str) -> None:
    assert judged(host) is OTHER_HOST


def test_intake_answers_under_the_names_that_it_is_given() -> None:
    hosts = ["shop.example", ".shop.example.org", "[2001:db8::1]", "192.0.2.9"]
    for host in ("shop.example", "shop.example:443", "SHOP.example", "shop.example.org"):
        assert judged(host, hosts) is None
    for host in ("a.b.shop.example.org", "[2001:db8::1]:443", "[2001:DB8:0::1]", "192.0.2.9:80"):
        assert judged(host, hosts) is None
    for host in (
        "a.shop.example",
        "localhost",
        "127.0.0.1",
        "192.0.2.7",
        "[::1]",
        "myshop.example",
    ):
        assert judged(host, hosts) is OTHER_HOST


@pytest.mark.parametrize(
    ("hosts", "name"),
    [
        (None, "localhost"),
        (["*"], "localhost"),
        (["shop.example", "localhost"], "localhost"),
        (["shop.example", "www.shop.example"], "shop.example"),
        ([".shop.example"], "shop.example"),
    ],
)
def test_intake_names_its_page(hosts: list[str] | None, name: str) -> None:
    assert Intake(hosts, Log()).name == name


def test_intake_takes_one_host_of_reasonable_length() -> None:
    intake = Intake(None, Log())
    assert intake(Head((), 0, "127.0.0.1")) is ONE_HOST
    assert intake(Head(("localhost", "localhost"), 0, "127.0.0.1")) is ONE_HOST
    assert intake(Head(("x" * 256,), 0, "127.0.0.1")) is ONE_HOST


def test_intake_takes_any_host_where_it_is_told_so() -> None:
    assert judged("evil.example", ["*"]) is None


def test_intake_says_now_and_then_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("flask_wamp.crossbar.intake.time.monotonic", lambda: now[0])
    log = Log()
    intake = Intake(None, log)
    for host in ("evil.example\x1b[2J", "other.example", "y" * 200):
        intake(Head((host,), 0, "127.0.0.1"))
    (line,) = log.lines
    assert r"'evil.example\x1b[2J'" in line
    assert "TRUSTED_HOSTS" in line
    now[0] += 10
    intake(Head(("y" * 200,), 0, "127.0.0.1"))
    assert len(log.lines) == 2
    assert "y" * 81 not in log.lines[1]


def test_hosts_of_the_component_and_of_the_application() -> None:
    app = Flask("shop")
    assert hosts_of({}, None) is hosts_of({}, app) is None
    app.config["SERVER_NAME"] = "shop.example:8080"
    assert hosts_of({}, app) == [".shop.example", "localhost", ".localhost"]
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    assert hosts_of({}, app) == ["shop.example"]
    assert hosts_of({"hosts": ["other.example"]}, app) == ["other.example"]
    app.config.update(TRUSTED_HOSTS=[], SERVER_NAME=None)
    assert hosts_of({}, app) is None


@pytest.mark.parametrize("hosts", ["shop.example", [1], {"shop.example": 1}])
def test_hosts_that_are_no_list(hosts: Any) -> None:
    with pytest.raises(SetupError, match=r"as in \[\"shop.example\"\]"):
        hosts_of({"hosts": hosts}, None)


def test_max_body_of_the_component_and_of_the_application() -> None:
    app = Flask("shop")
    assert max_body_of({}, None) == max_body_of({}, app) == MAX_BODY
    app.config["MAX_CONTENT_LENGTH"] = 1000
    assert max_body_of({}, app) == 1000
    assert max_body_of({"max_body": 2000}, app) == 2000


@pytest.mark.parametrize("size", [0, -1, True, "1000", 1.5])
def test_max_body_that_is_no_number(size: Any) -> None:
    with pytest.raises(SetupError, match="as in 1048576"):
        max_body_of({"max_body": size}, None)
