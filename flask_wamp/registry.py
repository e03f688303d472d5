"""What was declared: procedures, subscriptions and errors. Standard library only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import DeclarationError, SetupError
from .uris import invalid_uri

_ARGUMENTS = "_flask_wamp_arguments"


def describe(function: Callable[..., Any]) -> str:
    """Return the name and place of *function*, for messages."""
    name = f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
    code = getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A function that can be called over WAMP.

    :ivar name: the URI, or the function's name, which stands behind the prefix.
    :ivar absolute: *name* is a whole URI.
    :ivar request: run the pipeline of HTTP where the function is a route as well.
    """

    function: Callable[..., Any]
    name: str
    absolute: bool
    request: bool = True

    def uri(self, prefix: str) -> str:
        """Return the URI in an application with this *prefix*."""
        return self.name if self.absolute else prefix + self.name


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A function that handles the events of a topic."""

    function: Callable[..., Any]
    topic: str


@dataclass(slots=True)
class Registry:
    """The declarations of one :class:`~flask_wamp.WAMP`, shared by the applications it serves."""

    procedures: list[Procedure] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    _prefixes: set[str] = field(default_factory=set)
    _errors: dict[str, type[Exception]] = field(default_factory=dict)
    _served_by: str | None = None

    def add_prefix(self, prefix: str) -> None:
        """Take note of an application's *prefix*, and refuse what collides behind it.

        :raises DeclarationError: two procedures have the same URI in that application.
        """
        seen: dict[str, Procedure] = {}
        for procedure in self.procedures:
            _refuse_twin(procedure, seen.setdefault(procedure.uri(prefix), procedure), prefix)
        self._prefixes.add(prefix)

    def add_procedure(
        self, function: Callable[..., Any], uri: str | None = None, *, request: bool = True
    ) -> Procedure:
        """Declare *function* a procedure, under *uri* or its own name.

        :raises DeclarationError: the URI is invalid, or taken.
        :raises SetupError: the procedures are registered already.
        """
        name = uri if uri is not None else getattr(function, "__name__", None)
        if name is None:
            raise DeclarationError(f"{function!r} has no name: give a URI, callee('com.example.x')")
        self._refuse_late(f"the procedure {name!r}")
        _refuse_invalid("callee", name, function)
        procedure = Procedure(function, name, absolute=uri is not None, request=request)
        for other in self.procedures:
            if (other.name, other.absolute) == (procedure.name, procedure.absolute):
                _refuse_twin(procedure, other, "")
            for prefix in self._prefixes:
                if other.uri(prefix) == procedure.uri(prefix):
                    _refuse_twin(procedure, other, prefix)
        self.procedures.append(procedure)
        return procedure

    def add_subscription(self, function: Callable[..., Any], topic: str) -> Subscription:
        """Declare *function* a handler of *topic*'s events.

        :raises DeclarationError: the topic is not a URI.
        :raises SetupError: the subscriptions are made already.
        """
        self._refuse_late(f"the subscription to {topic!r}")
        _refuse_invalid("subscribe", topic, function)
        subscription = Subscription(function, topic)
        self.subscriptions.append(subscription)
        return subscription

    def add_error(self, exception: type[Exception], uri: str) -> None:
        """Let *exception* travel under *uri*, with the arguments that it was made with.

        :raises DeclarationError: the URI is invalid or taken, or the class has one already.
        """
        _refuse_invalid("error", uri, exception)
        taken_by = self._errors.get(uri)
        if taken_by is not None:
            raise DeclarationError(
                f"the error URI {uri!r} of {describe(exception)} is taken by {describe(taken_by)}"
            )
        if exception in self._errors.values():
            raise DeclarationError(f"{describe(exception)} has an error URI already")
        _remember_arguments(exception)
        self._errors[uri] = exception

    def error_of(self, exception: Exception) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """Return URI, positional and keyword payload that *exception* travels as, or None."""
        if not self._errors:
            return None
        uris = {cls: uri for uri, cls in self._errors.items()}
        for cls in type(exception).__mro__:
            if cls in uris:
                args, kwargs = getattr(exception, _ARGUMENTS, (exception.args, {}))
                return uris[cls], args, kwargs
        return None

    def exception_from(
        self, uri: str, args: Iterable[Any], kwargs: dict[str, Any]
    ) -> Exception | None:
        """Make the exception that *uri* stands for, or None where it is not known."""
        exception = self._errors.get(uri)
        if exception is None:
            return None
        try:
            return exception(*args, **kwargs)
        except Exception:  # noqa: BLE001
            # The peer sent what the class does not take: the caller gets a RemoteError then,
            # which carries the same payload.
            return None

    def resolved(self, prefix: str) -> dict[str, Procedure]:
        """Return the procedures by their URIs in an application with this *prefix*."""
        return {procedure.uri(prefix): procedure for procedure in self.procedures}

    def freeze(self, method: str) -> None:
        """Refuse procedures and subscriptions from now on, because *method* has served them."""
        self._served_by = method

    def _refuse_late(self, what: str) -> None:
        if self._served_by is not None:
            raise SetupError(
                f"{what} was declared after {self._served_by} had served the declarations: "
                "import the module that declares it before"
            )


def _refuse_invalid(decorator: str, uri: object, target: Callable[..., Any]) -> None:
    reason = invalid_uri(uri)
    if reason:
        raise DeclarationError(
            f"@wamp.{decorator}: {uri!r} on {describe(target)} is invalid: {reason}"
        )


def _refuse_twin(procedure: Procedure, other: Procedure, prefix: str) -> None:
    if procedure is other:
        return
    raise DeclarationError(
        f"the procedure {procedure.uri(prefix)!r} is declared twice, by "
        f"{describe(other.function)} and by {describe(procedure.function)}: give one of them a "
        "URI of its own, callee('com.example.other')"
    )


def _remember_arguments(exception: type[Exception]) -> None:
    """Make instances of *exception* keep what they were made with.

    ``BaseException.args`` is what the class handed to ``super().__init__``, often a text, while a
    caller needs the constructor's own arguments to raise the same exception again.
    """
    inherited_new = exception.__new__

    def remembering_new(cls: type[Exception], *args: Any, **kwargs: Any) -> Exception:
        self = inherited_new(cls, *args, **kwargs)
        setattr(self, _ARGUMENTS, (args, kwargs))
        return self

    exception.__new__ = remembering_new  # type: ignore[method-assign,assignment]
