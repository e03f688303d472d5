"""Tells a process that is very busy from one that hangs, by the processor's time of its threads.

The threads of a Python process take turns, and with many that compute the reactor's turn comes late.
Where C code holds the interpreter's lock one thread computes alone, and in a stopped process none.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: Hundredths of a second of a thread that computes; one that waits for its turn looks for it.
LEAST = 2

#: Hundredths of a second by the id of a thread.
Times = Mapping[int, int]


def times_of(pid: int | None) -> Times:
    """Return what each thread of a process has had; nothing where there is none (proc(5))."""
    found: dict[int, int] = {}
    if pid is None:
        return found
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names, not paths
            with suppress(OSError, ValueError, IndexError):
                words = Path(f"/proc/{pid}/task/{number}/stat").read_text().rpartition(")")[2]
                user, system = words.split()[11:13]
                found[int(number)] = int(user) + int(system)
    return found


def take_turns(before: Times, after: Times) -> bool:
    """Tell whether several threads have computed between two looks."""
    return sum(after[each] - was >= LEAST for each, was in before.items() if each in after) > 1
