"""Counts what an application calls and publishes."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from ..call.link import Answer, Link, Results
from ..call.options import Options
from ..declare.declared import Procedure, Subscription
from ..errors import CallTimeout, NotConnected, RemoteError
from .meter import Metrics

#: The router's own errors that are told apart; others are what an application has chosen.
_OF_WAMP = "wamp.error."


class MeasuredLink:
    """A link whose calls and publishes are counted; see :class:`~flask_wamp.call.link.Link`.

    URIs are no labels here: applications make them up, with ids of users in them.
    """

    def __init__(self, link: Link, metrics: Metrics) -> None:
        self._link = link
        self._metrics = metrics

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call the procedure *uri* and return its result."""
        begun = monotonic()
        try:
            result = self._link.call(uri, args, kwargs, options)
        except Exception as error:
            self._count("call", begun, error)
            raise
        self._count("call", begun)
        return result

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to *topic* and return the publication id, None where not acknowledged."""
        begun = monotonic()
        try:
            publication = self._link.publish(topic, args, kwargs, options)
        except Exception as error:
            self._count("publish", begun, error)
            raise
        self._count("publish", begun)
        return publication

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Answer:
        """Call the procedure *uri*, and return where its answer will be."""
        answer = self._link.start(uri, args, kwargs, options)
        self._metrics.sent.labels("start_call", "started").inc()
        return answer

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait until every call has its answer, or one has failed."""
        self._link.wait(answers)

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> Results:
        """Call the procedure *uri* for progressive results."""
        results = self._link.stream(uri, args, kwargs, options)
        self._metrics.sent.labels("stream", "started").inc()
        return results

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve what was declared while the others are served."""
        self._link.add(declared, timeout)

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve *declared* no more."""
        self._link.remove(declared, timeout)

    def _count(self, kind: str, begun: float, error: Exception | None = None) -> None:
        self._metrics.sent.labels(kind, _outcome_of(error)).inc()
        self._metrics.sent_seconds.labels(kind).observe(monotonic() - begun)


def _outcome_of(error: Exception | None) -> str:
    if error is None:
        return "ok"
    if isinstance(error, NotConnected):
        return "not_connected"
    if isinstance(error, CallTimeout):
        return "timeout"
    if isinstance(error, RemoteError) and error.uri in _KNOWN:
        return error.uri.removeprefix(_OF_WAMP)
    return "error"


_KNOWN = frozenset(
    _OF_WAMP + name
    for name in (
        "authorization_failed",
        "canceled",
        "invalid_argument",
        "no_such_procedure",
        "not_authorized",
        "runtime_error",
        "unavailable",
    )
)
