"""Which request, call or event this thread is at, and what is sent on of it.

Everything here is kept in context variables: a thread or task that a view starts by itself has none of
it, unless it runs in a copy, ``contextvars.copy_context().run(...)``.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

from flask import current_app, has_request_context, request

from . import spans
from .carrier import NOTHING, Carried, is_id, pack

#: The header of HTTP that brings a correlation id, and takes it back.
HEADER = "X-Request-ID"
_KEY = "flask_wamp.correlation_id"


class _Scope:
    """What encloses the code that runs now.

    :param correlation: its id; by default one is made when it is asked for.
    :ivar environ: the HTTP request that was under way when it began.
    :ivar method: requests of this method, made for a call, are part of it.
    """

    __slots__ = ("_correlation", "environ", "method", "traceparent")

    _making = threading.Lock()

    def __init__(
        self,
        correlation: str | None,
        traceparent: str | None,
        environ: Mapping[str, Any] | None = None,
        method: str | None = None,
    ) -> None:
        self._correlation = correlation
        self.traceparent = traceparent
        self.environ = environ
        self.method = method

    @property
    def correlation(self) -> str:
        """The id."""
        if self._correlation is None:
            # Not before, since most calls neither log nor call anybody; and once, where threads ask
            # that run in copies of the context.
            with self._making:
                self._correlation = self._correlation or new_id()
        return self._correlation


_current: ContextVar[_Scope | None] = ContextVar("flask_wamp.trace", default=None)
_sending: ContextVar[Carried | None] = ContextVar("flask_wamp.sending", default=None)


def correlation_id() -> str | None:
    """Return the id of the HTTP request that the running code belongs to, to find it in logs by.

    It travels with calls and events: what a request leads to, in any process, has the request's. Where
    a call or an event brings none it begins there. None outside of requests, calls and handlers.
    """
    return _correlation(_current.get())


@contextmanager
def correlated(correlation: str | None = None) -> Iterator[str]:
    """Let a script, a job or a thread have a correlation id, which its calls and events bring along.

    :param correlation: 1 to 64 of letters, digits, ``.``, ``_`` and ``-``; by default a new one.
    :raises ValueError: it is something else.
    """
    if correlation is not None and not is_id(correlation):
        raise ValueError(
            f"correlated({correlation!r}): give 1 to 64 letters, digits, '.', '_' and '-', or nothing"
        )
    given = correlation or new_id()
    environ = request.environ if has_request_context() else None
    token = _current.set(_Scope(given, None, environ))
    try:
        yield given
    finally:
        _current.reset(token)


@contextmanager
def sending(carried: Carried) -> Iterator[None]:
    """Let what is sent meanwhile bring *carried*, and nothing of the running code's.

    For what is sent later, by another thread or process, than it was written: durable events.
    """
    token = _sending.set(carried)
    try:
        yield
    finally:
        _sending.reset(token)


def outgoing(stream: str | None = None, event_id: str | None = None) -> str | None:
    """Return what a call or event that is sent now is to bring along, for the router to pass on.

    On the thread that calls or publishes, not on the reactor's.

    :param stream: what a call for progressive results calls these.
    :param event_id: the stable id of a durable event.
    """
    given = _sending.get()
    if given is None:
        scope = _current.get()
        return pack(stream, event_id, _correlation(scope), _parent(scope))
    return pack(
        stream or given.stream, event_id or given.event_id, given.correlation, given.traceparent
    )


def kept() -> Carried:
    """Return what :func:`sending` is to be given later for something that is written now."""
    scope = _current.get()
    return Carried(correlation=_correlation(scope), traceparent=_parent(scope))


def enter(carried: Carried = NOTHING, method: str | None = None) -> Token[_Scope | None]:
    """Begin to answer a call or to handle an event, which has brought *carried*.

    :param method: of the requests that are made of the call.
    :returns: what :func:`leave` takes.
    """
    return _current.set(_Scope(carried.correlation, carried.traceparent, None, method))


def leave(token: Token[_Scope | None]) -> None:
    """End what :func:`enter` has begun."""
    _current.reset(token)


def in_call() -> bool:
    """Tell whether the current request of Flask's was made of a call."""
    scope = _current.get()
    return scope is not None and scope.method == request.method


def new_id() -> str:
    """Return a new id: 16 hexadecimal digits."""
    return os.urandom(8).hex()


def _correlation(scope: _Scope | None) -> str | None:
    """Return the id of what is the innermost: *scope*, or a request of HTTP within it."""
    if not has_request_context():
        return None if scope is None else scope.correlation
    environ = request.environ
    if scope is not None and (
        environ is scope.environ or environ["REQUEST_METHOD"] == scope.method
    ):
        return scope.correlation
    found: str | None = environ.get(_KEY)
    if found is None:
        found = environ[_KEY] = _brought() or new_id()
    return found


def _parent(scope: _Scope | None) -> str | None:
    """Return the current span or, where no tracer makes any, the one that *scope* has come with."""
    found = spans.traceparent()
    return scope.traceparent if found is None and scope is not None else found


def _brought() -> str | None:
    """Return the id that the request has brought, where the application trusts whoever sends it."""
    if current_app.config.get("WAMP_TRUST_REQUEST_ID") is not True:
        return None
    text = request.headers.get(HEADER, "")
    return text if is_id(text) else None
