"""The journal, as somebody has it who has just read about flask-wamp."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import browser

__all__ = ["browser", "flask", "project"]

HERE = Path(__file__).parent

#: What a person writes: the extension, and one decorator.
EDITS = {
    "__init__.py": [
        ("from flask import Flask\n", "from flask import Flask\n\nfrom flask_wamp import WAMP\n\nwamp = WAMP()\n"),
        ("    db.init_app(app)\n", "    db.init_app(app)\n    wamp.init_app(app)\n"),
    ],
    "entries.py": [
        ("from .auth import", "from . import wamp\nfrom .auth import"),
        ("def entry(", '@wamp.callee("org.journal.entries.entry")\ndef entry('),
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
