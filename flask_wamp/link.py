"""The way out of the process, behind one interface. Standard library only."""

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result that is not one value: several positional ones, or keyword ones (spec, 9.2.4)."""

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


class Link(Protocol):
    """A session to the router, used from any thread but the reactor's."""

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], timeout: float) -> Any:
        """Call the procedure *uri* and return its result.

        :param timeout: seconds.
        :returns: the one value, or a :class:`CallResult`.
        :raises RemoteError: the answer is an error.
        :raises CallTimeout: no answer in time.
        :raises NotConnected: no session, or it was lost.
        """

    def publish(
        self,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        acknowledge: bool,
        timeout: float,
    ) -> int | None:
        """Publish to *topic* and return the publication id, None where not acknowledged.

        :raises RemoteError: the router refused an acknowledged publish.
        :raises CallTimeout: no acknowledgment in time.
        :raises NotConnected: no session, or it was lost.
        """


class LinkSlot:
    """Holds an application's link, and makes one at the first use where nobody attached one.

    A fork empties the slot of the child: a session belongs to the process that opened it.
    """

    def __init__(self) -> None:
        self._link: Link | None = None
        self._lock = threading.Lock()
        _slots.add(self)

    @property
    def link(self) -> Link | None:
        """The link, or None where none was made yet."""
        return self._link

    def attach(self, link: Link | None) -> None:
        """Use *link* from now on, or none."""
        self._link = link

    def get(self, make: Callable[[], Link]) -> Link:
        """Return the link, made by *make* where there is none yet."""
        link = self._link
        if link is not None:
            return link
        with self._lock:
            if self._link is None:
                self._link = make()
            return self._link

    def reset(self) -> None:
        """Be empty, in the child of a fork, whatever thread held the lock in the parent."""
        self._link = None
        self._lock = threading.Lock()


_slots: weakref.WeakSet[LinkSlot] = weakref.WeakSet()


def _reset_slots() -> None:
    for slot in list(_slots):
        slot.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_slots)
