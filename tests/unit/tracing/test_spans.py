"""Spans: one trace from a request through calls to events, where there is a tracer."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from flask import Flask, abort, g
from flask.testing import FlaskClient
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from flask_wamp import WAMP, ApplicationError, NoSuchProcedure
from flask_wamp.tracing import spans
from flask_wamp.tracing.carrier import Carried, is_traceparent
from flask_wamp.tracing.current import sending

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Recorded:
    """What was recorded.

    :ivar tracer: makes spans of the test's own.
    """

    def __init__(self, provider: TracerProvider, exporter: InMemorySpanExporter) -> None:
        self.tracer = provider.get_tracer("tests")
        self._exporter = exporter

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        return list(self._exporter.get_finished_spans())

    def named(self, name: str, kind: SpanKind) -> ReadableSpan:
        """Return the one span of that name and kind."""
        (found,) = (span for span in self.spans if (span.name, span.kind) == (name, kind))
        return found


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Let the application have a tracer."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return Recorded(provider, exporter)


def parent_of(span: ReadableSpan) -> int:
    """Return the id of a span's parent."""
    assert span.parent is not None
    return span.parent.span_id


def test_spans_are_nothing_without_a_provider() -> None:
    assert spans.calling("com.shop.add") is spans.NO_SPAN
    assert spans.publishing("com.shop.sold") is spans.NO_SPAN
    assert spans.answering("com.shop.add", "com.shop.add", PARENT) is spans.NO_SPAN
    assert spans.handling("com.shop.sold", "com.shop.sold", 7, PARENT) is spans.NO_SPAN
    assert spans.traceparent() is None


