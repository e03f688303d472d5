"""What the check of a call's arguments costs, by what the view's annotations say."""

from collections.abc import Callable
from timeit import repeat
from typing import Any

from flask_wamp.serve.endpoints import Endpoint
from flask_wamp.serve.validation import validator_of

from .app import add, add_checked, add_pair, app

CALLS = 20_000


def validation_costs() -> dict[str, float]:
    """Return the seconds that a check takes, by what is checked."""
    pair = {"a": 1, "b": 2}
    return {
        "no annotations to check, (a, b)": seconds(add, [1, 2], {}),
        "(a: int, b: int), positional": seconds(add_checked, [1, 2], {}),
        "(a: int, b: int), by keyword": seconds(add_checked, [], pair),
        "a pydantic model of two fields": seconds(add_pair, [pair], {}),
    }


def seconds(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> float:
    """Return the seconds that one check takes, in the best of five rounds."""
    endpoint = Endpoint(app, function, validator_of(function))
    rounds = repeat(lambda: endpoint.fit(args, kwargs), number=CALLS, repeat=5)
    return min(rounds) / CALLS
