"""Namespaces: declarations below one URI, as a blueprint has views below one path."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import DeclarationError
from ..uris import invalid_uri
from .allow import Allowed, problem_with
from .declared import Grant, ProcedureOptions, SubscriptionOptions
from .decorators import Declaration, Declarations
from .registry import Registry


class Namespaces(Declarations):
    """Declares, and makes namespaces that declare in the same place."""

    def namespace(
        self,
        uri: str,
        *,
        request: bool | None = None,
        invoke: str | None = None,
        concurrency: int | None = None,
        queue: int | None = None,
        get_retained: bool | None = None,
        overflow: str | None = None,
        allow: Allowed = None,
        publish: Allowed = None,
        subscribe: Allowed = None,
    ) -> "Namespace":
        """Return a namespace whose declarations are made here: ``wamp.namespace("com.shop")``.

        :param uri: the namespace; below another namespace, its name in there.
        :param get_retained: a default for its handlers, as is *overflow*; the others are defaults
            for its procedures. See :meth:`subscribe` and :meth:`callee`.
        :param publish: who may publish to the topics in it, see :meth:`topic`.
        :param subscribe: who may subscribe to the topics in it.
        :raises DeclarationError: the URI is invalid.
        """
        defaults = {
            **self._procedure_defaults(),
            **self._subscription_defaults(),
            **self._topic_defaults(),
        }
        given = {
            "request": request,
            "invoke": invoke,
            "concurrency": concurrency,
            "queue": queue,
            "get_retained": get_retained,
            "overflow": overflow,
            "allow": allow,
            "publish": publish,
            "subscribe": subscribe,
        }
        defaults.update((name, value) for name, value in given.items() if value is not None)
        return Namespace(self._below(uri), **defaults, make=self._make)

    def _below(self, name: str) -> str:
        """Return the URI of *name*."""
        return name


class Registers(Namespaces):
    """Declares in a registry of its own, namespaces that others have made as well."""

    _registry: Registry

    def register_namespace(self, namespace: "Namespace") -> None:
        """Make the declarations of a namespace that was made without this extension.

        :raises DeclarationError: one of them is taken.
        :raises SetupError: the declarations are served already.
        """
        namespace.declare_in(self._registry)


class Namespace(Namespaces):
    """Procedures, handlers and errors below one URI, as a blueprint has views below one path.

    ``orders = Namespace("com.shop.orders")`` stands in a module that sees neither ``wamp`` nor the
    application; ``wamp.register_namespace(orders)`` makes its declarations, those to come
    included. ``wamp.namespace("com.shop.orders")`` does both. Names in its decorators are always
    names below it: ``@orders.callee("add")`` is ``com.shop.orders.add``.

    :param uri: the namespace.
    :param request: a default for its procedures, as are *invoke*, *concurrency* and *queue*; see
        :meth:`callee`. Namespaces below it inherit them.
    :param get_retained: a default for its handlers, as is *overflow*; see :meth:`subscribe`.
    :param allow: a default for its procedures: who may call them.
    :param publish: who may publish to the topics in it, of those that have no other rights; see
        :meth:`topic`.
    :param subscribe: who may subscribe to the topics in it.
    :param make: makes its declarations at once; :meth:`Namespaces.namespace` gives it.
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
        overflow: str | None = None,
        allow: Allowed = None,
        publish: Allowed = None,
        subscribe: Allowed = None,
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
            "allow": allow,
        }
        self._procedures = {name: value for name, value in given.items() if value is not None}
        handlers = {"get_retained": get_retained, "overflow": overflow}
        self._subscriptions = {name: value for name, value in handlers.items() if value is not None}
        topics = {"publish": publish, "subscribe": subscribe}
        self._topics = {name: value for name, value in topics.items() if value is not None}
        problem = (
            ProcedureOptions(**self._procedure_defaults()).problem()
            or SubscriptionOptions(**self._subscription_defaults()).problem()
            or problem_with(publish, "publish")
            or problem_with(subscribe, "subscribe")
        )
        if problem:
            raise DeclarationError(f"the namespace {uri!r} cannot have {problem}")
        # The first registry is its own, so that what cannot be is refused where it is written.
        self._registries: list[Registry] = [Registry()]
        self._declarations: list[Declaration] = []
        if self._topics:
            self.topic("", match="prefix")

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

    def _topic_defaults(self) -> dict[str, Any]:
        return dict(self._topics)

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

    def _add_grant(self, grant: Grant) -> None:
        super()._add_grant(replace(grant, uri=self._below(grant.uri)))

    def _add_error(self, exception: type[Exception], uri: str) -> None:
        super()._add_error(exception, self._below(uri))

    def _make(self, declaration: Declaration) -> None:
        if self._make_elsewhere is not None:
            self._make_elsewhere(declaration)
            return
        for registry in self._registries:
            declaration(registry)
        self._declarations.append(declaration)