def test_spans_import_nothing() -> None:
    program = """
import sys
from flask import Flask, g
from flask_wamp import WAMP
app = Flask("shop")
wamp = WAMP(app)
wamp.callee("com.shop.add")(lambda: 7)
with wamp.test_client() as client:
    assert client.call("com.shop.add") == 7
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_spans_of_a_request_its_call_and_its_event_are_one_trace(
    app: Flask, wamp: WAMP, http: FlaskClient, recorded: Recorded
) -> None:
    @app.get("/")
    def index() -> Any:
        with recorded.tracer.start_as_current_span("request"):
            return str(g.wampy.call("com.shop.buy", "a secret"))

    @wamp.callee("com.shop.buy")
    def buy(item: str) -> int:
        g.wampy.publish("com.shop.sold", item)
        return 7

    @wamp.consume("com.shop.sold")
    def sold(item: str) -> None:
        with recorded.tracer.start_as_current_span("stock"):
            pass

    with wamp.test_client():
        assert http.get("/").text == "7"
    chain = [
        recorded.named("request", SpanKind.INTERNAL),
        recorded.named("com.shop.buy", SpanKind.CLIENT),
        recorded.named("com.shop.buy", SpanKind.SERVER),
        recorded.named("send com.shop.sold", SpanKind.PRODUCER),
        recorded.named("process com.shop.sold", SpanKind.CONSUMER),
        recorded.named("stock", SpanKind.INTERNAL),
    ]
    assert len(recorded.spans) == len(chain)
    assert len({span.context.trace_id for span in chain}) == 1
    assert [parent_of(span) for span in chain[1:]] == [span.context.span_id for span in chain[:-1]]
    assert dict(chain[1].attributes or {}) == {"rpc.system": "wamp", "rpc.method": "com.shop.buy"}
    assert chain[1].attributes == chain[2].attributes
    assert dict(chain[4].attributes or {}) == {
        "messaging.system": "wamp",
        "messaging.destination.name": "com.shop.sold",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "1",
    }
    assert "secret" not in "".join(span.to_json() for span in chain)
    assert all(span.status.status_code is StatusCode.UNSET for span in chain)
    assert not trace.get_current_span().get_span_context().is_valid


def test_spans_of_a_durable_event_lead_from_its_writing_to_its_handler(
    app: Flask, wamp: WAMP, recorded: Recorded
) -> None:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    wamp.outbox(lambda: database)
    wamp.consume("com.shop.sold")(lambda _item: None)
    with wamp.test_client() as client, closing(database):
        with app.app_context(), recorded.tracer.start_as_current_span("request") as request:
            g.wampy.publish("com.shop.sold", "tea", durable=True)
            database.commit()
        assert client.relay() == 1
    created = recorded.named("create com.shop.sold", SpanKind.PRODUCER)
    assert parent_of(created) == request.get_span_context().span_id
    assert (created.attributes or {})["messaging.operation.name"] == "create"
    assert parent_of(recorded.named("process com.shop.sold", SpanKind.CONSUMER)) == (
        created.context.span_id
    )
    assert len(recorded.spans) == 3


def test_spans_of_started_calls_and_streams_end_with_them(
    app: Flask, wamp: WAMP, recorded: Recorded
) -> None:
    wamp.callee("com.shop.add")(lambda: 7)

    @wamp.callee("com.shop.parts")
    def parts() -> Any:
        yield from (1, 2)

    with wamp.test_client(), app.app_context():
        started = g.wampy.start_call("com.shop.add")
        assert [span.kind for span in recorded.spans] == [SpanKind.SERVER]
        assert started.result() == 7
        assert started.result() == 7
        recorded.named("com.shop.add", SpanKind.CLIENT)
        stream = g.wampy.stream("com.shop.parts")
        assert next(stream) == 1
        assert "com.shop.parts" not in [span.name for span in recorded.spans]
        assert list(stream) == [2]
    server = recorded.named("com.shop.parts", SpanKind.SERVER)
    assert parent_of(server) == recorded.named("com.shop.parts", SpanKind.CLIENT).context.span_id
    assert len(recorded.spans) == 4
    assert not trace.get_current_span().get_span_context().is_valid


def test_spans_of_a_stream_that_is_left(app: Flask, wamp: WAMP, recorded: Recorded) -> None:
    @wamp.callee("com.shop.parts")
    def parts() -> Any:
        yield from range(10)

    with wamp.test_client(), app.app_context(), g.wampy.stream("com.shop.parts") as stream:
        assert next(stream) == 0
    assert recorded.named("com.shop.parts", SpanKind.CLIENT).status.status_code is StatusCode.UNSET
    server = recorded.named("com.shop.parts", SpanKind.SERVER)
    assert server.status.description == "wamp.error.canceled"


def test_spans_of_errors_say_which(app: Flask, wamp: WAMP, recorded: Recorded) -> None:
    @wamp.callee("com.shop.refuse")
    def refuse() -> None:
        raise ApplicationError("com.shop.error.no_stock", "a secret")

    @wamp.callee("com.shop.fail")
    def fail() -> None:
        raise LookupError("no such item")

    @wamp.callee("com.shop.abort")
    def stop() -> None:
        abort(404)

    @wamp.consume("com.shop.sold")
    def sold() -> None:
        raise LookupError("no such item")

    with wamp.test_client(propagate=False), app.app_context():
        for uri, error in (
            ("com.shop.refuse", "com.shop.error.no_stock"),
            ("com.shop.fail", "wamp.error.runtime_error"),
            ("com.shop.abort", "wamp.error.not_found"),
        ):
            with pytest.raises(Exception, match=error.rpartition(".")[2]) as caught:
                g.wampy.call(uri)
            for kind in (SpanKind.SERVER, SpanKind.CLIENT):
                span = recorded.named(uri, kind)
                assert span.status.status_code is StatusCode.ERROR
                assert (span.attributes or {})["error.type"] == caught.value.uri  # type: ignore[attr-defined]
                is_defect = uri == "com.shop.fail" and kind is SpanKind.SERVER
                assert [event.name for event in span.events] == ["exception"] * is_defect
        g.wampy.publish("com.shop.sold")
    handler = recorded.named("process com.shop.sold", SpanKind.CONSUMER)
    assert (handler.attributes or {})["error.type"] == "LookupError"
    assert [event.name for event in handler.events] == ["exception"]
    assert recorded.named("send com.shop.sold", SpanKind.PRODUCER).status.is_unset
    assert "a secret" not in "".join(span.to_json() for span in recorded.spans)


def test_spans_of_calls_that_are_never_answered(app: Flask, wamp: WAMP, recorded: Recorded) -> None:
    with wamp.test_client() as client, app.app_context():
        client.stub("com.other.gone", raises=NoSuchProcedure)
        client.disconnect()
        for send in (g.wampy.call, g.wampy.stream, g.wampy.publish):
            with pytest.raises(Exception, match="lost"):
                list(send("com.other.gone"))
        started = g.wampy.start_call("com.other.gone")
        with pytest.raises(Exception, match="lost"):
            started.result()
    assert [span.status.description for span in recorded.spans] == ["NotConnected"] * 4


def test_spans_of_patterns_have_the_name_that_is_declared(wamp: WAMP, recorded: Recorded) -> None:
    wamp.callee("com.shop.item..stock", match="wildcard")(lambda: 7)
    wamp.subscribe("com.shop.sold", match="prefix")(lambda: None)
    with wamp.test_client() as client:
        client.call("com.shop.item.tea.stock")
        client.publish("com.shop.sold.tea")
    server = recorded.named("com.shop.item..stock", SpanKind.SERVER)
    assert (server.attributes or {})["wamp.procedure"] == "com.shop.item.tea.stock"
    consumer = recorded.named("process com.shop.sold", SpanKind.CONSUMER)
    attributes = consumer.attributes or {}
    assert attributes["messaging.destination.name"] == "com.shop.sold.tea"
    assert attributes["messaging.destination.template"] == "com.shop.sold"


def test_spans_go_on_with_what_has_come(wamp: WAMP, recorded: Recorded) -> None:
    wamp.callee("com.shop.add")(spans.traceparent)
    with wamp.test_client() as client, sending(Carried(traceparent=PARENT)):
        answer = client.call("com.shop.add")
    span = recorded.named("com.shop.add", SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{parent_of(span):016x}" == PARENT.split("-")[2]
    assert is_traceparent(answer)
    assert answer.split("-")[1] == PARENT.split("-")[1] != answer.split("-")[2]
