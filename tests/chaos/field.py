"""What a fault can reach: the node, its processes, the relays, the load and a peer that asks."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

import psutil
from autobahn.wamp.exception import ApplicationError, TransportLost

from tests.node.support import on_reactor

from . import names
from .ledger import Ledger, Violation, Witness
from .load import Load
from .node import KeptNode, chaos_config, guest_config
from .relay import Relay
from .ways import AutobahnPeer, FlaskWay, HTTPWay, Subscriber, Way

#: Who serves the application: processes of a container, those of a guest, or the container itself.
SUPERVISED, GUEST, ALONE = "supervised", "guest", "alone"
SHAPES = (SUPERVISED, GUEST, ALONE)
#: Seconds that the peer that asks waits for an answer.
ASK_WITHIN = 1.0
#: Seconds that a reactor of the node may stand still, and that a view may take.
WATCHDOG, VIEW_LIMIT = 2.0, 2.0
#: Calls after which a process is replaced, which is every five seconds or so, and seconds without any
#: process after which the node of a guest ends.
MAX_CALLS, UNSERVED = 300, 5.0
#: Bytes of the disk that is filled.
DISK_SIZE = 8 * 2**20


class Field:
    """A node, the load on it, and what faults need.

    :param shape: who serves the application.
    :param processes: serving processes, where others supervise them.
    :param own_mounts: this process may mount file systems.
    :param recycles: the processes are replaced after :data:`MAX_CALLS` calls.
    """

    def __init__(
        self,
        *,
        shape: str,
        processes: int,
        rate: float,
        seed: int,
        own_mounts: bool,
        recycles: bool = True,
    ) -> None:
        self.ledger = Ledger(time.monotonic)
        self.shape = shape
        self.processes = 0 if shape == ALONE else processes
        self.directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.has_small_disk = own_mounts and self._mount_small_disk()
        self.recycles = recycles and self.processes > 0
        self.node = KeptNode(self.directory, self._config())
        self.event_witness, self.durable_witness = Witness(), Witness()
        self.violations: list[Violation] = []
        self._rate, self._seed = rate, seed
        #: When the ledger began to count; what was before is the start's.
        self.counts_from = 0.0
        self._closers: list[Any] = []
        self.load: Load | None = None

    def _mount_small_disk(self) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "chaos", str(self.directory)]
        return subprocess.run(command, capture_output=True).returncode == 0

    def _config(self) -> dict[str, Any]:
        web: dict[str, Any] = {"watchdog": WATCHDOG}
        if self.shape == ALONE:
            return chaos_config(web, web, web)
        views: dict[str, Any] = {
            "processes": self.processes,
            "url": f"unix:{self._serving_socket}",
            "view_limit": VIEW_LIMIT,
            "max_calls": MAX_CALLS if self.recycles else 0,
        }
        other = {"processes": 1}
        if self.shape == GUEST:
            return guest_config({**web, "end_unserved_after": UNSERVED}, views, other)
        return chaos_config(web, views, other)

    @property
    def _serving_socket(self) -> Path:
        return self.directory / "serving.sock"

    def start(self) -> None:
        """Start the node, the relays, the ways and the load, and wait until all of it works."""
        node = self.node
        socket = str(node.socket)
        if self.processes:
            self.serving_relay = self._closing(Relay(self._serving_socket, node.socket))
        node.start()
        self.page_relay = self._closing(Relay(0, node.port))
        self.flask_relay = self._closing(Relay(self.directory / "flask.sock", node.socket))
        self.asker = self._closing(AutobahnPeer(self.ledger, "asker", socket))
        topics = {names.EVENT: self.event_witness, names.DURABLE: self.durable_witness}
        self.subscriber = self._closing(Subscriber(self.ledger, socket, topics))
        self.ways: list[Way] = [
            self._closing(AutobahnPeer(self.ledger, "websocket", self.page_relay.port)),
            self._closing(AutobahnPeer(self.ledger, "rawsocket", socket)),
            self._closing(FlaskWay(self.ledger, f"unix:{self.directory / 'flask.sock'}")),
            self._closing(HTTPWay(self.ledger, node.port)),
        ]
        self.load = Load(self.ledger, self.ways, self._rate, self._seed)
        self.load.start()

    def _closing(self, what: Any) -> Any:
        self._closers.append(what)
        return what

    def end(self) -> None:
        """End everything, whatever state it is in, and remove what it left."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove)
            stack.callback(self.node.end)
            for closer in self._closers:
                stack.callback(closer.close)
            if self.load is not None:
                stack.callback(self.load.halt)

    def _remove(self) -> None:
        if self.has_small_disk:
            subprocess.run(["umount", "--lazy", str(self.directory)], capture_output=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- asking

    def ask(self, uri: str, *args: Any) -> Any:
        """Call *uri* apart from the load; None where no answer comes soon."""
        session = self.asker.session
        if session is None:
            return None
        try:
            return on_reactor(lambda: session.call(uri, *args), timeout=ASK_WITHIN)
        except (ApplicationError, TransportLost, FutureTimeout, TimeoutError):
            return None

    def subscribing(self) -> psutil.Process | None:
        """Return the process that has handled the last event."""
        rows = self._rows("SELECT pid FROM handled ORDER BY rowid DESC LIMIT 1")
        return self.node.process(rows[0][0] if rows else 0)

    def hurt(self, how: str) -> None:
        """Let the process that answers next do something to itself; nobody waits for it."""
        session = self.asker.session
        if session is not None:
            on_reactor(lambda: session.call(names.HURT, how).addErrback(lambda _: None) and None)

    def hurt_processes(self) -> list[int]:
        """Return the ids of the processes that had that done, in order."""
        return [pid for (pid,) in self._rows("SELECT pid FROM hurt ORDER BY rowid")]

    def answering(self) -> set[int]:
        """Return the ids of the processes that answer calls."""
        pids = (self.ask(names.WHO) for _ in range(4 * max(self.processes, 1)))
        return {pid for pid in pids if pid is not None}

    def serving(self) -> psutil.Process | None:
        """Return a process that serves, the same as long as it is there."""
        return self.node.process(min(self.answering(), default=0))

    def all_answer(self) -> bool:
        """Tell whether as many processes answer as there should be, and the witness is there."""
        return (
            self.node.is_up
            and self.subscriber.is_joined
            and len(self.answering()) == max(self.processes, 1)
            and self.ask(names.OTHER_WHO) is not None
        )

    def recycled(self) -> int:
        """Return how many processes were replaced after so many calls, as the log has it."""
        return self.node.log().count("is replaced after")

    # --- the database

    def executed(self) -> dict[int, int]:
        """Return how often each vote was executed."""
        return dict(self._rows("SELECT number, count(*) FROM vote GROUP BY number"))

    def handled(self) -> dict[int, int]:
        """Return how often the application has handled each event."""
        return dict(self._rows("SELECT number, count(*) FROM handled GROUP BY number"))

    def committed(self) -> list[int]:
        """Return the numbers of the durable publishes, in the order of their transactions."""
        return [number for (number,) in self._rows("SELECT number FROM durable ORDER BY place")]

    def _rows(self, query: str) -> list[Any]:
        with contextlib.closing(names.open_database(str(self.node.database))) as database:
            return database.execute(query).fetchall()

    # --- the disk

    @property
    def _ballast(self) -> Path:
        return self.directory / "ballast"

    def fill_disk(self) -> None:
        """Leave no byte on the disk of the database, or let those who serve write no file."""
        if not self.has_small_disk:
            self._limit_files(1)
            return
        # SQLite writes into the log that it has, until that has to grow: so it has next to none.
        with contextlib.closing(names.open_database(str(self.node.database))) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT)
        try:
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(4096)):
                    pass
        finally:
            os.close(descriptor)

    def free_disk(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)
        if not self.has_small_disk:
            self._limit_files(psutil.RLIM_INFINITY)

    def _limit_files(self, size: int) -> None:
        """Set the limit of a file's bytes, by prlimit(2); SQLite then fails as on a full disk."""
        for process in map(self.node.process, self.answering()):
            if process is not None:
                _soft, hard = process.rlimit(psutil.RLIMIT_FSIZE)
                process.rlimit(psutil.RLIMIT_FSIZE, (size, hard))
