"""The link that threads call and publish through: thread, reactor, thread."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION
from concurrent.futures import wait as wait_for
from typing import Any

from twisted.python.threadable import isInIOThread

from ...call.link import Answer
from ...call.options import Options, carried_by
from ...declare.declared import Procedure, Subscription
from ...errors import BlockingCallError, CallTimeout, NotConnected, SetupError, WAMPError
from ...tracing.current import outgoing
from ..replies import NOT_SENT, Reply, fate
from ..session import Session
from ..threads import ReactorQueue, place_handed_over
from .pending import Started, Streamed, seconds

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
        self._ends = False
        self._absent = "there is no session yet"
        self._reactor_thread: int | None = None

    @property
    def session(self) -> Session | None:
        """The session that there is; on the reactor's thread."""
        return self._session

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call *uri*; see :class:`~flask_wamp.call.link.Link`."""
        carried = outgoing()
        return self._wait(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options, carried),
            seconds(options),
            f"the call of {uri!r}",
            options.cancel_mode,
        )

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Started:
        """Call *uri*, and return at once; see :class:`~flask_wamp.call.link.Link`."""
        started = Started(self, f"the call of {uri!r}", options)
        carried = outgoing()
        self._send(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options, carried),
            started.reply,
        )
        started.limit(self._queue.call_later)
        return started

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait until every call has its answer, or one has failed."""
        self.refuse_blocking("waiting for calls")
        replies = [answer.reply for answer in answers if isinstance(answer, Started)]
        # Each has a timer of its own, so this ends.
        with place_handed_over():
            wait_for(replies, return_when=FIRST_EXCEPTION)

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> Streamed:
        """Call *uri* for progressive results; see :class:`~flask_wamp.call.link.Link`."""
        self.refuse_blocking(f"the call of {uri!r}")
        streamed = Streamed(self, f"the call of {uri!r}", options)
        carried = outgoing(streamed.reply.token)
        self._send(
            lambda session, reply: session.call_for(reply, uri, args, kwargs, options, carried),
            streamed.reply,
        )
        return streamed

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to *topic*; see :class:`~flask_wamp.call.link.Link`."""
        what = f"the publish to {topic!r}"
        carried = carried_by(options) or outgoing()
        if options.acknowledge is not False:
            publication: int = self._wait(
                lambda session, reply: session.publish_for(
                    reply, topic, args, kwargs, options, carried
                ),
                seconds(options),
                what,
            )
            return publication

        def post(session: Session, reply: Reply) -> None:
            session.publish_for(None, topic, args, kwargs, options, carried)
            reply.succeed(None)

        session = self._session
        if session is None or len(self._queue) > POSTED:
            self._wait(post, seconds(options), what)
        else:
            self._queue.put(
                lambda: session.publish_for(None, topic, args, kwargs, options, carried)
            )
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

        self._wait(add, timeout, "the registration", patient=False)

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Serve *declared* no more; does nothing where it is not served."""

        def remove(session: Session, reply: Reply) -> None:
            if session.server is None:
                reply.succeed(None)
            else:
                _settle(session.server.remove(declared), reply)

        self._wait(remove, timeout, "the unregistration", patient=False)

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
            reply.give_up(lambda sent: NotConnected(f"{reason}; {fate(sent)}", may_have_run=sent))

    def leave_waiting(self, reason: str) -> None:
        """Refuse what the thread that ends the process may still ask for.

        The threads that wait or ask meanwhile are daemons. They end with the process, and are left
        where they are: woken, they would have nobody to tell but the terminal.
        """
        self._closed = reason
        self._ends = True

    def _begin(self, send: Callable[[Session, Reply], None], reply: Reply) -> None:
        """Send through the session that there is; on the reactor's thread."""
        if self._ends:
            return
        if self._session is None:
            reply.fail(NotConnected(f"{self._absent}; {NOT_SENT}", may_have_run=False))
        elif reply.begin_to_send():
            send(self._session, reply)

    def refuse_blocking(self, what: str) -> None:
        """Refuse to wait on the reactor's thread, which has to bring what is waited for.

        :raises BlockingCallError: this is that thread.
        :raises NotConnected: the process ends, and nothing comes any more.
        """
        if self._ends:
            self._refuse_closed()
        if threading.get_ident() == self._reactor_thread or isInIOThread():
            raise BlockingCallError(
                f"{what} would block the reactor thread, which has to bring the answer: make it "
                "from a view, a handler or another thread, twisted.internet.threads.deferToThread"
            )

    def give_up(self, reply: Reply, cancel_mode: str | None = None) -> None:
        """Want the answer to *reply* no more: unsent it is not sent, sent it is canceled."""
        self._queue.put(lambda: self._forget(reply, cancel_mode))

    def late(self, text: str, timeout: float, *, sent: bool) -> WAMPError:
        """Return what is raised where *timeout* seconds were not enough.

        :param text: says so.
        """
        return CallTimeout(f"{text}; {fate(sent)}", may_have_run=sent)

    def _forget(self, reply: Reply, cancel_mode: str | None) -> None:
        """Nobody waits for *reply* any more; on the reactor's thread."""
        if reply.session is not None:
            reply.session.cancel(reply, cancel_mode)

    def on_reactor(self, work: Callable[[], None]) -> None:
        """Run *work* on the reactor's thread."""
        self._queue.put(work)

    def _send(self, send: Callable[[Session, Reply], None], reply: Reply) -> None:
        """Send soon; whatever comes of it is the reply's."""
        # First in the set, then the look at the flag: release() sets the flag, then looks.
        self._waiting.add(reply)
        reply.add_done_callback(self._waiting.discard)
        try:
            self._refuse_closed()
        except NotConnected as error:
            reply.fail(error)
        self._queue.put(lambda: self._begin(send, reply))

    def _refuse_closed(self) -> None:
        if self._closed is not None and not (self._ends and threading.current_thread().daemon):
            raise NotConnected(f"{self._closed}; {NOT_SENT}", may_have_run=False)

    def _wait(
        self,
        send: Callable[[Session, Reply], None],
        timeout: float,
        what: str,
        cancel_mode: str | None = None,
        *,
        patient: bool = True,
    ) -> Any:
        """Send, and return what comes of it.

        :param patient: where there is no session, wait for the next one.
        """
        self.refuse_blocking(what)
        reply = Reply(patient=patient)
        # First in the set, then the look at the flag: release() sets the flag, then looks.
        self._waiting.add(reply)
        try:
            self._refuse_closed()
            with place_handed_over():
                self._queue.put(lambda: self._begin(send, reply))
                return reply.result(timeout)
        except TimeoutError as error:
            if isinstance(error, WAMPError):
                raise
            text = f"{what} was not answered within {timeout:g} s"
            reply.give_up(lambda sent: self.late(text, timeout, sent=sent))
            self.give_up(reply, cancel_mode)
        finally:
            self._waiting.discard(reply)
            if not reply.done():
                # A signal's handler has raised, as Ctrl-C does. What was not sent yet is not sent
                # any more, what was sent is canceled.
                reply.give_up(lambda _sent: TimeoutError())
                self.give_up(reply, cancel_mode)
        # What was given up, or what has come meanwhile; a TimeoutError as its context would tell nothing.
        return reply.result()


def _settle(outcome: Any, reply: Reply) -> None:
    """Tell *reply* that a Deferred has fired, or why it has failed."""

    def fail(failure: Any) -> None:
        error = failure.value
        if not isinstance(error, WAMPError):
            error = NotConnected(f"the session ended meanwhile: {error}")
        reply.fail(error)

    outcome.addCallbacks(lambda _: reply.succeed(None), fail)
