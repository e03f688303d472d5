"""Calls that come while a node starts: they wait for the process that will serve them.

The listeners are there before the application's processes are, so a page that was open all along is
back first.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from autobahn.wamp import message

from .._twisted.engine.routers import Calls
from ..errors import CANCELED, UNAVAILABLE
from ..uris import uri_matches
from .manners import is_short

#: Calls that may wait, of all sessions and of one: pages come back all at once.
MOST_WAITING = 2000
MOST_OF_ONE = 100

TEXT = "the node stops before any process serves the procedure; it has not run"


#: The id of a session, and the number of its call.
Key = tuple[int, int]


class _Waiting(NamedTuple):
    """A call that waits."""

    call: message.Call
    go_on: Callable[[], None]
    timer: Any


class Starting:
    """Keeps calls of procedures that are yet to be registered, in order; on the reactor's thread.

    What is long, or too much, goes on to the router at once, which knows no such procedure.

    :param missing: tells URI and match policy of each that nobody has registered; asked with each
        call.
    """

    def __init__(
        self, calls: Calls, reactor: Any, missing: Callable[[], Collection[tuple[str, str]]]
    ) -> None:
        self._calls = calls
        self._reactor = reactor
        self._missing = missing
        self._waiting: dict[Key, _Waiting] = {}
        calls.show(self._keeps, self._cancels)

    def looked(self) -> None:
        """Let the calls go on whose procedures are missing no longer."""
        for key, waiting in list(self._waiting.items()):
            if not self._is_missing(waiting.call.procedure):
                self._take(key)
                if self._calls.has(key[0]):
                    waiting.go_on()

    def end(self) -> None:
        """Keep no further call, and let all go on, whatever becomes of them."""
        self._calls.show_no_more()
        self._missing = tuple
        self.looked()

    def stop(self) -> None:
        """Answer all that wait: the node stops before they could run."""
        for key in list(self._waiting):
            self._refuse(key, UNAVAILABLE, TEXT)
        self.end()

    def _keeps(self, session: int, call: message.Call, go_on: Callable[[], None]) -> bool:
        """Tell whether a call waits here."""
        key = (session, call.request)
        if key in self._waiting or not self._is_missing(call.procedure):
            return False
        if len(self._waiting) >= MOST_WAITING:
            self._forget_the_gone()
        if (
            len(self._waiting) >= MOST_WAITING
            or sum(session == other for other, _number in self._waiting) >= MOST_OF_ONE
            or not is_short([call.args, call.kwargs, call.payload])
        ):
            return False
        timer = call.timeout and self._reactor.callLater(
            call.timeout, self._refuse, key, CANCELED, "timeout reached"
        )
        self._waiting[key] = _Waiting(call, go_on, timer)
        return True

    def _cancels(self, session: int, cancel: message.Cancel) -> bool:
        """Tell whether it is a call that waits which is canceled."""
        key = (session, cancel.request)
        if key not in self._waiting:
            return False
        self._refuse(key, CANCELED, "the call was canceled before it ran")
        return True

    def _refuse(self, key: Key, uri: str, text: str) -> None:
        self._calls.refuse(key[0], self._take(key).call, uri, text)

    def _take(self, key: Key) -> _Waiting:
        waiting = self._waiting.pop(key)
        if waiting.timer and waiting.timer.active():
            waiting.timer.cancel()
        return waiting

    def _forget_the_gone(self) -> None:
        for key in [key for key in self._waiting if not self._calls.has(key[0])]:
            self._take(key)

    def _is_missing(self, uri: str) -> bool:
        return any(uri_matches(uri, pattern, match) for pattern, match in self._missing())
