"""A reactor for the child of a process whose reactor ran already: that one's sockets are shared.

Twisted 26.10.0 has one reactor a process, and txaio 26.6.1, ``txaio/tx.py``, remembers it in
``txaio.config.loop``. Neither has a way to begin anew after a fork; ``tests/node/test_outside.py``
forks.
"""

from typing import Any

import txaio


def private_reactor(kind: type[Any]) -> Any:
    """Return a reactor of its own, which Autobahn uses from now on."""
    reactor = kind()
    txaio.config.loop = reactor
    return reactor
