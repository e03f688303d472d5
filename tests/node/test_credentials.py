"""Tickets and credentials at a node, with Autobahn's clients: who gets in, and what all others hear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_wamp._twisted.connection.encryption import client_tls
from flask_wamp.address import Address
from flask_wamp.node import CrossbarNode
from flask_wamp.node.configuration import free_port
from flask_wamp.tls import TLSFiles
from tests.attempts import attempt
from tests.certificates import Authority

from .apps.members import PASSWORDS, PRIVATE_KEY
from .logins import DYNAMIC, REFUSED, Member, Person, member, members_config
from .support import wait_until

pytestmark = [pytest.mark.node, pytest.mark.slow]
OTHER_KEY = "11" * 32


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run the node that the members log in to."""
    with CrossbarNode(members_config()) as node:
        yield node


@pytest.fixture
def person(node: CrossbarNode) -> Person:
    """Give a browser, to get tickets with."""
    return Person(node)


def given(method: str, authid: str, *, right: bool = True) -> dict[str, Any]:
    """Return what an authenticator of Autobahn logs in with, right or wrong."""
    password = PASSWORDS["alice"] if right else "another one"
    return {
        "wampcra": {"authid": authid, "secret": password},
        "scram": {"authid": authid, "password": password, "nonce": "", "kdf": "argon2id-13"},
        "cryptosign": {"authid": authid, "privkey": PRIVATE_KEY if right else OTHER_KEY},
    }[method]


def refusal(node: CrossbarNode, method: str, **options: Any) -> str:
    """Return what the router says to who is not let in."""
    with pytest.raises(ConnectionError) as raised:
        Member.log_in(node.ws_url, method, **options).close()
    return str(raised.value)


@attempt("login", "a ticket that is replayed, or used for another authid", "a refusal")
def test_ticket_lets_its_authid_in_once(node: CrossbarNode, person: Person) -> None:
    ticket = person.post("ticket/alice?role=admin")
    assert refusal(node, "ticket", authid="bob", ticket=ticket) == REFUSED
    with member(node.ws_url, "ticket", authid="alice", ticket=ticket) as peer:
        assert peer.person == ("admin", "alice")
        assert peer.call("com.members.who") == ["alice", "admin"]
    assert refusal(node, "ticket", authid="alice", ticket=ticket) == REFUSED


@pytest.mark.slow
@attempt("login", "an expired ticket", "a refusal")
def test_ticket_for_many_uses_lets_in_until_it_expires(node: CrossbarNode, person: Person) -> None:
    ticket = person.post("ticket/alice?reusable=1&expires=10")
    for _ in range(2):
        with member(node.ws_url, "ticket", authid="alice", ticket=ticket) as peer:
            assert peer.person == ("user", "alice")

    def why_not() -> str | None:
        try:
            Member.log_in(node.ws_url, "ticket", authid="alice", ticket=ticket).close()
        except ConnectionError as error:
            return str(error)
        return None

    assert wait_until(why_not, "the ticket has expired") == REFUSED


@attempt("login", "one ticket for one use, used by many at once", "one of them is let in")
def test_ticket_that_is_used_by_many_at_once_lets_one_in(
    node: CrossbarNode, person: Person
) -> None:
    ticket = person.post("ticket/alice")

    def log_in(_number: int) -> str:
        try:
            Member.log_in(node.ws_url, "ticket", authid="alice", ticket=ticket).close()
        except ConnectionError as error:
            return str(error)
        return "in"

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(log_in, range(8)))
    assert sorted(answers) == sorted(["in", *[REFUSED] * 7])


@attempt(
    "login",
    "a ticket that was issued before its user logged out everywhere",
    "`wamp.error.not_authorized`",
)
def test_ticket_is_revoked_with_the_logins(node: CrossbarNode, person: Person) -> None:
    ticket = person.post("ticket/erin")
    person.post("login/erin")
    assert person.post_json("logout") == {"ended": 0}
    assert refusal(node, "ticket", authid="erin", ticket=ticket) == REFUSED
    later = person.post("ticket/erin")
    with member(node.ws_url, "ticket", authid="erin", ticket=later) as peer:
        assert peer.person == ("user", "erin")


