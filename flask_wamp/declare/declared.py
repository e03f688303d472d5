"""What one declaration is: a procedure, a subscription or rights. Standard library only."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from ..errors import DeclarationError
from .allow import SERVICES_ALONE, Allow, Allowed, problem_with
from .place import Place

#: How the router chooses among the sessions that share a registration (WAMP spec, 10.2.7).
INVOKE_POLICIES = ("single", "first", "last", "roundrobin", "random")

#: What becomes of events for which a handler is too slow: on disk they wait for it, in the router, or
#: they are dropped, the oldest first, or the newest.
OVERFLOWS = ("spill", "block", "drop_oldest", "error")


def describe(function: Callable[..., Any]) -> str:
    """Return the name and place of *function*, for messages."""
    name = f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
    code = getattr(function, "__code__", None)
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else name


@dataclass(frozen=True, slots=True)
class ProcedureOptions:
    """How a procedure is registered and run.

    :ivar request: run the pipeline of HTTP where the function is a route as well.
    :ivar match: ``exact``, or how the URI is a pattern: ``prefix`` or ``wildcard``.
    :ivar invoke: how the router chooses among the sessions that share the registration; None leaves
        it to the process that serves, see :meth:`policy`.
    :ivar concurrency: calls that run at a time in this process; None leaves it to the pool.
    :ivar queue: calls that may wait for one of these places; None leaves it to the pool.
    :ivar force_reregister: take the registration over from a session that made it so.
    :ivar allow: who may call it, besides services.
    """

    request: bool = True
    match: str = "exact"
    invoke: str | None = None
    concurrency: int | None = None
    queue: int | None = None
    force_reregister: bool = False
    allow: Allowed = None

    def policy(self, *, shared: bool = False) -> str:
        """Return the policy that the procedure is registered with (WAMP spec, 10.2.7).

        :param shared: other processes of the application serve as well.
        """
        if self.invoke is not None:
            return self.invoke
        return "roundrobin" if shared and not self.force_reregister else "single"

    def problem(self) -> str | None:
        """Tell which option cannot be, and what to write, or None."""
        if not _is_flag(self.request):
            return f"request={self.request!r}: give True or False"
        if not _is_flag(self.force_reregister):
            return f"force_reregister={self.force_reregister!r}: give True or False"
        if self.force_reregister and self.invoke not in (None, "single"):
            return (
                f"force_reregister=True takes a procedure over, invoke={self.invoke!r} shares it: "
                "give one of them"
            )
        if self.invoke not in (None, *INVOKE_POLICIES):
            return f"invoke={self.invoke!r}: give one of {', '.join(map(repr, INVOKE_POLICIES))}"
        if self.concurrency is not None and not _is_whole(self.concurrency, 1):
            return f"concurrency={self.concurrency!r}: give a whole number from 1, as in 4"
        if self.queue is not None and not _is_whole(self.queue, 0):
            return f"queue={self.queue!r}: give a whole number from 0, as in 10"
        if self.queue is not None and self.concurrency is None:
            return (
                f"queue={self.queue!r} says how many calls wait for one of the places that "
                "concurrency=... limits: give that as well"
            )
        return problem_with(self.allow)


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """How a subscription is made and its events are handled.

    :ivar match: ``exact``, or how the topic is a pattern: ``prefix`` or ``wildcard``.
    :ivar get_retained: ask for the event that the router has kept.
    :ivar concurrency: events that are handled at a time; above 1 they are out of order.
    :ivar queue: events that may wait in memory for the handler.
    :ivar overflow: what becomes of further ones, one of :data:`OVERFLOWS`.
    """

    match: str = "exact"
    get_retained: bool = False
    concurrency: int = 1
    queue: int = 10_000
    overflow: str = "spill"

    def problem(self) -> str | None:
        """Tell which option cannot be, and what to write, or None."""
        if not _is_flag(self.get_retained):
            return f"get_retained={self.get_retained!r}: give True or False"
        if not _is_whole(self.concurrency, 1):
            return f"concurrency={self.concurrency!r}: give a whole number from 1, as in 4"
        if not _is_whole(self.queue, 1):
            return f"queue={self.queue!r}: give a whole number from 1, as in 10_000"
        if self.overflow not in OVERFLOWS:
            return f"overflow={self.overflow!r}: give one of {', '.join(map(repr, OVERFLOWS))}"
        return None


OptionsT = TypeVar("OptionsT", ProcedureOptions, SubscriptionOptions)


def options_of(kind: type[OptionsT], method: str, given: Mapping[str, Any]) -> OptionsT:
    """Return the options *given* to one of the methods that add while running.

    :raises DeclarationError: there is no such option.
    """
    known = {each.name for each in fields(kind)}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise DeclarationError(
            f"wamp.{method}({unknown[0]}=...): there is no such option; there are "
            f"{', '.join(sorted(known))}"
        )
    return kind(**given)


#: What a declaration has that was given no options.
PROCEDURE_DEFAULTS = ProcedureOptions()
SUBSCRIPTION_DEFAULTS = SubscriptionOptions()


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A function that can be called over WAMP.

    :ivar name: the URI, or the function's name, which stands behind the prefix.
    :ivar absolute: *name* is a whole URI.
    """

    function: Callable[..., Any]
    name: str
    absolute: bool
    options: ProcedureOptions = PROCEDURE_DEFAULTS

    def uri(self, prefix: str) -> str:
        """Return the URI in an application with this *prefix*."""
        return self.name if self.absolute else prefix + self.name

    def key(self, prefix: str) -> tuple[str, str]:
        """Return what the router knows the registration by: its URI, and how that matches."""
        return self.uri(prefix), self.options.match


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A function that handles the events of a topic."""

    function: Callable[..., Any]
    topic: str
    options: SubscriptionOptions = SUBSCRIPTION_DEFAULTS


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may do what with a topic, or with a procedure that another service serves.

    :ivar kind: ``topic`` or ``procedure``.
    :ivar match: how *uri* is a pattern, or ``exact``.
    :ivar retain: those who may publish may let the router keep the event.
    :ivar place: where it is written; two that differ in nothing else are the same.
    """

    kind: str
    uri: str
    match: str = "exact"
    call: Allow = SERVICES_ALONE
    publish: Allow = SERVICES_ALONE
    subscribe: Allow = SERVICES_ALONE
    retain: bool = False
    place: Place = field(default=Place("?"), compare=False)


def refuse_unreadable(decorator: str, function: object) -> None:
    """Refuse what is no function, or built in and does not say what arguments it takes."""
    if not callable(function):
        raise DeclarationError(f"@wamp.{decorator} stands on a function, not on {function!r}")
    if hasattr(inspect.unwrap(function), "__code__"):
        return
    try:
        inspect.signature(function)
    except ValueError:
        raise DeclarationError(
            f"@wamp.{decorator}: {function!r} does not say what arguments it takes: declare a "
            "function of your own that calls it"
        ) from None
