"""A node that starts its workers at once, and waits for a word before they load any application.

``flask wamp run --reload`` keeps one beside the node that runs, whose workers have imported all
that takes them long. A byte on standard input is the word; its end, so that of the process which
holds the other side, ends the node.

Crossbar.io 26.10.1, ``crossbar/node/node.py`` and ``crossbar/node/controller.py``: it starts
workers together (``enable_parallel_worker_start``), but containers then dial before the router
listens, and guests start without waiting for anybody; ``crossbar/node/main.py`` refuses a second
node in a directory by its ``node.pid``. ``tests/existing/test_reloading.py`` reloads a node with a
container, ``tests/existing/test_reloading_ends.py`` one with a guest.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from . import controller
from .worker import FORK, IMPORT, PROGRAM, import_crossbar

#: What gets the arguments of a worker, which it may change, and its options.
ChangeWorker = Callable[[list[str], Any], None]
#: The methods that load something into a worker, and the one that starts a guest.
CONFIGURE, GUEST = "_configure_native_worker_", "_start_guest_worker"


class Event:
    """Something that many wait for, on the reactor's thread."""

    def __init__(self) -> None:
        self._has_come = False
        self._waiting: list[Any] = []

    def wait(self) -> Any:
        """Return a Deferred that fires once it has come."""
        from twisted.internet.defer import Deferred, succeed

        if self._has_come:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def come(self) -> None:
        """Let everybody go on."""
        self._has_come = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


def hold_workers(node: Any, node_controller: Any, main: Any) -> ChangeWorker:
    """Let nodes start their workers, and load nothing into them until they are told to.

    Return what lets each worker import meanwhile.

    :param node: Crossbar.io's class of nodes.
    :param node_controller: its class of controllers.
    :param main: the module of its commands.
    """
    word, listening = Event(), Event()
    # The node that runs has node.pid; this one removes only its own.
    main._PID_FILENAME = f"node.{os.getpid()}.pid"  # noqa: SLF001

    boot = node.boot_from_config
    configure_router = getattr(node, f"{CONFIGURE}router")
    awaited: set[str] = set()
    supervising: set[str] = set()

    def boot_together(self: Any, config: dict[str, Any]) -> Any:
        options = config.setdefault("controller", {}).setdefault("options", {})
        options["enable_parallel_worker_start"] = True
        for number, worker in enumerate(config["workers"]):
            worker.setdefault("id", f"worker_{number}")
            if worker["type"] == "router" and not worker.get("options", {}).get("disabled"):
                awaited.add(worker["id"])
            if any(map(_supervises, worker.get("components", ()))):
                supervising.add(worker["id"])
        if not awaited:
            word.wait().addCallback(lambda _: listening.come())
        threading.Thread(target=_await_word, args=(word.come,), name="word", daemon=True).start()
        return boot(self, config)

    def import_early(arguments: list[str], options: Any) -> None:
        controller.run_our_worker(arguments, options)
        # Another reactor than the usual one is Crossbar.io's business.
        other = "reactor" in options or "CROSSBAR_REACTOR" in os.environ
        if PROGRAM in arguments and not other:
            worker = arguments[arguments.index("--worker") + 1]
            place = arguments.index(PROGRAM) + 1
            arguments.insert(place, FORK if worker in supervising else IMPORT)

    def router(self: Any, logname: str, worker_id: str, worker: Any) -> Any:
        def done(result: Any) -> Any:
            awaited.discard(worker_id)
            if not awaited:
                listening.come()
            return result

        ready = word.wait()
        ready.addCallback(lambda _: configure_router(self, logname, worker_id, worker))
        return ready.addCallback(done)

    def after_routers(work: Callable[..., Any]) -> Callable[..., Any]:
        def wait(*args: Any, **kwargs: Any) -> Any:
            return listening.wait().addCallback(lambda _: work(*args, **kwargs))

        return wait

    node.boot_from_config = boot_together
    for name in [each for each in vars(node) if each.startswith(CONFIGURE)]:
        if not name.endswith("_common"):
            setattr(node, name, after_routers(getattr(node, name)))
    setattr(node, f"{CONFIGURE}router", router)
    setattr(node_controller, GUEST, after_routers(getattr(node_controller, GUEST)))
    return import_early


def _supervises(component: dict[str, Any]) -> bool:
    extra = component.get("extra") or {}
    return bool(extra.get("processes")) and not extra.get("preload")


def _await_word(come: Callable[[], None]) -> None:
    from twisted.internet import reactor as global_reactor

    reactor: Any = global_reactor
    # Not by way of sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 1):
        reactor.callFromThread(come)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Run the ``crossbar`` command of this process's arguments, with workers that wait."""
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_crossbar()
    import crossbar.node.controller
    import crossbar.node.main
    import crossbar.node.node

    signal.signal(signal.SIGINT, handler)
    import_early = hold_workers(
        crossbar.node.node.Node, crossbar.node.controller.NodeController, crossbar.node.main
    )
    try:
        controller.main(import_early)
    except SystemExit as ended:
        # Clearing the interpreter of all that Crossbar.io has imported takes a second.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)


if __name__ == "__main__":
    main()
