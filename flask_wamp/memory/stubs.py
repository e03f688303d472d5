"""Answers of procedures that the application calls and somebody else serves."""

from collections.abc import Callable, Collection
from contextlib import closing
from types import GeneratorType
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from ..declare.registry import Registry
from ..errors import (
    ApplicationError,
    OptionError,
    RemoteError,
    WAMPError,
)
from ..payload import encode, encode_arguments
from ..results import CallResult
from ..serve.dispatcher import Send
from ..serve.statuses import http_error
from ..uris import invalid_pattern, malformed_uri
from .routing import Key, best
from .wire import received, received_error

#: What a stub is, to be called with what the application calls with.
Answer = Callable[..., Any]


class NotStubbed(AssertionError):
    """The application calls what it does not serve, and the test has no answer for it.

    No ``WAMPError``, so that an application which copes with those does not hide it.
    """


class Remote:
    """A service elsewhere: what a caller gets for its values and errors."""

    def __init__(self, app: Flask, registry: Registry, uri: str) -> None:
        self.app = app
        self._registry = registry
        self._uri = uri

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
            args, kwargs = encode_arguments(error.args, error.kwargs, self.app.json)
            return received_error(ApplicationError(error.uri, *args, **kwargs))
        return error if isinstance(error, WAMPError) else None

    def received(self, value: Any) -> Any:
        """Return what a caller gets for *value*."""
        json = self.app.json
        if isinstance(value, CallResult):
            args, kwargs = encode_arguments(value.args, value.kwargs, json)
            return received(CallResult(tuple(args), kwargs))
        return received(encode(value, json, what=f"the answer of the stub {self._uri!r}"))


class Stub:
    """A procedure that somebody else serves, and which a function of the test stands for."""

    def __init__(self, remote: Remote, answer: Answer) -> None:
        self._remote = remote
        self._answer = remote.app.ensure_sync(answer)

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
            return self._remote.received(value)
        except Exception as error:
            remote = self._remote.remote_error(error)
            if remote is None or remote is error:
                raise
            raise remote from error

    def _results(self, generator: "GeneratorType[Any, Any, Any]", send: Send | None) -> Any:
        items: list[Any] = []
        take = items.append if send is None else send
        while True:
            try:
                item = next(generator)
            except StopIteration as stop:
                last = self._remote.received(stop.value)
                if send is not None:
                    return last
                return items if last is None else [*items, last]
            take(self._remote.received(item))


class Stubs:
    """Stubs by URI or pattern.

    :param method: what adds one, for messages.
    """

    def __init__(self, app: Flask, registry: Registry, method: str) -> None:
        self.method = method
        self._app = app
        self._registry = registry
        self._stubs: dict[Key, Stub] = {}

    def remote(self, uri: str) -> Remote:
        """Return the service that stands behind *uri*."""
        return Remote(self._app, self._registry, uri)

    def add(self, uri: str, match: str, answer: Answer) -> None:
        """Let *answer* answer *uri* from now on.

        :raises OptionError: the URI, or the pattern, cannot be.
        """
        of_the_router = isinstance(uri, str) and uri.startswith("wamp.") and match == "exact"
        reason = malformed_uri(uri) if of_the_router else invalid_pattern(uri, match)
        if reason:
            raise OptionError(f"{self.method}({uri!r}): {reason}")
        self._stubs[uri, match] = Stub(self.remote(uri), answer)

    def remove(self, uri: str, match: str) -> None:
        """Have no answer to *uri*.

        :raises OptionError: there was none.
        """
        if self._stubs.pop((uri, match), None) is None:
            raise OptionError(f"client.remove_stub({uri!r}): there is no such stub")

    def keys(self) -> Collection[Key]:
        """Return the URIs and patterns that there are stubs for."""
        return self._stubs.keys()

    def find(self, uri: str) -> Stub | None:
        """Return the stub for *uri*, the most exact one."""
        key = best(self._stubs, uri)
        return None if key is None else self._stubs[key]


def not_stubbed(uri: str) -> NotStubbed:
    """Return the error for a call that nobody answers."""
    if uri.startswith("wamp."):
        return NotStubbed(
            f"there is no router in memory that answers {uri!r}, for g.wampy.meta: write "
            f"client.stub({uri!r}, returns=...)"
        )
    return NotStubbed(
        f"the application calls {uri!r}, which it does not serve itself: write "
        f"client.stub({uri!r}, returns=...), or raises=NoSuchProcedure if nobody is to serve it"
    )
