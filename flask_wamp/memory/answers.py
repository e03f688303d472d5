"""What a test says that calls are answered with, checked where it is written."""

import threading
from collections.abc import Generator, Iterable
from types import GeneratorType
from typing import Any

from ..declare.declared import describe
from ..errors import CallTimeout, NotConnected, OptionError, RemoteError
from .stubs import Answer, NotStubbed, Remote


class Unset:
    """Stands for an answer that was not given."""

    def __repr__(self) -> str:
        return "..."


UNSET = Unset()


class Answers:
    """Makes functions that answer as a test says.

    :param line: what it says so with, for messages: ``client.stub('com.example.add'``.
    :param remote: whose answers they are to be.
    """

    def __init__(self, line: str, remote: Remote) -> None:
        self._line = line
        self._remote = remote

    def made_of(self, returns: Any, raises: Any, answers: Any, progress: Any) -> Answer | None:
        """Return what answers so, or None where nothing is given.

        :raises OptionError: they exclude each other, or one cannot be.
        :raises PayloadError: a value cannot travel.
        """
        if answers is not UNSET:
            if any(each is not UNSET for each in (returns, raises, progress)):
                raise OptionError(
                    f"{self._line}): answers= is the list of all answers: give it alone"
                )
            return self._one_by_one(answers)
        if returns is not UNSET and raises is not UNSET:
            raise OptionError(f"{self._line}): give returns= or raises=, not both")
        outcome = None
        if returns is not UNSET:
            outcome = self._value("returns", returns)
        elif raises is not UNSET:
            outcome = self.error("raises", raises)
        return outcome if progress is UNSET else self._progressive(progress, outcome)

    def error(self, name: str, given: Any) -> Answer:
        """Return what raises *given*, an exception or its class.

        :raises OptionError: no call is answered so.
        """
        if not _is_error(given):
            raise OptionError(
                f"{self._line}, {name}={given!r}): give an exception, as in CallTimeout or "
                "RemoteError('com.example.no_stock', ['tea'])"
            )
        error = self._instance(name, given)
        if self._remote.remote_error(error) is None:
            raise OptionError(
                f"{self._line}, {name}={given!r}): no call is answered so: give a RemoteError, "
                "CallTimeout, NotConnected, an ApplicationError, or what is declared with "
                "@wamp.error"
            )

        def fail(*_args: Any, **_kwargs: Any) -> Any:
            # Without what an earlier call has left in it.
            raise error.with_traceback(None)

        return fail

    def _value(self, name: str, given: Any) -> Answer:
        if _is_error(given):
            raise OptionError(f"{self._line}, {name}=...): {given!r} is for raises=")
        if isinstance(given, GeneratorType):
            raise OptionError(
                f"{self._line}, {name}=...): a generator is used up after one call: give "
                "progress=[...], or a function that is a generator"
            )
        self._remote.received(given)
        return lambda *_args, **_kwargs: given

    def _progressive(self, progress: Any, outcome: Answer | None) -> Answer:
        parts = [self._value("progress", each) for each in self._items("progress", progress)]

        def results(*_args: Any, **_kwargs: Any) -> Generator[Any, None, Any]:
            for part in parts:
                yield part()
            return None if outcome is None else outcome()

        return results

    def _one_by_one(self, answers: Any) -> Answer:
        outcomes = [
            self.error("answers", each) if _is_error(each) else self._value("answers", each)
            for each in self._items("answers", answers)
        ]
        left = iter(outcomes)
        lock = threading.Lock()

        def answer(*args: Any, **kwargs: Any) -> Any:
            with lock:
                outcome = next(left, None)
            if outcome is None:
                raise NotStubbed(
                    f"{self._line}, answers=...) has {len(outcomes)} answers, and this is one call "
                    "more: give it another, or returns=... for all calls"
                )
            return outcome(*args, **kwargs)

        return answer

    def _items(self, name: str, given: Any) -> list[Any]:
        if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
            raise OptionError(f"{self._line}, {name}={given!r}): give a list, as in [1, 2]")
        return list(given)

    def _instance(self, name: str, given: Any) -> Exception:
        """Return an exception, made where its class was given."""
        error = given
        if isinstance(given, type):
            line = f"{self._line}, {name}={given.__name__})"
            if issubclass(given, RemoteError) and not given.uris:
                raise OptionError(
                    f"{line}: under which URI? Give {given.__name__}('com.example.no_stock', "
                    "['tea'])"
                )
            try:
                if issubclass(given, RemoteError):
                    error = given(given.uris[0], [f"{line} says so"])
                elif issubclass(given, CallTimeout | NotConnected):
                    error = given(f"{line} says so")
                else:
                    error = given()
            except TypeError:
                raise OptionError(
                    f"{line}: {describe(given)} is not made without arguments: give "
                    f"{name}={given.__name__}(...)"
                ) from None
        if not isinstance(error, Exception):
            raise OptionError(f"{self._line}, {name}={given!r}): give an Exception")
        return error


def _is_error(given: Any) -> bool:
    return isinstance(given, BaseException) or (
        isinstance(given, type) and issubclass(given, BaseException)
    )
