"""Everything this package raises, and the error URIs it speaks.

.. code-block:: text

    WAMPError
    ├── ConfigError (ValueError)        a configuration value was refused
    ├── DeclarationError (ValueError)   a declaration was refused, where it was written
    ├── OptionError (ValueError)        an option of a call or publish was refused
    ├── SetupError (RuntimeError)       no extension, no app, or a step out of order
    ├── BlockingCallError (RuntimeError) a blocking call from the reactor thread
    ├── PayloadError (TypeError)        a value that no serializer can carry
    ├── ReadOnlySession (RuntimeError)  a view changed the Flask session in a call
    ├── ApplicationError                raised in a view, it answers the call under its URI
    ├── TooManyCalls                    no thread is left for a view to wait in
    ├── StreamOverflow                  results of a stream came faster than they were taken
    ├── RegistrationFailed              the router refused procedures or subscriptions
    ├── Unanswered                      no answer; .may_have_run tells whether it was sent
    │   ├── CallTimeout (TimeoutError)      no answer within the timeout
    │   └── NotConnected (ConnectionError)  no session, or it was lost while waiting
    └── RemoteError                     the answer to a call or publish was an error
        ├── NoSuchProcedure             wamp.error.no_such_procedure
        ├── NotAuthorized               wamp.error.not_authorized, authorization_failed
        ├── InvalidArgument             wamp.error.invalid_argument
        └── Canceled                    wamp.error.canceled

A view raises an :class:`ApplicationError` of its own, or an exception class declared with
``@wamp.error(uri)``, to answer a call with that URI. This module uses the standard library only.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

INVALID_ARGUMENT = "wamp.error.invalid_argument"
NOT_AUTHORIZED = "wamp.error.not_authorized"
AUTHORIZATION_FAILED = "wamp.error.authorization_failed"
NOT_FOUND = "wamp.error.not_found"
NO_SUCH_PROCEDURE = "wamp.error.no_such_procedure"
CANCELED = "wamp.error.canceled"
RUNTIME_ERROR = "wamp.error.runtime_error"
TIMEOUT = "wamp.error.timeout"
CONFLICT = "wamp.error.conflict"
UNAVAILABLE = "wamp.error.unavailable"
REDIRECT = "wamp.error.redirect"
INVALID_PAYLOAD = "wamp.error.invalid_payload"
PAYLOAD_SIZE_EXCEEDED = "wamp.error.payload_size_exceeded"


class WAMPError(Exception):
    """The base of everything that this package raises."""


class ConfigError(WAMPError, ValueError):
    """A configuration value was refused; the text names key, value and remedy."""


class DeclarationError(WAMPError, ValueError):
    """A declaration was refused: a duplicate or invalid URI, options that cannot be."""


class OptionError(WAMPError, ValueError):
    """An option of a call or publish was refused; the text says what to write."""


class SetupError(WAMPError, RuntimeError):
    """The extension is not set up for what was asked; the text says what to do."""


class BlockingCallError(WAMPError, RuntimeError):
    """A call that waits was made from the reactor thread, which must never wait."""


class PayloadError(WAMPError, TypeError):
    """A value cannot travel; the text names its type and where it stands."""


class ReadOnlySession(WAMPError, RuntimeError):
    """A view changed the Flask session in a call, where no cookie can be set."""


class RegistrationFailed(WAMPError):
    """The router refused to register procedures or to subscribe; the text names each."""


class TooManyCalls(WAMPError):
    """A view wants to wait for an answer, and no further thread may be started meanwhile."""


class StreamOverflow(WAMPError):
    """A callee sent results faster than the loop took them; the call was canceled."""


class Unanswered(WAMPError):
    """A call or publish has no answer, and what became of it is not known, or is.

    :param may_have_run: whether it was sent, so that the call may have run, or may still, and the
        event may have gone out. False where it certainly was not; who does not know says nothing.
    """

    def __init__(self, *args: Any, may_have_run: bool = True) -> None:
        super().__init__(*args)
        self.may_have_run = may_have_run


class CallTimeout(Unanswered, TimeoutError):
    """No answer came within the timeout; the call was canceled at the router."""


class NotConnected(Unanswered, ConnectionError):
    """There is no session to the router, or it was lost while an answer was awaited."""


class ApplicationError(WAMPError):
    """An error that a view answers a call with, under a URI of its own.

    :param uri: the error URI, ``com.example.no_stock``.
    :param args: the positional payload.
    :param kwargs: the keyword payload.
    """

    def __init__(self, uri: str, /, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args)
        self.uri = uri
        self.kwargs = kwargs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.uri, *self.args), vars(self)

    def __str__(self) -> str:
        return describe_error(self.uri, self.args, self.kwargs)


class RemoteError(WAMPError):
    """The answer to a call or to an acknowledged publish was an error (WAMP spec, 9.2.5).

    :ivar uri: the error URI.
    :ivar args: the positional payload, a tuple.
    :ivar kwargs: the keyword payload, a dict.
    """

    _by_uri: ClassVar[dict[str, type["RemoteError"]]] = {}
    #: The URIs that a subclass stands for, the usual one first.
    uris: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, uri: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(*args)
        self.uri = uri
        self.kwargs: dict[str, Any] = dict(kwargs or {})

    def __init_subclass__(cls, *, uris: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.uris = uris
        RemoteError._by_uri.update(dict.fromkeys(uris, cls))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.uri, self.args, self.kwargs)

    def __str__(self) -> str:
        return describe_error(self.uri, self.args, self.kwargs)

    @staticmethod
    def from_uri(
        uri: str, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> "RemoteError":
        """Return an instance of the subclass that stands for *uri*."""
        return RemoteError._by_uri.get(uri, RemoteError)(uri, args, kwargs)


class NoSuchProcedure(RemoteError, uris=(NO_SUCH_PROCEDURE,)):
    """Nobody has registered the procedure."""


class NotAuthorized(RemoteError, uris=(NOT_AUTHORIZED, AUTHORIZATION_FAILED)):
    """The router, or the view, denied the call or publish."""


class InvalidArgument(RemoteError, uris=(INVALID_ARGUMENT,)):
    """The arguments do not fit the procedure."""


class Canceled(RemoteError, uris=(CANCELED,)):
    """The router canceled the call, as its callee has gone away, or this process has.

    :ivar may_have_run: whether the call may have run: the callee may have gone before or behind
        that. False where it was canceled here before it was sent.
    """

    may_have_run = True


def describe_error(uri: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return *uri* and the payload in one line, for logs and tracebacks."""
    parts = [str(arg) for arg in args]
    # What a view has refused with says its text in both.
    said = {
        key: value for key, value in kwargs.items() if key != "description" or value not in args
    }
    parts += [f"{key}={value!r}" for key, value in said.items()]
    return f"{uri}: {', '.join(parts)}" if parts else uri


def invalid_config(key: str, value: object, remedy: str) -> ConfigError:
    """Return the error that refuses a configuration *value*, with the *remedy*."""
    return ConfigError(f"{key} = {value!r} is invalid: {remedy}.")
