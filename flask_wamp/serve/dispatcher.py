"""From an invocation or event into Flask, and back as a value or an error."""

from collections.abc import Callable
from contextlib import closing
from types import GeneratorType
from typing import Any, Protocol

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..context import Event, Invocation, current_event, current_invocation, invocation
from ..declare.declared import Procedure, Subscription
from ..declare.registry import Registry
from ..errors import (
    CANCELED,
    INVALID_PAYLOAD,
    PAYLOAD_SIZE_EXCEEDED,
    RUNTIME_ERROR,
    ApplicationError,
    PayloadError,
)
from ..login.callers import Peer
from ..login.read_only import make_read_only
from ..login.visits import log_in, request_of
from ..metering import Meter
from ..payload import encode, encode_arguments, weight
from ..results import CallResult
from ..signals import call_finished, call_started
from .defects import answer_to_defect, log_handler_error
from .denials import is_denial
from .enclosing import begin_call, begin_event
from .endpoints import Endpoint
from .pipeline import CallPipeline
from .responses import plain_value
from .routes import route_of
from .statuses import http_error
from .validation import Validator, validator_of

#: Takes a progressive result, encoded; raises :class:`CallerGone` where nobody wants more.
Send = Callable[[Any], None]

#: Bytes, roughly, of the list that a caller without progress gets from a generator: what one
#: message may be at most (Crossbar.io's default).
MAX_LIST = 16 * 2**20


#: What a generator has returned that has returned None.
_NOTHING = CallResult()


class Knows(Protocol):
    """Knows who calls."""

    def of(self, invocation: Invocation) -> Peer | None:
        """Return who called, or None where there is nothing to know."""


class CallerGone(Exception):
    """The caller of a progressive procedure wants no further result."""


