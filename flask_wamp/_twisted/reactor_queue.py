"""Work from threads for the reactor's thread, many pieces for one wake-up."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger


class ReactorQueue:
    """Runs what threads put into it on the reactor's thread, in order.

    Waking the reactor costs a system call, so whoever finds it being woken already does not.

    :param call_from_thread: the reactor's ``callFromThread``.
    :param call_later: the reactor's ``callLater``, for those who are on its thread.
    """

    _log = Logger()

    def __init__(
        self, call_from_thread: Callable[..., Any], call_later: Callable[..., Any]
    ) -> None:
        self._call_from_thread = call_from_thread
        self.call_later = call_later
        self._work: deque[Callable[[], None]] = deque()
        self._waking = False

    def put(self, work: Callable[[], None]) -> None:
        """Run *work* on the reactor's thread soon."""
        self._work.append(work)
        # Two threads may both see False here and wake twice, which is harmless. One that sees
        # True has appended before the drain that the flag announces, which takes its work along.
        if not self._waking:
            self._waking = True
            self._call_from_thread(self._drain)

    def __len__(self) -> int:
        return len(self._work)

    def _drain(self) -> None:
        self._waking = False
        for _ in range(len(self._work)):
            work = self._work.popleft()
            try:
                work()
            except Exception:  # noqa: BLE001
                # One piece of work must not keep the others, of other threads, from running.
                self._log.failure("flask-wamp: work on the reactor's thread failed")
