"""Who may open the node's Unix sockets: the node's user alone.

Being able to open the backend's socket is the proof that a service belongs to the node, and
Crossbar.io makes it with mode 0666. How many sockets this process may have is set here as well.
"""

import os
import resource
from pathlib import Path
from typing import Any

from twisted.internet.address import UNIXAddress

from .listening import addresses

#: The files that a process may have open.
FILES = 65536


def close_directory(directory: str) -> None:
    """Let nobody else into the node's directory: a socket in it is open until it is closed."""
    Path(directory).chmod(0o700)


def raise_file_limit() -> None:
    """Let this process have as many connections as its configuration says.

    A shell's limit is 1,024 files, which connections, and the bodies of requests, are.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def close_unix_sockets(reactor: Any) -> None:
    """Let nobody else open the Unix sockets that this process listens on."""
    for address in addresses(reactor):
        if isinstance(address, UNIXAddress) and address.name is not None:
            Path(os.fsdecode(address.name)).chmod(0o600)
