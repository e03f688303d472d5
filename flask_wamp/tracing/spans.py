"""Spans of OpenTelemetry, where the application uses it: calls and events in one trace with what led to them.

Nothing is imported here that the application has not imported: without ``opentelemetry.trace``, or
without a tracer provider behind it, all of this is a look into a dict. Attributes follow the semantic
conventions for RPC and messaging; arguments, results and payload are in none.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from ..errors import RUNTIME_ERROR, ApplicationError, RemoteError
from .carrier import is_traceparent

_NAME = "flask_wamp"


class Span:
    """A span that has begun, and what it is: nothing where there is no tracer.

    A context manager, which makes it the current one and ends it.
    """

    __slots__ = ("_ended", "_span", "_token")

    def __init__(self, span: Any = None) -> None:
        self._span = span
        self._token: Any = None
        self._ended = span is None

    def __enter__(self) -> Self:
        if self._span is not None:
            from opentelemetry.context import attach
            from opentelemetry.trace import set_span_in_context

            self._token = attach(set_span_in_context(self._span))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self.leave()
        self.end(error)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Be the current one meanwhile, and end only where that fails."""
        self.__enter__()
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self.leave()

    @contextmanager
    def ends_if(self, done: Callable[[], bool]) -> Iterator[None]:
        """End with what happens meanwhile, where it is *done* afterwards."""
        try:
            yield
        except BaseException as error:
            if done():
                self.end(error)
            raise
        self.end()

    def leave(self) -> None:
        """Let the span that was the current one before be it again; this one goes on."""
        if self._token is not None:
            from opentelemetry.context import detach

            token, self._token = self._token, None
            detach(token)

    def end(self, error: BaseException | None = None) -> None:
        """The work is done, or has failed with *error*; only the first time counts."""
        if self._ended:
            return
        self._ended = True
        if error is not None:
            self._tell(error)
        self._span.end()

    def _tell(self, error: BaseException) -> None:
        from opentelemetry.trace import StatusCode

        name = type(error).__qualname__
        if isinstance(error, ApplicationError | RemoteError):
            name = error.uri
        self._span.set_status(StatusCode.ERROR, name)
        self._span.set_attribute("error.type", name)
        # What nobody has foreseen, with its traceback; an error that is an answer is none of that.
        unforeseen: BaseException | None = error
        if isinstance(error, RemoteError):
            unforeseen = None
        elif isinstance(error, ApplicationError):
            unforeseen = error.__cause__ if error.uri == RUNTIME_ERROR else None
        if unforeseen is not None:
            self._span.record_exception(unforeseen)


#: What is there where no tracer is.
NO_SPAN = Span()


def calling(uri: str) -> Span:
    """Begin a call of another procedure."""
    tracer = _tracer()
    if tracer is None:
        return NO_SPAN
    return _begun(tracer, uri, "CLIENT", {"rpc.system": "wamp", "rpc.method": uri})


def publishing(topic: str, operation: str = "send") -> Span:
    """Begin to publish.

    :param operation: ``create`` for a durable event, which is sent later.
    """
    tracer = _tracer()
    if tracer is None:
        return NO_SPAN
    return _begun(tracer, f"{operation} {topic}", "PRODUCER", _messaging(topic, operation))


def answering(uri: str, called: str, parent: str | None) -> Span:
    """Begin to answer a call.

    :param uri: the procedure as it is declared, a pattern's own URI.
    :param called: the URI that the caller named.
    :param parent: the traceparent that the call has brought.
    """
    tracer = _tracer()
    if tracer is None:
        return NO_SPAN
    attributes = {"rpc.system": "wamp", "rpc.method": uri}
    if called != uri:
        attributes["wamp.procedure"] = called
    return _begun(tracer, uri, "SERVER", attributes, parent)


def handling(topic: str, published: str, publication: int, parent: str | None) -> Span:
    """Begin to handle an event; see :func:`answering`."""
    tracer = _tracer()
    if tracer is None:
        return NO_SPAN
    attributes = _messaging(published, "process")
    attributes["messaging.message.id"] = str(publication)
    if published != topic:
        attributes["messaging.destination.template"] = topic
    return _begun(tracer, f"process {topic}", "CONSUMER", attributes, parent)


def traceparent() -> str | None:
    """Return the current span as W3C Trace Context has it; None where there is none."""
    if _tracer() is None:
        return None
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _messaging(topic: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": "wamp",
        "messaging.destination.name": topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }


def _begun(
    tracer: Any, name: str, kind: str, attributes: dict[str, str], parent: str | None = None
) -> Span:
    from opentelemetry.trace import SpanKind

    context = None if parent is None else _context_of(parent)
    return Span(
        tracer.start_span(name, context=context, kind=SpanKind[kind], attributes=attributes)
    )


def _context_of(parent: str) -> Any:
    """Return the context in which the span *parent*, of another process, is the current one."""
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    if not is_traceparent(parent):
        return None
    _version, trace, span, flags = parent.split("-")
    known = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(known))


def _tracer() -> Any:
    """Return the application's tracer; None where it uses none that could record."""
    api: Any = sys.modules.get("opentelemetry.trace")
    # It may be half imported, on another thread.
    proxy = getattr(api, "ProxyTracerProvider", None)
    if proxy is None or isinstance(provider := api.get_tracer_provider(), proxy):
        return None
    if isinstance(provider, api.NoOpTracerProvider):
        return None
    if provider is not _made.get("provider"):
        _made.update(provider=provider, tracer=provider.get_tracer(_NAME))
    return _made["tracer"]


#: The tracer, and the provider that has made it.
_made: dict[str, Any] = {}
