"""The link that threads call and publish through: thread, reactor, thread."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import wait as wait_for
from queue import Empty
from typing import Any

from twisted.python.threadable import isInIOThread

from ..errors import (
    CANCELED,
    BlockingCallError,
    CallTimeout,
    Canceled,
    NotConnected,
    SetupError,
    WAMPError,
)
from ..link import Answer
from ..options import Options
from ..registry import Procedure, Subscription
from .pool import place_handed_over
from .reactor_queue import ReactorQueue
from .session import RESUME_AT, Reply, Session, StreamReply

#: Unacknowledged events that may wait for the reactor before a publisher has to wait for it.
POSTED = 1000


class SessionLink:
    """Carries calls and publishes from threads to the session that is attached to it.

    Its public methods may be used on any thread, but for those whose docstring says otherwise.

    :param queue: takes work for the reactor's thread.
    """

    def __init__(self, queue: ReactorQueue) -> None:
        self._queue = queue
        self._session: Session | None = None
        self._waiting: set[Reply] = set()
        self._closed: str | None = None
        self._absent = "there is no session yet"
        self._reactor_thread: int | None = None

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call *uri*; see :class:`~flask_wamp.link.Link`."""
        return self._wait(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options),
            seconds(options),
            f"the call of {uri!r}",
            options.cancel_mode,
        )

    def start(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> "Started":
        """Call *uri*, and return at once; see :class:`~flask_wamp.link.Link`."""
        started = Started(self, f"the call of {uri!r}", options)
        self._send(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options),
            started.reply,
        )
        started.limit(self._queue.call_later)
        return started

    def wait(self, answers: Sequence["Answer"]) -> None:
        """Wait until every call has its answer, or one has failed."""
        self.refuse_blocking("waiting for calls")
        replies = [answer.reply for answer in answers if isinstance(answer, Started)]
        # Each has a timer of its own, so this ends.
        with place_handed_over():
            wait_for(replies, return_when=FIRST_EXCEPTION)

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> "Streamed":
        """Call *uri* for progressive results; see :class:`~flask_wamp.link.Link`."""
        self.refuse_blocking(f"the call of {uri!r}")
        streamed = Streamed(self, f"the call of {uri!r}", options)
        self._send(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options),
            streamed.reply,
        )
        return streamed

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to *topic*; see :class:`~flask_wamp.link.Link`."""
        what = f"the publish to {topic!r}"
        if options.acknowledge is not False:
            publication: int = self._wait(
                lambda session, reply: session.publish_for(reply, topic, args, kwargs, options),
                seconds(options),
                what,
            )
            return publication

        def post(session: Session, reply: Reply) -> None:
            session.publish_for(None, topic, args, kwargs, options)
            reply.succeed(None)

        session = self._session
        if session is None or len(self._queue) > POSTED:
            self._wait(post, seconds(options), what)
        else:
            self._queue.put(lambda: session.publish_for(None, topic, args, kwargs, options))
        return None

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve what was declared while the others are served already."""

        def add(session: Session, reply: Reply) -> None:
            if session.server is None:
                reply.fail(
                    SetupError(
                        "this process only calls and publishes: add procedures and subscriptions "
                        "in the process that serves, the node's container or after wamp.start()"
                    )
                )
            else:
                _settle(session.server.add(declared), reply)

        self._wait(add, timeout, "the registration")

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve *declared* no more; does nothing where it is not served."""

        def remove(session: Session, reply: Reply) -> None:
            if session.server is None:
                reply.succeed(None)
            else:
                _settle(session.server.remove(declared), reply)

        self._wait(remove, timeout, "the unregistration")

    def attach(self, session: Session) -> None:
        """Use *session* from now on; on the reactor's thread."""
        self._reactor_thread = threading.get_ident()
        self._session = session

    def detach(self, reason: str) -> None:
        """Have no session from now on, because of *reason*; on the reactor's thread."""
        self._session = None
        self._absent = reason

    def release(self, reason: str) -> None:
        """Refuse everything from now on, and raise in every thread that waits."""
        self._closed = reason
        for reply in list(self._waiting):
            reply.fail(NotConnected(reason))

    def _begin(self, send: Callable[[Session, Reply], None], reply: Reply) -> None:
        """Send through the session that there is; on the reactor's thread."""
        if self._session is None:
            reply.fail(NotConnected(self._absent))
        elif not reply.done():
            send(self._session, reply)

    def refuse_blocking(self, what: str) -> None:
        """Refuse to wait on the reactor's thread, which has to bring what is waited for.

        :raises BlockingCallError: this is that thread.
        """
        if threading.get_ident() == self._reactor_thread or isInIOThread():
            raise BlockingCallError(
                f"{what} would block the reactor thread, which has to bring the answer: make it "
                "from a view, a handler or another thread, twisted.internet.threads.deferToThread"
            )

    def give_up(self, reply: Reply, cancel_mode: str | None = None) -> None:
        """Want the answer to *reply* no more: unsent it is not sent, sent it is canceled."""
        self._queue.put(lambda: _give_up(reply, cancel_mode))

    def on_reactor(self, work: Callable[[], None]) -> None:
        """Run *work* on the reactor's thread."""
        self._queue.put(work)

    def _send(self, send: Callable[[Session, Reply], None], reply: Reply) -> None:
        """Send soon; whatever comes of it is the reply's."""
        # First in the set, then the look at the flag: release() sets the flag, then looks.
        self._waiting.add(reply)
        reply.add_done_callback(self._waiting.discard)
        if self._closed is not None:
            reply.fail(NotConnected(self._closed))
        self._queue.put(lambda: self._begin(send, reply))

    def _wait(
        self,
        send: Callable[[Session, Reply], None],
        timeout: float,
        what: str,
        cancel_mode: str | None = None,
    ) -> Any:
        self.refuse_blocking(what)
        reply = Reply()
        # First in the set, then the look at the flag: release() sets the flag, then looks.
        self._waiting.add(reply)
        try:
            if self._closed is not None:
                raise NotConnected(self._closed)
            with place_handed_over():
                self._queue.put(lambda: self._begin(send, reply))
                return reply.result(timeout)
        except TimeoutError:
            # What was not sent yet is not sent any more, what was sent is canceled.
            reply.fail(TimeoutError())
            self.give_up(reply, cancel_mode)
            raise CallTimeout(f"{what} was not answered within {timeout:g} s") from None
        finally:
            self._waiting.discard(reply)


