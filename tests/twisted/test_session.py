"""The session: messages with payload, in both directions."""

from typing import Any

import pytest
from autobahn.wamp import message
from autobahn.wamp.types import ComponentConfig

from flask_wamp import (
    ApplicationError,
    CallResult,
    InvalidArgument,
    NotConnected,
    PayloadError,
    RemoteError,
)
from flask_wamp._twisted.identity import caller_of, publisher_of
from flask_wamp._twisted.replies import Reply, StreamReply
from flask_wamp._twisted.session import NO_OPTIONS, Session
from flask_wamp.call.options import Options
from flask_wamp.declare.declared import Procedure, Subscription

from .doubles import SESSION_ID, Transport
from .helpers import WAMPYS, call, stream

CALL = message.Call.MESSAGE_TYPE
PUBLISH = message.Publish.MESSAGE_TYPE
NASTY = dict.fromkeys(("fun", "self", "options", "error", "callee", "args", "kwargs", "procedure", "topic", "request", "uri", "msg", "details", "endpoint", "obj", "fn", "payload", ""), 1)  # fmt: skip


class Server:
    """Notes what the session hands to its server."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def add(self, declared: Procedure | Subscription) -> Any:
        """Refuse: nothing is added here."""
        raise NotImplementedError

    def remove(self, declared: Procedure | Subscription) -> Any:
        """Refuse: nothing is removed here."""
        raise NotImplementedError

    def invoke(self, invocation: message.Invocation) -> None:
        """Note an invocation."""
        self.got.append(invocation)

    def interrupt(self, request: int) -> None:
        """Note an interrupt."""
        self.got.append(("interrupt", request))

    def handle(self, event: message.Event) -> None:
        """Note an event."""
        self.got.append(event)

    def revoked(self, number: int) -> None:
        """Note what the router has taken away."""
        self.got.append(("revoked", number))

    def lost(self) -> None:
        """Note the end."""
        self.got.append("lost")


@pytest.fixture
def transport() -> Transport:
    """Return the session's transport."""
    return Transport(limit=10_000)


@pytest.fixture
def server(session: Session) -> Server:
    """Return the session's server."""
    server = Server()
    session.server = server
    return server


def publish(session: Session) -> Reply:
    """Return the reply to an acknowledged publish that was sent."""
    reply = Reply()
    session.publish_for(reply, "com.example.x", [], {}, NO_OPTIONS)
    return reply


def test_session_call_is_sent(session: Session, transport: Transport) -> None:
    reply = call(session, "com.example.add", 1, b=2)
    (sent,) = transport.sent
    assert type(sent) is message.Call
    assert (sent.procedure, sent.args, sent.kwargs) == ("com.example.add", [1], {"b": 2})
    assert not reply.done()
    assert session.awaits("com.example.add")
    assert not session.awaits("com.example.other")


@pytest.mark.parametrize(
    ("args", "kwargs", "value"),
    [
        (None, None, None),
        ([], {}, None),
        ([5], None, 5),
        ([None], None, None),
        ([[1, 2]], None, [1, 2]),
        ([1, 2], None, CallResult((1, 2))),
        ([1], {"a": 2}, CallResult((1,), {"a": 2})),
        (None, NASTY, CallResult((), NASTY)),
        ([1], WAMPYS, 1),
        ([True], WAMPYS, CallResult((True,), WAMPYS)),
    ],
)
def test_session_results(
    session: Session, transport: Transport, args: Any, kwargs: Any, value: Any
) -> None:
    reply = call(session)
    transport.receive(message.Result(reply.request, args=args, kwargs=kwargs))
    assert reply.result(0) == value
    assert not session.awaits("com.example.x")


def test_session_results_find_their_calls(session: Session, transport: Transport) -> None:
    replies = [call(session) for _ in range(64)]
    assert len({reply.request for reply in replies}) == 64
    for reply in reversed(replies):
        transport.receive(message.Result(reply.request, args=[reply.request]))
    assert [reply.result(0) for reply in replies] == [reply.request for reply in replies]


