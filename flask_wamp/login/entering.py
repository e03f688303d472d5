"""A request context in which the application sees who opened a session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, request

from .handshake import Handshake


class Refused(Exception):
    """A session is not let in; the text is for the log, never for the peer."""


@contextmanager
def entered(app: Flask, handshake: Handshake, *, guarded: bool) -> Iterator[None]:
    """Be in a request of *app* that is the *handshake*, and is for no endpoint.

    :param guarded: run the ``before_request`` functions that stand before every view.
    :raises Refused: one of them has answered, or the host is not one of the application's.
    """
    with app.request_context(handshake.request_environ()):
        # Whatever route the WebSocket's path would have: no view is behind it.
        request.url_rule = None
        request.view_args = None
        request.routing_exception = None
        # Raises where TRUSTED_HOSTS does not name it.
        _ = request.host
        if guarded:
            answer: Any = app.preprocess_request()
            if answer is not None:
                raise Refused("a before_request function has answered")
        yield