class Started:
    """The answer to a call that was started; see :class:`~flask_wamp.link.Answer`."""

    def __init__(self, link: SessionLink, what: str, options: Options) -> None:
        self.reply = Reply()
        self._link = link
        self._what = what
        self._options = options

    def limit(self, call_later: Callable[..., Any]) -> None:
        """Cancel the call when its time is over, whether anybody waits or not."""
        timeout = seconds(self._options)

        def expire() -> None:
            self._give_up(CallTimeout(f"{self._what} was not answered within {timeout:g} s"))

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
            if isinstance(error, CallTimeout):
                raise
            raise CallTimeout(
                f"{self._what} has no answer after {timeout:g} s; it goes on"
            ) from None

    def cancel(self) -> None:
        """Want the answer no more."""
        self._give_up(Canceled(CANCELED, ["the call was canceled by this process"]))

    def _give_up(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.fail(error)
            self._link.give_up(self.reply, self._options.cancel_mode)


class Streamed:
    """The results of a call as they come; see :class:`~flask_wamp.link.Results`."""

    def __init__(self, link: SessionLink, what: str, options: Options) -> None:
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
                self._link.on_reactor(lambda: _resume(reply))
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
            reply.fail(Canceled(CANCELED, ["the stream was closed by this process"]))
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
            raise CallTimeout(
                f"{self._what} gave no result within {timeout:g} s, after {self._taken}"
            ) from None


def _stop(timer: Any) -> None:
    if timer.active():
        timer.cancel()


def seconds(options: Options) -> float:
    """Return the timeout, which those who use a link have filled in."""
    assert options.timeout is not None  # noqa: S101
    return options.timeout


def _resume(reply: StreamReply) -> None:
    if reply.session is not None:
        reply.session.resume(reply)


def _give_up(reply: Reply, cancel_mode: str | None) -> None:
    if reply.session is not None:
        reply.session.cancel(reply, cancel_mode)


def _settle(outcome: Any, reply: Reply) -> None:
    """Tell *reply* that a Deferred has fired, or why it has failed."""

    def fail(failure: Any) -> None:
        error = failure.value
        if not isinstance(error, WAMPError):
            error = NotConnected(f"the session ended meanwhile: {error}")
        reply.fail(error)

    outcome.addCallbacks(lambda _: reply.succeed(None), fail)