def test_session_error_of_a_call(session: Session, transport: Transport) -> None:
    reply = call(session)
    transport.receive(
        message.Error(
            CALL, reply.request, "wamp.error.invalid_argument", args=["a", 1], kwargs=NASTY
        )
    )
    with pytest.raises(InvalidArgument) as caught:
        reply.result(0)
    assert caught.value.args == ("a", 1)
    assert caught.value.kwargs == NASTY


def test_session_error_without_payload(session: Session, transport: Transport) -> None:
    reply = call(session)
    transport.receive(message.Error(CALL, reply.request, "com.example.no_stock"))
    with pytest.raises(RemoteError) as caught:
        reply.result(0)
    assert (caught.value.uri, caught.value.args, caught.value.kwargs) == (
        "com.example.no_stock",
        (),
        {},
    )


@pytest.mark.parametrize("acknowledge", [True, False])
def test_session_publish_is_sent(session: Session, transport: Transport, acknowledge: bool) -> None:
    """Subscribers of the same session get the event too."""
    reply = Reply() if acknowledge else None
    session.publish_for(reply, "com.example.x", [1], {"b": 2}, NO_OPTIONS)
    (sent,) = transport.sent
    assert type(sent) is message.Publish
    assert (sent.topic, sent.args, sent.kwargs) == ("com.example.x", [1], {"b": 2})
    assert bool(sent.acknowledge) is acknowledge
    assert sent.exclude_me is False


def test_session_publish_is_acknowledged(session: Session, transport: Transport) -> None:
    reply = publish(session)
    transport.receive(message.Published(reply.request, 77))
    assert reply.result(0) == 77


def test_session_publish_is_refused(session: Session, transport: Transport) -> None:
    reply = publish(session)
    transport.receive(message.Error(PUBLISH, reply.request, "wamp.error.not_authorized"))
    with pytest.raises(RemoteError, match="not_authorized"):
        reply.result(0)


def test_session_cancel_tells_the_router(session: Session, transport: Transport) -> None:
    reply = call(session)
    session.cancel(reply)
    assert not session.awaits("com.example.x")
    (sent,) = transport.of_kind(message.Cancel)
    assert (sent.request, sent.mode) == (reply.request, "killnowait")
    session.cancel(reply)
    assert len(transport.of_kind(message.Cancel)) == 1


def test_session_cancel_after_the_answer_is_not_sent(
    session: Session, transport: Transport
) -> None:
    reply = call(session)
    transport.receive(message.Result(reply.request, args=[1]))
    session.cancel(reply)
    assert transport.of_kind(message.Cancel) == []


def test_session_late_answers_are_dropped(session: Session, transport: Transport) -> None:
    """An answer to a call that was given up must not end the session."""
    for late in (
        lambda request: message.Result(request, args=[1]),
        lambda request: message.Error(CALL, request, "wamp.error.canceled"),
    ):
        reply = call(session)
        session.cancel(reply)
        transport.receive(late(reply.request))
    for late_too in (
        lambda request: message.Published(request, 1),
        lambda request: message.Error(PUBLISH, request, "wamp.error.canceled"),
    ):
        reply = publish(session)
        session.cancel(reply)
        transport.receive(late_too(reply.request))
    assert session.is_attached()
    assert not transport.closed
    reply = call(session)
    transport.receive(message.Result(reply.request, args=[2]))
    assert reply.result(0) == 2


def test_session_own_requests_of_autobahn_work(session: Session, transport: Transport) -> None:
    """The meta API is called, and topics are subscribed to, with Autobahn's own methods."""
    called = session.call("wamp.registration.lookup", "x")
    published = session.publish("com.example.x")
    assert published is None
    registered = session.register(lambda: None, "com.example.y")
    sent = transport.sent
    transport.receive(message.Result(sent[0].request, args=[55]))
    transport.receive(message.Error(64, sent[2].request, "wamp.error.procedure_already_exists"))
    outcomes: list[Any] = []
    called.addBoth(outcomes.append)
    registered.addErrback(lambda failure: outcomes.append(failure.value.error))
    assert outcomes == [55, "wamp.error.procedure_already_exists"]


