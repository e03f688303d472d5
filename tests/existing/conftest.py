"""The journal, as somebody has it who has just read about flask-wamp."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import browser
from tests.node.programs import Program, python

__all__ = ["LIMIT", "browser", "change", "flask", "project", "run"]

HERE = Path(__file__).parent
#: Seconds within which a busy machine has done what a quiet one does in four.
LIMIT = 40.0

#: What a person writes: the extension, and one decorator.
EDITS = {
    "__init__.py": [
        ("from flask import Flask\n", "from flask import Flask\n\nfrom flask_wamp import WAMP\n\nwamp = WAMP()\n"),
        ("    db.init_app(app)\n", "    db.init_app(app)\n    wamp.init_app(app)\n"),
    ],
    "entries.py": [
        ("from .auth import", "from . import wamp\nfrom .auth import"),
        ("def entry(", '@wamp.callee("org.journal.entries.entry", allow="everyone")\ndef entry('),
    ],
}  # fmt: skip


def flask(project: Path, *arguments: str) -> str:
    """Run ``flask`` in a directory, not on a terminal, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def run(project: Path) -> Program:
    """Start ``flask wamp run --reload`` in a directory."""
    return python("-m", "flask", "wamp", "run", "--reload", cwd=project)


def change(path: Path, before: str, after: str) -> None:
    """Edit a file."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    """A directory with the journal in it, and its person's edits; its path is short."""
    directory = Path(tempfile.mkdtemp(prefix="journal-"))
    shutil.copytree(
        HERE / "journal", directory / "journal", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name, edits in EDITS.items():
        path = directory / "journal" / name
        text = path.read_text()
        for before, after in edits:
            assert text.count(before) == 1
            text = text.replace(before, after)
        path.write_text(text)
    yield directory
    shutil.rmtree(directory)
