"""The decorators, which ``WAMP`` and its namespaces share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .errors import DeclarationError
from .registry import ProcedureOptions, Registry, SubscriptionOptions
from .uris import invalid_uri

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=type[Exception])

#: A declaration, to be made in a registry.
Declaration = Callable[[Registry], object]


class Declarations(ABC):
    """Declares procedures, handlers and errors."""

    @overload
    def callee(self, uri: F, /) -> F: ...

    @overload
    def callee(
        self,
        uri: str | None = None,
        /,
        *,
        request: bool | None = None,
        match: str = "exact",
        invoke: str | None = None,
        concurrency: int | None = None,
        queue: int | None = None,
        force_reregister: bool = False,
    ) -> Callable[[F], F]: ...

    def callee(
        self,
        uri: F | str | None = None,
        /,
        *,
        request: bool | None = None,
        match: str = "exact",
        invoke: str | None = None,
        concurrency: int | None = None,
        queue: int | None = None,
        force_reregister: bool = False,
    ) -> Any:
        """Declare a procedure: ``@wamp.callee``, or ``@wamp.callee("com.example.add")``.

        Stacks with ``@app.route`` in either order; a view that is both answers a call through the
        pipeline that HTTP runs. A view that is a generator sends what it yields as progressive
        results to a caller that takes them (WAMP spec, 10.2.1), and a list to every other.

        :param uri: the procedure's URI; by default the function's name behind
            ``WAMP_URI_PREFIX``, or behind the namespace.
        :param request: False gives an application context only, even to a view that is a route:
            its ``before_request`` guards do not run then.
        :param match: ``"prefix"`` or ``"wildcard"`` make the URI a pattern (WAMP spec, 10.2.6);
            ``invocation.uri`` and ``invocation.parts`` tell what was called.
        :param invoke: ``"first"``, ``"last"``, ``"roundrobin"`` or ``"random"`` share the URI with
            other sessions that register it so (WAMP spec, 10.2.7); ``"single"``, the default, does not.
        :param concurrency: calls of it that run at a time in this process.
        :param queue: calls that may wait for one of these places, by default 4096; one more gets
            ``wamp.error.unavailable`` at once.
        :param force_reregister: take the URI over from a session that has registered it so too
            (WAMP spec, 10.2.8).
        :raises DeclarationError: the URI is invalid, or taken, or an option cannot be.
        """
        given = self._procedure_defaults() | {
            name: value
            for name, value in (
                ("request", request),
                ("invoke", invoke),
                ("concurrency", concurrency),
                ("queue", queue),
            )
            if value is not None
        }
        options = ProcedureOptions(match=match, force_reregister=force_reregister, **given)

        def declare(function: F) -> F:
            self._add_procedure(function, None if callable(uri) else uri, options)
            return function

        return declare(uri) if callable(uri) else declare

    def subscribe(
        self,
        topic: str,
        *,
        match: str = "exact",
        get_retained: bool | None = None,
        concurrency: int = 1,
    ) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events: ``@wamp.subscribe("com.example.spam")``.

        The handler gets the event's positional and keyword payload as its arguments. Events of
        one subscription are handled one after another, in the order in which they came.

        :param match: ``"prefix"`` or ``"wildcard"`` make the topic a pattern (WAMP spec,
            10.3.4); ``event.uri`` and ``event.parts`` tell what was published to.
        :param get_retained: handle the event first that the router has kept, if any.
        :param concurrency: events that are handled at a time; above 1 they are out of order.
        :raises DeclarationError: the topic is invalid, or an option cannot be.
        """
        if callable(topic):
            raise DeclarationError("name the topic: @wamp.consume(topic='com.example.spam')")
        given: dict[str, Any] = self._subscription_defaults()
        if get_retained is not None:
            given["get_retained"] = get_retained
        options = SubscriptionOptions(match=match, concurrency=concurrency, **given)

        def declare(function: F) -> F:
            self._add_subscription(function, topic, options)
            return function

        return declare

    def consume(
        self,
        topic: str,
        *,
        match: str = "exact",
        get_retained: bool | None = None,
        concurrency: int = 1,
    ) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events; the same as :meth:`subscribe`."""
        return self.subscribe(
            topic, match=match, get_retained=get_retained, concurrency=concurrency
        )

    def error(self, uri: str) -> Callable[[E], E]:
        """Map an exception class to the error URI *uri*, both ways.

        Raised in a view, it travels under the URI with the arguments that it was made with; a
        call that is answered with the URI raises it again.

        :raises DeclarationError: the URI is invalid or taken, or the class has one already.
        """
        if callable(uri):
            raise DeclarationError("name the URI: @wamp.error('com.example.no_stock')")

        def declare(exception: E) -> E:
            if not (isinstance(exception, type) and issubclass(exception, Exception)):
                raise DeclarationError(f"@wamp.error({uri!r}) stands on an exception class")
            self._add_error(exception, uri)
            return exception

        return declare

    def namespace(
        self,
        uri: str,
        *,
        request: bool | None = None,
        invoke: str | None = None,
        concurrency: int | None = None,
        queue: int | None = None,
        get_retained: bool | None = None,
    ) -> "Namespace":
        """Return a namespace whose declarations are made here: ``wamp.namespace("com.shop")``.

        :param uri: the namespace; below another namespace, its name in there.
        :param get_retained: a default for its handlers; the others are defaults for its
            procedures. See :meth:`subscribe` and :meth:`callee`.
        :raises DeclarationError: the URI is invalid.
        """
        defaults = {**self._procedure_defaults(), **self._subscription_defaults()}
        given = {
            "request": request,
            "invoke": invoke,
            "concurrency": concurrency,
            "queue": queue,
            "get_retained": get_retained,
        }
        defaults.update((name, value) for name, value in given.items() if value is not None)
        return Namespace(self._below(uri), **defaults, make=self._make)

    def _procedure_defaults(self) -> dict[str, Any]:
        return {}

    def _subscription_defaults(self) -> dict[str, Any]:
        return {}

    def _below(self, name: str) -> str:
        """Return the URI of *name*."""
        return name

    def _add_procedure(
        self, function: Callable[..., Any], uri: str | None, options: ProcedureOptions
    ) -> None:
        self._make(lambda registry: registry.add_procedure(function, uri, options))

    def _add_subscription(
        self, function: Callable[..., Any], topic: str, options: SubscriptionOptions
    ) -> None:
        self._make(lambda registry: registry.add_subscription(function, topic, options))

    def _add_error(self, exception: type[Exception], uri: str) -> None:
        self._make(lambda registry: registry.add_error(exception, uri))

    @abstractmethod
    def _make(self, declaration: Declaration) -> None:
        """Make a declaration, or keep it until there is a registry."""


class Namespace(Declarations):
    """Procedures, handlers and errors below one URI, as a blueprint has views below one path.

    ``orders = Namespace("com.shop.orders")`` stands in a module that sees neither ``wamp`` nor the
    application; ``wamp.register_namespace(orders)`` makes its declarations, those to come
    included. ``wamp.namespace("com.shop.orders")`` does both. Names in its decorators are always
    names below it: ``@orders.callee("add")`` is ``com.shop.orders.add``.

    :param uri: the namespace.
    :param request: a default for its procedures, as are *invoke*, *concurrency* and *queue*; see
        :meth:`callee`. Namespaces below it inherit them.
    :param get_retained: a default for its handlers; see :meth:`subscribe`.
    :param make: makes its declarations at once; :meth:`Declarations.namespace` gives it.
    :raises DeclarationError: the URI is invalid, or an option cannot be.
    """

    def __init__(
        self,
        uri: str,
        *,
        request: bool | None = None,
        invoke: str | None = None,
        concurrency: int | None = None,
        queue: int | None = None,
        get_retained: bool | None = None,
        make: Callable[[Declaration], None] | None = None,
    ) -> None:
        reason = invalid_uri(uri)
        if reason:
            raise DeclarationError(f"the namespace {uri!r} is invalid: {reason}")
        self.uri = uri
        self._make_elsewhere = make
        given = {
            "request": request,
            "invoke": invoke,
            "concurrency": concurrency,
            "queue": queue,
        }
        self._procedures = {name: value for name, value in given.items() if value is not None}
        self._subscriptions = {} if get_retained is None else {"get_retained": get_retained}
        problem = (
            ProcedureOptions(**self._procedure_defaults()).problem()
            or SubscriptionOptions(**self._subscription_defaults()).problem()
        )
        if problem:
            raise DeclarationError(f"the namespace {uri!r} cannot have {problem}")
        # The first registry is its own, so that what cannot be is refused where it is written.
        self._registries: list[Registry] = [Registry()]
        self._declarations: list[Declaration] = []

    def declare_in(self, registry: Registry) -> None:
        """Make the declarations in *registry*, those to come included.

        :raises DeclarationError: one of them is taken there, and none is made; or they are made
            there already.
        """
        if registry in self._registries:
            raise DeclarationError(f"the namespace {self.uri!r} is registered already")
        with registry.all_or_nothing():
            for declaration in self._declarations:
                declaration(registry)
        self._registries.append(registry)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}>"

    def _procedure_defaults(self) -> dict[str, Any]:
        return dict(self._procedures)

    def _subscription_defaults(self) -> dict[str, Any]:
        return dict(self._subscriptions)

    def _below(self, name: str) -> str:
        if not isinstance(name, str):
            raise DeclarationError(
                f"{name!r} is no name below {self.uri!r}: give a str, as in 'add'"
            )
        return f"{self.uri}.{name}"

    def _add_procedure(
        self, function: Callable[..., Any], uri: str | None, options: ProcedureOptions
    ) -> None:
        name = getattr(function, "__name__", None) if uri is None else uri
        if name is None:
            raise DeclarationError(f"{function!r} has no name: give one, callee('add')")
        super()._add_procedure(function, self._below(name), options)

    def _add_subscription(
        self, function: Callable[..., Any], topic: str, options: SubscriptionOptions
    ) -> None:
        super()._add_subscription(function, self._below(topic), options)

    def _add_error(self, exception: type[Exception], uri: str) -> None:
        super()._add_error(exception, self._below(uri))

    def _make(self, declaration: Declaration) -> None:
        if self._make_elsewhere is not None:
            self._make_elsewhere(declaration)
            return
        for registry in self._registries:
            declaration(registry)
        self._declarations.append(declaration)
