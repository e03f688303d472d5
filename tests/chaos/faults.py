"""The faults: each is injected, lasts, is healed where it does not heal by itself, and is over when
all is well again.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import ClassVar

import psutil

from tests.node.support import ROOT, SUBSCRIBE, SUBSCRIBED, RawPeer, on_reactor

from . import names
from .field import ALONE, GUEST, SHAPES, SUPERVISED, UNSERVED, VIEW_LIMIT, WATCHDOG, Field
from .judging import Phase
from .ledger import Violation
from .node import until

#: Seconds that what needs somebody to end it lasts.
LASTS = 3.0
#: Seconds in which callers have their error: of a process that died, and of one that hangs.
DEATH, HANG = 0.1, 1.5
#: Bytes that a process has at most until the kernel, for which the harness stands, ends it.
MEMORY = 256 * 2**20
#: What the processes of the first service have no part in.
OTHERS = (names.OTHER, names.PAGE)
#: Events that the slow handler gets, and events and bytes that nobody reads.
SLEEPY_EVENTS, UNREAD_EVENTS, UNREAD_SIZE = 40, 640, 64 * 1024
#: Connections of the flood, and the descriptors that the router has left.
FLOOD, LEFT = 200, 10


class Fault:
    """Something that goes wrong.

    :cvar name: by which it is asked for.
    :cvar what: what happens, for the table.
    :cvar lasts: seconds until :meth:`heal`.
    :cvar shapes: which nodes it is for.
    :cvar spares: calls that must not fail: ``nothing`` is promised, ``accepted`` (those in flight
        when it happens), or ``all``.
    :cvar untouched: procedures that must not notice, nor pages, where processes are supervised.
    :cvar bites: some call must fail, or the fault was none.
    :cvar told_within: seconds in which a call that fails has its error, where processes are
        supervised; None: nothing is promised.
    """

    name: ClassVar[str] = ""
    what: ClassVar[str] = ""
    lasts: ClassVar[float] = 0.0
    shapes: ClassVar[tuple[str, ...]] = SHAPES
    spares: ClassVar[str] = "nothing"
    untouched: ClassVar[tuple[str, ...]] = ()
    bites: ClassVar[bool] = False
    told_within: ClassVar[float | None] = None

    def __init__(self) -> None:
        self.before: set[int] = set()

    def look(self, field: Field) -> None:
        """Look who is there, before it."""
        self.before = field.answering()

    def inject(self, field: Field) -> None:
        """Do it; what each fault is."""
        raise NotImplementedError

    def heal(self, field: Field) -> None:
        """End it, where it does not end by itself."""

    def phase(self, field: Field) -> Phase:
        """Return what is promised, from now on."""
        supervised = field.processes > 0
        return Phase(
            self.name,
            self.what,
            self.spares,
            self.told_within if supervised else None,
            time.monotonic(),
            untouched=self.untouched if supervised else (),
            bites=self.bites,
        )

    def is_well(self, field: Field) -> bool:
        """Tell whether it is over, and all processes answer."""
        return field.all_answer()


# --- serving processes


class _Replaced(Fault):
    """Serving processes end, and others have to replace them.

    Some are replaced in any case, after so many calls: that is no sign of anything.
    """

    def victims(self, field: Field) -> set[int]:
        """Return which have to end; empty where none has been harmed yet."""
        return self.before

    def is_well(self, field: Field) -> bool:
        victims = self.victims(field)
        left = {process.pid for process in field.node.descendants()}
        return bool(victims) and not victims & left and field.all_answer()


class _Killed(_Replaced):
    """One gets a SIGKILL."""

    untouched = OTHERS
    told_within = DEATH

    def inject(self, field: Field) -> None:
        self._victim = self.choose(field)
        field.node.signal(self._victim, signal.SIGKILL)

    def choose(self, field: Field) -> psutil.Process | None:
        """Return which."""
        return field.serving()

    def victims(self, field: Field) -> set[int]:
        return {self._victim.pid} if self._victim is not None else set()


class _Hurt(_Replaced):
    """A view does something to its process."""

    untouched = OTHERS

    def look(self, field: Field) -> None:
        super().look(field)
        self._hurt_before = len(field.hurt_processes())

    def inject(self, field: Field) -> None:
        field.hurt(self.name)

    def victims(self, field: Field) -> set[int]:
        return set(field.hurt_processes()[self._hurt_before :])


class KillServing(_Killed):
    name = "kill-serving"
    what = "SIGKILL of a serving process"


class KillSubscriber(_Killed):
    name = "kill-subscriber"
    what = "SIGKILL of the serving process that handles the events"
    shapes = (SUPERVISED, GUEST)

    def choose(self, field: Field) -> psutil.Process | None:
        return field.subscribing()


class KillAll(_Replaced):
    name = "kill-all"
    what = "SIGKILL of all serving processes at once"
    bites = True
    untouched = OTHERS
    shapes = (SUPERVISED, GUEST)

    def inject(self, field: Field) -> None:
        for pid in self.before:
            field.node.signal(field.node.process(pid), signal.SIGKILL)


class Exit(_Hurt):
    name = "exit"
    what = "a view calls `os._exit`"
    told_within = DEATH


class Segfault(_Hurt):
    name = "segfault"
    what = "a view segfaults"
    told_within = DEATH


class HoldGIL(_Hurt):
    """Alone, the watchdog needs three times as long for it."""

    name = "gil"
    what = "a view holds the GIL for ever"
    told_within = HANG


class StopReactor(_Hurt):
    name = "reactor"
    what = "a view makes the reactor of its process stand still"
    told_within = HANG


class Memory(_Hurt):
    """The harness stands for the kernel: it looks at the memory, and ends who takes too much."""

    name = "memory"
    what = f"a view takes memory without end; SIGKILL at {MEMORY // 2**20} MiB, as the kernel does"
    told_within = DEATH
    shapes = (SUPERVISED, GUEST)

    def look(self, field: Field) -> None:
        super().look(field)
        field.hurt(self.name)
        until(lambda: any(map(_takes_too_much, self._processes(field))), LASTS)

    def inject(self, field: Field) -> None:
        for process in self._processes(field):
            field.node.signal(process, signal.SIGKILL)

    def _processes(self, field: Field) -> list[psutil.Process]:
        return [each for each in map(field.node.process, self.victims(field)) if each is not None]


def _takes_too_much(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.memory_info().rss > MEMORY)
    return True


class Loop(_Hurt):
    name = "loop"
    what = f"a view loops for ever (`view_limit` {VIEW_LIMIT:g} s)"
    told_within = VIEW_LIMIT + HANG
    shapes = (SUPERVISED, GUEST)


class StopServing(Fault):
    """Without a supervisor it is continued after a while."""

    name = "stop-serving"
    what = "SIGSTOP of a serving process"
    untouched = OTHERS
    told_within = HANG
    lasts = LASTS

    def inject(self, field: Field) -> None:
        self._stopped = field.serving()
        field.node.signal(self._stopped, signal.SIGSTOP)

    def heal(self, field: Field) -> None:
        field.node.signal(self._stopped, signal.SIGCONT)


# --- the node's workers, and the node


class KillGuestChild(KillServing):
    name = "kill-guest-child"
    what = "SIGKILL of a serving process of a guest"
    shapes = (GUEST,)


class KillGuest(_Replaced):
    """Crossbar.io logs the end of a guest, and that is all."""

    name = "kill-guest"
    what = f"SIGKILL of the guest that supervises (`end_unserved_after` {UNSERVED:g} s)"
    bites = True
    shapes = (GUEST,)

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.supervisor(), signal.SIGKILL)


class KillContainer(_Replaced):
    name = "kill-container"
    what = "SIGKILL of the container"
    bites = True
    shapes = (SUPERVISED, ALONE)

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.container(), signal.SIGKILL)


class KillRouter(_Replaced):
    name = "kill-router"
    what = "SIGKILL of the router worker"
    bites = True

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.router(), signal.SIGKILL)


class StopRouter(Fault):
    name = "stop-router"
    what = f"SIGSTOP of the router worker for {LASTS:g} s"
    lasts = LASTS

    def inject(self, field: Field) -> None:
        self._stopped = field.node.router()
        field.node.signal(self._stopped, signal.SIGSTOP)

    def heal(self, field: Field) -> None:
        field.node.signal(self._stopped, signal.SIGCONT)


class HoldGILOfRouter(_Replaced):
    name = "gil-router"
    what = f"a hosted view holds the router's GIL for ever (`watchdog` {WATCHDOG:g} s)"
    bites = True
    shapes = (SUPERVISED, GUEST)

    def inject(self, field: Field) -> None:
        request = f"GET /hurt/gil HTTP/1.1\r\nHost: 127.0.0.1:{field.node.port}\r\n\r\n"
        self._connection = socket.create_connection(("127.0.0.1", field.node.port))
        self._connection.sendall(request.encode())

    def heal(self, field: Field) -> None:
        self._connection.close()


class KillNode(_Replaced):
    name = "kill-node"
    what = "SIGKILL of the controller; systemd kills the rest"
    bites = True

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.descendants()[0], signal.SIGKILL)


class TermNode(_Replaced):
    name = "term-node"
    what = "SIGTERM to the node's first process, and a new start"
    bites = True
    spares = "accepted"

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.descendants()[0], signal.SIGTERM)


class TermGroup(_Replaced):
    name = "term-group"
    what = "SIGTERM to every process of the node at once, and a new start"
    bites = True
    spares = "accepted"

    def inject(self, field: Field) -> None:
        for process in field.node.descendants():
            field.node.signal(process, signal.SIGTERM)


class KillOther(_Replaced):
    name = "kill-other"
    what = "SIGKILL of the serving process of the second service"
    shapes = (SUPERVISED, GUEST)
    untouched = (names.ECHO, names.VOTE, names.NESTED, names.SLOW, names.EVENT, names.PAGE)

    def look(self, field: Field) -> None:
        self._other = field.ask(names.OTHER_WHO)

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.process(self._other), signal.SIGKILL)

    def is_well(self, field: Field) -> bool:
        return field.all_answer() and field.ask(names.OTHER_WHO) not in (None, self._other)


class _AllReplaced(_Replaced):
    """Every serving process is replaced, and no call fails."""

    shapes = (SUPERVISED, GUEST)
    spares = "all"


class Hangup(_AllReplaced):
    name = "hangup"
    what = "SIGHUP to who supervises: the processes are replaced, one after another"

    def inject(self, field: Field) -> None:
        field.node.signal(field.node.supervisor(), signal.SIGHUP)


class Reload(_AllReplaced):
    name = "reload"
    what = "`flask wamp reload`"

    def inject(self, field: Field) -> None:
        command = [sys.executable, "-m", "flask", "wamp", "reload", "--config"]
        done = subprocess.run(
            [*command, str(field.node.config)], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            field.violations.append(Violation("reload failed", said, field.ledger.now()))


# --- what is between, and what there is too little of


class Cut(Fault):
    name = "cut"
    what = "the callers' WebSocket and Flask connections are cut, five times"
    bites = True

    def inject(self, field: Field) -> None:
        for _ in range(5):
            field.page_relay.cut()
            field.flask_relay.cut()
            time.sleep(0.2)


class CutServing(Fault):
    name = "cut-serving"
    what = "the connections of the serving processes to the router are cut"
    shapes = (SUPERVISED, GUEST)

    def inject(self, field: Field) -> None:
        field.serving_relay.cut()


class HalfOpen(Fault):
    name = "half-open"
    what = "the callers' connections carry nothing for 7 s, then are cut"
    bites = True
    # Longer than a call may take.
    lasts = 7.0

    def inject(self, field: Field) -> None:
        field.page_relay.freeze()
        field.flask_relay.freeze()

    def heal(self, field: Field) -> None:
        field.page_relay.thaw()
        field.flask_relay.thaw()


class SlowLine(Fault):
    name = "slow-line"
    what = "the callers' connections carry 1.3 kB/s"
    lasts = LASTS

    def inject(self, field: Field) -> None:
        field.page_relay.slow()
        field.flask_relay.slow()

    def heal(self, field: Field) -> None:
        field.page_relay.quicken()
        field.flask_relay.quicken()


class FullDisk(Fault):
    name = "full-disk"
    what = "the disk of the database is full"
    bites = True
    lasts = 1.5

    def inject(self, field: Field) -> None:
        field.fill_disk()

    def heal(self, field: Field) -> None:
        field.free_disk()


class Descriptors(Fault):
    """The limit is that of the running router, by prlimit(2); it goes back to what it was."""

    name = "descriptors"
    what = f"the router has {LEFT} descriptors left, and {FLOOD} connections come"
    lasts = LASTS

    def inject(self, field: Field) -> None:
        self._router = field.node.router()
        self._flood: list[socket.socket] = []
        if self._router is None:
            return
        self._limits = self._router.rlimit(psutil.RLIMIT_NOFILE)
        few = self._router.num_fds() + LEFT
        self._router.rlimit(psutil.RLIMIT_NOFILE, (few, self._limits[1]))
        for _ in range(FLOOD):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", field.node.port))
            self._flood.append(connection)

    def heal(self, field: Field) -> None:
        for connection in self._flood:
            connection.close()
        if self._router is not None and self._router.is_running():
            self._router.rlimit(psutil.RLIMIT_NOFILE, self._limits)


class SlowHandler(Fault):
    name = "slow-handler"
    what = f"{SLEEPY_EVENTS} events for a handler of the application that takes 0.1 s each"
    spares = "all"

    def inject(self, field: Field) -> None:
        _publish(field, names.SLEEPY, [0] * SLEEPY_EVENTS)


class Unread(Fault):
    name = "unread"
    what = f"a visitor subscribes and does not read {UNREAD_EVENTS * UNREAD_SIZE // 2**20} MiB"
    spares = "all"

    def inject(self, field: Field) -> None:
        self._peer = RawPeer(f"ws://127.0.0.1:{field.node.port}/ws")
        self._peer.join()
        assert self._peer.request([SUBSCRIBE, 1, {}, names.FLOOD])[0] == SUBSCRIBED
        self._peer.stop_reading()
        text = "x" * UNREAD_SIZE
        for _ in range(UNREAD_EVENTS // 16):
            _publish(field, names.FLOOD, [text] * 16)
            time.sleep(0.05)

    def heal(self, field: Field) -> None:
        self._peer.drop()


def _publish(field: Field, topic: str, values: list[object]) -> None:
    session = field.asker.session

    def publish() -> None:
        for value in values:
            if session is not None:
                session.publish(topic, value)

    on_reactor(publish)


ALL: Mapping[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        KillServing, KillSubscriber, KillAll, Exit, Segfault, Memory, HoldGIL, StopReactor, Loop, StopServing, KillOther, Hangup,
        Reload, KillGuestChild, KillGuest,
        KillContainer, KillRouter, StopRouter, HoldGILOfRouter, KillNode, TermNode, TermGroup,
        Cut, CutServing, HalfOpen, SlowLine, FullDisk, Descriptors, SlowHandler, Unread,
    )
}  # fmt: skip
#: Those of `make test`, which bring no node down.
SHORT = ("kill-serving", "gil", "cut", "full-disk")
#: Those of each node, where nothing else is asked for: the others would show nothing more.
USUAL: Mapping[str, tuple[str, ...]] = {
    SUPERVISED: tuple(name for name, fault in ALL.items() if SUPERVISED in fault.shapes),
    GUEST: ("kill-guest-child", "hangup", "reload", "kill-guest", "term-node"),
    ALONE: ("exit", "gil", "reactor", "term-node"),
}
