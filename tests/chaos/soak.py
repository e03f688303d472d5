"""The soak: a steady load, and what every process of the node needs meanwhile."""

import contextlib
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psutil

from . import names
from .field import Field
from .ledger import Violation
from .node import CONTAINER, ROUTER

#: Threads for HTTP views in the configuration of the node: ``maxthreads``.
HTTP_THREADS = 20
#: Seconds between two looks.
INTERVAL = 1.0
#: Most that the second half may grow in a minute: KiB of memory, descriptors, threads. A call that
#: leaves 100 bytes behind is over it at 80 calls a second.
BOUNDS = {"memory": 400.0, "descriptors": 1.0, "threads": 1.0}
#: What it may grow by in any case: what comes and goes within seconds, and pools that fill.
FLUCTUATION = {"memory": 2048.0, "descriptors": 3.0, "threads": 8.0}
UNITS = {"memory": "KiB", "descriptors": "", "threads": ""}


@dataclass
class Usage:
    """What a process needed, over time.

    :ivar times: seconds since the soak began.
    :ivar values: by what is measured: KiB of memory, descriptors, threads.
    """

    name: str
    times: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BOUNDS})

    def add(self, at: float, process: psutil.Process) -> None:
        """Look at the process."""
        with process.oneshot():
            memory, descriptors = process.memory_info().rss / 1024, process.num_fds()
            threads = process.num_threads()
        self.times.append(at)
        for name, value in zip(BOUNDS, (memory, descriptors, threads), strict=True):
            self.values[name].append(value)

    def growth(self, what: str) -> float:
        """Return the slope of the second half, for a minute."""
        half = len(self.times) // 2
        return 60.0 * slope(self.times[half:], self.values[what][half:])


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line that fits best, by least squares."""
    count = len(times)
    if count < 2:
        return 0.0
    middle, level = sum(times) / count, sum(values) / count
    spread = sum((at - middle) ** 2 for at in times)
    pairs = zip(times, values, strict=True)
    return sum((at - middle) * (value - level) for at, value in pairs) / spread


def soak(on: Field, seconds: float) -> dict[int, Usage]:
    """Sample the processes of the node for so long, by process id."""
    _fill_pool(on)
    usages: dict[int, Usage] = {}
    began = time.monotonic()
    while (at := time.monotonic() - began) < seconds:
        for process in on.node.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                usage = usages.setdefault(process.pid, Usage(_name(process)))
                usage.add(at, process)
        time.sleep(INTERVAL)
    return usages


def _fill_pool(on: Field) -> None:
    """Make as many requests at once as the router has threads for, which never become fewer.

    Otherwise it has another one whenever the machine was slow enough for so many requests to meet.
    """

    def request(number: int) -> None:
        url = f"{on.node.url}call/{names.SLOW}/{number}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as response:
            response.read()

    with ThreadPoolExecutor(HTTP_THREADS) as pool:
        list(pool.map(request, range(HTTP_THREADS)))


def _name(process: psutil.Process) -> str:
    line, above = (" ".join(each.cmdline()) for each in (process, process.parent() or process))
    if CONTAINER in above and CONTAINER not in line:
        return "below the container"
    names = {ROUTER: "router", CONTAINER: "container"}
    return next((name for part, name in names.items() if part in line), "controller")


def not_level(usages: dict[int, Usage]) -> list[Violation]:
    """Return what grows, and which processes came or went."""
    found = []
    last = max(usage.times[-1] for usage in usages.values())
    for pid, usage in usages.items():
        if usage.times[0] > 2 * INTERVAL or usage.times[-1] < last - 2 * INTERVAL:
            found.append(Violation("came or went in the soak", f"{usage.name} {pid}"))
        minutes = (usage.times[-1] - usage.times[0]) / 120
        for what, bound in BOUNDS.items():
            growth = usage.growth(what)
            if growth > bound and growth * minutes > FLUCTUATION[what]:
                text = f"{usage.name} {pid}: {growth:+.1f} {UNITS[what]} a minute"
                found.append(Violation(f"growth of {what}", text))
    return found


def as_markdown(usages: dict[int, Usage]) -> str:
    """Return the table: begin, middle and end, and the slope of the second half."""
    lines = ["| process | what | at first | half-way | at last | a minute, second half |"]
    lines.append("|---" * 6 + "|")
    for pid, usage in usages.items():
        for what, values in usage.values.items():
            first, middle, last = values[0], values[len(values) // 2], values[-1]
            unit = UNITS[what]
            lines.append(
                f"| {usage.name} {pid} | {what} {unit} | {first:.0f} | {middle:.0f} | {last:.0f} "
                f"| {usage.growth(what):+.2f} |"
            )
    return "\n".join(lines) + "\n\n"
