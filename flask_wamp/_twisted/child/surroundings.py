"""What is around a serving process: its descriptors, its signals and its parent."""

import ctypes
import faulthandler
import logging
import os
import select
import signal
import sys

from ...tracing.lines import ChildFormatter
from .orders import LEFT_ALONE

#: prctl(2): this signal when the parent ends.
_PR_SET_PDEATHSIG = 1


def settle() -> int:
    """Be the child of a supervisor.

    :returns: the descriptor that its commands come through; what a view starts gets neither that nor
        the supervisor's words for its own input.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    # Written by the signal's handler itself, whoever has the interpreter's lock.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    commands = os.dup(0)
    os.set_inheritable(commands, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _end_with_parent(commands)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
    return commands


def log_to_stderr() -> None:
    """Log to standard error, with priorities, unless the application says otherwise."""
    handler = logging.StreamHandler()
    # A stranger's line break in a message begins no line that looks like another message.
    handler.setFormatter(ChildFormatter())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("flask_wamp").setLevel(logging.INFO)


def _end_with_parent(commands: int) -> None:
    """Let the kernel end this process with its parent, whoever has the interpreter's lock then."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    # The parent may have ended before: then nothing holds the other end of the commands.
    look = select.poll()
    look.register(commands, select.POLLHUP)
    if any(what & select.POLLHUP and not what & select.POLLIN for _, what in look.poll(0)):
        os._exit(LEFT_ALONE)
