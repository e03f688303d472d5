"""A worker that waits, as ``flask wamp run --reload`` keeps some, for a change to be live sooner.

Nothing of the application is imported, which may change.
"""

import importlib
from typing import Any

from autobahn.twisted.choosereactor import install_reactor

from .._twisted.supervise.service import forker_for

#: What components import when they are loaded.
LIBRARIES = ("flask_wamp.crossbar", "flask_wamp.observe")


def prepare(*, forks: bool) -> None:
    """Import what components need, and have a fork server soon where one of them supervises."""
    reactor: Any = install_reactor()
    for name in LIBRARIES:
        importlib.import_module(name)
    if forks:
        reactor.callWhenRunning(forker_for, reactor, "")
