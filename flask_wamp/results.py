"""What a call is answered with that is not one value."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result that is not one value: several positional ones, or keyword ones (spec, 9.2.4).

    A view returns one, or yields it, to answer with several values.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
