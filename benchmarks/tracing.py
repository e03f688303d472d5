"""What the ids cost that calls bring along, without the wire; no tracer is there."""

from collections.abc import Callable
from timeit import repeat

from flask_wamp.context import Invocation
from flask_wamp.declare.declared import Procedure
from flask_wamp.serve.enclosing import begin_call
from flask_wamp.tracing import spans
from flask_wamp.tracing.carrier import unpack
from flask_wamp.tracing.current import correlated, outgoing

CALLS = 1000


def tracing_costs() -> dict[str, float]:
    """Return the seconds that each part takes, of calls that have and that have no id."""
    procedure = Procedure(len, "com.bench.flask", absolute=True)

    def serve(text: str | None) -> None:
        begin_call(procedure, Invocation("com.bench.flask", carried=unpack(text))).end(None)

    def bare() -> None:
        Invocation("com.bench.flask")

    def call() -> None:
        with spans.calling("com.bench.flask"):
            outgoing()

    without = seconds(bare)
    costs = {
        "a call that brings no id": seconds(lambda: serve(None)) - without,
        "a call that brings one": seconds(lambda: serve("fw1;c=0123456789abcdef")) - without,
        "calling, outside of requests": seconds(call),
    }
    with correlated():
        costs["calling, with an id"] = seconds(call)
    return costs


def seconds(function: Callable[[], None]) -> float:
    """Return the seconds that *function* takes, in the best of many short rounds."""
    return min(repeat(function, number=CALLS, repeat=100)) / CALLS
