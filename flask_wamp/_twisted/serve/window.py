"""The callee's side of flow control; see :mod:`flask_wamp._twisted.flow`."""

import threading
from collections.abc import Callable
from typing import Any

from ..flow import GOES_ON, IS_FULL, IS_GONE
from ..replies import Reply
from ..threads import place_handed_over

#: Results, and bytes of them, after which a callee asks whether they are taken.
PARTS = 128
BYTES = 256 * 1024
#: Unanswered questions at which the callee waits.
AHEAD = 2
#: Seconds until a callee asks again.
FIRST_DELAY = 0.01
LONGEST_DELAY = 0.25


class Window:
    """How far the results of one call are ahead of what its caller has taken.

    :param check: asks whether the results are taken; on the reactor's thread.
    :param gone: called, there, where the caller's session is no more.
    :param post: runs something on the reactor's thread.
    :param call_later: the reactor's ``callLater``.
    """

    def __init__(
        self,
        check: Callable[[Reply], None],
        gone: Callable[[], None],
        post: Callable[[Callable[[], None]], None],
        call_later: Callable[..., Any],
    ) -> None:
        self._check = check
        self._gone = gone
        self._post = post
        self._call_later = call_later
        self._parts = 0
        self._bytes = 0
        self._changed = threading.Condition()
        self._asked = 0
        self._closed = False

    def take(self, size: int) -> None:
        """Wait until a result of *size* bytes may be sent, or nobody wants it any more.

        On the view's thread, whose place another may have meanwhile.
        """
        self._parts += 1
        self._bytes += size
        if self._parts < PARTS and self._bytes < BYTES:
            return
        self._parts = self._bytes = 0
        with self._changed:
            self._asked += 1
            must_wait = self._is_full()
        self._post(lambda: self._ask(FIRST_DELAY))
        if must_wait:
            with place_handed_over(), self._changed:
                self._changed.wait_for(lambda: not self._is_full())

    def close(self) -> None:
        """Nobody wants the results any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self) -> bool:
        return self._asked >= AHEAD and not self._closed

    def _ask(self, delay: float) -> None:
        """Ask whether the results are taken; on the reactor's thread."""
        if self._closed:
            return

        def answered(reply: Reply) -> None:
            outcome = GOES_ON if reply.exception() else reply.result()
            if outcome == IS_FULL:
                self._call_later(delay, self._ask, min(2 * delay, LONGEST_DELAY))
                return
            if outcome == IS_GONE:
                self._gone()
            with self._changed:
                self._asked -= 1
                self._changed.notify_all()

        reply = Reply()
        reply.add_done_callback(lambda _: answered(reply))
        self._check(reply)
