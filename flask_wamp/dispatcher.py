"""From an invocation or event into Flask, and back as a value or an error."""

import secrets
import traceback
from typing import Any

from flask import Flask, got_request_exception
from werkzeug.exceptions import HTTPException

from .arguments import Arguments
from .context import Event, Invocation, current_event, current_invocation
from .errors import (
    INVALID_PAYLOAD,
    RUNTIME_ERROR,
    ApplicationError,
    PayloadError,
)
from .payload import encode, encode_arguments
from .pipeline import CallPipeline, Route, http_error, plain_value, route_of
from .registry import Procedure, Registry, Subscription, describe


class Dispatcher:
    """Runs an application's views for invocations, and its handlers for events.

    It knows Flask and nothing of the wire; every method may run on any thread.
    """

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._registry = registry
        self._pipeline = CallPipeline(app, self._has_uri)
        self._endpoints: dict[Procedure, Endpoint] = {}
        self._handlers: dict[Subscription, Arguments] = {}

    def call(
        self,
        procedure: Procedure,
        invocation: Invocation,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        """Answer a call, and return what travels back.

        :raises ApplicationError: the error that travels back instead.
        """
        token = current_invocation.set(invocation)
        try:
            return self._answer(procedure, args, kwargs)
        except Exception as error:
            # Whatever a view raises becomes the call's answer: a lost call helps nobody.
            raise self._error_for(error, invocation.uri) from error
        finally:
            current_invocation.reset(token)

    def handle(
        self,
        subscription: Subscription,
        event: Event,
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> None:
        """Handle an event; an exception of the handler is logged."""
        function = subscription.function
        token = current_event.set(event)
        try:
            arguments = self._handlers.get(subscription)
            if arguments is None:
                arguments = self._handlers[subscription] = Arguments(function)
            with self._app.app_context():
                arguments.check(args, kwargs)
                self._app.ensure_sync(function)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            # The publisher is gone, so the log is all that can be told; the next event is handled.
            self._log_handler_error(subscription, event, error)
        finally:
            current_event.reset(token)

    def _answer(self, procedure: Procedure, args: list[Any], kwargs: dict[str, Any]) -> Any:
        endpoint = self._endpoints.get(procedure)
        if endpoint is None:
            endpoint = self._endpoints[procedure] = Endpoint(self._app, procedure)
        if endpoint.route is not None:
            value = self._pipeline.run(endpoint.route, endpoint.arguments, args, kwargs)
        else:
            endpoint.arguments.check(args, kwargs)
            with self._app.app_context():
                value = plain_value(endpoint.function(*args, **kwargs))
        return encode(value, self._app.json, what="the result")

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
        return self._internal_error(error, uri)

    def _travelling(self, error: ApplicationError) -> ApplicationError:
        """Return *error* with a payload that can travel, or the error that its payload makes."""
        try:
            args, kwargs = encode_arguments(error.args, error.kwargs, self._app.json)
        except PayloadError as unfit:
            self._app.logger.error("The payload of the error %s was refused: %s", error.uri, unfit)
            return ApplicationError(INVALID_PAYLOAD, f"the error {error.uri}: {unfit}")
        return ApplicationError(error.uri, *args, **kwargs)

    def _internal_error(self, error: Exception, uri: str) -> ApplicationError:
        """Log *error* under an id, and return the generic error that carries the id."""
        error_id = secrets.token_hex(8)
        self._app.logger.error("%s failed [%s]", uri, error_id, exc_info=error)
        got_request_exception.send(self._app, exception=error)
        details: dict[str, Any] = {"id": error_id}
        if self._app.debug:
            details["traceback"] = traceback.format_exception(error)
        text = f"The procedure failed; its log says more under {error_id}."
        return ApplicationError(RUNTIME_ERROR, text, **details)

    def _log_handler_error(
        self, subscription: Subscription, event: Event, error: Exception
    ) -> None:
        name = describe(subscription.function)
        if isinstance(error, ApplicationError):
            self._app.logger.error("%s did not handle an event of %s: %s", name, event.uri, error)
            return
        self._app.logger.error("%s failed at an event of %s", name, event.uri, exc_info=error)


class Endpoint:
    """A procedure in an application: the function to run, its parameters, and its route."""

    __slots__ = ("arguments", "function", "route")

    def __init__(self, app: Flask, procedure: Procedure) -> None:
        self.route: Route | None = route_of(app, procedure) if procedure.request else None
        self.arguments = Arguments(procedure.function)
        self.function = app.ensure_sync(procedure.function)
