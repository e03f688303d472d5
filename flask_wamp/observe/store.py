"""The files in which the processes of a node count together, by prometheus-client's multiprocess mode.

That mode gives each process files of its own, named by its pid, and adds up all files when somebody
asks. Processes here come and go, supervised ones are replaced all the time, and files of the dead
would pile up. So a process does not write under its pid but under a *number* that no other process
has while it lives: it holds a lock on a file, which the kernel gives back whichever way the process
ends. The next process takes the number, and counts on where the last one has stopped, so counters
never go down, and there are as many files as there were processes at a time. Their names are no process
ids: what the application has made before its extension is written under those, in the same directory.
"""

import contextlib
import fcntl
import os
import threading
from pathlib import Path

#: Where the library, and everybody who uses it under gunicorn, looks for the directory.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
#: Names the directory of the node that this process belongs to; for those that the node starts.
OF_NODE = "WAMP_METRICS_DIR"
#: The directory in a node's own.
DIRECTORY = "metrics"
#: Bytes of a process's files that are there before it writes. The library writes through a memory
#: map, where a disk that is full is the end of the process, not an error.
ALLOCATED = {"counter": 2**17, "gauge_livesum": 2**16, "histogram": 2**19}


class Numbers:
    """The number of this process, and of its children after a fork, in a directory.

    :param directory: of the files and their locks.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process = 0
        self._name = ""
        self._lock: int | None = None
        self._mutex = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def __call__(self) -> str:
        """Return the number of this process, as files are named.

        :raises OSError: the directory cannot be written to, or the disk is full.
        """
        if self._process == os.getpid():
            return self._name
        with self._mutex:
            if self._process != os.getpid():
                self._claim()
        return self._name

    def _claim(self) -> None:
        number, lock = _first_free(self.directory)
        try:
            _forget_gauges(self.directory, number)
            _allocate(self.directory, number)
        except OSError:
            os.close(lock)
            raise
        self._lock, self._name, self._process = lock, _name_of(number), os.getpid()

    def _forked(self) -> None:
        # The lock is the parent's: with a copy of it here it would outlive the parent.
        self._mutex = threading.Lock()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self._process = 0


def _name_of(number: int) -> str:
    return f"n{number}"


def _first_free(directory: Path) -> tuple[int, int]:
    number = 0
    while (lock := locked(directory, number)) is None:
        number += 1
    return number, lock


def locked(directory: Path, number: int) -> int | None:
    """Return a lock on *number*, a descriptor, or None where a process has it."""
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(directory / f"{number}.lock", flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def forget_dead(directory: Path) -> None:
    """Drop the gauges of processes that have ended: they have no links, and run nothing."""
    for number, lock in _dead(directory):
        _forget_gauges(directory, number)
        os.close(lock)


def _dead(directory: Path) -> list[tuple[int, int]]:
    """Return the numbers that no process has, each with a lock so that none takes it meanwhile."""
    numbers = sorted(int(path.stem) for path in directory.glob("*.lock") if path.stem.isdecimal())
    locks = [(number, locked(directory, number)) for number in numbers]
    return [(number, lock) for number, lock in locks if lock is not None]


def _forget_gauges(directory: Path, number: int) -> None:
    for path in directory.glob(f"gauge_live*_{_name_of(number)}.db"):
        path.unlink(missing_ok=True)


def _allocate(directory: Path, number: int) -> None:
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    for kind, size in ALLOCATED.items():
        descriptor = os.open(directory / f"{kind}_{_name_of(number)}.db", flags, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        finally:
            os.close(descriptor)


def count_together(directory: Path) -> None:
    """Let all metrics that this process makes from now on be counted in *directory*.

    Imports prometheus-client.

    :raises OSError: the directory cannot be written to, or the disk is full.
    """
    global _numbers  # noqa: PLW0603 - a process has one number
    if _numbers is not None and _numbers.directory == directory:
        return
    os.environ[VARIABLE] = str(directory)
    from prometheus_client import values

    numbers = Numbers(directory)
    # The library makes its class when it is imported, by pid, and looks it up here for each metric.
    values.ValueClass = values.MultiProcessValue(numbers)  # type: ignore[no-untyped-call]
    _numbers = numbers


def shared_directory() -> Path | None:
    """Return where this process is to count together with others; None where it counts alone."""
    name = os.environ.get(VARIABLE) or os.environ.get(OF_NODE)
    return Path(name).absolute() if name else None


def offer(node: str, *, first: bool) -> None:
    """Let the applications of this process, and of those that it starts, count for a node.

    Where the environment names a directory for this, that one is taken.

    :param node: the node's own directory.
    :param first: this process is the node's first: what an earlier node has left there goes.
    """
    directory = Path(node) / DIRECTORY
    os.environ[OF_NODE] = str(directory)
    # What cannot be removed is counted on from.
    with contextlib.suppress(OSError):
        if first and directory.is_dir():
            _empty(directory)


def make_directory(directory: Path) -> None:
    """Make *directory* where there is none, for this user only.

    :raises OSError: it cannot be made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _empty(directory: Path) -> None:
    for number, lock in _dead(directory):
        for path in directory.glob(f"*_{_name_of(number)}.db"):
            path.unlink(missing_ok=True)
        os.close(lock)


_numbers: Numbers | None = None
