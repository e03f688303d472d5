"""Answers of procedures that the application calls and somebody else serves."""

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from types import GeneratorType
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..declare.declared import describe
from ..declare.registry import Registry
from ..errors import (
    ApplicationError,
    CallTimeout,
    NotConnected,
    OptionError,
    RemoteError,
    WAMPError,
)
from ..payload import encode, encode_arguments
from ..results import CallResult
from ..serve.dispatcher import Send
from ..serve.statuses import http_error
from ..uris import invalid_pattern, malformed_uri
from .routing import best
from .wire import received, received_error

#: What a stub is, to be called with what the application calls with.
Answer = Callable[..., Any]


class NotStubbed(AssertionError):
    """The application calls what it does not serve, and the test has no answer for it.

    No ``WAMPError``, so that an application which copes with those does not hide it.
    """


class Unset:
    """Stands for an answer that was not given."""

    def __repr__(self) -> str:
        return "..."


UNSET = Unset()


class Stub:
    """A procedure that somebody else serves, and which a function of the test stands for."""

    def __init__(self, app: Flask, registry: Registry, uri: str, answer: Answer) -> None:
        self._app = app
        self._registry = registry
        self._uri = uri
        self._answer = app.ensure_sync(answer)

    def answer(self, args: list[Any], kwargs: dict[str, Any], send: Send | None) -> Any:
        """Answer a call as a procedure of flask-wamp would.

        :param send: takes what the function yields; without, it is a list that is returned.
        :raises WAMPError: the answer is an error, or there is none.
        :raises Exception: what else the function has raised, a mistake of the test.
        """
        try:
            value = self._answer(*args, **kwargs)
            if isinstance(value, GeneratorType):
                with closing(value):
                    return self._results(value, send)
            return self._received(value)
        except Exception as error:
            remote = self.remote_error(error)
            if remote is None or remote is error:
                raise
            raise remote from error

    def remote_error(self, error: Exception) -> WAMPError | None:
        """Return what a caller gets for *error*; None where nobody answers so."""
        declared = self._registry.error_of(error)
        if declared is not None:
            error = ApplicationError(declared[0], *declared[1], **declared[2])
        elif isinstance(error, RemoteError):
            error = ApplicationError(error.uri, *error.args, **error.kwargs)
        elif isinstance(error, HTTPException):
            error = http_error(error)
        if isinstance(error, ApplicationError):
            args, kwargs = encode_arguments(error.args, error.kwargs, self._app.json)
            return received_error(ApplicationError(error.uri, *args, **kwargs))
        return error if isinstance(error, WAMPError) else None

    def _received(self, value: Any) -> Any:
        json = self._app.json
        if isinstance(value, CallResult):
            args, kwargs = encode_arguments(value.args, value.kwargs, json)
            return received(CallResult(tuple(args), kwargs))
        return received(encode(value, json, what=f"the answer of the stub {self._uri!r}"))

    def _results(self, generator: "GeneratorType[Any, Any, Any]", send: Send | None) -> Any:
        items: list[Any] = []
        take = items.append if send is None else send
        while True:
            try:
                item = next(generator)
            except StopIteration as stop:
                last = self._received(stop.value)
                if send is not None:
                    return last
                return items if last is None else [*items, last]
            take(self._received(item))


