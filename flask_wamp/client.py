"""``g.wampy``: calls and publishes from any view, handler, command or test."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Self

from . import outbox
from .errors import OptionError, RemoteError
from .link import Answer, Results
from .options import OF_CALLS, OF_PUBLISHES, Options
from .payload import encode_arguments
from .registry import Registry
from .uris import malformed_uri

if TYPE_CHECKING:
    from .meta import HistoryEvent, Meta
    from .state import State

_NO_OPTIONS = Options()


class Client:
    """Calls procedures and publishes events on an application's behalf.

    It holds no connection of its own and may be used from any thread but the reactor's. All of its
    methods raise :class:`~flask_wamp.NotConnected` where there is no session to the router or it
    was lost, :class:`~flask_wamp.PayloadError` where an argument cannot travel, and
    :class:`~flask_wamp.BlockingCallError` on the reactor thread.
    """

    __slots__ = ("_options", "_state")

    def __init__(self, state: "State", options: Options = _NO_OPTIONS) -> None:
        self._state = state
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
        return Client(self._state, self._options.updated(options))

    @property
    def rpc(self) -> "Rpc":
        """Procedures as attributes: ``g.wampy.rpc.add(1, 2)``.

        A bare name stands behind ``WAMP_URI_PREFIX``, as it does in ``@wamp.callee``; a dotted
        one, ``g.wampy.rpc.com.example.add(1, 2)``, is a whole URI.
        """
        return Rpc(self, self._state.config.uri_prefix)

    @property
    def meta(self) -> "Meta":
        """The router's own view of sessions, registrations and subscriptions."""
        from .meta import Meta

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
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        try:
            return state.link().call(uri, payload, keywords, options)
        except RemoteError as error:
            raise_declared(error, state.registry)

    def start_call(self, uri: str, /, *args: Any, **kwargs: Any) -> "PendingCall":
        """Call the procedure *uri*, and return at once; its result is awaited later.

        The call has ``WAMP_TIMEOUT`` seconds, or the ``timeout`` of :meth:`with_options`, from now
        on, and is canceled when they are over, whether anybody waits or not.
        """
        options = self._options_of("start_call", OF_CALLS)
        _refuse_malformed("start_call", uri)
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        answer = state.link().start(uri, payload, keywords, options)
        return PendingCall(uri, answer, state.registry)

    def gather(self, calls: "Iterable[PendingCall]") -> list[Any]:
        """Wait for *calls*, and return their results in the same order.

        As soon as one fails, the others are canceled and its error is raised, as :meth:`call` does.
        """
        pending: list[PendingCall] = []
        try:
            pending.extend(calls)
            self._state.link().wait([call.answer for call in pending])
            for call in pending:
                if call.done():
                    call.result()
            return [call.result() for call in pending]
        except BaseException:
            for call in pending:
                call.cancel()
            raise

    def stream(self, uri: str, /, *args: Any, **kwargs: Any) -> "Stream":
        """Call the procedure *uri*, and iterate over its progressive results (spec, 10.2.1).

        Leaving the loop cancels the call. A last result that is not None is the last item, so a
        procedure that is not progressive gives one. The ``timeout`` of :meth:`with_options`, or
        ``WAMP_TIMEOUT``, is how long the next result may take.

        Iterating raises what :meth:`call` does, and :class:`~flask_wamp.StreamOverflow`
        where a callee that flask-wamp does not serve sends faster than the loop takes.
        """
        options = self._options_of("stream", OF_CALLS)
        _refuse_malformed("stream", uri)
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        results = state.link().stream(uri, payload, keywords, options)
        return Stream(uri, results, state.registry)

    def publish(
        self, /, topic: str, *args: Any, acknowledge: bool | None = None, **kwargs: Any
    ) -> int | None:
        """Publish to *topic*; every subscriber gets the event, this process's included (spec, 9.1).

        :param acknowledge: wait until the router has accepted the event, which is the default.
            Without, a refusal and a connection lost on the way go unnoticed.
        :returns: the publication id; None where not acknowledged.
        :raises RemoteError: the router refused the event.
        :raises CallTimeout: no acknowledgment within ``WAMP_TIMEOUT`` seconds, or the ``timeout``
            of :meth:`with_options`.
        """
        options = self._options_of("publish", OF_PUBLISHES)
        _refuse_malformed("publish", topic)
        if acknowledge is not None:
            options = options.updated({"acknowledge": acknowledge})
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        return state.link().publish(topic, payload, keywords, options)

    def publish_on_success(
        self, /, topic: str, *args: Any, acknowledge: bool | None = None, **kwargs: Any
    ) -> None:
        """Publish to *topic* when the request, call or other application context has ended well.

        Over HTTP that is a response below 400, for a call a result, else a context that no
        exception ends. An event that the router refuses then is logged. For what a database
        commits, see the recipe in the documentation.

        :param acknowledge: as :meth:`publish` has it.
        :raises SetupError: outside an application context.
        """
        options = self._options_of("publish_on_success", OF_PUBLISHES)
        _refuse_malformed("publish_on_success", topic)
        if acknowledge is not None:
            options = options.updated({"acknowledge": acknowledge})
        state = self._state
        # Now, since the view may change afterwards what it has given.
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        outbox.keep(topic, lambda: state.link().publish(topic, payload, keywords, options))

    def history(
        self, topic: str, *, match: str = "exact", limit: int = 100
    ) -> "list[HistoryEvent]":
        """Return the events of *topic* that the router has kept, the oldest first (spec, 10.3.5).

        The node's configuration says which topics it keeps. To miss and repeat nothing, subscribe
        first, then fetch, and drop what has come twice, by its ``publication``.

        :param match: the match policy of the configuration's ``event-history`` entry.
        :param limit: the newest events at most.
        :raises RemoteError: ``wamp.error.history_unavailable``: it keeps none of this topic.
        """
        from .meta import history

        return history(self, topic, match, limit)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._state.app.name!r}>"

    def _options_of(self, method: str, allowed: frozenset[str]) -> Options:
        """Return the options, with a timeout, of a call or publish."""
        options = self._options
        if options is _NO_OPTIONS:
            return self._state.default_options
        options.refuse_others(method, allowed)
        if options.timeout is None:
            return options.updated({"timeout": self._state.config.timeout})
        return options


