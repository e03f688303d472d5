"""Crossbar.io's controller without the empty line that its log begins with.

Crossbar.io 26.10.1, ``crossbar/node/main.py``: ``_run_command_start`` prints an empty line below its
banner, and does so where the log level leaves the banner out as well. This can go once it does not;
``tests/node/test_lifecycle.py`` reads the first lines of a node.
"""

import builtins
import signal
import sys
from typing import Any

print_ = builtins.print


def print_text(*values: Any, **options: Any) -> None:
    """Print, but not what is empty."""
    if values:
        print_(*values, **options)


def main() -> None:
    """Run the ``crossbar`` command of this process's arguments."""
    # Ctrl-C during the imports, which take long, ends the process without a traceback. Afterwards
    # Crossbar.io stops the node, where it finds Python's own handler.
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    import crossbar

    signal.signal(signal.SIGINT, handler)
    builtins.print = print_text
    sys.exit(crossbar.run())


if __name__ == "__main__":
    main()
