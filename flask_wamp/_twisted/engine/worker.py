"""A worker of Crossbar.io's, as the controller of ``flask wamp run`` starts it, and its import.

Crossbar.io 26.10.1, ``crossbar/_util.py``, writes an empty line to the terminal where it is imported,
to see whether there is one: each process of a node does. It can be imported as it is once it only opens
it; ``tests/node/test_terminal.py`` reads what a terminal shows.
"""

import importlib
import os
import runpy
import sys

TERMINAL = "/dev/tty"
#: What Crossbar.io runs as a worker, and what is run in its place.
MODULE, PROGRAM = "crossbar.worker.main", "flask_wamp._twisted.engine.worker"
#: The first argument of a worker that is to import what components need, and of one where a component
#: supervises; and what has the functions of these names.
IMPORT, FORK = "--import", "--fork"
PREPARATION = "flask_wamp.crossbar.waiting"


def import_crossbar() -> None:
    """Import Crossbar.io as where there is no terminal."""
    exists = os.path.exists
    os.path.exists = lambda path: path != TERMINAL and exists(path)
    try:
        importlib.import_module("crossbar._util")
    finally:
        os.path.exists = exists


def main() -> None:
    """Run the worker of this process's arguments."""
    import_crossbar()
    if sys.argv[1] in (IMPORT, FORK):
        waiting = importlib.import_module(PREPARATION)
        waiting.prepare(forks=sys.argv.pop(1) == FORK)
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
