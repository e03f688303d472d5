"""HTTP statuses as WAMP errors: which error URI a caller gets for which status."""

from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from ..errors import (
    CONFLICT,
    INVALID_ARGUMENT,
    NOT_AUTHORIZED,
    NOT_FOUND,
    PAYLOAD_SIZE_EXCEEDED,
    REDIRECT,
    RUNTIME_ERROR,
    TIMEOUT,
    UNAVAILABLE,
    ApplicationError,
)

#: HTTP status → error URI, for ``HTTPException`` and for statuses that a view returns.
URI_BY_STATUS: Mapping[int, str] = {
    400: INVALID_ARGUMENT,
    401: NOT_AUTHORIZED,
    403: NOT_AUTHORIZED,
    404: NOT_FOUND,
    405: "wamp.error.method_not_allowed",
    408: TIMEOUT,
    409: CONFLICT,
    410: NOT_FOUND,
    412: "wamp.error.precondition_failed",
    413: PAYLOAD_SIZE_EXCEEDED,
    415: INVALID_ARGUMENT,
    422: INVALID_ARGUMENT,
    429: "wamp.error.too_many_requests",
    501: "wamp.error.not_implemented",
    503: UNAVAILABLE,
    504: TIMEOUT,
}


def uri_for_status(status: int) -> str:
    """Return the error URI for an HTTP *status* of 300 and more.

    Statuses that :data:`URI_BY_STATUS` does not name become ``wamp.error.redirect`` below 400,
    ``wamp.error.invalid_argument`` below 500 and ``wamp.error.runtime_error`` from there up.
    """
    known = URI_BY_STATUS.get(status)
    if known is not None:
        return known
    if status < 400:
        return REDIRECT
    return INVALID_ARGUMENT if status < 500 else RUNTIME_ERROR


def http_error(error: HTTPException) -> ApplicationError:
    """Return the WAMP error for an ``HTTPException``, by :data:`URI_BY_STATUS`.

    Description and status are in the keyword payload.
    """
    return status_error(error.code or 500, error.description)


def status_error(status: int, description: str | None, **keywords: Any) -> ApplicationError:
    """Return the WAMP error for a *status*, with a text and further keyword payload."""
    text = description or HTTP_STATUS_CODES.get(status, "error")
    return ApplicationError(
        uri_for_status(status), text, status=status, description=text, **keywords
    )
