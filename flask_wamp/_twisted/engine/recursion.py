"""Python's recursion limit, which a package that Crossbar.io imports raises.

Crossbar.io 26.10.1 imports ``py_ecc`` 8.0.0, whose ``__init__`` sets the limit to 100,000: deeper than
the C stack is, so that deep recursion ends the process without a word. This can go once py_ecc, or
Crossbar.io's import of it, does not; ``tests/node/test_garbage.py`` would notice.
"""

import sys

#: Python's own limit.
RECURSION_LIMIT = 1000
PY_ECC_LIMIT = 100_000


def restore_recursion_limit() -> None:
    """Let endless recursion be a RecursionError again, not the end of the process."""
    if sys.getrecursionlimit() >= PY_ECC_LIMIT:
        sys.setrecursionlimit(RECURSION_LIMIT)
