"""What the tests of properties share: the same examples each time, and strategies for payload."""

import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import configuration, settings
from hypothesis import strategies as st

# What Hypothesis keeps, whatever its settings, is kept out of the checkout.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "flask-wamp-hypothesis")

#: The same examples each time, however slow the machine.
SETTINGS = settings(derandomize=True, deadline=None, database=None, max_examples=100)

#: Texts that every serializer carries: no lone surrogates, and no NUL at the beginning.
texts = st.text(max_size=12).filter(lambda text: not text.startswith("\0"))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.binary(max_size=12),
)
#: What WAMP's payload may consist of.
payloads = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=15,
)


def same(one: Any, other: Any) -> bool:
    """Tell whether values are equal, in type and to the sign of a zero."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)
