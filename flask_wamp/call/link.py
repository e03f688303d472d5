"""The way out of the process, behind one interface. Standard library only."""

from collections.abc import Sequence
from typing import Any, Protocol

from ..declare.declared import Procedure, Subscription
from .options import Options


class Answer(Protocol):
    """The answer to a call that was started."""

    def done(self) -> bool:
        """Tell whether the answer is there, an error included."""

    def result(self, timeout: float | None) -> Any:
        """Wait for the result and return it, as :meth:`Link.call` does.

        :param timeout: seconds to wait; the call itself may have less left.
        """

    def cancel(self) -> None:
        """Want the answer no more, and tell the router."""


class Results(Protocol):
    """The results of a call, as they come."""

    def next(self) -> Any:
        """Return the next result.

        :raises StopIteration: the call has ended.
        """

    def close(self) -> None:
        """Want no further result, and tell the router; does nothing after the end."""


class Link(Protocol):
    """A session to the router, used from any thread but the reactor's.

    In all of its methods: timeouts are seconds, ``options.timeout`` is not None,
    :class:`~flask_wamp.NotConnected` is raised where there is no session, or it was lost.
    """

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Call the procedure *uri* and return its result.

        :returns: the one value, or a :class:`~flask_wamp.CallResult`.
        :raises RemoteError: the answer is an error.
        :raises CallTimeout: no answer in time.
        """

    def start(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Answer:
        """Call the procedure *uri*, and return where its answer will be."""

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait until every call has its answer, or one has failed."""

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> Results:
        """Call the procedure *uri* for progressive results."""

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Publish to *topic* and return the publication id, None where not acknowledged.

        :raises RemoteError: the router refused an acknowledged publish.
        :raises CallTimeout: no acknowledgment in time.
        """

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Register or subscribe what was declared while the others are served.

        :raises RegistrationFailed: the router refused.
        """

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Unregister or unsubscribe; calls and events under way are finished."""


class DurableOutbox(Protocol):
    """Writes events into the transaction that the application is in."""

    def add(
        self,
        topic: str,
        args: list[Any],
        kwargs: dict[str, Any],
        options: Options,
        durable: bool | str,
    ) -> str:
        """Write an event, and return its id.

        :param durable: True, or the keyword argument that is to have the id as well.
        :raises SetupError: there is no outbox, or no transaction.
        :raises OptionError: an option means nothing to a durable event, or *durable* cannot be.
        """
