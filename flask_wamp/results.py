"""What a call is answered with, as a caller gets it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result that is not one value: several positional ones, or keyword ones (spec, 9.2.4).

    A view returns one, or yields it, to answer with several values; over HTTP it is JSON.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


def result_value(args: Sequence[Any], kwargs: dict[str, Any] | None) -> Any:
    """Return the payload of a result as a caller gets it: one value, or a :class:`CallResult`.

    The Python wampy gives its value twice, with keywords of its own beside, and takes the value
    out again where it calls; nameko-wamp adds an ``error``, which is None where there is a value.
    An answer of exactly that shape is the value.
    """
    if kwargs and len(args) == 1 and _is_wampys(kwargs) and _same(kwargs["message"], args[0]):
        return args[0]
    if kwargs or len(args) > 1:
        return CallResult(tuple(args), kwargs or {})
    return args[0] if args else None


_WAMPYS = ({"message", "meta"}, {"error", "message", "meta"})
_META = {"procedure_name", "session_id"}


def _is_wampys(kwargs: dict[str, Any]) -> bool:
    if kwargs.keys() not in _WAMPYS or kwargs.get("error") is not None:
        return False
    meta = kwargs["meta"]
    return isinstance(meta, dict) and meta.keys() == _META


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values from the wire are alike in their types too: 1 is not True or 1.0.

    Values that a peer has sent may be nested deeper than the stack.
    """
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif left != right:
            return False
    return True
