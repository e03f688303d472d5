"""What a session that has joined may send, and what the router keeps of it."""

from typing import Any

import psutil
import pytest

from flask_wamp.crossbar.manners import MAX_PENDING_CALLS, MAX_RECEIVERS, MAX_SUBSCRIPTIONS, MAX_URI
from flask_wamp.node import CrossbarNode
from tests.attempts import attempt

from .conftest import trusted_url
from .strangers import PROTOCOL_ERROR, Bystanders, Stranger, encoded
from .support import (
    CALL,
    CANCEL,
    ERROR,
    HELLO,
    INVOCATION,
    LIMIT,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    RESULT,
    SUBSCRIBE,
    SUBSCRIBED,
    WELCOME,
    YIELD,
    RawPeer,
    http,
    raw_peer,
)

pytestmark = pytest.mark.node

AUTHENTICATE, GOODBYE, UNSUBSCRIBE, UNREGISTER, INTERRUPT, CHALLENGE = 5, 6, 34, 66, 69, 4
INVALID_ARGUMENT, INVALID_URI = "wamp.error.invalid_argument", "wamp.error.invalid_uri"
UNAVAILABLE = "wamp.error.unavailable"
FORWARDED = {"forward_for": [{"session": 1, "authid": "root", "authrole": "admin"}]}
ROLES: dict[str, Any] = {"roles": {"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}}}
LONG = "com." + "x" * (MAX_URI - 3)


# --- forward_for


@attempt(
    "engine", "a browser sends `forward_for`, to pass for somebody else", "its connection ends"
)
@pytest.mark.parametrize("serializer", ["json", "cbor"])
@pytest.mark.parametrize(
    "message",
    [
        [CALL, 1, FORWARDED, "com.test.who", []],
        [CALL, 1, {"forward_for": []}, "com.test.who", []],
        [PUBLISH, 1, {"acknowledge": True, **FORWARDED}, "com.test.topic.any", [1]],
        [SUBSCRIBE, 1, FORWARDED, "com.test.topic.any"],
        [UNSUBSCRIBE, 1, 1, FORWARDED],
        [REGISTER, 1, FORWARDED, "com.test.mine"],
        [CANCEL, 1, FORWARDED],
        [YIELD, 1, FORWARDED, [1]],
    ],
    ids=lambda message: str(message[0]),
)
def test_forward_for_of_a_browser_ends_its_connection(
    peers_node: CrossbarNode,
    stranger: Stranger,
    bystanders: Bystanders,
    message: Any,
    serializer: str,
) -> None:
    assert stranger.strike(serializer, encoded(serializer, message)) == PROTOCOL_ERROR
    bystanders.check()


@attempt("engine", "a HELLO with `forward_for`", "its connection ends")
def test_forward_for_in_a_hello_ends_the_connection(
    stranger: Stranger, bystanders: Bystanders
) -> None:
    hello = [HELLO, "realm1", {**ROLES, **FORWARDED}]
    assert stranger.begin("json", encoded("json", hello)) == PROTOCOL_ERROR
    bystanders.check()


# --- what is no session's to send


@attempt(
    "sessions",
    "a second HELLO, AUTHENTICATE, or what only routers send, after joining",
    "the connection ends",
)
@pytest.mark.parametrize(
    "message",
    [
        [HELLO, "realm1", ROLES],
        [WELCOME, 1, {"roles": {"broker": {}}}],
        [AUTHENTICATE, "x", {}],
        [CHALLENGE, "ticket", {}],
        [INTERRUPT, 1, {}],
        [INVOCATION, 1, 1, {}],
        [RESULT, 1, {}, [1]],
        [ERROR, CALL, 1, {}, "com.x"],
        [SUBSCRIBED, 1, 1],
    ],
    ids=lambda message: str(message[0]),
)
def test_messages_that_no_joined_peer_sends_end_its_connection(
    stranger: Stranger, bystanders: Bystanders, message: Any
) -> None:
    assert stranger.strike("json", encoded("json", message)) == PROTOCOL_ERROR
    bystanders.check()


@attempt(
    "engine", "two calls with one number, which break the router's books", "the connection ends"
)
def test_call_with_the_number_of_one_that_waits_ends_the_connection(
    peers_node: CrossbarNode, silent: RawPeer
) -> None:
    peer = RawPeer(peers_node.ws_url)
    peer.join()
    peer.send([CALL, 1, {}, "com.raw.silent"])
    silent.receive()
    peer.send([CALL, 1, {}, "com.raw.silent"])
    assert peer.closed.result(LIMIT)[0] == PROTOCOL_ERROR


# --- other people's invocations


@attempt(
    "engine",
    "a result or an error for a call that somebody else is to answer",
    "it is dropped; the caller gets the true answer",
)
@pytest.mark.parametrize(
    "kind", [[ERROR, INVOCATION], [YIELD], [YIELD, "progress"]], ids=["error", "result", "progress"]
)
@pytest.mark.parametrize("url", ["browser", "service"])
def test_answers_to_calls_of_others_are_dropped(
    peers_node: CrossbarNode, silent: RawPeer, kind: list[Any], url: str
) -> None:
    where = trusted_url(peers_node) if url == "service" else peers_node.ws_url
    with raw_peer(peers_node.ws_url) as victim, raw_peer(where) as intruder:
        victim.send([CALL, 1, {"receive_progress": True}, "com.raw.silent"])
        request = silent.receive()[1]
        if kind[0] == ERROR:
            intruder.send([ERROR, INVOCATION, request, {}, "com.evil"])
        else:
            intruder.send([YIELD, request, {"progress": True} if kind[1:] else {}, ["evil"]])
        # What the intruder has sent is dealt with when this is answered.
        assert intruder.request([CALL, 1, {}, "com.test.add", [1, 1]])[3] == [2]
        silent.send([YIELD, request, {}, ["good"]])
        assert victim.receive()[3] == ["good"]


@attempt("limits", "a hundred such answers, to fill the log", "five lines in a minute")
def test_answers_to_calls_of_others_are_logged_and_not_for_ever(
    peers_node: CrossbarNode, silent: RawPeer
) -> None:
    line = "an answer was dropped"
    with raw_peer(peers_node.ws_url) as victim, raw_peer(peers_node.ws_url) as intruder:
        victim.send([CALL, 1, {}, "com.raw.silent"])
        request = silent.receive()[1]
        for _ in range(100):
            intruder.send([YIELD, request, {}, ["evil"]])
        assert intruder.request([CALL, 1, {}, "com.test.add", [1, 1]])[3] == [2]
        peers_node.wait_for_log("further ones are not logged for 60 s", timeout=LIMIT)
        assert 1 <= peers_node.log.count(line) < 100
        silent.send([YIELD, request, {}, ["good"]])
        assert victim.receive()[3] == ["good"]


# --- limits


@attempt("limits", "a URI of more than 1,000 characters", "`wamp.error.invalid_uri`")
def test_long_uris_are_refused_and_nothing_is_kept(
    peers_node: CrossbarNode, bystanders: Bystanders
) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        for message in (
            [CALL, 1, {}, LONG],
            [PUBLISH, 1, {"acknowledge": True}, LONG],
            [SUBSCRIBE, 1, {}, LONG],
            [SUBSCRIBE, 1, {"match": "prefix"}, LONG],
            [REGISTER, 1, {}, LONG],
        ):
            assert peer.request(message)[:5] == [ERROR, message[0], 1, {}, INVALID_URI]
        peer.send([PUBLISH, 1, {}, LONG])
        assert peer.request([SUBSCRIBE, 2, {}, LONG[:-1]])[0] == SUBSCRIBED
    with raw_peer(trusted_url(peers_node)) as service:
        assert service.request([REGISTER, 1, {}, LONG])[4] == INVALID_URI
        assert service.request([SUBSCRIBE, 1, {}, LONG])[4] == INVALID_URI
        assert service.request([REGISTER, 2, {}, "com.guard.long"])[0] == REGISTERED
        with raw_peer(peers_node.ws_url) as caller:
            caller.send([CALL, 1, {}, "com.guard.long"])
            service.send([ERROR, INVOCATION, service.receive()[1], {}, LONG])
            assert caller.receive()[4] == INVALID_URI
    bystanders.check()


@pytest.mark.slow
@attempt("limits", "URIs of 900 kB, again and again", "the same; the memory is level")
def test_memory_is_level_with_long_uris(peers_node: CrossbarNode, bystanders: Bystanders) -> None:
    router = psutil.Process(http(peers_node.url + "pid").json["pid"])

    def rounds() -> int:
        with raw_peer(peers_node.ws_url) as peer:
            for number in range(60):
                uri = f"com.{number}." + "x" * 900_000
                assert peer.request([SUBSCRIBE, number + 1, {}, uri])[4] == INVALID_URI
                assert peer.request([CALL, number + 1, {}, uri])[4] == INVALID_URI
        return int(router.memory_info().rss)

    before = rounds()
    assert rounds() - before < 10_000_000


@attempt("limits", "more than 2,000 subscriptions of a session", "`wamp.error.unavailable`")
def test_subscriptions_have_a_limit_for_browsers_alone(peers_node: CrossbarNode) -> None:
    with raw_peer(peers_node.ws_url) as peer, raw_peer(trusted_url(peers_node)) as service:
        for who in (peer, service):
            for number in range(MAX_SUBSCRIPTIONS):
                who.send([SUBSCRIBE, number + 1, {}, f"com.guard.topic{number}"])
            for _ in range(MAX_SUBSCRIPTIONS):
                assert who.receive()[0] == SUBSCRIBED
        one_more = [SUBSCRIBE, MAX_SUBSCRIPTIONS + 1, {}, "com.guard.more"]
        refusal = peer.request(one_more)
        assert refusal[:5] == [ERROR, SUBSCRIBE, MAX_SUBSCRIPTIONS + 1, {}, UNAVAILABLE]
        assert service.request(one_more)[0] == SUBSCRIBED
        first = peer.request([SUBSCRIBE, MAX_SUBSCRIPTIONS + 2, {}, "com.guard.topic0"])
        assert first[4] == UNAVAILABLE


@attempt("limits", "more than 2,000 calls of a session that wait", "`wamp.error.unavailable`")
def test_calls_that_wait_have_a_limit_for_browsers_alone(
    peers_node: CrossbarNode, silent: RawPeer
) -> None:
    with raw_peer(peers_node.ws_url) as peer, raw_peer(trusted_url(peers_node)) as service:
        for number in range(MAX_PENDING_CALLS):
            peer.send([CALL, number + 1, {}, "com.raw.silent"])
        more = MAX_PENDING_CALLS + 1
        assert peer.request([CALL, more, {}, "com.test.add", [1, 1]])[4] == UNAVAILABLE
        requests = [silent.receive()[1] for _ in range(MAX_PENDING_CALLS)]
        for number in range(more):
            service.send([CALL, number + 1, {}, "com.raw.silent"])
        requests += [silent.receive()[1] for _ in range(more)]
        silent.send([YIELD, requests[0], {}, ["done"]])
        assert peer.receive()[3] == ["done"]
        # The place that this has made is free again.
        assert peer.request([CALL, more + 1, {}, "com.test.add", [1, 1]])[3] == [2]
        for request in requests[1:]:
            silent.send([YIELD, request, {}, []])
        for who in (peer, service):
            assert who.receive()[0] == RESULT


@attempt("limits", "an event that names more than 1,000 receivers", "`wamp.error.invalid_argument`")
def test_receivers_that_an_event_may_name_have_a_limit(peers_node: CrossbarNode) -> None:
    names = [f"name {number}" for number in range(MAX_RECEIVERS)]
    with raw_peer(peers_node.ws_url) as peer:
        options = {"acknowledge": True, "exclude_authid": names}
        topic = "com.test.topic.guard"
        assert peer.request([PUBLISH, 1, options, topic, [1]])[0] == PUBLISHED
        options["exclude"] = [1]
        assert peer.request([PUBLISH, 2, options, topic, [1]])[4] == INVALID_ARGUMENT


@attempt("rights", "a testament of a browser", "`wamp.error.not_authorized`")
def test_testaments_are_not_for_browsers(peers_node: CrossbarNode) -> None:
    with raw_peer(peers_node.ws_url) as peer:
        for uri in ("wamp.session.add_testament", "wamp.session.flush_testaments"):
            answer = peer.request([CALL, 1, {}, uri, ["com.test.topic.any", [1], {}]])
            assert answer[4] == "wamp.error.not_authorized"


# --- what is left behind


@attempt(
    "engine",
    "cancelled calls with 900 kB of arguments, whose caller leaves",
    "they are forgotten; the memory is level",
)
def test_calls_that_were_cancelled_are_forgotten_when_their_caller_leaves(
    peers_node: CrossbarNode, silent: RawPeer
) -> None:
    router = psutil.Process(http(peers_node.url + "pid").json["pid"])

    def rounds() -> int:
        for _ in range(30):
            with raw_peer(peers_node.ws_url) as peer:
                peer.send([CALL, 1, {}, "com.raw.silent", ["x" * 900_000]])
                request = silent.receive()[1]
                assert peer.request([CANCEL, 1, {"mode": "killnowait"}])[0] == ERROR
                assert silent.receive()[:2] == [INTERRUPT, request]
            silent.send([ERROR, INVOCATION, request, {}, "wamp.error.canceled"])
        return int(router.memory_info().rss)

    rounds()
    before = rounds()
    assert rounds() - before < 10_000_000