class Dispatcher:
    """Runs an application's views for invocations, and its handlers for events.

    It knows Flask and nothing of the wire; every method may run on any thread.

    :param callers: knows whose login a call comes with.
    :ivar meter: counts the calls and events of those who ask this to answer them; None for nobody.
    """

    meter: Meter | None = None

    def __init__(self, app: Flask, registry: Registry, callers: Knows | None = None) -> None:
        self._app = app
        self._registry = registry
        self._callers = callers
        self._pipeline = CallPipeline(app, self._has_uri)
        self._endpoints: dict[Procedure, Endpoint] = {}
        self._handlers: dict[Subscription, Endpoint] = {}
        self._validators: dict[Procedure | Subscription, Validator | None] = {}

    def prepare(self) -> None:
        """Make what validates arguments ready, before the first call needs it.

        :raises DeclarationError: an annotation cannot be checked.
        """
        declared: list[Procedure | Subscription] = []
        declared += self._registry.procedures
        declared += self._registry.subscriptions
        for each in declared:
            self._validator(each)

    def call(
        self,
        procedure: Procedure,
        answered: Invocation,
        args: list[Any],
        kwargs: dict[str, Any],
        send: Send | None = None,
        callers: Knows | None = None,
    ) -> Any:
        """Answer a call, and return what travels back: a value, or a :class:`CallResult`.

        :param answered: the call, for ``flask_wamp.invocation``.
        :param send: takes what a generator yields, as it comes; without, it is the list that
            travels back.
        :param callers: knows who called, in place of what this dispatcher was made with.
        :raises ApplicationError: the error that travels back instead.
        """
        app = self._app
        enclosing = begin_call(procedure, answered)
        if call_started.receivers:
            call_started.send(app, invocation=answered)
        answer: ApplicationError | None = None
        token = current_invocation.set(answered)
        try:
            knows = callers or self._callers
            peer = None if knows is None else knows.of(answered)
            return self._answer(procedure, peer, args, kwargs, send)
        except CallerGone:
            answer = ApplicationError(CANCELED, "the call was canceled")
            raise answer from None
        except Exception as error:
            # Whatever a view raises becomes the call's answer: a lost call helps nobody.
            answer = self._error_for(error, answered.uri)
            raise answer from error
        except BaseException as exit_:
            # sys.exit() in a view must not take a thread, and the caller's answer, with it.
            text = f"the procedure ended with {type(exit_).__name__}"
            answer = ApplicationError(RUNTIME_ERROR, text)
            raise answer from exit_
        finally:
            current_invocation.reset(token)
            if call_finished.receivers:
                call_finished.send(app, invocation=answered, error=answer)
            enclosing.end(answer)

    def handle(
        self,
        subscription: Subscription,
        event: Event,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Exception | None:
        """Handle an event; an exception of the handler is logged, and returned."""
        failed: Exception | None = None
        enclosing = begin_event(subscription, event)
        token = current_event.set(event)
        try:
            endpoint = self._handlers.get(subscription)
            if endpoint is None:
                endpoint = Endpoint(self._app, subscription.function, self._validator(subscription))
                self._handlers[subscription] = endpoint
            with self._app.app_context():
                payload, keywords = endpoint.fit(args, kwargs)
                endpoint.function(*payload, **keywords)
        except Exception as error:  # noqa: BLE001
            # The publisher is gone, so the log is all that can be told; the next event is handled.
            failed = error
            log_handler_error(self._app, subscription, event, error)
        finally:
            current_event.reset(token)
            enclosing.end(failed)
        return failed

    def forget(self, declared: Procedure | Subscription) -> None:
        """Drop what was prepared for a declaration that was removed."""
        for prepared in (self._endpoints, self._handlers, self._validators):
            prepared.pop(declared, None)  # type: ignore[arg-type]

    def _validator(self, declared: Procedure | Subscription) -> Validator | None:
        if declared not in self._validators:
            self._validators[declared] = validator_of(declared.function)
        return self._validators[declared]

    def _answer(
        self,
        procedure: Procedure,
        peer: Peer | None,
        args: list[Any],
        kwargs: dict[str, Any],
        send: Send | None,
    ) -> Any:
        endpoint = self._endpoints.get(procedure)
        if endpoint is None:
            route = route_of(self._app, procedure) if procedure.options.request else None
            endpoint = Endpoint(self._app, procedure.function, self._validator(procedure), route)
            self._endpoints[procedure] = endpoint

        def complete(value: Any) -> Any:
            return self._complete(value, send)

        if endpoint.route is not None:
            return self._pipeline.run(endpoint, peer, args, kwargs, complete)
        fit = endpoint.fit(args, kwargs)
        app = self._app
        context = None if peer is None else request_of(app, peer)
        with context or app.app_context():
            if context is not None and peer is not None:
                log_in(app, context.session, peer)
                make_read_only(app, context.session, endpoint.entrance.code)
            visit = endpoint.entrance.visit()
            value = visit.run(endpoint.function, *fit)
            return complete(plain_value(value, lambda place: is_denial(app, visit, place)))

    def _complete(self, value: Any, send: Send | None) -> Any:
        """Return what travels back for a view's *value*; inside the context of its call."""
        json = self._app.json
        if isinstance(value, GeneratorType):
            with closing(value):
                return self._collect(value) if send is None else self._send_all(value, send)
        if isinstance(value, CallResult):
            args, kwargs = encode_arguments(value.args, value.kwargs, json)
            return CallResult(tuple(args), kwargs)
        return encode(value, json, what="the result")

    def _collect(self, generator: "GeneratorType[Any, Any, Any]") -> list[Any]:
        """Return all that *generator* yields, and what it returns unless that is None."""
        items: list[Any] = []
        size = 0

        def collect(item: Any) -> None:
            nonlocal size
            if invocation.cancelled:
                raise CallerGone
            size += weight(item)
            if size > MAX_LIST:
                raise ApplicationError(
                    PAYLOAD_SIZE_EXCEEDED,
                    f"the list of all results is over {MAX_LIST} bytes: ask for progressive ones",
                )
            items.append(_several(item) if isinstance(item, CallResult) else item)

        last = self._send_all(generator, collect)
        if last is not _NOTHING:
            collect(last)
        return items

    def _send_all(self, generator: "GeneratorType[Any, Any, Any]", send: Send) -> Any:
        """Send all that *generator* yields, and return what it returns; nothing for None."""
        while True:
            try:
                item = next(generator)
            except StopIteration as stop:
                return _NOTHING if stop.value is None else self._complete(stop.value, None)
            send(self._complete(item, None))

    def _has_uri(self, error: Exception) -> bool:
        """Tell whether *error* travels under a URI of its own."""
        return isinstance(error, ApplicationError) or self._registry.error_of(error) is not None

    def _error_for(self, error: Exception, uri: str) -> ApplicationError:
        """Return what travels back for *error*: what its author chose, or a generic text."""
        declared = self._registry.error_of(error)
        if declared is not None:
            return self._travelling(ApplicationError(declared[0], *declared[1], **declared[2]))
        if isinstance(error, ApplicationError):
            return self._travelling(error)
        if isinstance(error, HTTPException):
            return http_error(error)
        if isinstance(error, PayloadError):
            self._app.logger.error("The answer of %s was refused: %s", uri, error)
            return ApplicationError(INVALID_PAYLOAD, str(error))
        return answer_to_defect(self._app, error, uri)

    def _travelling(self, error: ApplicationError) -> ApplicationError:
        """Return *error* with a payload that can travel, or the error that its payload makes."""
        try:
            args, kwargs = encode_arguments(error.args, error.kwargs, self._app.json)
        except PayloadError as unfit:
            self._app.logger.error("The payload of the error %s was refused: %s", error.uri, unfit)
            return ApplicationError(INVALID_PAYLOAD, f"the error {error.uri}: {unfit}")
        return ApplicationError(error.uri, *args, **kwargs)


def _several(item: CallResult) -> Any:
    """Return several values as one, for a list."""
    args = list(item.args)
    return {"args": args, "kwargs": item.kwargs} if item.kwargs else args
