"""Who may open the node's Unix sockets: the node's user alone.

Being able to open the backend's socket is the proof that a service belongs to the node, and
Crossbar.io makes it with mode 0666.
"""

import os
from pathlib import Path
from typing import Any

from twisted.internet.address import UNIXAddress

from .listening import addresses


def close_directory(directory: str) -> None:
    """Let nobody else into the node's directory: a socket in it is open until it is closed."""
    Path(directory).chmod(0o700)


def close_unix_sockets(reactor: Any) -> None:
    """Let nobody else open the Unix sockets that this process listens on."""
    for address in addresses(reactor):
        if isinstance(address, UNIXAddress) and address.name is not None:
            Path(os.fsdecode(address.name)).chmod(0o600)
