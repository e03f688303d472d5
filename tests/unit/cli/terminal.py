"""A terminal for what is printed."""

import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def terminal() -> Iterator[Callable[[], str]]:
    """Make standard output a terminal; the function returns what was printed there."""
    leader, follower = pty.openpty()
    before = sys.stdout
    sys.stdout = os.fdopen(follower, "w", encoding="utf-8")

    def printed() -> str:
        # A terminal hands on what it was given in pieces, and some later than others.
        sys.stdout.write("(end)")
        sys.stdout.flush()
        text = ""
        while not text.endswith("(end)"):
            text += os.read(leader, 65536).decode()
        return text.removesuffix("(end)").replace("\r\n", "\n")

    try:
        yield printed
    finally:
        sys.stdout.close()
        sys.stdout = before
        os.close(leader)
