"""The link that threads call and publish through: thread, reactor, thread."""

import threading
from collections.abc import Callable
from typing import Any

from twisted.python.threadable import isInIOThread

from ..errors import BlockingCallError, CallTimeout, NotConnected
from .pool import place_handed_over
from .reactor_queue import ReactorQueue
from .session import Reply, Session

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

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], timeout: float) -> Any:
        """Call *uri*; see :class:`~flask_wamp.link.Link`."""
        return self._wait(
            lambda session, reply: session.call_for(reply, uri, args, kwargs),
            timeout,
            f"the call of {uri!r}",
        )

    def publish(
        self,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        acknowledge: bool,
        timeout: float,
    ) -> int | None:
        """Publish to *topic*; see :class:`~flask_wamp.link.Link`."""
        what = f"the publish to {topic!r}"
        if acknowledge:
            publication: int = self._wait(
                lambda session, reply: session.publish_for(reply, topic, args, kwargs),
                timeout,
                what,
            )
            return publication

        def post(session: Session, reply: Reply) -> None:
            session.publish_for(None, topic, args, kwargs)
            reply.succeed(None)

        session = self._session
        if session is None or len(self._queue) > POSTED:
            self._wait(post, timeout, what)
        else:
            self._queue.put(lambda: session.publish_for(None, topic, args, kwargs))
        return None

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

    def _wait(self, send: Callable[[Session, Reply], None], timeout: float, what: str) -> Any:
        if threading.get_ident() == self._reactor_thread or isInIOThread():
            raise BlockingCallError(
                f"{what} would block the reactor thread, which has to bring the answer: make it "
                "from a view, a handler or another thread, twisted.internet.threads.deferToThread"
            )
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
            self._queue.put(lambda: _give_up(reply))
            raise CallTimeout(f"{what} was not answered within {timeout:g} s") from None
        finally:
            self._waiting.discard(reply)


def _give_up(reply: Reply) -> None:
    if reply.session is not None:
        reply.session.cancel(reply)