@attempt(
    "login",
    "a ticket that was forged or truncated, is empty, endless, or no text",
    "`wamp.error.not_authorized`, or the connection ends",
)
@pytest.mark.parametrize("change", ["forged", "truncated", "too long", "empty", "no text"])
def test_ticket_that_is_none_is_refused(node: CrossbarNode, person: Person, change: str) -> None:
    ticket = person.post("ticket/alice?reusable=1")
    body, _, signature = ticket.rpartition(".")
    changed = {
        "forged": f"{body[:-1]}{'A' if body[-1] != 'A' else 'B'}.{signature}",
        "truncated": ticket[:-1],
        "too long": ticket + "x" * 100_000,
        "empty": "",
        "no text": "\x00\u202e",
    }[change]
    before = len(node.log)
    # Whoever sends what nobody would is cut off, without a word.
    cut_off = "the transport was lost"
    told = refusal(node, "ticket", authid="alice", ticket=changed)
    assert told == (cut_off if change in ("too long", "no text") else REFUSED)
    assert not changed or changed not in node.log[before:]


@attempt("login", "a ticket for the role of a service", "a refusal")
def test_ticket_for_a_role_of_services_is_refused(node: CrossbarNode, person: Person) -> None:
    for role in ("backend", "service", "nobody"):
        ticket = person.post(f"ticket/alice?role={role}")
        assert refusal(node, "ticket", authid="alice", ticket=ticket) == REFUSED


@pytest.mark.parametrize("method", ["wampcra", "scram", "cryptosign"])
def test_credentials_let_their_authid_in(node: CrossbarNode, method: str) -> None:
    with member(node.ws_url, method, **given(method, "alice")) as peer:
        assert peer.person == ("user", "alice")
        assert peer.call("com.members.who") == ["alice", "user"]


@pytest.mark.slow
@attempt(
    "login",
    "wrong passwords and keys, and finding out who has one (WAMP-CRA, SCRAM, cryptosign)",
    "the same challenge and the same refusal, whether or not there is such a user",
)
@pytest.mark.parametrize("method", ["wampcra", "scram", "cryptosign"])
def test_credentials_that_are_wrong_look_like_those_of_nobody(
    node: CrossbarNode, method: str
) -> None:
    with member(node.ws_url, method, **given(method, "alice")):
        pass
    challenges = []
    for authid, right in (("alice", False), ("nobody", True), ("nobody", False)):
        session = Member.try_to(node.ws_url, method, **given(method, authid, right=right))
        with pytest.raises(ConnectionError, match=REFUSED):
            session.joined.result(20)
        challenges.append(session.challenge.extra)
    wrong, unknown, again = challenges
    assert wrong.keys() == unknown.keys() == again.keys()
    for name in ("iterations", "keylen", "memory", "kdf", "channel_binding"):
        assert wrong.get(name) == unknown.get(name)
    assert unknown.get("salt") == again.get("salt")
    assert len(str(wrong.get("salt"))) == len(str(unknown.get("salt")))


@attempt(
    "login", "a name at which the application's function for credentials fails", "the same refusal"
)
def test_credentials_that_the_application_fails_to_know_are_refused(node: CrossbarNode) -> None:
    assert refusal(node, "wampcra", authid="broken", secret="x") == REFUSED


@attempt("login", "reading tickets and passwords in the log", "there are none")
def test_credentials_are_in_no_log(node: CrossbarNode, person: Person) -> None:
    """Autobahn's clients have logged in by every method, before."""
    ticket = person.post("ticket/alice")
    with member(node.ws_url, "ticket", authid="alice", ticket=ticket):
        pass
    log = node.log
    for secret in (*PASSWORDS.values(), ticket, PRIVATE_KEY):
        assert secret not in log


@pytest.mark.slow
def test_certificate_of_a_client_lets_its_name_in(tmp_path: Path) -> None:
    authority = Authority("the members")
    server = authority.issue("server", hosts=["localhost", "127.0.0.1"])
    node = CrossbarNode(members_config())
    port = free_port()
    node._config["workers"][0]["transports"].append({
        "type": "websocket",
        "id": "certificates",
        "endpoint": {
            "type": "tcp",
            "interface": "127.0.0.1",
            "port": port,
            "tls": {
                "key": str(server.write(tmp_path / "server.pem", key=True)),
                "certificate": str(tmp_path / "server.pem"),
                "ca_certificates": [str(authority.write(tmp_path / "ca.pem"))],
            },
        },
        "serializers": ["json"],
        "auth": {"tls": dict(DYNAMIC)},
    })  # fmt: skip

    def options(name: str) -> Any:
        own = authority.issue(name).write(tmp_path / "own.pem", key=True)
        return client_tls(Address.parse(url), TLSFiles(ca=tmp_path / "ca.pem", cert=own, key=own))

    url = f"wss://127.0.0.1:{port}"
    with node:
        with member(url, "tls", tls=options("device 7")) as peer:
            assert peer.person == ("user", "device 7")
        with pytest.raises(ConnectionError, match=REFUSED):
            Member.log_in(url, "tls", tls=options("a\u202eb"))
