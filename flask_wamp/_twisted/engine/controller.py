"""Crossbar.io's controller as ``flask wamp run`` runs it: how its log begins, and how the node ends.

Crossbar.io 26.10.1:

- ``crossbar/node/main.py``, ``_run_command_start``, prints an empty line below its banner, and does so
  where the log level leaves the banner out as well.
- ``crossbar/node/controller.py``, ``NodeController.onJoin``: after SIGINT the node ends with exit code 0,
  after SIGTERM with 1, whatever it has done meanwhile; further signals count for nothing. SIGHUP, of a
  terminal that closes, ends it alone, and its workers with the calls that run.
- There, ``_cleanup_worker``: a worker that does not end is waited for, and killed after some 21 s.
- ``crossbar/node/node.py``, ``Node._extend_worker_args``, is there to change a worker's arguments, which
  name the module that runs.
- It tells systemd that the node is ready once its workers have started, whether or not they serve
  anything.

Each can go once Crossbar.io does it otherwise; ``tests/node/test_running_node.py`` reads the first
lines of a node, and ends one in each of these ways.
"""

import builtins
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from .worker import MODULE, PROGRAM, import_crossbar

print_ = builtins.print
#: Where the address of systemd's socket is for the workers; Crossbar.io would use ``NOTIFY_SOCKET``.
NOTIFY_SOCKET = "NODE_NOTIFY_SOCKET"
#: Seconds that the node may take to stop, as ``flask wamp run`` says in the variable; each worker has
#: a shorter time.
STOP_LIMIT_VARIABLE, STOP_LIMIT = "NODE_STOP_LIMIT", 40.0
#: The exit code of a node that was not let stop in order, as after a signal.
CUT_OFF = 128 + signal.SIGINT


def print_text(*values: Any, **options: Any) -> None:
    """Print, but not what is empty."""
    if values:
        print_(*values, **options)


def hangup() -> list[signal.Signals]:
    """Return SIGHUP, by which a terminal that closes stops the node, unless ``nohup`` lets it live."""
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [] if ignored else [signal.SIGHUP]


class Stop:
    """Stops the node at the first signal, and ends it at the second, or when it takes too long.

    :param controller: Crossbar.io's, which has its own handler of SIGINT by now.
    """

    def __init__(self, controller: Any, limit: float) -> None:
        self._controller = controller
        self._limit = limit
        self._begun = False
        self._stop: Any = signal.getsignal(signal.SIGINT)
        for number in (signal.SIGINT, signal.SIGTERM, *hangup()):
            signal.signal(number, self._told)

    def _told(self, number: int, frame: FrameType | None) -> None:
        if self._begun:
            if number == signal.SIGHUP:
                # Of a terminal that closes, the shell and the kernel tell.
                return
            self._end("the node was told twice to stop: it ends with what runs")
        self._begun = True
        late = threading.Timer(
            self._limit,
            self._end,
            [f"the node has not stopped within {self._limit:g} s: it is ended"],
        )
        late.daemon = True
        late.start()
        # The first one counts, not which of the two it was.
        self._stop(signal.SIGINT, frame)

    def _end(self, why: str) -> None:
        os.write(2, f"flask-wamp: {why}\n".encode())
        for worker in list(self._controller._workers.values()):  # noqa: SLF001
            if worker.pid:
                try:
                    os.kill(worker.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        os._exit(CUT_OFF)


def stop_in_order(node_controller: Any, limit: float) -> None:
    """Let the nodes of a class of controllers stop as :class:`Stop` says."""
    joined = node_controller.onJoin

    def on_join(self: Any, details: Any) -> Any:
        def take_signals(_joined: Any) -> None:
            Stop(self, limit)

        return joined(self, details).addCallback(take_signals)

    def wait_for_worker(_reactor: Any, worker: Any) -> Any:
        from twisted.internet.defer import Deferred
        from twisted.internet.error import ProcessExitedAlready

        gone: Deferred[None] = Deferred()
        worker.exit.addBoth(lambda _ended: gone.callback(None))
        try:
            worker.proto.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            return None
        return gone

    node_controller.onJoin = on_join
    node_controller._cleanup_worker = staticmethod(wait_for_worker)  # noqa: SLF001


def run_our_worker(arguments: list[str], _options: Any) -> None:
    """Let the *arguments* of a worker run it as :mod:`.worker` does, where it is this Python's."""
    if arguments[0] == sys.executable and MODULE in arguments:
        arguments[arguments.index(MODULE)] = PROGRAM


def main(change_worker: Callable[[list[str], Any], None] = run_our_worker) -> None:
    """Run the ``crossbar`` command of this process's arguments.

    :param change_worker: gets the arguments of each worker, which it may change, and its options.
    """
    # A signal during the imports, which take long, ends the process without a traceback; the first
    # process of a container is ended by none that it does not handle. Afterwards Crossbar.io stops
    # the node, where it finds Python's own handler.
    handler = signal.getsignal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM, *hangup()):
        signal.signal(number, lambda number, _frame: os._exit(128 + number))
    # Who has started this process may have let them wait.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    address = os.environ.pop("NOTIFY_SOCKET", None)
    if address:
        os.environ[NOTIFY_SOCKET] = address
    import_crossbar()
    import crossbar
    import crossbar.node.controller
    import crossbar.node.node

    limit = float(os.environ.pop(STOP_LIMIT_VARIABLE, STOP_LIMIT))
    stop_in_order(crossbar.node.controller.NodeController, limit)
    node: Any = crossbar.node.node.Node
    node._extend_worker_args = staticmethod(change_worker)  # noqa: SLF001
    signal.signal(signal.SIGINT, handler)
    builtins.print = print_text
    sys.exit(crossbar.run())


if __name__ == "__main__":
    main()
