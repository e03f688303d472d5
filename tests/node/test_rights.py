"""What roles may do in a real node whose application says it."""

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from flask_wamp.node import CrossbarNode, NodeError
from tests.attempts import attempt

from .support import APPS, Peer, connected, error_of, node_config, wait_until

pytestmark = pytest.mark.node

ROLES = ("anonymous", "user", "clerk")
DENIED = "wamp.error.not_authorized"


def config(web: str = "Web") -> dict[str, Any]:
    """Return a node that has a way in for each role, and says nothing of what they may do."""
    made = node_config(
        web=f"{APPS}.rights.{web}", views=[f"{APPS}.rights.Views"], wsgi=f"{APPS}.rights"
    )
    router = made["workers"][0]
    roles = {role["name"]: role for role in router["realms"][0]["roles"]}
    roles["anonymous"]["permissions"] = []
    assert roles["user"]["permissions"] == []
    # One that only decorators name.
    assert "clerk" not in roles
    for role in ROLES:
        router["transports"][0]["paths"][role] = {
            "type": "websocket",
            "auth": {"anonymous": {"type": "static", "role": role}},
        }
    return made


@pytest.fixture(scope="module")
def node() -> Iterator[CrossbarNode]:
    """Run the application."""
    with CrossbarNode(config()) as node:
        yield node


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    """Return each role."""
    return str(request.param)


def way(node: CrossbarNode, role: str) -> str:
    """Return where a role comes in."""
    return f"{node.ws_url.rpartition('/')[0]}/{role}"


@pytest.fixture
def peer(node: CrossbarNode, role: str) -> Iterator[Peer]:
    """Return a peer of each role."""
    with connected(way(node, role)) as peer:
        assert peer.role == role
        yield peer


@pytest.fixture
def user(node: CrossbarNode) -> Iterator[Peer]:
    """Return a peer who has logged in."""
    with connected(way(node, "user")) as peer:
        yield peer


@pytest.fixture
def service(node: CrossbarNode) -> Iterator[Peer]:
    """Return a peer with the rights of a service."""
    with connected(way(node, "trusted")) as peer:
        yield peer


@attempt(
    "rights",
    "calling what no decorator allows the role, the meta API and our own procedures among it",
    "`wamp.error.not_authorized`",
)
def test_roles_call_what_is_declared(peer: Peer, role: str) -> None:
    assert peer.call("com.rights.open") == [peer.id, role]
    for uri, roles in (
        ("com.rights.visit", {"anonymous"}),
        ("com.rights.work", {"user", "clerk"}),
        ("com.rights.closed", set()),
        ("com.rights.nothing", set()),
        ("wamp.session.count", set()),
        ("wamp.session.kill_by_authrole", set()),
        ("wamp.session.get", set()),
        ("flask_wamp.flow.check", set()),
        ("flask_wamp.login.end", set()),
    ):
        if role in roles:
            peer.call(uri)
        else:
            assert error_of(partial(peer.call, uri)).error == DENIED


@attempt(
    "rights",
    "registering from a browser, by exact URI, prefix and wildcard",
    "denied, or `wamp.error.invalid_uri`",
)
@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_roles_register_nothing(peer: Peer, match: str) -> None:
    for uri in {"exact": ("com.mine", "x"), "prefix": ("com.", ""), "wildcard": ("com..x",)}[match]:
        error = error_of(partial(peer.register, uri, print, match=match))
        assert error.error in (DENIED, "wamp.error.invalid_uri")
    # Crossbar.io says so of what is there before it asks who may.
    taken = error_of(lambda: peer.register("com.rights.work", lambda: None))
    assert taken.error in (DENIED, "wamp.error.procedure_already_exists")


@attempt(
    "rights",
    "subscribing to what the role may not see, by exact URI, prefix and wildcard",
    "denied, or `wamp.error.invalid_uri`",
)
def test_roles_see_no_more_than_they_may(service: Peer, peer: Peer, role: str) -> None:
    seen = peer.subscribe("com.rights.news")
    for topic, match, roles in (
        ("com.rights.room.tea", None, {"user"}),
        ("com.rights.room.t", "prefix", {"user"}),
        ("com.rights.room..x", "wildcard", {"user"}),
        ("com.rights.room.staff", None, {"clerk"}),
        ("com.rights.room.", "prefix", set()),
        ("com.rights.room.", "wildcard", set()),
        ("com.rights.", "prefix", set()),
        ("com.rights.new", "prefix", set()),
        ("com..news", "wildcard", set()),
        ("", "prefix", set()),
        ("..", "wildcard", set()),
        ("wamp.", "prefix", set()),
        ("wamp.session.on_join", None, set()),
        ("wamp.session.", "wildcard", set()),
    ):
        if role in roles:
            peer.subscribe(topic, match=match)
        else:
            error = error_of(partial(peer.subscribe, topic, match=match))
            assert error.error in (DENIED, "wamp.error.invalid_uri"), topic
    service.call("com.rights.tell", "com.rights.news", 1)
    assert seen.get().args == (1,)


