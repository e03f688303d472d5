"""The outbox: the part of ``WAMP`` that says which database durable events are written into."""

from abc import ABC
from collections.abc import Callable
from typing import Any, TypeVar

from .declare.registry import Registry
from .errors import DeclarationError

F = TypeVar("F", bound=Callable[..., Any])


class Outboxes(ABC):
    """Says where an application's durable events are written."""

    _registry: Registry

    def outbox(self, function: F) -> F:
        """Declare the function that returns the application's database: ``@wamp.outbox``.

        It takes no arguments, is called in an application context, and returns what the application
        itself writes with: a ``sqlite3.Connection``, as ``get_db`` of Flask's tutorial does, or a
        session of SQLAlchemy's. ``g.wampy.publish(..., durable=True)`` inserts a row there, and
        commits nothing. Without one it is the session of Flask-SQLAlchemy, where there is that.

        :raises DeclarationError: there is one already.
        """
        if self._registry.outbox not in (None, function):
            raise DeclarationError(
                "@wamp.outbox stands on a function already: an application has one outbox"
            )
        self._registry.outbox = function
        return function
