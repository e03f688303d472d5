"""What encloses a view or a handler that runs: the correlation id, and a span that others can follow."""

from contextvars import Token
from typing import Any

from ..context import METHOD, Event, Invocation
from ..declare.declared import Procedure, Subscription
from ..tracing import spans
from ..tracing.current import enter, leave


class Enclosing:
    """Is there from its making to its :meth:`end`, on one thread."""

    __slots__ = ("_scope", "_span")

    def __init__(self, scope: Token[Any], span: spans.Span) -> None:
        self._scope = scope
        self._span = span
        if span is not spans.NO_SPAN:
            span.__enter__()

    def end(self, error: BaseException | None) -> None:
        """The view or handler has ended, with what it leads to outside."""
        if self._span is not spans.NO_SPAN:
            self._span.leave()
            self._span.end(error)
        leave(self._scope)


def begin_call(procedure: Procedure, answered: Invocation) -> Enclosing:
    """Begin to answer a call; in spans a pattern's calls have its own name."""
    carried = answered.carried
    is_pattern = procedure.options.match != "exact"
    uri = procedure.name if is_pattern else answered.uri
    scope = enter(carried, METHOD)
    return Enclosing(scope, spans.answering(uri, answered.uri, carried.traceparent))


def begin_event(subscription: Subscription, event: Event) -> Enclosing:
    """Begin to handle an event."""
    carried = event.carried
    scope = enter(carried)
    span = spans.handling(subscription.topic, event.uri, event.publication, carried.traceparent)
    return Enclosing(scope, span)
