"""An application with OpenTelemetry, as its SDK is set up by a user, whose spans stay in memory."""

from typing import Any

from flask import Flask, g
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_wamp import WAMP

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer(__name__)

app = Flask(__name__)
wamp = WAMP(app)


def own_spans() -> list[dict[str, Any]]:
    """Return the spans of this process that have ended, in that order."""
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "trace": span.context.trace_id.to_bytes(16).hex(),
            "span": span.context.span_id.to_bytes(8).hex(),
            "parent": span.parent and span.parent.span_id.to_bytes(8).hex(),
        }
        for span in exporter.get_finished_spans()
    ]


@app.get("/")
def index() -> str:
    """Call, in a span as an instrumentation of Flask would make it, and log."""
    app.logger.debug("page: debug")
    app.logger.info("page: info")
    app.logger.warning("page: warning")
    with tracer.start_as_current_span("GET /"):
        return str(g.wampy.call("com.traced.buy"))


@app.get("/spans")
def page_spans() -> list[dict[str, Any]]:
    """Return the spans of the router's process."""
    return own_spans()


@wamp.callee("com.traced.buy")
def buy() -> str:
    """Publish, and log."""
    app.logger.info("view: info")
    app.logger.warning("view: warning")
    g.wampy.publish("com.traced.sold")
    return "bought"


@wamp.consume("com.traced.sold")
def sold() -> None:
    """Have a span of its own."""
    with tracer.start_as_current_span("stock"):
        app.logger.error("handler: error")


@wamp.callee("com.traced.spans", allow="everyone")
def view_spans() -> list[dict[str, Any]]:
    """Return the spans of the container's process."""
    return own_spans()


@app.get("/spans/of/views")
def spans_of_views() -> Any:
    """Ask for the spans of the container's process."""
    return g.wampy.call("com.traced.spans")
