"""Which Flask applications a WSGI application is, or wraps."""

from collections.abc import Iterable
from typing import Any

from flask import Flask

#: What middleware calls the application that it wraps.
NAMES = ("app", "application", "wsgi_app", "wsgi_application", "mounts")


def begin_serving(wsgi: object) -> None:
    """Let each Flask application with ``WAMP_SERVE`` in *wsgi* be served by this process.

    Not one that merely exists: a server goes on with a page of its own where an application could
    not be loaded to its end.
    """
    for app in applications_in(wsgi):
        serving: Any = app.extensions.get("wamp.serving")
        if serving is not None:
            serving.begin()


def applications_in(wsgi: object) -> list[Flask]:
    """Return the Flask applications that *wsgi* is, or wraps as attributes of the usual names."""
    found: list[Flask] = []
    seen: set[int] = set()
    waiting = [wsgi]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Flask):
            found.append(each)
        waiting += _wrapped(each)
    return found


def _wrapped(wsgi: object) -> Iterable[object]:
    attributes = getattr(wsgi, "__dict__", {})
    for name in NAMES:
        inner = attributes.get(name)
        # The mounts of a dispatcher are a mapping.
        yield from inner.values() if isinstance(inner, dict) else (inner,)
    # A method, as ``app.wsgi_app`` is.
    yield getattr(wsgi, "__self__", None)
    yield getattr(wsgi, "__wrapped__", None)