def test_session_invocations_and_events_go_to_the_server(
    session: Session, transport: Transport, server: Server
) -> None:
    """Whatever keys their payload has."""
    transport.receive(message.Invocation(1, 2, args=[3], kwargs=NASTY))
    transport.receive(message.Event(4, 5, args=[6], kwargs=NASTY))
    transport.receive(message.Interrupt(1, "killnowait"))
    invocation, event, interrupt = server.got
    assert (invocation.request, invocation.registration) == (1, 2)
    assert (invocation.args, invocation.kwargs) == ([3], NASTY)
    assert (event.subscription, event.args, event.kwargs) == (4, [6], NASTY)
    assert interrupt == ("interrupt", 1)


def test_session_payload_keys_survive_on_the_way_out(
    session: Session, transport: Transport
) -> None:
    session.call_for(Reply(), "com.example.x", [], dict(NASTY), NO_OPTIONS)
    session.publish_for(None, "com.example.x", [], dict(NASTY), NO_OPTIONS)
    session.refuse(9, ApplicationError("com.example.e", 1, **NASTY))
    assert [sent.kwargs for sent in transport.sent] == [NASTY] * 3


def test_session_answer(session: Session, transport: Transport) -> None:
    session.answer(1, {"a": 2})
    session.answer(2, None)
    session.refuse(3, ApplicationError("com.example.e", "no", left=0))
    one, two, three = transport.sent
    assert [type(one), type(two), type(three)] == [message.Yield, message.Yield, message.Error]
    assert (one.request, one.args) == (1, [{"a": 2}])
    assert (two.request, two.args) == (2, [None])
    assert (three.request_type, three.request) == (message.Invocation.MESSAGE_TYPE, 3)
    assert (three.error, three.args, three.kwargs) == ("com.example.e", ["no"], {"left": 0})


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        (object(), "wamp.error.invalid_payload"),
        ("x" * 20_000, "wamp.error.payload_size_exceeded"),
    ],
)
def test_session_answer_that_cannot_be_sent_becomes_an_error(
    session: Session, transport: Transport, value: Any, uri: str
) -> None:
    session.answer(1, value)
    (sent,) = transport.sent
    assert (type(sent), sent.request, sent.error) == (message.Error, 1, uri)
    assert sent.args[0]


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        (object(), "wamp.error.invalid_payload"),
        ("x" * 20_000, "wamp.error.payload_size_exceeded"),
    ],
)
def test_session_error_that_cannot_be_sent_becomes_another(
    session: Session, transport: Transport, value: Any, uri: str
) -> None:
    session.refuse(1, ApplicationError("com.example.e", value))
    (sent,) = transport.sent
    assert (type(sent), sent.request, sent.error) == (message.Error, 1, uri)
    assert "com.example.e" in sent.args[0]


def test_session_call_that_cannot_be_sent(session: Session, transport: Transport) -> None:
    with pytest.raises(PayloadError):
        call(session, "com.example.x", object()).result(0)
    with pytest.raises(RemoteError, match="payload_size_exceeded"):
        call(session, "com.example.x", "x" * 20_000).result(0)
    assert transport.sent == []
    assert not session.awaits("com.example.x")


@pytest.mark.parametrize("end", ["goodbye", "lost"])
def test_session_end_fails_all_that_wait(
    session: Session, transport: Transport, server: Server, end: str
) -> None:
    replies = [call(session), publish(session), call(session)]
    if end == "goodbye":
        transport.receive(message.Goodbye("wamp.close.system_shutdown", "good night"))
    else:
        transport.lose()
    for reply in replies:
        with pytest.raises(NotConnected, match="the session ended while an answer was awaited"):
            reply.result(0)
    assert server.got == ["lost"]
    if end == "goodbye":
        with pytest.raises(NotConnected, match=r"system_shutdown: good night"):
            replies[0].result(0)


def test_session_after_its_end(session: Session, transport: Transport, server: Server) -> None:
    transport.lose()
    with pytest.raises(NotConnected, match="could not be sent"):
        call(session).result(0)
    session.publish_for(None, "com.example.x", [], {}, NO_OPTIONS)
    session.answer(1, 2)
    session.refuse(1, ApplicationError("com.example.e"))
    assert transport.sent == []


