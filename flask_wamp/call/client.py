"""``g.wampy``: calls and publishes from any view, handler, command or test."""

from collections.abc import Iterable
from typing import Any, Literal, Protocol, overload

from flask import Flask

from ..config import WampConfig
from ..declare.registry import Registry
from ..errors import RemoteError
from ..payload import encode_arguments
from ..tracing import spans
from ..uris import malformed_uri
from . import outbox
from .link import DurableOutbox, Link
from .meta import HistoryEvent, Meta, history
from .options import OF_CALLS, OF_PUBLISHES, Options
from .pending import PendingCall, Stream, raise_declared
from .rpc import Rpc

_NO_OPTIONS = Options()


class Owner(Protocol):
    """The application that a client calls and publishes for.

    :ivar default_options: those of a client that was given none.
    """

    app: Flask
    registry: Registry
    config: WampConfig
    default_options: Options

    @property
    def outbox(self) -> DurableOutbox:
        """Where durable events are written."""

    def link(self) -> Link:
        """Return the link, which may be started here."""


class Client:
    """Calls procedures and publishes events on an application's behalf.

    It holds no connection of its own and may be used from any thread but the reactor's. All of its
    methods raise :class:`~flask_wamp.NotConnected` where there is no session to the router or it
    was lost, :class:`~flask_wamp.PayloadError` where an argument cannot travel, and
    :class:`~flask_wamp.BlockingCallError` on the reactor thread.
    """

    __slots__ = ("_options", "_owner")

    def __init__(self, owner: Owner, options: Options = _NO_OPTIONS) -> None:
        self._owner = owner
        self._options = options

    def with_options(self, **options: Any) -> "Client":
        """Return a client whose calls and publishes have these options.

        For calls: ``timeout`` (seconds, a float; kept on this side), ``cancel_mode``
        (``"killnowait"``, ``"kill"``, ``"skip"``; how the router is told that a call was given
        up) and ``disclose_me``. For publishes: ``timeout``, ``acknowledge``, ``exclude_me``,
        ``exclude`` and ``eligible`` (lists of session ids), ``exclude_authid``,
        ``eligible_authid``, ``exclude_authrole``, ``eligible_authrole`` (lists of names),
        ``retain`` and ``disclose_me`` (WAMP spec, 10.2 and 10.3). None takes an option back.

        :raises OptionError: an option is unknown, or its value cannot be.
        """
        return Client(self._owner, self._options.updated(options))

    @property
    def rpc(self) -> Rpc:
        """Procedures as attributes: ``g.wampy.rpc.add(1, 2)``.

        A bare name stands behind ``WAMP_URI_PREFIX``, as it does in ``@wamp.callee``; a dotted
        one, ``g.wampy.rpc.com.example.add(1, 2)``, is a whole URI.
        """
        return Rpc(self, self._owner.config.uri_prefix)

    @property
    def meta(self) -> Meta:
        """The router's own view of sessions, registrations and subscriptions."""
        return Meta(self)

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure *uri* and return its result (WAMP spec, 9.2).

        :returns: the value; a :class:`~flask_wamp.CallResult` where the callee gave several.
        :raises RemoteError: the answer is an error; a class declared with ``@wamp.error`` is
            raised instead where the application knows the URI.
        :raises CallTimeout: no answer within ``WAMP_TIMEOUT`` seconds, or the ``timeout`` of
            :meth:`with_options`; the call was canceled.
        """
        options = self._options_of("call", OF_CALLS)
        _refuse_malformed("call", uri)
        owner = self._owner
        payload, keywords = encode_arguments(args, kwargs, owner.app.json)
        try:
            with spans.calling(uri):
                return owner.link().call(uri, payload, keywords, options)
        except RemoteError as error:
            raise_declared(error, owner.registry)

    def start_call(self, uri: str, /, *args: Any, **kwargs: Any) -> PendingCall:
        """Call the procedure *uri*, and return at once; its result is awaited later.

        The call has ``WAMP_TIMEOUT`` seconds, or the ``timeout`` of :meth:`with_options`, from now
        on, and is canceled when they are over, whether anybody waits or not.
        """
        options = self._options_of("start_call", OF_CALLS)
        _refuse_malformed("start_call", uri)
        owner = self._owner
        payload, keywords = encode_arguments(args, kwargs, owner.app.json)
        with (span := spans.calling(uri)).begun():
            answer = owner.link().start(uri, payload, keywords, options)
        return PendingCall(uri, answer, owner.registry, span)

    def gather(self, calls: Iterable[PendingCall]) -> list[Any]:
        """Wait for *calls*, and return their results in the same order.

        As soon as one fails, the others are canceled and its error is raised, as :meth:`call` does.
        """
        pending: list[PendingCall] = []
        try:
            pending.extend(calls)
            self._owner.link().wait([call.answer for call in pending])
            for call in pending:
                if call.done():
                    call.result()
            return [call.result() for call in pending]
        except BaseException:
            for call in pending:
                call.cancel()
            raise

    def stream(self, uri: str, /, *args: Any, **kwargs: Any) -> Stream:
        """Call the procedure *uri*, and iterate over its progressive results (spec, 10.2.1).

        Leaving the loop cancels the call. A last result that is not None is the last item, so a
        procedure that is not progressive gives one. The ``timeout`` of :meth:`with_options`, or
        ``WAMP_TIMEOUT``, is how long the next result may take.

        Iterating raises what :meth:`call` does, and :class:`~flask_wamp.StreamOverflow`
        where a callee that flask-wamp does not serve sends faster than the loop takes.
        """
        options = self._options_of("stream", OF_CALLS)
        _refuse_malformed("stream", uri)
        owner = self._owner
        payload, keywords = encode_arguments(args, kwargs, owner.app.json)
        with (span := spans.calling(uri)).begun():
            results = owner.link().stream(uri, payload, keywords, options)
        return Stream(uri, results, owner.registry, span)

    @overload
    def publish(
        self,
        /,
        topic: str,
        *args: Any,
        acknowledge: bool | None = None,
        durable: Literal[False] = False,
        **kwargs: Any,
    ) -> int | None: ...

    @overload
    def publish(
        self,
        /,
        topic: str,
        *args: Any,
        acknowledge: None = None,
        durable: Literal[True] | str,
        **kwargs: Any,
    ) -> str: ...

    def publish(
        self,
        /,
        topic: str,
        *args: Any,
        acknowledge: bool | None = None,
        durable: bool | str = False,
        **kwargs: Any,
    ) -> int | str | None:
        """Publish to *topic*; every subscriber gets the event, this process's included (spec, 9.1).

        :param acknowledge: wait until the router has accepted the event, which is the default.
            Without, a refusal and a connection lost on the way go unnoticed.
        :param durable: write the event into the outbox of ``@wamp.outbox`` instead, inside the
            transaction that the application is in: it is sent, at least once and in order, when
            that has committed. A name is that of a keyword argument that has the event's id as well.
        :returns: the publication id; None where not acknowledged; the id of a durable event,
            which handlers have as ``event.id``.
        :raises SetupError: ``durable``, and the application has no outbox or is in no transaction.
        :raises RemoteError: the router refused the event.
        :raises CallTimeout: no acknowledgment within ``WAMP_TIMEOUT`` seconds, or the ``timeout``
            of :meth:`with_options`.
        """
        options = self._options_of("publish", OF_PUBLISHES, durable=durable is not False)
        _refuse_malformed("publish", topic)
        if acknowledge is not None:
            options = options.updated({"acknowledge": acknowledge})
        owner = self._owner
        payload, keywords = encode_arguments(args, kwargs, owner.app.json)
        if durable is not False:
            with spans.publishing(topic, "create"):
                return owner.outbox.add(topic, payload, keywords, options, durable)
        with spans.publishing(topic):
            return owner.link().publish(topic, payload, keywords, options)

    def publish_on_success(
        self, /, topic: str, *args: Any, acknowledge: bool | None = None, **kwargs: Any
    ) -> None:
        """Publish to *topic* when the request, call or other application context has ended well.

        Over HTTP that is a response below 400, for a call a result, else a context that no
        exception ends. An event that the router refuses then is logged. For what a database
        commits there is :meth:`publish` with ``durable=True``.

        :param acknowledge: as :meth:`publish` has it.
        :raises SetupError: outside an application context.
        """
        options = self._options_of("publish_on_success", OF_PUBLISHES)
        _refuse_malformed("publish_on_success", topic)
        if acknowledge is not None:
            options = options.updated({"acknowledge": acknowledge})
        owner = self._owner
        # Now, since the view may change afterwards what it has given.
        payload, keywords = encode_arguments(args, kwargs, owner.app.json)

        def publish() -> Any:
            with spans.publishing(topic):
                return owner.link().publish(topic, payload, keywords, options)

        outbox.keep(topic, publish)

    def history(self, topic: str, *, match: str = "exact", limit: int = 100) -> list[HistoryEvent]:
        """Return the events of *topic* that the router has kept, the oldest first (spec, 10.3.5).

        The node's configuration says which topics it keeps. To miss and repeat nothing, subscribe
        first, then fetch, and drop what has come twice, by its ``publication``.

        :param match: the match policy of the configuration's ``event-history`` entry.
        :param limit: the newest events at most.
        :raises RemoteError: ``wamp.error.history_unavailable``: it keeps none of this topic.
        """
        return history(self, topic, match, limit)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._owner.app.name!r}>"

    def _options_of(
        self, method: str, allowed: frozenset[str], *, durable: bool = False
    ) -> Options:
        """Return the options of a call or publish, with a timeout unless it is *durable*."""
        options = self._options
        if options is _NO_OPTIONS and not durable:
            return self._owner.default_options
        options.refuse_others(method, allowed)
        if options.timeout is None and not durable:
            return options.updated({"timeout": self._owner.config.timeout})
        return options


def _refuse_malformed(method: str, uri: object) -> None:
    reason = malformed_uri(uri)
    if reason:
        raise ValueError(f"g.wampy.{method}: {uri!r} is not a URI: {reason}")


def globals_class(base: type[Any], client: Client) -> type[Any]:
    """Return a class for ``flask.g`` whose instances have *client* as ``wampy``."""

    class AppGlobals(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.wampy = client

    return AppGlobals
