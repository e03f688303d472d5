"""The program of a fork server: it has imported what serving processes need, and forks them.

Its argument is the application that it imports as well, or nothing. Its standard input is a socket
of messages: each is the settings of a process, with that process's descriptors; each answer is the
id of the process. It has no threads and no reactor, so what it forks is as good as new.

A child is not this process's: it is forked twice, so that it belongs to the supervisor, which alone
notices its end, and ends with it.
"""

import gc
import importlib
import os
import runpy
import signal
import socket
import sys
import time
from typing import NoReturn

from .processes import CHILD
from .settings import ChildSettings

#: What serving processes import in any case; nothing of it may import the reactor.
LIBRARIES = (
    "flask",
    "pydantic",
    "flask_wamp",
    "flask_wamp._twisted.connection.background",
    "flask_wamp._twisted.child",
)
#: What it says when it can fork.
READY = b"ready"
#: Bytes of a message.
LONGEST_MESSAGE = 2**16
#: Seconds that a process looks for its new parent.
ADOPTION_TIME = 1.0


def main(application: str) -> None:
    """Fork what is asked for, until the socket closes."""
    # Who stops a node may signal all of its processes; this one ends when its supervisor has.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    orders = socket.socket(fileno=os.dup(0))
    os.set_inheritable(orders.fileno(), False)
    _import(application)
    gc.collect()
    gc.freeze()
    orders.send(READY)
    while True:
        message, descriptors, _flags, _address = socket.recv_fds(orders, LONGEST_MESSAGE, 4)
        if not message:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        pid = _fork_twice(message.decode(), descriptors, orders)
        for descriptor in descriptors:
            os.close(descriptor)
        orders.send(str(pid).encode())


def _import(application: str) -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    module = application.partition(":")[0]
    if module:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001
            # A child says what is wrong with it, in its own process.
            print(f"cannot preload {module}: {error}", file=sys.stderr, flush=True)  # noqa: T201


def _fork_twice(message: str, descriptors: list[int], orders: socket.socket) -> int:
    """Return the id of a process whose parent is the supervisor."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        own = os.getpid()
        pid = os.fork()
        if pid == 0:
            orders.close()
            _become_child(message, descriptors, own)
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.waitpid(between, 0)
    try:
        return int(os.read(reading, 32))
    finally:
        os.close(reading)
        os.close(writing)


def _become_child(message: str, descriptors: list[int], between: int) -> NoReturn:
    """Run the program of a serving process in this one, which ends with it as any does."""
    deadline = time.monotonic() + ADOPTION_TIME
    while os.getppid() == between and time.monotonic() < deadline:
        time.sleep(0.0005)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(len(descriptors), max(descriptors) + 64)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    settings = ChildSettings.from_json(message)
    sys.argv[1:] = [settings.to_json()]
    runpy.run_module(CHILD, run_name="__main__", alter_sys=True)
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