class PendingCall:
    """A call under way, started with ``g.wampy.start_call``.

    :ivar uri: the procedure.
    :ivar answer: where the link puts its answer.
    """

    def __init__(self, uri: str, answer: Answer, registry: Registry) -> None:
        self.uri = uri
        self._registry = registry
        self.answer = answer

    def done(self) -> bool:
        """Tell whether the result, or an error, is there."""
        return self.answer.done()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result and return it, or raise what ``g.wampy.call`` raises.

        :param timeout: seconds to wait; the call goes on when they are over, as long as it has
            time of its own left.
        :raises CallTimeout: no answer in time.
        """
        if timeout is not None and timeout < 0:
            raise OptionError(f"result(timeout={timeout!r}): give seconds from 0, as in 0.5")
        try:
            return self.answer.result(timeout)
        except RemoteError as error:
            raise_declared(error, self._registry)

    def cancel(self) -> None:
        """Want the result no more: the router is told, and :meth:`result` raises ``Canceled``.

        Does nothing when the answer is there.
        """
        self.answer.cancel()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}{' done' if self.done() else ''}>"


class Stream(Iterator[Any]):
    """The progressive results of a call, started with ``g.wampy.stream``.

    Closed, or left by the last reference, it cancels the call. Also a context manager, for loops
    that exceptions may leave: their traceback keeps the loop's own reference.

    :ivar uri: the procedure.
    """

    def __init__(self, uri: str, results: Results, registry: Registry) -> None:
        self.uri = uri
        self._registry = registry
        self._results = results

    def __next__(self) -> Any:
        try:
            return self._results.next()
        except RemoteError as error:
            raise_declared(error, self._registry)

    def close(self) -> None:
        """Want no further result; does nothing after the end."""
        self._results.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}>"


class Rpc:
    """Builds the URI of a procedure from attributes, and calls it."""

    __slots__ = ("_client", "_prefix", "_words")

    def __init__(self, client: Client, prefix: str, words: tuple[str, ...] = ()) -> None:
        self._client = client
        self._prefix = prefix
        self._words = words

    def __getattr__(self, name: str) -> "Rpc":
        if name.startswith("__"):
            raise AttributeError(name)
        return Rpc(self._client, self._prefix, (*self._words, name))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure; see :meth:`Client.call`."""
        prefix = self._prefix if len(self._words) == 1 else ""
        return self._client.call(prefix + ".".join(self._words), *args, **kwargs)

    def __repr__(self) -> str:
        return f"<rpc {'.'.join(self._words)}>"


def raise_declared(error: RemoteError, registry: Registry) -> NoReturn:
    """Raise the exception that the application has declared for *error*, or itself."""
    known = registry.exception_from(error.uri, error.args, error.kwargs)
    if known is None:
        raise error
    raise known from error


def _refuse_malformed(method: str, uri: object) -> None:
    reason = malformed_uri(uri)
    if reason:
        raise ValueError(f"g.wampy.{method}: {uri!r} is not a URI: {reason}")