def test_session_before_it_joined(transport: Transport) -> None:
    session = Session(ComponentConfig(realm="realm1"))
    transport.open(session)
    (hello,) = transport.sent
    assert (type(hello), hello.realm) == (message.Hello, "realm1")
    session.answer(1, 2)
    assert transport.sent == [hello]


def test_session_knows_itself(session: Session) -> None:
    assert session.session_id == SESSION_ID
    assert session.authrole == "backend"


# --- who called


SPOOF = {"session": 1, "authid": "root", "authrole": "admin"}
TRUE = {"session": 2, "authid": "mallory", "authrole": "anonymous"}


@pytest.mark.parametrize(
    ("forward_for", "identity"),
    [
        (None, (3, "alice", "user")),
        ([TRUE], (2, "mallory", "anonymous")),
        ([SPOOF, TRUE], (2, "mallory", "anonymous")),
        ([SPOOF, SPOOF, TRUE], (2, "mallory", "anonymous")),
    ],
)
def test_session_identity_is_the_routers_word(
    session: Session, transport: Transport, server: Server, forward_for: Any, identity: Any
) -> None:
    transport.receive(
        message.Invocation(
            1, 2, caller=3, caller_authid="alice", caller_authrole="user", forward_for=forward_for
        )
    )
    transport.receive(
        message.Event(
            1,
            2,
            publisher=3,
            publisher_authid="alice",
            publisher_authrole="user",
            forward_for=forward_for,
        )
    )
    invocation, event = server.got
    assert caller_of(invocation) == identity
    assert publisher_of(event) == identity


def test_session_identity_where_it_is_not_disclosed(
    session: Session, transport: Transport, server: Server
) -> None:
    transport.receive(message.Invocation(1, 2))
    transport.receive(message.Event(1, 2))
    invocation, event = server.got
    assert caller_of(invocation) == (None, None, None)
    assert publisher_of(event) == (None, None, None)


# --- options on the wire


