"""What was declared while running, to be removed again."""

from collections.abc import Callable


class Handle:
    """A procedure or subscription that was added while running; see :meth:`remove`.

    :ivar uri: the procedure, topic or pattern.
    """

    def __init__(self, uri: str, remove: Callable[[float | None], None]) -> None:
        self.uri = uri
        self._remove: Callable[[float | None], None] | None = remove

    def remove(self, timeout: float | None = None) -> None:
        """Unregister the procedure, or end the subscription; the second time does nothing.

        Calls and events that are under way are finished.

        :param timeout: seconds that the router may take; by default ``WAMP_TIMEOUT``.
        :raises NotConnected: the session was lost meanwhile; what was added does not come back
            with the next.
        """
        remove, self._remove = self._remove, None
        if remove is not None:
            remove(timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}>"
