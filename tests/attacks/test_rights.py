"""Everything that a page may not do, tried by pages with each role."""

import importlib.metadata
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from flask_wamp import connect
from flask_wamp.declare.rights import OPEN
from tests.attempts import attempt
from tests.node.logins import Member, Person, member
from tests.node.support import Events, error_of

from .conftest import Fort

pytestmark = pytest.mark.node

DENIED = "wamp.error.not_authorized"
ANOTHER_POLICY = "wamp.error.procedure_exists_with_different_invocation_policy"
#: Who may, of the roles of pages.
CALLS = {
    "com.fort.gate": {"anonymous", "user", "admin"},
    "com.fort.visit": {"anonymous"},
    "com.fort.hall": {"user", "admin"},
    "com.fort.treasury": {"admin"},
    "com.fort.kitchen": set(),
    "com.fort": set(),
    "com.fort.gate.x": set(),
    "com.nobody": set(),
}
SEES = {
    "com.fort.news": {"anonymous", "user", "admin"},
    "com.fort.talk": {"user", "admin"},
    "com.fort.plans": {"admin"},
    "com.fort.inbox": set(),
    "com.nobody": set(),
}
PUBLISHES = {
    "com.fort.news": set(),
    "com.fort.talk": {"user", "admin"},
    "com.fort.plans": {"admin"},
    "com.fort.inbox": {"anonymous", "user", "admin"},
    "com.nobody": set(),
}
#: Where only one topic that is kept is declared.
RETAINS = {"com.fort.plans"}
#: What sees more than a topic that it begins like.
PATTERNS = [
    *((prefix, "prefix") for prefix in ("", "com", "com.", "com.fort", "com.fort.", "com.fort.n")),
    *((prefix, "prefix") for prefix in ("com.fort.news", "com.fort.talk.", "wamp", "wamp.", "w")),
    *(
        (each, "wildcard")
        for each in ("..", "com.fort.", "com..news", "..talk", ".fort.", "wamp..")
    ),
]
_META = re.compile(r'wamp\.register\("(wamp\.[a-z_.]+)"')


def meta_procedures() -> list[str]:
    """Return those of the installed Crossbar.io, whatever a later version adds."""
    crossbar = importlib.metadata.distribution("crossbar")
    source = crossbar.locate_file("crossbar/router/service.py")
    found = _META.findall(source.read_text())
    assert len(found) > 20
    return [str(each) for each in found]


@pytest.fixture(params=["anonymous", "user", "admin"])
def page(request: pytest.FixtureRequest, fort: Fort) -> Iterator[Member]:
    """Give a page of each role."""
    name = {"anonymous": None, "user": "", "admin": "root"}[request.param]
    cookie = "" if name is None else fort.logged_in(name).cookie
    with member(fort.url, cookie=cookie) as peer:
        assert peer.role == request.param
        yield peer


def denied(what: Any) -> bool:
    """Tell whether something is refused with the error that says why."""
    return bool(error_of(what).error == DENIED)


@attempt("rights", "calling what the role may not", "`wamp.error.not_authorized`")
def test_calls(page: Member) -> None:
    for uri, roles in CALLS.items():
        if page.role in roles:
            page.call(uri)
        else:
            assert denied(partial(page.call, uri)), uri


@attempt(
    "rights", "publishing what the role may not, or keeping an event", "`wamp.error.not_authorized`"
)
def test_publishing(page: Member) -> None:
    for uri, roles in PUBLISHES.items():
        if page.role in roles:
            page.publish(uri, "x")
        else:
            assert denied(partial(page.publish, uri, "x")), uri
        if page.role in roles and uri in RETAINS:
            page.publish_retained(uri, "x")
        else:
            assert denied(partial(page.publish_retained, uri, "x")), uri


@attempt(
    "rights",
    "subscribing to what the role may not, exactly, by a prefix or a wildcard",
    "`wamp.error.not_authorized`, and no event",
)
def test_subscribing(fort: Fort, page: Member) -> None:
    seen: dict[str, Events] = {}
    for uri, roles in SEES.items():
        if page.role in roles:
            seen[uri] = page.subscribe(uri)
        else:
            assert denied(partial(page.subscribe, uri)), uri
    for pattern, match in PATTERNS:
        error = error_of(partial(page.subscribe, pattern, match=match)).error
        assert error in (DENIED, "wamp.error.invalid_uri"), pattern
    application = Person(fort.node)
    for uri in SEES:
        if uri != "com.fort.plans":
            application.post(f"tell/{uri}")
    # One more of those that are seen comes behind all that must not come.
    application.post("tell/com.fort.news")
    assert [seen["com.fort.news"].get().args for _ in range(2)] == [("com.fort.news",)] * 2
    for uri, events in seen.items():
        assert {each.args for each in events.waiting()} <= {(uri,), ("x",)}