@attempt("rights", "publishing to what the role may not", "`wamp.error.not_authorized`")
def test_roles_publish_what_is_declared(peer: Peer, role: str) -> None:
    for topic, roles in (
        ("com.rights.room.tea", {"user"}),
        ("com.rights.room.staff", {"clerk"}),
        ("com.rights.news", set()),
        ("com.rights.nothing", set()),
    ):
        if role in roles:
            peer.publish(topic, 1)
        else:
            assert error_of(partial(peer.publish, topic, 1)).error == DENIED


@attempt(
    "engine",
    "an event that the router is to keep, by who may only publish",
    "`wamp.error.not_authorized`",
)
def test_retaining_is_a_right_of_its_own(user: Peer) -> None:
    user.publish("com.rights.room.tea", 1)
    error = error_of(lambda: user.publish_retained("com.rights.room.tea", 1))
    assert error.error == DENIED
    assert user.publish_retained("com.rights.kept", 1) > 0


@attempt(
    "engine",
    "a prefix of a topic that static permissions allow by its whole name",
    "`wamp.error.not_authorized`",
)
def test_static_role_sees_no_more_by_a_pattern(node: CrossbarNode) -> None:
    """Crossbar.io would let it subscribe to any prefix of a topic that it may subscribe to."""
    with connected(way(node, "narrow")) as narrow:
        narrow.subscribe("com.x")
        narrow.subscribe("com.rights.", match="prefix")
        for pattern, match in (("com", "prefix"), ("", "prefix"), (".x", "wildcard")):
            error = error_of(partial(narrow.subscribe, pattern, match=match))
            assert error.error == DENIED
        assert error_of(lambda: narrow.publish_retained("com.x", 1)).error == DENIED


@attempt(
    "engine",
    "a function that decides about a right, and raises, hangs, or returns 1",
    "`wamp.error.not_authorized`, without its text; others are served meanwhile",
)
def test_functions_decide_and_only_true_allows(node: CrossbarNode, user: Peer) -> None:
    assert user.call("com.rights.asked.lets") == 4
    for how in ("truthy", "none", "raises"):
        error = error_of(partial(user.call, f"com.rights.asked.{how}"))
        assert error.error == DENIED
        # Nothing of what it raised.
        assert "KeyError" not in str(error)
    waiting = user.start_call("com.rights.asked.hangs")
    # Others are served meanwhile.
    assert user.call("com.rights.open")[1] == "user"
    assert not waiting.done()


@attempt("rights", "leaving while a function is asked who may", "the answer is dropped")
def test_who_leaves_while_a_function_is_asked_harms_nobody(node: CrossbarNode) -> None:
    with connected(way(node, "user")) as peer:
        peer.start_call("com.rights.asked.lets").cancel()
        peer.drop()
    with connected(way(node, "user")) as peer:
        assert peer.call("com.rights.asked.lets") == 4


def test_services_may_do_everything(service: Peer) -> None:
    assert service.call("com.rights.closed") == 3
    assert service.call("wamp.session.count") >= 1
    service.subscribe("", match="prefix")
    assert service.publish_retained("com.any", 1) > 0


@pytest.mark.slow
@attempt("limits", "being denied again and again, to fill the log", "one line")
def test_denials_are_logged_once_with_what_would_allow_it(node: CrossbarNode) -> None:
    start = len(node.log)
    numbers = itertools.count()

    def is_told(peer: Peer, name: str) -> bool:
        error_of(lambda: peer.call(f"com.rights.{name}.{next(numbers)}"))
        return f"com.rights.{name}" in node.log[start:]

    # Other tests are denied so much that the log has its fill, for some seconds.
    with connected(way(node, "clerk")) as peer:
        wait_until(lambda: is_told(peer, "log_begin"), "the log takes lines again")
        for _ in range(3):
            error_of(lambda: peer.call("com.rights.once"))
            error_of(lambda: peer.call("com.rights.closed"))
        wait_until(lambda: is_told(peer, "log_end"), "the log has the last denial")
    assert node.log[start:].count("may not call 'com.rights.once'") == 1
    told = [line for line in node.log.splitlines() if "'clerk'" in line and "rights.closed" in line]
    assert len(told) == 1
    assert "denied: 'clerk' (authid " in told[0]
    assert 'allow="clerk" would allow it, at tests.node.apps.rights.closed (' in told[0]


@pytest.mark.slow
@attempt(
    "engine", "a Crossbar.io that does not take the roles which decide", "the node does not start"
)
def test_node_does_not_start_where_the_engine_takes_no_roles() -> None:
    node = CrossbarNode(config("Lacking"))
    try:
        with pytest.raises(NodeError) as raised:
            node.start()
        assert "does not let flask-wamp decide who may do what" in f"{raised.value}{node.log}"
    finally:
        node.remove()
