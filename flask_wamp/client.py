"""``g.wampy``: calls and publishes from any view, handler, command or test."""

from typing import TYPE_CHECKING, Any

from .errors import RemoteError
from .payload import encode_arguments
from .uris import malformed_uri

if TYPE_CHECKING:
    from .state import State


class Client:
    """Calls procedures and publishes events on an application's behalf.

    It holds no connection of its own and may be used from any thread but the reactor's.
    """

    __slots__ = ("_state",)

    def __init__(self, state: "State") -> None:
        self._state = state

    @property
    def rpc(self) -> "Rpc":
        """Procedures as attributes: ``g.wampy.rpc.add(1, 2)``.

        A bare name stands behind ``WAMP_URI_PREFIX``, as it does in ``@wamp.callee``; a dotted
        one, ``g.wampy.rpc.com.example.add(1, 2)``, is a whole URI.
        """
        return Rpc(self, self._state.config.uri_prefix)

    def call(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call the procedure *uri* and return its result (WAMP spec, 9.2).

        :returns: the value; a :class:`~flask_wamp.CallResult` where the callee gave several.
        :raises RemoteError: the answer is an error; a class declared with ``@wamp.error`` is
            raised instead where the application knows the URI.
        :raises CallTimeout: no answer within ``WAMP_TIMEOUT`` seconds.
        :raises NotConnected: there is no session to the router, or it was lost.
        :raises PayloadError: an argument cannot travel.
        :raises BlockingCallError: called from the reactor thread.
        """
        _refuse_malformed("call", uri)
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        try:
            return state.link().call(uri, payload, keywords, state.config.timeout)
        except RemoteError as error:
            known = state.registry.exception_from(error.uri, error.args, error.kwargs)
            if known is None:
                raise
            raise known from error

    def publish(
        self, /, topic: str, *args: Any, acknowledge: bool = True, **kwargs: Any
    ) -> int | None:
        """Publish to *topic*; every subscriber gets the event, this process's included (spec, 9.1).

        :param acknowledge: wait until the router has accepted the event. Without, a refusal and
            a connection lost on the way go unnoticed.
        :returns: the publication id; None where not acknowledged.
        :raises RemoteError: the router refused the event.
        :raises CallTimeout: no acknowledgment within ``WAMP_TIMEOUT`` seconds.
        :raises NotConnected: there is no session to the router, or it was lost.
        :raises PayloadError: an argument cannot travel.
        :raises BlockingCallError: called from the reactor thread.
        """
        _refuse_malformed("publish", topic)
        state = self._state
        payload, keywords = encode_arguments(args, kwargs, state.app.json)
        return state.link().publish(topic, payload, keywords, acknowledge, state.config.timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._state.app.name!r}>"


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


def _refuse_malformed(method: str, uri: object) -> None:
    reason = malformed_uri(uri)
    if reason:
        raise ValueError(f"g.wampy.{method}: {uri!r} is not a URI: {reason}")
