"""What stands in for a router in the unit tests, and a way to run small programs."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_wamp import ApplicationError
from flask_wamp.context import Event, Invocation
from flask_wamp.state import state_of

ROOT = Path(__file__).parents[2]


class Caller:
    """Calls an application's procedures, and delivers events, as a router would."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def __call__(self, uri: str, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of the procedure *uri*."""
        state = state_of(self._app)
        procedure = state.registry.resolved(state.config.uri_prefix)[uri]
        invocation = Invocation(uri, caller=1, caller_authid="alice", caller_authrole="user")
        return state.dispatcher.call(procedure, invocation, list(args), kwargs)

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
        self.calls: list[tuple[str, list[Any], dict[str, Any], float]] = []
        self.published: list[tuple[str, list[Any], dict[str, Any], bool, float]] = []

    def call(self, uri: str, args: list[Any], kwargs: dict[str, Any], timeout: float) -> Any:
        """Note a call."""
        self.calls.append((uri, args, kwargs, timeout))
        return self._answered()

    def publish(
        self, topic: str, args: list[Any], kwargs: dict[str, Any], acknowledge: bool, timeout: float
    ) -> int | None:
        """Note an event."""
        self.published.append((topic, args, kwargs, acknowledge, timeout))
        answer: int | None = self._answered()
        return answer

    def _answered(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


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
