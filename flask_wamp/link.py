"""The way out of the process, behind one interface. Standard library only."""

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .options import Options
from .registry import Procedure, Subscription


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result that is not one value: several positional ones, or keyword ones (spec, 9.2.4).

    A view returns one, or yields it, to answer with several values; over HTTP it is JSON.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def result_value(args: Sequence[Any], kwargs: dict[str, Any] | None) -> Any:
    """Return the payload of a result as a caller gets it: one value, or a :class:`CallResult`.

    The Python wampy gives its value twice, with keywords of its own beside, and takes the value
    out again where it calls; nameko-wamp adds an ``error``, which is None where there is a value.
    An answer of exactly that shape is the value.
    """
    if kwargs and len(args) == 1 and _is_wampys(kwargs) and _same(kwargs["message"], args[0]):
        return args[0]
    if kwargs or len(args) > 1:
        return CallResult(tuple(args), kwargs or {})
    return args[0] if args else None


_WAMPYS = ({"message", "meta"}, {"error", "message", "meta"})
_META = {"procedure_name", "session_id"}


def _is_wampys(kwargs: dict[str, Any]) -> bool:
    if kwargs.keys() not in _WAMPYS or kwargs.get("error") is not None:
        return False
    meta = kwargs["meta"]
    return isinstance(meta, dict) and meta.keys() == _META


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values from the wire are alike in their types too: 1 is not True or 1.0.

    Values that a peer has sent may be nested deeper than the stack.
    """
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif left != right:
            return False
    return True


class Answer(Protocol):
    """The answer to a call that was started."""

    def done(self) -> bool:
        """Tell whether the answer is there, an error included."""

    def result(self, timeout: float | None) -> Any:
        """Wait for the result and return it, as :meth:`Link.call` does.

        :param timeout: seconds to wait; the call itself may have less left.
        """

    def cancel(self) -> None:
        """Want the answer no more, and tell the router."""


class Results(Protocol):
    """The results of a call, as they come."""

    def next(self) -> Any:
        """Return the next result.

        :raises StopIteration: the call has ended.
        """

    def close(self) -> None:
        """Want no further result, and tell the router; does nothing after the end."""


class Link(Protocol):
    """A session to the router, used from any thread but the reactor's.

    In all of its methods: timeouts are seconds, ``options.timeout`` is not None,
    :class:`~flask_wamp.NotConnected` is raised where there is no session, or it was lost.
    """

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call the procedure *uri* and return its result.

        :returns: the one value, or a :class:`CallResult`.
        :raises RemoteError: the answer is an error.
        :raises CallTimeout: no answer in time.
        """

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Answer:
        """Call the procedure *uri*, and return where its answer will be."""

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait until every call has its answer, or one has failed."""

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> Results:
        """Call the procedure *uri* for progressive results."""

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to *topic* and return the publication id, None where not acknowledged.

        :raises RemoteError: the router refused an acknowledged publish.
        :raises CallTimeout: no acknowledgment in time.
        """

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Register or subscribe what was declared while the others are served.

        :raises RegistrationFailed: the router refused.
        """

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Unregister or unsubscribe; calls and events under way are finished."""


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
