"""Which files of a project have changed, as they do."""

import queue
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .command import NodeError

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

#: What an application reads once, and so needs a new process for.
SUFFIXES = frozenset((".py", ".html", ".j2", ".jinja", ".jinja2", ".toml"))
#: Directories whose files are not the project's.
OTHERS = frozenset(("__pycache__", "build", "dist", "env", "node_modules", "site-packages", "venv"))
CHANGES = frozenset(("created", "deleted", "modified", "moved"))
#: Seconds without a change after which a change is complete: editors write a file in steps.
QUIET = 0.1


class Changes:
    """Watches directories, a context manager.

    :param roots: the directories, with those below them but for hidden and installed ones.
    :param files: further files, each for itself.
    """

    def __init__(self, roots: Iterable[Path], files: Iterable[Path] = ()) -> None:
        try:
            from watchdog.observers import Observer
        except ImportError:
            raise NodeError(
                "--reload needs watchdog, which the node brings: pip install 'flask-wamp[node]'"
            ) from None
        self._queue: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._observer: Any = Observer()
        self._roots = [root.resolve() for root in roots if root.is_dir()]
        self._files = set(files)

    def next(self, timeout: float) -> set[Path] | None:
        """Return the files that have changed, empty after *timeout* seconds; None once stopped."""
        changed: set[Path] = set()
        while True:
            try:
                path = self._queue.get(timeout=QUIET if changed else timeout)
            except queue.Empty:
                return changed
            if path is None:
                return None
            changed.add(path)

    def stop(self) -> None:
        """End :meth:`next`; a signal handler may call this."""
        self._queue.put(None)

    def dispatch(self, event: "FileSystemEvent") -> None:
        """Take note of an event; watchdog calls this on a thread of its own."""
        if event.event_type not in CHANGES:
            return
        for name in (event.src_path, event.dest_path):
            path = Path(str(name)) if name else None
            if path is None:
                continue
            if event.is_directory:
                if path.parent in self._roots and event.event_type == "created":
                    self._watch(path)
            elif self.concerns(path):
                self._queue.put(path)

    def concerns(self, path: Path) -> bool:
        """Tell whether a file is one of those that are watched."""
        if path in self._files:
            return True
        if path.suffix not in SUFFIXES:
            return False
        return any(
            path.is_relative_to(root) and not any(map(_is_other, path.relative_to(root).parts))
            for root in self._roots
        )

    def _watch(self, directory: Path) -> None:
        if not _is_other(directory.name) and not (directory / "pyvenv.cfg").exists():
            self._observer.schedule(self, str(directory), recursive=True)

    def __enter__(self) -> Self:
        for directory in {*self._roots, *(file.parent for file in self._files)}:
            self._observer.schedule(self, str(directory))
        for root in self._roots:
            for directory in root.iterdir():
                if directory.is_dir() and not directory.is_symlink():
                    self._watch(directory)
        self._observer.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._observer.stop()
        self._observer.join()


def _is_other(name: str) -> bool:
    return name.startswith(".") or name in OTHERS
