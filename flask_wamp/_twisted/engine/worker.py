"""A worker of Crossbar.io's, as the controller of ``flask wamp run`` starts it, and its import.

Crossbar.io 26.10.1, ``crossbar/_util.py``, writes an empty line to the terminal where it is imported,
to see whether there is one: each process of a node does. It can be imported as it is once it only opens
it; ``tests/node/test_terminal.py`` reads what a terminal shows.
"""

import importlib
import os
import runpy

TERMINAL = "/dev/tty"
#: What Crossbar.io runs as a worker.
MODULE = "crossbar.worker.main"


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
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
