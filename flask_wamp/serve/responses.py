"""What a view returned, a value or a response, as what travels back to a caller."""

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgenerator
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from ..errors import NOT_AUTHORIZED, ApplicationError
from ..results import CallResult
from .statuses import http_error, status_error


def plain_value(value: Any, is_denial: Callable[[str | None], bool]) -> Any:
    """Return what travels for what a view returned outside the pipeline.

    That is a response's body, the body of ``(body, status)``, and anything else as it is.

    :param is_denial: tells whether a redirect to a place is one.
    :raises ApplicationError: the status is an error.
    """
    body, status = split(value)
    if isinstance(body, Response):
        status = status or body.status_code
        location = body.headers.get("Location")
        if 300 <= status < 400 and is_denial(location):
            raise _denied(status, location)
        body = decoded(body)
    if status is not None and status >= 300:
        raise _body_error(status, body)
    return body


def split(value: Any) -> tuple[Any, int | None]:
    """Return body and status of a view's return *value*; the status is None where it says none."""
    if not isinstance(value, tuple) or len(value) not in (2, 3):
        return value, None
    body, second = value[0], value[1]
    if isinstance(second, int) and 100 <= second <= 599:
        return body, second
    return value, None


def needs_response(body: Any) -> bool:
    """Tell whether only Flask can say what *body* stands for: a response, headers, a stream."""
    if isgenerator(body):
        return False
    return isinstance(body, Response | tuple | Iterator) or callable(body)


def decoded(response: Response) -> Any:
    """Return a response's body: JSON decoded, text as str, all else as bytes, None for none."""
    response.direct_passthrough = False
    data = response.get_data()
    if response.is_json and data:
        return response.get_json()
    if not data and response.status_code == 204:
        return None
    if (response.mimetype or "").startswith("text/"):
        return data.decode(response.mimetype_params.get("charset", "utf-8"), "replace")
    return data


def _body_error(status: int, body: Any, description: str | None = None) -> ApplicationError:
    """Return the error for a *status* from 300 up that came with a *body*."""
    if isinstance(body, str):
        return status_error(status, description or body)
    return status_error(status, description, body=body)


def response_error(
    response: Response, value: Any, failure: Exception | None, guarded: bool
) -> ApplicationError:
    """Return the error for a response of status 300 and more."""
    status = response.status_code
    if status < 400:
        if isinstance(failure, HTTPException) and (failure.code or 0) >= 400:
            return http_error(failure)
        location = response.headers.get("Location")
        if guarded:
            return _denied(status, location)
        text = f"the view redirects to {location}: return data where request.method is 'CALL'"
        return status_error(status, text, location=location)
    if isinstance(value, HTTPException) and value.code == status:
        return http_error(value)
    description = failure.description if isinstance(failure, HTTPException) else None
    return _body_error(status, decoded(response), description)


def _denied(status: int, location: str | None) -> ApplicationError:
    return ApplicationError(NOT_AUTHORIZED, "a guard redirects", status=status, location=location)


def let_views_return_results(app: Flask) -> None:
    """Let the views of *app* return a :class:`~flask_wamp.CallResult` over HTTP: it is JSON.

    Flask makes every response in ``make_response``: of views, of what stands before them, of error
    handlers.
    """
    make_response = app.make_response

    @wraps(make_response)
    def make(rv: Any) -> Any:
        body = rv[0] if isinstance(rv, tuple) and rv else rv
        if isinstance(body, CallResult):
            json = {"args": body.args, "kwargs": body.kwargs}
            rv = json if rv is body else (json, *rv[1:])
        return make_response(rv)

    app.make_response = make  # type: ignore[method-assign]
