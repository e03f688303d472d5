"""Carries calls and events to an application, as a router and a session of its own would."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from flask.testing import FlaskClient

from ..call.options import Options
from ..context import Cancellation, Event, Invocation
from ..declare.declared import Procedure, Subscription
from ..errors import NO_SUCH_PROCEDURE, ApplicationError, RemoteError
from ..serve.dispatcher import Send
from ..signals import SessionInfo
from ..state import State
from ..tracing.carrier import NOTHING, unpack
from ..tracing.current import outgoing
from ..uris import pattern_parts, uri_matches
from .guard import Guard
from .history import History
from .pages import Pages
from .routing import Key, best
from .streams import SteppedResults
from .wire import received, received_error, travelled

#: Events that may come of one publish; more are taken for a circle.
MOST_EVENTS = 10_000

#: What a handler is to be run with.
Job = tuple[Subscription, Event, list[Any], dict[str, Any]]


class _Thread(threading.local):
    """What one thread has to do with a router.

    :ivar waiting: events behind the one that is being handled.
    :ivar failures: takes what handlers have raised; None where nobody is there to be told.
    """

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.is_handling = False
        self.failures: list[Exception] | None = None


class MemoryRouter:
    """Calls an application's procedures and hands events to its handlers, on the caller's thread.

    Views and handlers run as on a thread of the pool: without the contexts of whoever calls or
    publishes.

    :ivar absent: why the application has no session; None where it has one.
    :ivar history: what was published, by whomever.
    :ivar pages: who opened sessions with the cookies of Flask's test client.
    :ivar failures: what handlers have raised that no call of a test has shown.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.absent: str | None = None
        self.history = History()
        self._guard = Guard(state)
        self.pages = Pages(state.app, state.registry)
        self.failures: list[Exception] = []
        self._numbers = itertools.count(1)
        self._publications = itertools.count(1)
        self._retained: dict[str, tuple[Event, list[Any], dict[str, Any]]] = {}
        self._streams: WeakSet[SteppedResults] = WeakSet()
        self._thread = _Thread()

    def new_session(
        self, authid: str | None, authrole: str | None, number: int | None = None
    ) -> SessionInfo:
        """Return a session that has joined."""
        number = next(self._numbers) if number is None else number
        return SessionInfo(number, self.state.config.realm, authid, authrole)

    def open_page(self, http: FlaskClient, number: int | None = None) -> SessionInfo:
        """Return a session that the page of *http* has opened, by its cookies.

        :raises NotAuthorized: the application does not let it in.
        """
        page = self.pages.let_in(http)
        opened = self.new_session(page.peer.authid, page.peer.authrole, number)
        self.pages.add(opened.session, page)
        return opened

    def serves(self, uri: str) -> bool:
        """Tell whether the application has declared the procedure *uri*."""
        return self._procedure(uri) is not None

    def registered(self) -> Collection[Key]:
        """Return the procedures that the application serves, by URI and match policy."""
        return self.state.registry.resolved(self.state.config.uri_prefix).keys()

    def call(
        self,
        caller: SessionInfo,
        uri: str,
        args: list[Any],
        kwargs: dict[str, Any],
        send: Send | None = None,
        cancellation: Cancellation | None = None,
    ) -> Any:
        """Call a procedure of the application, and return what *caller* gets.

        :param send: takes progressive results.
        :raises RemoteError: the answer is an error; what has led to it is its ``__cause__``.
        :raises NotConnected: the application has ended the session of *caller*.
        """
        self.pages.refuse_ended(caller.session)
        self._guard.check_call(caller, uri)
        found = None if self.absent else self._procedure(uri)
        if found is None:
            # In the words of Crossbar.io.
            text = f"no callee registered for procedure <{uri}>"
            raise RemoteError.from_uri(NO_SUCH_PROCEDURE, [text])
        procedure, (pattern, match) = found
        invocation = Invocation(
            uri,
            caller.session,
            caller.authid,
            caller.authrole,
            pattern_parts(pattern, match, uri),
            send is not None,
            cancellation or Cancellation(),
            unpack(outgoing()),
        )
        args, kwargs = travelled(args, kwargs)
        sends = None if send is None else _receiving(send)
        try:
            return received(
                Context().run(
                    self.state.dispatcher.call,
                    procedure,
                    invocation,
                    args,
                    kwargs,
                    sends,
                    self.pages,
                )
            )
        except ApplicationError as error:
            cause = error.__cause__
            if cause is not None and not isinstance(cause, Exception | SystemExit):
                # Ctrl-C, and what ends a test from within.
                raise cause from None
            raise received_error(error) from error

    def stream(self, call: Callable[[Send, Cancellation], Any]) -> SteppedResults:
        """Return the results of what *call* calls, as they are asked for."""
        cancellation = Cancellation()
        results = SteppedResults(lambda send: call(send, cancellation), cancellation)
        self._streams.add(results)
        return results

    def publish(
        self,
        publisher: SessionInfo,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        *,
        handle: bool = True,
        retain: bool = False,
        carried: str | None = None,
    ) -> int:
        """Let the application's handlers handle an event, and return its publication id.

        An event that a handler publishes is handled when that one has ended.

        :param handle: False where the application is none of those who get it.
        :param carried: the ids that it brings along; by default those of the running code.
        :raises NotConnected: the application has ended the session of *publisher*.
        :raises RemoteError: the publisher may not.
        """
        self.pages.refuse_ended(publisher.session)
        self._guard.check_publish(publisher, topic, retain=retain)
        number = next(self._publications)
        who = (publisher.session, publisher.authid, publisher.authrole)
        event = Event(topic, number, *who, carried=unpack(carried or outgoing()))
        self.history.keep(event, args, kwargs)
        if retain:
            self._retained[topic] = event, args, kwargs
        if handle and self.absent is None:
            for subscription in self.state.registry.subscriptions:
                options = subscription.options
                if uri_matches(topic, subscription.topic, options.match):
                    parts = pattern_parts(subscription.topic, options.match, topic)
                    self._queue(subscription, _with(event, parts=parts), args, kwargs)
            self._handle_all()
        return number

    def hand_retained(self, subscription: Subscription) -> None:
        """Let a handler that is there by now have the events that were kept for such."""
        options = subscription.options
        for topic, (event, args, kwargs) in list(self._retained.items()):
            if options.get_retained and uri_matches(topic, subscription.topic, options.match):
                parts = pattern_parts(subscription.topic, options.match, topic)
                kept = _with(event, parts=parts, retained=True)
                self._queue(subscription, kept, args, kwargs)
        self._handle_all()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Raise what handlers raise meanwhile on this thread, when all of it is done."""
        outer, failures = self._thread.failures, list[Exception]()
        self._thread.failures = failures
        try:
            yield
        except BaseException as error:
            note(error, failures)
            raise
        finally:
            self._thread.failures = outer
        if failures:
            note(failures[0], failures[1:])
            raise failures[0]

    def close(self) -> None:
        """End the streams that nobody has taken to their end."""
        for results in list(self._streams):
            results.close()

    def _procedure(self, uri: str) -> tuple[Procedure, Key] | None:
        procedures = self.state.registry.resolved(self.state.config.uri_prefix)
        key = best(procedures, uri)
        return None if key is None else (procedures[key], key)

    def _queue(
        self, subscription: Subscription, event: Event, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        # For each handler a payload of its own.
        self._thread.waiting.append((subscription, event, *travelled(args, kwargs)))

    def _handle_all(self) -> None:
        thread = self._thread
        if thread.is_handling:
            return
        thread.is_handling = True
        try:
            for handled in itertools.count():
                if not thread.waiting:
                    return
                if handled == MOST_EVENTS:
                    raise RecursionError(
                        f"one event has led to over {MOST_EVENTS} others, the last of them to "
                        f"{thread.waiting[-1][1].uri!r}: do handlers publish in a circle?"
                    )
                job = thread.waiting.popleft()
                error = Context().run(self.state.dispatcher.handle, *job)
                if error is not None:
                    told = thread.failures
                    (self.failures if told is None else told).append(error)
        finally:
            thread.waiting.clear()
            thread.is_handling = False


def note(error: BaseException, failures: list[Exception]) -> None:
    """Say in the traceback of *error* that handlers have failed as well."""
    for failure in failures:
        error.add_note(f"A handler failed as well: {type(failure).__name__}: {failure}")


def gets(session: SessionInfo, options: Options) -> bool:
    """Tell whether a subscriber is one of those whom a publish of its own is for."""
    who = (session.session, session.authid, session.authrole)
    eligible = (options.eligible, options.eligible_authid, options.eligible_authrole)
    excluded = (options.exclude, options.exclude_authid, options.exclude_authrole)
    return (
        not options.exclude_me
        and all(ids is None or each in ids for each, ids in zip(who, eligible, strict=True))
        and not any(ids and each in ids for each, ids in zip(who, excluded, strict=True))
    )


def _receiving(send: Send) -> Send:
    return lambda value: send(received(value))


def _with(event: Event, *, parts: tuple[str, ...], retained: bool = False) -> Event:
    # At a router too, a retained event brings nothing along.
    carried = NOTHING if retained else event.carried
    return replace(event, parts=parts, retained=retained, carried=carried)
