"""Calls whose results come later: one of them, or one after another."""

from collections.abc import Iterator
from typing import Any, NoReturn, Self

from ..declare.registry import Registry
from ..errors import OptionError, RemoteError
from ..tracing.spans import NO_SPAN, Span
from .link import Answer, Results


class PendingCall:
    """A call under way, started with ``g.wampy.start_call``.

    :ivar uri: the procedure.
    :ivar answer: where the link puts its answer.
    """

    def __init__(self, uri: str, answer: Answer, registry: Registry, span: Span = NO_SPAN) -> None:
        self.uri = uri
        self._registry = registry
        self.answer = answer
        self._span = span

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
            with self._span.ends_if(self.done):
                return self.answer.result(timeout)
        except RemoteError as error:
            raise_declared(error, self._registry)

    def cancel(self) -> None:
        """Want the result no more: the router is told, and :meth:`result` raises ``Canceled``.

        Does nothing when the answer is there.
        """
        self.answer.cancel()
        self._span.end()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}{' done' if self.done() else ''}>"


class Stream(Iterator[Any]):
    """The progressive results of a call, started with ``g.wampy.stream``.

    Closed, or left by the last reference, it cancels the call. Also a context manager, for loops
    that exceptions may leave: their traceback keeps the loop's own reference.

    :ivar uri: the procedure.
    """

    def __init__(
        self, uri: str, results: Results, registry: Registry, span: Span = NO_SPAN
    ) -> None:
        self.uri = uri
        self._registry = registry
        self._results = results
        self._span = span

    def __next__(self) -> Any:
        try:
            return self._results.next()
        except StopIteration:
            self._span.end()
            raise
        except RemoteError as error:
            self._span.end(error)
            raise_declared(error, self._registry)
        except Exception as error:
            self._span.end(error)
            raise

    def close(self) -> None:
        """Want no further result; does nothing after the end."""
        self._results.close()
        self._span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.uri!r}>"


def raise_declared(error: RemoteError, registry: Registry) -> NoReturn:
    """Raise the exception that the application has declared for *error*, or itself."""
    known = registry.exception_from(error.uri, error.args, error.kwargs)
    if known is None:
        raise error
    raise known from error
