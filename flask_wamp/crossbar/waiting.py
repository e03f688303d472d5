"""The program of a worker that waits, as ``flask wamp run --reload`` keeps some.

It has imported what components import, and where one of them supervises there is a fork server by
then: a change is live sooner by that. Nothing of the application is imported, which may change.
"""

import importlib
import runpy
import sys
from typing import Any

from autobahn.twisted.choosereactor import install_reactor

from .._twisted.supervise.service import forker_for

#: Crossbar.io's program of a worker.
WORKER = "crossbar.worker.main"
#: The first argument, where a component supervises.
FORKS = "--forks"
#: What components import when they are loaded.
LIBRARIES = ("flask_wamp.crossbar", "flask_wamp.observe")


def main() -> None:
    """Run the worker of this process's arguments."""
    # Before anything imports another one.
    reactor: Any = install_reactor()
    for name in LIBRARIES:
        importlib.import_module(name)
    if sys.argv[1] == FORKS:
        del sys.argv[1]
        reactor.callWhenRunning(forker_for, reactor, "")
    runpy.run_module(WORKER, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
