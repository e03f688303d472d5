"""The ``crossbar`` command, and what keeps a node from starting."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


class NodeError(Exception):
    """A node did not start, or did not end; the text has the end of its log."""


def crossbar_command() -> str:
    """Return the ``crossbar`` beside the running Python, or the one on the path.

    :raises NodeError: there is none; the text has the remedy.
    """
    beside = Path(sys.executable).parent / "crossbar"
    found = str(beside) if beside.exists() else shutil.which("crossbar")
    if found is None:
        raise NodeError("crossbar is not installed: pip install 'flask-wamp[node]'")
    return found


def path_with_python(env: Mapping[str, str]) -> str:
    """Return a search path on which ``python`` is the one that runs, for guest workers."""
    return os.pathsep.join(_present([str(Path(sys.executable).parent), env.get("PATH", "")]))


def _present(parts: Iterable[str]) -> Iterator[str]:
    return (part for part in parts if part)
