"""The short form of the chaos: a few faults, a node of its own, and a ledger without a violation."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.node.support import ROOT, wait_until

from .faults import SHORT

pytestmark = pytest.mark.node


def command(*arguments: str) -> list[str]:
    """Return the command line of the chaos."""
    return [sys.executable, "-m", "tests.chaos", *arguments]


def left_in(directory: Path) -> list[str]:
    """Return what is left in the directory that a run had for temporary files."""
    return [path.name for path in directory.iterdir()]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Give a directory for temporary files whose name is short, as that of a Unix socket has to be."""
    with tempfile.TemporaryDirectory(prefix="t-") as directory:
        yield Path(directory)


# The machine may be loaded, and what it waits for are conditions.
@pytest.mark.timeout(300)
def test_chaos_short_form_accounts_for_every_call(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    ledger = tmp_path / "ledger.json"
    arguments = ("--faults", ",".join(SHORT), "--calm", "0.5", "--json", str(ledger))
    # Two other workers have the processor: the 0.1 s until an error are for `make chaos` to measure.
    patience = ("--patience", "20")
    done = subprocess.run(command(*arguments, *patience), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any]
    (found,) = json.loads(ledger.read_text())
    assert found["violations"] == []
    assert [phase["fault"] for phase in found["phases"]] == list(SHORT)
    for counted in [*found["phases"], found["steady"]]:
        ended = counted["results"] + sum(counted["errors"].values()) + counted["timeouts"]
        assert ended == counted["calls"] > 0
    assert left_in(temporary) == []


@pytest.mark.slow
def test_chaos_interrupted_leaves_nothing_behind(temporary: Path) -> None:
    """Also where the node is down at that moment."""
    process = subprocess.Popen(
        command("--faults", "kill-node"),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        assert "kill-node" in process.stderr.readline()
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.wait() != 0
    wait_until(lambda: not any(map(psutil.Process.is_running, below)), "all processes have ended")
    assert left_in(temporary) == []
