"""The decorators, which ``WAMP`` and its namespaces share."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar, overload

from ..errors import DeclarationError
from .allow import Allow, Allowed, problem_with
from .declared import Grant, ProcedureOptions, SubscriptionOptions
from .place import Place
from .registry import Registry

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
        allow: Allowed = None,
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
        allow: Allowed = None,
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
            other sessions that register it so (WAMP spec, 10.2.7); ``"single"`` does not. It is the
            default, but where ``WAMP_SERVE`` lets several processes serve: ``"roundrobin"``.
        :param concurrency: calls of it that run at a time in this process.
        :param queue: calls that may wait for one of these places, by default 4096; one more gets
            ``wamp.error.unavailable`` at once.
        :param force_reregister: take the URI over from a session that has registered it so too
            (WAMP spec, 10.2.8).
        :param allow: who may call it: a role, as in ``"user"``, a list of roles, ``"everyone"``, or
            a function that gets an :class:`~flask_wamp.Access` and returns True. Without it,
            ``"nobody"``: services alone, which need no right.
        :raises DeclarationError: the URI is invalid, or taken, or an option cannot be.
        """
        given = self._procedure_defaults() | {
            name: value
            for name, value in (
                ("request", request),
                ("invoke", invoke),
                ("concurrency", concurrency),
                ("queue", queue),
                ("allow", allow),
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
        queue: int = 10_000,
        overflow: str | None = None,
    ) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events: ``@wamp.subscribe("com.example.spam")``.

        The handler gets the event's positional and keyword payload as its arguments. Events of
        one subscription are handled one after another, in the order in which they came.

        :param match: ``"prefix"`` or ``"wildcard"`` make the topic a pattern (WAMP spec,
            10.3.4); ``event.uri`` and ``event.parts`` tell what was published to.
        :param get_retained: handle the event first that the router has kept, if any.
        :param concurrency: events that are handled at a time; above 1 they are out of order.
        :param queue: events that may wait in memory for this handler.
        :param overflow: what becomes of further ones. ``"spill"``, the default, keeps them on disk,
            and ``"block"`` lets the router keep them, by not reading what comes; neither loses any
            while process and connection live. ``"drop_oldest"`` drops what has waited longest, for
            handlers that want news; ``"error"`` drops what comes, and logs an error.
        :raises DeclarationError: the topic is invalid, or an option cannot be.
        """
        if callable(topic):
            raise DeclarationError("name the topic: @wamp.consume(topic='com.example.spam')")
        given: dict[str, Any] = self._subscription_defaults()
        if get_retained is not None:
            given["get_retained"] = get_retained
        if overflow is not None:
            given["overflow"] = overflow
        options = SubscriptionOptions(match=match, concurrency=concurrency, queue=queue, **given)

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
        queue: int = 10_000,
        overflow: str | None = None,
    ) -> Callable[[F], F]:
        """Declare a handler of *topic*'s events; the same as :meth:`subscribe`."""
        return self.subscribe(
            topic,
            match=match,
            get_retained=get_retained,
            concurrency=concurrency,
            queue=queue,
            overflow=overflow,
        )

    def topic(
        self,
        uri: str,
        *,
        match: str = "exact",
        publish: Allowed = None,
        subscribe: Allowed = None,
        retain: bool = False,
    ) -> Callable[[F], F]:
        """Say who may publish and subscribe to a topic: a statement, or above a function.

        What nobody has said this of is for services alone, topics that the application handles
        included. Of several that match, the one with the exact URI counts, else the longest prefix,
        else the wildcard; so ``wamp.topic(uri)`` takes a topic out of a pattern.

        :param match: ``"prefix"`` or ``"wildcard"`` say it of all topics that the pattern matches.
        :param publish: who may publish to it; see the *allow* of :meth:`callee`.
        :param subscribe: who may subscribe to it. Subscriptions by a pattern need the right to
            every topic that it matches, by role.
        :param retain: those who may publish may let the router keep their event for later
            subscribers.
        :returns: what returns the function that it stands above.
        :raises DeclarationError: the URI is invalid, or has other rights already, or an option
            cannot be.
        """
        if callable(uri):
            raise DeclarationError("name the topic: @wamp.topic('com.example.spam')")
        given = self._topic_defaults()
        for name, value in (("publish", publish), ("subscribe", subscribe)):
            problem = problem_with(value, name)
            if problem:
                raise DeclarationError(f"wamp.topic({uri!r}) cannot have {problem}")
            if value is not None:
                given[name] = value
        if not isinstance(retain, bool):
            raise DeclarationError(f"wamp.topic({uri!r}) cannot have retain={retain!r}: give True")
        self._add_grant(
            Grant(
                "topic",
                uri,
                match,
                publish=Allow.of(given.get("publish")),
                subscribe=Allow.of(given.get("subscribe")),
                retain=retain,
                place=Place.of_statement(),
            )
        )
        return _unchanged

    def procedure(self, uri: str, *, match: str = "exact", allow: Allowed = None) -> None:
        """Say who may call a procedure that another service of the node serves.

        Those of this application have it in :meth:`callee`.

        :param match: ``"prefix"`` or ``"wildcard"`` say it of all URIs that the pattern matches.
        :param allow: see :meth:`callee`.
        :raises DeclarationError: the URI is invalid, or has other rights already, or an option
            cannot be.
        """
        given = self._procedure_defaults().get("allow") if allow is None else allow
        problem = problem_with(given)
        if problem:
            raise DeclarationError(f"wamp.procedure({uri!r}) cannot have {problem}")
        place = Place.of_statement()
        self._add_grant(Grant("procedure", uri, match, call=Allow.of(given), place=place))

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

    def _procedure_defaults(self) -> dict[str, Any]:
        return {}

    def _subscription_defaults(self) -> dict[str, Any]:
        return {}

    def _topic_defaults(self) -> dict[str, Any]:
        return {}

    def _add_procedure(
        self, function: Callable[..., Any], uri: str | None, options: ProcedureOptions
    ) -> None:
        self._make(lambda registry: registry.add_procedure(function, uri, options))

    def _add_subscription(
        self, function: Callable[..., Any], topic: str, options: SubscriptionOptions
    ) -> None:
        self._make(lambda registry: registry.add_subscription(function, topic, options))

    def _add_grant(self, grant: Grant) -> None:
        self._make(lambda registry: registry.add_grant(grant))

    def _add_error(self, exception: type[Exception], uri: str) -> None:
        self._make(lambda registry: registry.add_error(exception, uri))

    @abstractmethod
    def _make(self, declaration: Declaration) -> None:
        """Make a declaration, or keep it until there is a registry."""


def _unchanged(function: F) -> F:
    return function
