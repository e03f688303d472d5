"""The correlation id of a request goes back with its response."""

from flask import Flask, Response

from .current import HEADER, correlation_id, in_call


def init_app(app: Flask) -> None:
    """Let the responses of *app* name the correlation ids of their requests."""
    app.after_request(_name)


def _name(response: Response) -> Response:
    found = None if in_call() else correlation_id()
    if found is not None:
        response.headers.setdefault(HEADER, found)
    return response
