"""Events that go out when a request, a call or any other application context has ended well.

They are kept in ``g``. A response below 400 sends them, one of 400 and more drops them; what is
left when the context ends goes out if no exception ends it.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, g, request

from ..context import METHOD
from ..errors import SetupError, WAMPError

_KEY = "_flask_wamp_outbox"
#: Events that one context may keep.
MAX_KEPT = 10_000

Publish = Callable[[], Any]


def init_app(app: Flask) -> None:
    """Let the contexts of *app* send what they have kept."""
    app.after_request(_after_request)
    app.teardown_appcontext(_teardown)


def keep(topic: str, publish: Publish) -> None:
    """Let the current context send an event with *publish* when it has ended well.

    :raises SetupError: outside an application context, or it keeps too many.
    """
    if not g:
        raise SetupError("publish_on_success needs an application context, whose end it waits for")
    kept: list[tuple[str, Publish]] = g.setdefault(_KEY, [])
    if len(kept) >= MAX_KEPT:
        raise SetupError(f"{MAX_KEPT} events wait for this context to end already: publish them")
    kept.append((topic, publish))


def _after_request(response: Response) -> Response:
    # What answers a call, its pipeline decides after this, with what it makes of the response.
    if request.method != METHOD:
        _settle(response.status_code < 400)
    return response


def _teardown(error: BaseException | None) -> None:
    _settle(error is None)


def _settle(well: bool) -> None:
    kept: list[tuple[str, Publish]] = g.pop(_KEY, [])
    if not well:
        return
    for topic, publish in kept:
        try:
            publish()
        except WAMPError as error:
            # The response is made, so the log is all that can be told.
            current_app.logger.error("The event of %s did not go out: %s", topic, error)