class Stubs:
    """The stubs of a test, by URI or pattern."""

    def __init__(self, app: Flask, registry: Registry) -> None:
        self._app = app
        self._registry = registry
        self._stubs: dict[tuple[str, str], Stub] = {}

    def add(self, uri: str, match: str, answer: Answer) -> None:
        """Let *answer* answer *uri* from now on.

        :raises OptionError: the URI, or the pattern, cannot be.
        """
        of_the_router = isinstance(uri, str) and uri.startswith("wamp.") and match == "exact"
        reason = malformed_uri(uri) if of_the_router else invalid_pattern(uri, match)
        if reason:
            raise OptionError(f"client.stub({uri!r}): {reason}")
        if not callable(answer):
            raise OptionError(
                f"client.stub({uri!r}, {answer!r}): give a function, or returns={answer!r}"
            )
        self._stubs[uri, match] = Stub(self._app, self._registry, uri, answer)

    def remove(self, uri: str, match: str) -> None:
        """Have no answer to *uri*.

        :raises OptionError: there was none.
        """
        if self._stubs.pop((uri, match), None) is None:
            raise OptionError(f"client.remove_stub({uri!r}): there is no such stub")

    def find(self, uri: str) -> Stub | None:
        """Return the stub for *uri*, the most exact one."""
        key = best(self._stubs, uri)
        return None if key is None else self._stubs[key]

    def made_of(
        self, uri: str, returns: Any, raises: Any, answers: Any, progress: Any
    ) -> Answer | None:
        """Return what answers so, or None where nothing is given.

        :raises OptionError: they exclude each other, or one cannot be.
        :raises PayloadError: a value cannot travel.
        """
        if answers is not UNSET:
            if any(each is not UNSET for each in (returns, raises, progress)):
                raise OptionError(
                    f"client.stub({uri!r}): answers= is the list of all answers: give it alone"
                )
            return self._one_by_one(uri, answers)
        if returns is not UNSET and raises is not UNSET:
            raise OptionError(f"client.stub({uri!r}): give returns= or raises=, not both")
        outcome = None
        if returns is not UNSET:
            outcome = self._outcome(uri, "returns", returns, may_raise=False)
        elif raises is not UNSET:
            outcome = self._outcome(uri, "raises", raises, must_raise=True)
        if progress is UNSET:
            return outcome
        parts = [
            self._outcome(uri, "progress", each, may_raise=False)
            for each in _items(uri, "progress", progress)
        ]

        def results(*_args: Any, **_kwargs: Any) -> Generator[Any, None, Any]:
            for part in parts:
                yield part()
            return None if outcome is None else outcome()

        return results

    def _one_by_one(self, uri: str, answers: Any) -> Answer:
        outcomes = [self._outcome(uri, "answers", each) for each in _items(uri, "answers", answers)]
        left = iter(outcomes)
        lock = threading.Lock()

        def answer(*args: Any, **kwargs: Any) -> Any:
            with lock:
                outcome = next(left, None)
            if outcome is None:
                raise NotStubbed(
                    f"the stub of {uri!r} had {len(outcomes)} answers, and this is one call more: "
                    "give it another, or returns=... for all calls"
                )
            return outcome(*args, **kwargs)

        return answer

    def _outcome(
        self, uri: str, name: str, given: Any, *, may_raise: bool = True, must_raise: bool = False
    ) -> Answer:
        """Return what returns *given*, or raises it where it is an exception."""
        is_error = isinstance(given, BaseException) or (
            isinstance(given, type) and issubclass(given, BaseException)
        )
        if is_error and not may_raise:
            raise OptionError(f"client.stub({uri!r}, {name}=...): {given!r} is for raises=")
        if must_raise and not is_error:
            raise OptionError(
                f"client.stub({uri!r}, {name}={given!r}): give an exception, as in CallTimeout or "
                "RemoteError('com.example.no_stock', ['tea'])"
            )
        if isinstance(given, GeneratorType):
            raise OptionError(
                f"client.stub({uri!r}, {name}=...): a generator is used up after one call: give "
                "progress=[...], or a function that is a generator"
            )
        stub = Stub(self._app, self._registry, uri, _nothing)
        if not is_error:
            # Refused here, where it is written, if it cannot travel.
            stub.answer([given], {}, None)
            return lambda *_args, **_kwargs: given
        error = _instance(uri, given)
        if stub.remote_error(error) is None:
            raise OptionError(
                f"client.stub({uri!r}, {name}={given!r}): no call is answered so: give a "
                "RemoteError, CallTimeout, NotConnected, an ApplicationError, or what is declared "
                "with @wamp.error"
            )

        def fail(*_args: Any, **_kwargs: Any) -> Any:
            # Without what an earlier call has left in it.
            raise error.with_traceback(None)

        return fail


def not_stubbed(uri: str) -> NotStubbed:
    """Return the error for a call that nobody answers."""
    if uri.startswith("wamp."):
        return NotStubbed(
            f"there is no router in memory that answers {uri!r}, for g.wampy.meta or history: "
            f"write client.stub({uri!r}, returns=...)"
        )
    return NotStubbed(
        f"the application calls {uri!r}, which it does not serve itself: write "
        f"client.stub({uri!r}, returns=...), or raises=NoSuchProcedure if nobody is to serve it"
    )


def _nothing(value: Any) -> Any:
    return value


def _items(uri: str, name: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        raise OptionError(f"client.stub({uri!r}, {name}={given!r}): give a list, as in [1, 2]")
    return list(given)


def _instance(uri: str, given: Any) -> Exception:
    """Return an exception, made where its class was given."""
    error = given
    if isinstance(given, type):
        if issubclass(given, RemoteError) and not given.uris:
            raise OptionError(
                f"client.stub({uri!r}, raises={given.__name__}): under which URI? Give "
                f"{given.__name__}('com.example.no_stock', ['tea'])"
            )
        try:
            if issubclass(given, RemoteError):
                error = given(given.uris[0], [f"the stub of {uri} says so"])
            elif issubclass(given, CallTimeout | NotConnected):
                error = given(f"the call of {uri!r} fails, as its stub says")
            else:
                error = given()
        except TypeError:
            raise OptionError(
                f"client.stub({uri!r}, raises={given.__name__}): {describe(given)} is not made "
                f"without arguments: give raises={given.__name__}(...)"
            ) from None
    if not isinstance(error, Exception):
        raise OptionError(f"client.stub({uri!r}, raises={given!r}): give an Exception")
    return error