@attempt("rights", "registering from a browser", "`wamp.error.not_authorized`")
def test_registering(page: Member) -> None:
    free = ("com.mine", "com.fort.new", "flask_wamp.login.other", "x")
    for uri in free:
        assert denied(partial(page.register, uri, print)), uri
    for uri, match in (("com.", "prefix"), ("", "prefix"), ("com..gate", "wildcard")):
        error = error_of(partial(page.register, uri, print, match=match)).error
        assert error in (DENIED, "wamp.error.invalid_uri"), uri
    for uri in ("com.fort.gate", "flask_wamp.login.authenticate", "wamp.session.get"):
        # Crossbar.io says so of what is there before it asks who may.
        error = error_of(partial(page.register, uri, print)).error
        assert error in (DENIED, "wamp.error.procedure_already_exists", "wamp.error.invalid_uri")
        for policy in ("roundrobin", "first", "last", "random"):
            error = error_of(partial(page.register, uri, print, invoke=policy)).error
            assert error.startswith("wamp.error."), uri
    assert page.call("com.fort.gate", "still") == ["still"]


@attempt(
    "rights",
    "the meta API: listing, looking at and killing sessions, registrations, subscriptions, history",
    "`wamp.error.not_authorized`",
)
def test_meta_api(page: Member) -> None:
    for uri in meta_procedures():
        assert denied(partial(page.call, uri)), uri
        assert denied(partial(page.call, uri, page.id)), uri
    for authrole in ("backend", "trusted", "anonymous"):
        assert denied(partial(page.call, "wamp.session.kill_by_authrole", authrole))
    for kind, names in (
        ("session", ("on_join", "on_leave")),
        ("registration", ("on_create", "on_register", "on_unregister", "on_delete")),
        ("subscription", ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")),
    ):
        for name in names:
            topic = f"wamp.{kind}.{name}"
            assert denied(partial(page.subscribe, topic)), topic
            error = error_of(partial(page.publish, topic, "x")).error
            assert error in (DENIED, "wamp.error.invalid_uri"), topic


def of_the_extension(fort: Fort) -> set[str]:
    """Return the URIs that the extension's processes speak by, and some that one may register yet."""
    with connect(fort.node.backend_url) as service:
        numbers = service.call("wamp.registration.list")["exact"]
        listed = {service.call("wamp.registration.get", each)["uri"] for each in numbers}
    found = {uri for uri in listed if uri.startswith("flask_wamp.")}
    # What a supervisor, logins, flow control and the end of the node are asked by.
    assert len({uri.split(".")[1] for uri in found}) > 4
    assert found > set(OPEN)
    return found | {
        "flask_wamp.link.alive",
        "flask_wamp.subscriber.attacked.01234567",
        "flask_wamp.supervisor.views_2.status",
        "flask_wamp.x",
    }


@attempt(
    "rights",
    "calling the procedures that the extension's processes speak by, or taking their names: a "
    "supervisor's, the election's, those of logins and of the node's end",
    "`wamp.error.not_authorized`",
)
def test_procedures_of_the_extension(fort: Fort, page: Member) -> None:
    for uri in of_the_extension(fort):
        for args in ((), ("hand over",), (page.id,), ({"authid": "root"},)):
            assert uri in OPEN or denied(partial(page.call, uri, *args)), uri
        errors = {
            error_of(partial(page.register, uri, print, **options)).error
            for options in ({}, {"invoke": "roundrobin"}, {"force_reregister": True})
        }
        # Crossbar.io says so of what is there before it asks who may.
        assert errors <= {DENIED, "wamp.error.procedure_already_exists", ANOTHER_POLICY}, uri
        assert denied(partial(page.publish, uri, 1))
        assert denied(partial(page.publish_retained, uri, 1))
        for match in (None, "prefix", "wildcard"):
            assert denied(partial(page.subscribe, uri, match=match)), uri
    details = ["realm1", "root", {"session": 1}]
    assert denied(partial(page.call, "flask_wamp.login.authenticate", *details))
