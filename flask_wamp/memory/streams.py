"""Results one after another: the generator goes on when the next one is asked for."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any

from ..context import Cancellation
from ..serve.dispatcher import CallerGone, Send


class _End:
    """What comes after the last result: what was returned, or raised."""

    def __init__(self, value: Any, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error


class SteppedResults:
    """The results of a call; see :class:`~flask_wamp.call.link.Results`.

    The call runs on a thread of its own, as in production; but only while somebody waits for its
    next result, so that nothing happens at the same time.

    :param call: makes the call, whose results go to what it is given.
    """

    def __init__(self, call: Callable[[Send], Any], cancellation: Cancellation) -> None:
        self._call = call
        self._cancellation = cancellation
        self._results: SimpleQueue[Any] = SimpleQueue()
        self._wanted = threading.Semaphore(0)
        self._ended = False
        self._thread = threading.Thread(
            target=copy_context().run,
            args=(self._run,),
            name="flask-wamp stream in memory",
            daemon=True,
        )
        self._thread.start()
        # A call is made at once, whether its results are taken or not.
        self._ahead = [self._results.get()]

    def next(self) -> Any:
        """Return the next result."""
        if self._ended:
            raise StopIteration
        if self._ahead:
            item = self._ahead.pop()
        else:
            self._wanted.release()
            item = self._results.get()
        if not isinstance(item, _End):
            return item
        self._ended = True
        self._thread.join()
        if item.error is not None:
            raise item.error
        if item.value is None:
            raise StopIteration
        return item.value

    def close(self) -> None:
        """Want no further result; returns when the generator is closed."""
        if self._ended:
            return
        self._ended = True
        self._cancellation.set()
        self._wanted.release()
        # The garbage collector may close this on any thread.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            end = _End(self._call(self._send))
        except BaseException as error:  # noqa: BLE001
            # It is raised where the results are taken.
            end = _End(None, error)
        self._results.put(end)

    def _send(self, value: Any) -> None:
        self._results.put(value)
        self._wanted.acquire()
        if self._cancellation.is_set:
            raise CallerGone
