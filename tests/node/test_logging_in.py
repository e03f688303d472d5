"""The extension's own connection logs in, by every method, to the principals of a node."""

import json
import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask, current_app, g
from flask.cli import ScriptInfo

from flask_wamp import WAMP, NotConnected, connect
from flask_wamp.cli.group import wamp as group
from flask_wamp.node import CrossbarNode

from .conftest import trusted_url
from .principals import AUTHID, SECRET, TICKET, WRONG, Principals
from .programs import python, wampy_js
from .support import LIMIT, connected, wait_until
from .test_transports_page import application, stop
from .transports import BLOCKS

pytestmark = [pytest.mark.node, pytest.mark.slow]


WAMPY_LOGIN = Path(__file__).parent / "peers" / "wampy_login.cjs"


@pytest.fixture(scope="module")
def principals(tmp_path_factory: pytest.TempPathFactory) -> Principals:
    """Give the ways in."""
    return Principals(tmp_path_factory.mktemp("principals"))


@pytest.fixture(scope="module")
def node(principals: Principals) -> Iterator[CrossbarNode]:
    """Run the node that has them."""
    with principals.node() as node:
        yield node


@pytest.fixture
def make_app(node: CrossbarNode, principals: Principals) -> Iterator[Callable[..., Flask]]:
    """Give a function that makes applications which log in by the way of a name."""
    made: list[tuple[Flask, WAMP]] = []

    def make(name: str, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.from_mapping({"WAMP_URL": principals.url(node, name), **config})
        made.append((app, WAMP(app)))
        return app

    yield make
    for app, wamp in made:
        wamp.stop(app)


NAMES = ("ticket", "ticket function", "wampcra", "salted", "scram", "cryptosign", "key file", "tls")


def keys_of(principals: Principals, name: str) -> dict[str, Any]:
    """Return what opens the way of a *name*."""
    tls = {"WAMP_TLS_CA": str(principals.ca), "WAMP_TLS_CERT": str(principals.client)}
    keys: Mapping[str, dict[str, Any]] = {
        "ticket": {"WAMP_TICKET": TICKET},
        "ticket function": {"WAMP_TICKET": lambda: {"shop": TICKET}[current_app.name]},
        "wampcra": {"WAMP_SECRET": SECRET},
        "salted": {"WAMP_SECRET": SECRET},
        "scram": {"WAMP_SECRET": SECRET, "WAMP_AUTHMETHOD": "scram"},
        "cryptosign": {"WAMP_PRIVATE_KEY": principals.key},
        "key file": {"WAMP_PRIVATE_KEY": str(principals.key_file)},
        "tls": {"WAMP_AUTHMETHOD": "tls", **tls},
    }
    return {"WAMP_AUTHID": AUTHID, **keys[name]}


def way_of(name: str) -> str:
    """Return the way in of a *name*."""
    return {"ticket function": "ticket", "key file": "cryptosign"}.get(name, name)


@pytest.mark.parametrize("name", NAMES)
def test_login(make_app: Callable[..., Flask], principals: Principals, name: str) -> None:
    """As somebody who may ask who is there, which a browser may not."""
    app = make_app(way_of(name), **keys_of(principals, name))
    with app.app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3
        sessions = [g.wampy.meta.session(each) for each in g.wampy.meta.sessions()]
    mine = [each for each in sessions if each.get("authid") == AUTHID]
    method = {"salted": "wampcra"}.get(way_of(name), way_of(name))
    assert [each["authmethod"] for each in mine] == [method]


@pytest.mark.parametrize("name", ["cryptosign", "tls"])
def test_login_without_a_name(
    make_app: Callable[..., Flask], principals: Principals, name: str
) -> None:
    """The key, or the certificate, says whose it is."""
    keys = keys_of(principals, name)
    del keys["WAMP_AUTHID"]
    with make_app(name, **keys).app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3


def refusal(app: Flask) -> str:
    """Return why *app* is not connected."""
    with app.app_context(), pytest.raises(NotConnected) as raised:
        g.wampy.call("com.test.add", 1, 2)
    return str(raised.value)


@pytest.mark.parametrize("name", ["ticket", "wampcra", "salted", "scram", "cryptosign", "tls"])
def test_login_with_the_wrong_secret(
    make_app: Callable[..., Flask],
    node: CrossbarNode,
    principals: Principals,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The router's word is in the error, and the secret nowhere."""
    wrong = {
        "WAMP_TICKET": WRONG,
        "WAMP_SECRET": WRONG,
        "WAMP_PRIVATE_KEY": principals.other_key,
        "WAMP_TLS_CERT": str(principals.other_client),
    }
    keys = keys_of(principals, name)
    keys.update((key, value) for key, value in wrong.items() if key in keys)
    with caplog.at_level(logging.DEBUG):
        app = make_app(name, **keys)
        said = refusal(app)
    assert "the router refused the login to 'realm1': wamp.error." in said
    for text in (said, caplog.text, repr(app.extensions["wamp"].config)):
        assert WRONG not in text
        assert principals.other_key not in text
    assert WRONG not in node.log
    assert SECRET not in node.log


@pytest.mark.parametrize("name", ["ticket", "wampcra", "scram", "cryptosign"])
def test_login_of_a_stranger(
    make_app: Callable[..., Flask], principals: Principals, name: str
) -> None:
    keys = {**keys_of(principals, name), "WAMP_AUTHID": "somebody"}
    assert "the router refused the login to 'realm1': " in refusal(make_app(name, **keys))


def test_login_by_a_method_that_the_router_does_not_offer(
    make_app: Callable[..., Flask], principals: Principals
) -> None:
    assert "the router refused the login to 'realm1': " in refusal(
        make_app("wampcra", **keys_of(principals, "ticket"))
    )


def test_login_that_nobody_asks_for(
    make_app: Callable[..., Flask],
) -> None:
    """What a process is taken for is not what it says it is: that is refused, not overlooked."""
    assert "the login" in refusal(make_app("open", WAMP_AUTHID=AUTHID, WAMP_TICKET=TICKET))


def test_login_ticket_over_tls(make_app: Callable[..., Flask], principals: Principals) -> None:
    keys = {**keys_of(principals, "tls"), "WAMP_AUTHMETHOD": "ticket", "WAMP_TICKET": TICKET}
    with make_app("tls", **keys).app_context():
        assert g.wampy.call("com.test.add", 1, 2) == 3


def test_login_without_credentials_says_so(make_app: Callable[..., Flask]) -> None:
    assert "the router refused the login to 'realm1': " in refusal(make_app("ticket"))


def test_login_function_that_raises(
    make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    def ticket() -> str:
        raise LookupError("no ticket today")

    said = refusal(make_app("ticket", WAMP_AUTHID=AUTHID, WAMP_TICKET=ticket))
    assert "the login failed: the function WAMP_TICKET raised LookupError, see the log" in said
    assert "no ticket today" in caplog.text


def test_connect_logs_in(node: CrossbarNode, principals: Principals) -> None:
    with connect(
        principals.url(node, "scram"), authid=AUTHID, secret=SECRET, authmethod="scram"
    ) as wampy:
        assert wampy.call("com.test.add", 1, 2) == 3
    with (
        pytest.raises(NotConnected, match="refused the login"),
        connect(principals.url(node, "ticket"), authid=AUTHID, ticket=WRONG),
    ):
        pytest.fail("nobody is let in with that")


@pytest.mark.slow
def test_login_again_after_a_restart_of_the_node(tmp_path: Path) -> None:
    """With a ticket that is made anew."""
    given: list[str] = []

    def ticket() -> str:
        given.append(TICKET)
        return TICKET

    principals = Principals(tmp_path)
    with principals.node() as node:
        url = principals.url(node, "ticket")
        with connect(url, authid=AUTHID, ticket=ticket) as wampy:
            assert wampy.call("com.test.add", 1, 2) == 3
            node.stop()
            with pytest.raises(NotConnected):
                wampy.with_options(timeout=0.2).call("com.test.add", 1, 2)
            node.start()

            def answers() -> bool:
                try:
                    return bool(wampy.call("com.test.add", 1, 2) == 3)
                except NotConnected:
                    return False

            wait_until(answers, "the script has logged in again")
    assert len(given) == 2


# --- the page, and the commands


@pytest.mark.slow
def test_page_logs_in(
    node: CrossbarNode, principals: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((authid, principal),) = json.loads(BLOCKS["principals"])["wampcra"]["users"].items()
    assert authid == AUTHID
    monkeypatch.setenv("SHOP_SECRET", principal["secret"])
    there = principals.url(node, "page")
    app = application(BLOCKS["login.py"], ("wss://router.example/services", there))
    try:
        with app.app_context():
            assert g.wampy.call("com.test.add", 1, 2) == 3
    finally:
        stop(app)


@pytest.mark.slow
def test_page_gives_tickets(node: CrossbarNode, principals: Principals, tmp_path: Path) -> None:
    ticket, script = tmp_path / "ticket", tmp_path / "fresh.py"
    ticket.write_text(TICKET + "\n")
    assert "/run/shop/ticket" in BLOCKS["fresh.py"]
    script.write_text(BLOCKS["fresh.py"].replace("/run/shop/ticket", str(ticket)))
    with connected(trusted_url(node)) as peer:
        peer.register("com.shop.stock", {"tea": 7}.__getitem__)
        with python(str(script), principals.url(node, "ticket")) as program:
            assert (program.wait(), program.output) == (0, "7\n")


COMMANDS = {
    "ticket": ("ticket", "--ticket-file", TICKET),
    "wampcra": ("wampcra", "--secret-file", SECRET),
    "scram": ("scram", "--authmethod", "scram", "--secret-file", SECRET),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*COMMANDS, "cryptosign"])
def test_command_logs_in(
    node: CrossbarNode,
    principals: Principals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """By a file, which stands before what the environment has; a wrong one ends with 3."""
    monkeypatch.chdir(tmp_path)
    proof = tmp_path / "proof"
    url = principals.url(node, name)
    _, *words, secret = COMMANDS.get(name, ("", "--key-file", principals.key))
    wrong = principals.other_key if name == "cryptosign" else WRONG

    def call(content: str) -> Result:
        proof.write_text(content + "\n")
        logging_in = ["--url", url, "--authid", AUTHID, *words, str(proof)]
        env = {"FLASK_WAMP_TICKET": WRONG, "FLASK_APP": ""}
        return CliRunner(env=env).invoke(
            group, ["call", *logging_in, "com.test.add", "1", "2"], obj=ScriptInfo()
        )

    result = call(secret)
    assert (result.exit_code, result.output) == (0, "3\n")
    result = call(wrong)
    assert result.exit_code == 3
    assert "the router refused the login to 'realm1': " in result.output
    assert "say who logs in with --authid" in result.output
    assert wrong not in result.output


@pytest.mark.slow
def test_command_logs_in_as_the_application_does(
    make_app: Callable[..., Flask], principals: Principals
) -> None:
    """A function that gives tickets finds that application, not the command's own."""
    app = make_app("ticket", **keys_of(principals, "ticket function"))
    result = app.test_cli_runner().invoke(group, ["call", "com.test.add", "1", "2"])
    assert (result.exit_code, result.output) == (0, "3\n")


# --- wampy.js, which has three of the methods


def wampy_login(url: str, method: str, authid: str, secret: str) -> dict[str, Any]:
    """Return what wampy.js tells of a login."""
    program, directory = wampy_js()
    words = [program, str(WAMPY_LOGIN), directory, url, method, authid]
    ran = subprocess.run(words, input=secret, capture_output=True, text=True, timeout=LIMIT)
    assert ran.stdout, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


@pytest.mark.wampy
@pytest.mark.parametrize("name", ["ticket", "wampcra", "salted", "cryptosign"])
def test_wampy_js_logs_in(node: CrossbarNode, principals: Principals, name: str) -> None:
    method = {"salted": "wampcra"}.get(name, name)
    secret = {"ticket": TICKET, "cryptosign": principals.key}.get(name, SECRET)
    wrong = {"cryptosign": principals.other_key}.get(name, WRONG)
    url = principals.url(node, name)
    told = wampy_login(url, method, AUTHID, secret)
    assert told == {"authid": AUTHID, "role": "backend", "method": method, "result": 3}
    for authid, given in ((AUTHID, wrong), ("somebody", secret)):
        told = wampy_login(url, method, authid, given)
        assert set(told) == {"error"}
