"""What stands in for a router in the unit tests, and a way to run small programs."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_wamp import ApplicationError
from flask_wamp.call.link import Answer
from flask_wamp.call.options import Options
from flask_wamp.context import Event, Invocation
from flask_wamp.declare.declared import Procedure, Subscription
from flask_wamp.login.callers import Peer
from flask_wamp.state import state_of

ROOT = Path(__file__).parents[2]

#: What stands on a function as a decorator.
Declare = Callable[[Callable[..., Any]], Any]
#: What takes a rule, and returns what declares a view of it that is a procedure as well.
View = Callable[..., Declare]


class Caller:
    """Calls an application's procedures, and delivers events, as a router would.

    :ivar peer: who it is, as the router's process knows it.
    """

    def __init__(self, app: Flask, peer: Peer | None = None) -> None:
        self._app = app
        self.peer = peer

    def of(self, _invocation: Invocation) -> Peer | None:
        """Return who called."""
        return self.peer

    def __call__(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the procedure *uri*."""
        state = state_of(self._app)
        procedure = state.registry.resolved(state.config.uri_prefix)[uri, "exact"]
        invocation = Invocation(uri, caller=1, caller_authid="alice", caller_authrole="user")
        return state.dispatcher.call(procedure, invocation, list(args), kwargs, callers=self)

    def stream(self, uri: str, /, *args: Any, **kwargs: Any) -> tuple[list[Any], Any]:
        """Return the progressive results of the procedure *uri*, and the last one."""
        state = state_of(self._app)
        procedure = state.registry.resolved(state.config.uri_prefix)[uri, "exact"]
        parts: list[Any] = []
        invocation = Invocation(uri, progress=True)
        last = state.dispatcher.call(
            procedure, invocation, list(args), kwargs, parts.append, callers=self
        )
        return parts, last

    def error(self, uri: str, /, *args: Any, **kwargs: Any) -> ApplicationError:
        """Return the error that the procedure *uri* answers with."""
        with pytest.raises(ApplicationError) as caught:
            self(uri, *args, **kwargs)
        return caught.value

    def deliver(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Let every handler of *topic* handle an event."""
        state = state_of(self._app)
        for subscription in state.registry.subscriptions:
            if subscription.topic == topic:
                event = Event(topic, publication=7, publisher=2, publisher_authrole="user")
                state.dispatcher.handle(subscription, event, list(args), kwargs)


class RecordingLink:
    """A link that notes what goes out, and answers with *answer*, raised if it is an exception."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[str, list[Any], dict[str, Any], Options]] = []
        self.published: list[tuple[str, list[Any], dict[str, Any], Options]] = []
        self.canceled: list[str] = []
        self.added: list[tuple[Procedure | Subscription, float]] = []
        self.removed: list[tuple[Procedure | Subscription, float]] = []

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options) -> Any:
        """Note a call."""
        self.calls.append((uri, args, kwargs, options))
        return self._answered()

    def start(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> "RecordingAnswer":
        """Note a call."""
        self.calls.append((uri, args, kwargs, options))
        return RecordingAnswer(self, uri)

    def wait(self, answers: Sequence[Answer]) -> None:
        """Wait for nothing: answers are there at once."""

    def stream(
        self, uri: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> "RecordingResults":
        """Note a call; *answer* is the list of its results."""
        self.calls.append((uri, args, kwargs, options))
        return RecordingResults(self, uri)

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], options: Options
    ) -> int | None:
        """Note an event."""
        self.published.append((topic, args, kwargs, options))
        answer: int | None = self._answered()
        return answer

    def add(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Note what is to be served."""
        self.added.append((declared, timeout))
        self._answered()

    def remove(self, declared: Procedure | Subscription, timeout: float) -> None:
        """Note what is to be served no more."""
        self.removed.append((declared, timeout))

    def _answered(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class RecordingAnswer:
    """The answer of a :class:`RecordingLink`; *answer* is the result of each URI."""

    def __init__(self, link: RecordingLink, uri: str) -> None:
        self._link = link
        self._uri = uri

    def done(self) -> bool:
        """Be there."""
        return True

    def result(self, timeout: float | None) -> Any:
        """Return the answer."""
        answer = self._link.answer[self._uri]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self) -> None:
        """Note that nobody wants it."""
        self._link.canceled.append(self._uri)


class RecordingResults:
    """The results of a :class:`RecordingLink`."""

    def __init__(self, link: RecordingLink, uri: str) -> None:
        self._link = link
        self._uri = uri
        self._results = iter(link.answer)

    def next(self) -> Any:
        """Return the next result."""
        result = next(self._results)
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """Note that nobody wants more."""
        self._link.canceled.append(self._uri)


def refusal(error: type[Exception], work: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Return the text of the *error* that *work* raises."""
    with pytest.raises(error) as caught:
        work(*args, **kwargs)
    return str(caught.value)


def run_program(program: str, *arguments: str) -> str:
    """Run *program* in a Python of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
