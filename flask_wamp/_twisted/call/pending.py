"""Calls that a link has begun: their answer, or their results, as they are awaited."""

import contextlib
import secrets
from collections.abc import Callable
from queue import Empty
from typing import Any, Protocol

from ...call.options import Options
from ...errors import CANCELED, CallTimeout, Canceled, WAMPError
from ..replies import RESUME_AT, Reply, StreamReply
from ..threads import place_handed_over


class Waiting(Protocol):
    """The link that a call was begun through; from any thread."""

    def refuse_blocking(self, what: str) -> None:
        """Refuse to wait on the reactor's thread."""

    def give_up(self, reply: Reply, cancel_mode: str | None = None) -> None:
        """Want the answer to *reply* no more."""

    def late(self, text: str, timeout: float, *, sent: bool) -> WAMPError:
        """Return what is raised where *timeout* seconds were not enough."""

    def on_reactor(self, work: Callable[[], None]) -> None:
        """Run *work* on the reactor's thread."""


class Started:
    """The answer to a call that was started; see :class:`~flask_wamp.call.link.Answer`."""

    def __init__(self, link: Waiting, what: str, options: Options) -> None:
        self.reply = Reply()
        self._link = link
        self._what = what
        self._options = options

    def limit(self, call_later: Callable[..., Any]) -> None:
        """Cancel the call when its time is over, whether anybody waits or not."""
        timeout = seconds(self._options)

        def expire() -> None:
            text = f"{self._what} was not answered within {timeout:g} s"
            self._give_up(lambda sent: self._link.late(text, timeout, sent=sent))

        def start_timer() -> None:
            timer = call_later(timeout, expire)
            self.reply.add_done_callback(lambda _: self._link.on_reactor(lambda: _stop(timer)))

        self._link.on_reactor(start_timer)

    def done(self) -> bool:
        """Tell whether the answer is there."""
        return self.reply.done()

    def result(self, timeout: float | None) -> Any:
        """Wait for the result."""
        if self.reply.done():
            return self.reply.result()
        self._link.refuse_blocking(self._what)
        try:
            with place_handed_over():
                return self.reply.result(timeout)
        except TimeoutError as error:
            if isinstance(error, WAMPError):
                raise
            # It may be sent in the next moment, so that nobody can say that it was not.
            raise CallTimeout(
                f"{self._what} has no answer after {timeout:g} s; it goes on"
            ) from None

    def cancel(self) -> None:
        """Want the answer no more."""
        self._give_up(lambda sent: canceled("the call was canceled by this process", sent=sent))

    def _give_up(self, error: Callable[[bool], Exception]) -> None:
        if not self.reply.done():
            self.reply.give_up(error)
            self._link.give_up(self.reply, self._options.cancel_mode)


class Streamed:
    """The results of a call as they come; see :class:`~flask_wamp.call.link.Results`."""

    def __init__(self, link: Waiting, what: str, options: Options) -> None:
        self.reply = StreamReply(secrets.token_hex(8))
        self._link = link
        self._what = what
        self._options = options
        self._taken = 0
        self._ended = False

    def next(self) -> Any:
        """Return the next result."""
        reply = self.reply
        if self._ended:
            raise StopIteration
        item = self._take()
        if item is not reply.END:
            self._taken += 1
            if reply.paused and reply.waiting.qsize() <= RESUME_AT:
                self._link.on_reactor(reply.resume)
            return item
        self._ended = True
        last = reply.result()
        if last is None:
            raise StopIteration
        return last

    def close(self) -> None:
        """Want no further result."""
        self._ended = True
        reply = self.reply
        if not reply.done():
            reply.give_up(lambda sent: canceled("the stream was closed by this process", sent=sent))
            self._link.give_up(reply, self._options.cancel_mode)

    def _take(self) -> Any:
        """Return what waits as the first, waiting for it."""
        waiting = self.reply.waiting
        with contextlib.suppress(Empty):
            return waiting.get_nowait()
        self._link.refuse_blocking(self._what)
        timeout = seconds(self._options)
        try:
            with place_handed_over():
                return waiting.get(timeout=timeout)
        except Empty:
            self.close()
            text = f"{self._what} gave no result within {timeout:g} s, after {self._taken}"
            raise self._link.late(text, timeout, sent=self.reply.sent) from None


def canceled(text: str, *, sent: bool) -> Canceled:
    """Return the error of a call that this process has canceled."""
    error = Canceled(CANCELED, [text])
    error.may_have_run = sent
    return error


def _stop(timer: Any) -> None:
    if timer.active():
        timer.cancel()


def seconds(options: Options) -> float:
    """Return the timeout, which those who use a link have filled in."""
    assert options.timeout is not None  # noqa: S101  # nosec B101
    return options.timeout
