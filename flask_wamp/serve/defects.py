"""What nobody has foreseen: it goes to the log, and a generic answer to the caller."""

import secrets
import traceback
from typing import Any

from flask import Flask, got_request_exception

from ..context import Event
from ..declare.declared import Subscription, describe
from ..errors import RUNTIME_ERROR, ApplicationError


class Defect(ApplicationError):
    """The answer to a call whose view has failed; its ``__cause__`` is what the view has raised."""


def answer_to_defect(app: Flask, error: Exception, uri: str) -> Defect:
    """Log *error* under an id, and return the generic error that carries the id."""
    error_id = secrets.token_hex(8)
    app.logger.error("%s failed [%s]", uri, error_id, exc_info=error)
    got_request_exception.send(app, exception=error)
    details: dict[str, Any] = {"id": error_id}
    if app.debug:
        details["traceback"] = traceback.format_exception(error)
    text = f"The procedure failed; its log says more under {error_id}."
    return Defect(RUNTIME_ERROR, text, **details)


def log_handler_error(
    app: Flask, subscription: Subscription, event: Event, error: Exception
) -> None:
    """Log what a handler has raised, without a traceback where the event did not fit."""
    name = describe(subscription.function)
    if isinstance(error, ApplicationError):
        app.logger.error("%s did not handle an event of %s: %s", name, event.uri, error)
        return
    app.logger.error("%s failed at an event of %s", name, event.uri, exc_info=error)