@pytest.fixture
def raw(session: Session, transport: Transport, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the messages as lists, as they are sent, before anything reads them."""
    sent: list[Any] = []
    send = transport.send

    def note(msg: Any) -> None:
        sent.append(msg.marshal())
        send(msg)

    monkeypatch.setattr(transport, "send", note)
    return sent


@pytest.mark.parametrize("disclose_me", [True, False, None])
def test_session_disclose_me_on_the_wire(
    session: Session, raw: list[Any], disclose_me: bool | None
) -> None:
    """Autobahn leaves it out."""
    options = Options(disclose_me=disclose_me)
    session.call_for(Reply(), "com.example.x", [1], {}, options)
    session.call_for(StreamReply("token"), "com.example.x", [], {}, options)
    session.publish_for(None, "com.example.x", [1], {"b": 2}, options)
    call, streaming, publish = raw
    for sent in raw:
        assert sent[2].get("disclose_me") is disclose_me
        assert ("disclose_me" in sent[2]) is (disclose_me is not None)
    assert (call[0], *call[3:]) == (CALL, "com.example.x", [1])
    assert streaming[2]["receive_progress"] is True
    assert (publish[0], *publish[3:]) == (PUBLISH, "com.example.x", [1], {"b": 2})


def test_session_publish_options_on_the_wire(session: Session, raw: list[Any]) -> None:
    options = Options(
        exclude_me=True,
        exclude=(1, 2),
        exclude_authid=("a",),
        exclude_authrole=("b",),
        eligible=(3,),
        eligible_authid=("c",),
        eligible_authrole=("d",),
    )
    session.publish_for(Reply(), "com.example.x", [], {}, options)
    session.publish_for(None, "com.example.x", [], {}, Options(retain=True, exclude=()))
    session.publish_for(None, "com.example.x", [], {}, NO_OPTIONS)
    full, retained, plain = (sent[2] for sent in raw)
    assert full["acknowledge"] is True
    assert {key: full[key] for key in full if key.startswith(("exclude_auth", "eligible"))} == {
        "exclude_authid": ["a"],
        "exclude_authrole": ["b"],
        "eligible": [3],
        "eligible_authid": ["c"],
        "eligible_authrole": ["d"],
    }
    assert full["exclude"] == [1, 2]
    # Who publishes is left out where nothing is said.
    assert full.get("exclude_me", True) is True
    assert retained["retain"] is True
    assert retained["exclude_me"] is plain["exclude_me"] is False
    assert "retain" not in plain
    assert not {"eligible", "exclude_authid", "disclose_me"} & plain.keys()


@pytest.mark.parametrize("mode", ["kill", "skip", "killnowait"])
def test_session_cancel_mode_on_the_wire(session: Session, transport: Transport, mode: str) -> None:
    session.cancel(call(session), mode)
    (cancel,) = transport.of_kind(message.Cancel)
    assert cancel.mode == mode


def test_session_publish_that_was_given_up_is_not_canceled(
    session: Session, transport: Transport
) -> None:
    session.cancel(publish(session))
    assert transport.of_kind(message.Cancel) == []


# --- answers


def test_session_answers_of_several_values(session: Session, raw: list[Any]) -> None:
    session.answer(1, CallResult((1, [2]), {"left": b"x"}))
    session.answer(2, CallResult())
    session.progress(3, {"a": 1})
    session.progress(3, CallResult((1, 2)))
    assert [sent[3:] for sent in raw] == [
        [[1, [2]], {"left": b"x"}],
        [],
        [[{"a": 1}]],
        [[1, 2]],
    ]
    assert [sent[2].get("progress") for sent in raw] == [None, None, True, True]


def test_session_answer_of_keyword_values_alone(session: Session, raw: list[Any]) -> None:
    """Positional payload is a list, an empty one where keyword payload follows (spec, 9.2.3)."""
    session.answer(1, CallResult((), {"left": 2}))
    session.progress(2, CallResult((), {"left": 2}))
    assert [sent[3:] for sent in raw] == [[[], {"left": 2}]] * 2


@pytest.mark.parametrize("value", [object(), "x" * 20_000])
def test_session_progressive_result_that_cannot_be_sent_is_raised(
    session: Session, transport: Transport, value: Any
) -> None:
    """The one who sends it knows what else there is to end."""
    with pytest.raises(Exception, match=r"20\d+ bytes|object"):
        session.progress(1, value)
    assert transport.sent == []


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        (object(), "wamp.error.invalid_payload"),
        ("x" * 20_000, "wamp.error.payload_size_exceeded"),
    ],
)
def test_session_refuse_unfit(session: Session, transport: Transport, value: Any, uri: str) -> None:
    try:
        session.progress(1, value)
    except Exception as error:  # noqa: BLE001 - whatever the serializer has raised
        session.refuse_unfit(1, error)
    (sent,) = transport.sent
    assert (type(sent), sent.request, sent.error) == (message.Error, 1, uri)
    assert sent.args[0]


# --- what the router takes away


def test_session_revocations_are_told_to_the_server(
    session: Session, transport: Transport, server: Server
) -> None:
    transport.receive(message.Unregistered(0, registration=5))
    transport.receive(message.Unsubscribed(0, subscription=6))
    assert server.got == [("revoked", 5), ("revoked", 6)]
    assert not transport.closed


def test_session_revocation_without_a_server(session: Session, transport: Transport) -> None:
    transport.receive(message.Unregistered(0, registration=5))
    assert session.is_attached()
    assert not transport.closed


def test_session_own_unregistration_is_no_revocation(
    session: Session, transport: Transport, server: Server
) -> None:
    registered: list[Any] = []
    session.register(lambda: None, "com.example.y").addCallback(registered.append)
    transport.receive(message.Registered(transport.sent[-1].request, 5))
    ended: list[Any] = []
    registered[0].unregister().addCallback(ended.append)
    assert ended == []
    transport.receive(message.Unregistered(transport.sent[-1].request))
    assert len(ended) == 1
    assert server.got == []


def test_session_result_that_the_router_does_not_read(
    session: Session, transport: Transport
) -> None:
    for reply in (call(session), stream(session)):
        result = message.Result(
            reply.request, payload=b"x", enc_algo="cryptobox", enc_key="k", enc_serializer="cbor"
        )
        transport.receive(result)
        with pytest.raises(RemoteError, match=r"invalid_payload: .*does not read"):
            reply.result(0)
