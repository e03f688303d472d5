"""What was declared: procedures, subscriptions and errors. Standard library only."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..errors import DeclarationError, SetupError
from ..uris import invalid_pattern, invalid_topic, invalid_uri
from .declared import (
    PROCEDURE_DEFAULTS,
    SUBSCRIPTION_DEFAULTS,
    Grant,
    Procedure,
    ProcedureOptions,
    Subscription,
    SubscriptionOptions,
    describe,
    refuse_unreadable,
)
from .remembering import arguments_of, remember_arguments


@dataclass(slots=True, eq=False)
class Registry:
    """The declarations of one :class:`~flask_wamp.WAMP`, shared by the applications it serves."""

    procedures: list[Procedure] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    on_join: list[Callable[..., Any]] = field(default_factory=list)
    on_leave: list[Callable[..., Any]] = field(default_factory=list)
    authenticator: Callable[..., Any] | None = None
    authenticator_takes_handshake: bool = False
    credentials: dict[str, Callable[..., Any]] = field(default_factory=dict)
    outbox: Callable[[], Any] | None = None
    _prefixes: set[str] = field(default_factory=set)
    _errors: dict[str, type[Exception]] = field(default_factory=dict)
    _served_by: str | None = None

    def add_prefix(self, prefix: str) -> None:
        """Take note of an application's *prefix*, and refuse what collides behind it.

        :raises DeclarationError: two procedures have the same URI in that application.
        """
        seen: dict[tuple[str, str], Procedure] = {}
        for procedure in self.procedures:
            _refuse_twin(procedure, seen.setdefault(procedure.key(prefix), procedure), prefix)
        self._prefixes.add(prefix)

    def add_procedure(
        self,
        function: Callable[..., Any],
        uri: str | None = None,
        options: ProcedureOptions = PROCEDURE_DEFAULTS,
        *,
        late: bool = False,
    ) -> Procedure:
        """Declare *function* a procedure, under *uri* or its own name.

        :param late: it is registered by whoever adds it, where the others are served already.
        :raises DeclarationError: the URI is invalid, or taken, or an option cannot be.
        :raises SetupError: the procedures are registered already.
        """
        refuse_unreadable("callee", function)
        name = uri if uri is not None else getattr(function, "__name__", None)
        if name is None:
            raise DeclarationError(f"{function!r} has no name: give a URI, callee('com.example.x')")
        if not late:
            self._refuse_late(f"the procedure {name!r}", "add_procedure")
        reason = options.problem() or invalid_pattern(name, options.match)
        if reason:
            raise _refusal("callee", name, function, reason)
        if inspect.isasyncgenfunction(inspect.unwrap(function)):
            reason = "an asynchronous generator cannot be a procedure: make it a generator"
            raise _refusal("callee", name, function, reason)
        procedure = Procedure(function, name, absolute=uri is not None, options=options)
        for other in self.procedures:
            if (other.absolute, other.key("")) == (procedure.absolute, procedure.key("")):
                _refuse_twin(procedure, other, "")
            for prefix in self._prefixes:
                if other.key(prefix) == procedure.key(prefix):
                    _refuse_twin(procedure, other, prefix)
        # A new list: another thread may be reading the old one.
        self.procedures = [*self.procedures, procedure]
        return procedure

    def add_subscription(
        self,
        function: Callable[..., Any],
        topic: str,
        options: SubscriptionOptions = SUBSCRIPTION_DEFAULTS,
        *,
        late: bool = False,
    ) -> Subscription:
        """Declare *function* a handler of *topic*'s events.

        :param late: it is subscribed by whoever adds it, where the others are already.
        :raises DeclarationError: the topic is invalid, or an option cannot be.
        :raises SetupError: the subscriptions are made already.
        """
        refuse_unreadable("subscribe", function)
        if not late:
            self._refuse_late(f"the subscription to {topic!r}", "add_subscription")
        reason = options.problem() or invalid_topic(topic, options.match)
        if reason:
            raise _refusal("subscribe", topic, function, reason)
        subscription = Subscription(function, topic, options)
        self.subscriptions = [*self.subscriptions, subscription]
        return subscription

    def add_grant(self, grant: Grant) -> None:
        """Declare who may do what with a topic, or with somebody else's procedure.

        :raises DeclarationError: the URI is invalid, or has other rights already.
        """
        reason = invalid_pattern(grant.uri, grant.match)
        if reason is None and grant.uri.removesuffix(".").partition(".")[0] == "flask_wamp":
            reason = "URIs below 'flask_wamp.' belong to this package"
        if reason:
            raise DeclarationError(f"wamp.{grant.kind}({grant.uri!r}) is invalid: {reason}")
        for other in self.grants:
            if (other.kind, other.uri, other.match) != (grant.kind, grant.uri, grant.match):
                continue
            if other == grant:
                return
            raise DeclarationError(
                f"the rights to the {grant.kind} {grant.uri!r} are declared twice, at "
                f"{other.place} and at {grant.place}: say all of it in one place"
            )
        self.grants = [*self.grants, grant]

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Forget what is declared meanwhile where it ends with an exception."""
        procedures, subscriptions = self.procedures, self.subscriptions
        grants, errors = self.grants, dict(self._errors)
        try:
            yield
        except BaseException:
            self.procedures, self.subscriptions = procedures, subscriptions
            self.grants, self._errors = grants, errors
            raise

    def remove(self, declared: Procedure | Subscription) -> None:
        """Forget a procedure or subscription."""
        self.procedures = [other for other in self.procedures if other is not declared]
        self.subscriptions = [other for other in self.subscriptions if other is not declared]

    def add_watcher(self, function: Callable[..., Any], *, joins: bool) -> None:
        """Declare *function* to be called when a session has joined, or has left.

        :raises DeclarationError: it does not take one argument.
        """
        name = "on_join" if joins else "on_leave"
        if not callable(function):
            raise DeclarationError(f"@wamp.{name} stands on a function, not on {function!r}")
        if not _takes(function, None):
            raise DeclarationError(
                f"@wamp.{name}: {describe(function)} takes one argument, the session: "
                f"def {getattr(function, '__name__', name)}(session)"
            )
        (self.on_join if joins else self.on_leave).append(function)

    def set_authenticator(self, function: Callable[..., Any]) -> None:
        """Declare *function* to say who a page is.

        :raises DeclarationError: it takes more than the handshake, or there is one already.
        """
        if not callable(function):
            raise DeclarationError(f"@wamp.authenticate stands on a function, not on {function!r}")
        self._refuse_second("authenticate", self.authenticator, function)
        takes = _takes(function, None)
        if not takes and not _takes(function):
            raise DeclarationError(
                f"@wamp.authenticate: {describe(function)} takes no argument, or the handshake"
            )
        self.authenticator, self.authenticator_takes_handshake = function, takes

    def set_credentials(self, method: str, function: Callable[..., Any]) -> None:
        """Declare *function* to know the credentials of an authentication method.

        :raises DeclarationError: it does not take one argument, or there is one already.
        """
        decorator = f"credentials({method!r})"
        if not callable(function):
            raise DeclarationError(f"@wamp.{decorator} stands on a function, not on {function!r}")
        self._refuse_second(decorator, self.credentials.get(method), function)
        if not _takes(function, None):
            what = "the certificate" if method == "tls" else "the authid"
            raise DeclarationError(
                f"@wamp.{decorator}: {describe(function)} takes one argument, {what}"
            )
        self.credentials[method] = function

    def add_error(self, exception: type[Exception], uri: str) -> None:
        """Let *exception* travel under *uri*, with the arguments that it was made with.

        :raises DeclarationError: the URI is invalid or taken, or the class has one already.
        """
        reason = invalid_uri(uri)
        if reason:
            raise _refusal("error", uri, exception, reason)
        taken_by = self._errors.get(uri)
        if taken_by is not None:
            raise DeclarationError(
                f"the error URI {uri!r} of {describe(exception)} is taken by {describe(taken_by)}"
            )
        if exception in self._errors.values():
            raise DeclarationError(f"{describe(exception)} has an error URI already")
        remember_arguments(exception)
        self._errors[uri] = exception

    def error_of(self, exception: Exception) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """Return URI, positional and keyword payload that *exception* travels as, or None."""
        if not self._errors:
            return None
        uris = {cls: uri for uri, cls in self._errors.items()}
        for cls in type(exception).__mro__:
            if cls in uris:
                args, kwargs = arguments_of(exception)
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

    def resolved(self, prefix: str) -> dict[tuple[str, str], Procedure]:
        """Return the procedures by URI and match policy, in an application with this *prefix*."""
        return {procedure.key(prefix): procedure for procedure in self.procedures}

    def freeze(self, method: str) -> None:
        """Refuse procedures and subscriptions from now on, because *method* has served them."""
        self._served_by = method

    def _refuse_second(
        self, decorator: str, first: Callable[..., Any] | None, second: Callable[..., Any]
    ) -> None:
        if first is not None:
            raise DeclarationError(
                f"@wamp.{decorator} stands on {describe(first)} already: take it off there, or off "
                f"{describe(second)}"
            )

    def _refuse_late(self, what: str, method: str) -> None:
        if self._served_by is not None:
            raise SetupError(
                f"{what} was declared after {self._served_by} had served the declarations: "
                f"import the module that declares it before, or use wamp.{method}()"
            )


def _takes(function: Callable[..., Any], *args: Any) -> bool:
    """Tell whether *function* can be called with *args*; of what is built in nobody may know."""
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _refusal(decorator: str, uri: object, target: Any, reason: str) -> DeclarationError:
    return DeclarationError(
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
