"""Counting together: what is counted stays, whichever way processes end, and files do not pile up."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from flask_wamp.observe.store import forget_dead, offer

#: A process that counts: one line in is one call more; it says what it has, and ends with its input.
PROCESS = """
import os, sys
from pathlib import Path
from flask_wamp.observe.store import count_together
count_together(Path(sys.argv[1]))
from prometheus_client import Counter, Gauge
counter = Counter("calls", "Calls.", ("procedure",))
gauge = Gauge("running", "Running.", multiprocess_mode="livesum")
gauge.set(1)
for line in sys.stdin:
    if line == "fork\\n":
        if os.fork():
            os.wait()
        else:
            counter.labels("a").inc(100)
            os._exit(0)
    else:
        counter.labels("a").inc()
    print(flush=True)
"""


class Process:
    """A process that counts."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self, what: str = "") -> None:
        """Count one, and return when it is counted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n"

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it, and wait until it has."""
        self._process.send_signal(number)
        self._process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Give what starts processes that count in one directory."""
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.end()


def total(directory: Path, name: str = "calls_total", **labels: str) -> float:
    """Return what all processes have counted."""
    forget_dead(directory)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return registry.get_sample_value(name, labels) or 0.0


def test_counts_of_killed_processes_stay_and_their_files_are_used_again(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    seen = []
    for _ in range(5):
        process = start()
        process.count()
        process.count()
        process.end(signal.SIGKILL)
        seen.append(total(tmp_path, procedure="a"))
    assert seen == [2, 4, 6, 8, 10]
    assert len(list(tmp_path.glob("counter*"))) == 1


def test_processes_that_live_at_a_time_do_not_disturb_each_other(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    """As when the new one of a replacement counts while the old one finishes its calls."""
    old, new = start(), start()
    for process in (old, new, old, new, old):
        process.count()
    assert total(tmp_path, procedure="a") == 5
    old.end(signal.SIGTERM)
    third = start()
    for process in (new, third):
        process.count()
    assert total(tmp_path, procedure="a") == 7
    assert len(list(tmp_path.glob("counter*"))) == 2


def test_files_are_none_of_those_that_the_library_names_by_process_id(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    """In a container process ids are as small as numbers are, and metrics are made before WAMP(app)."""
    start().count()
    ids = [path.stem.rpartition("_")[2] for path in tmp_path.glob("*.db")]
    assert len(ids) == 3
    assert not any(map(str.isdecimal, ids))


def test_gauges_of_dead_processes_vanish(tmp_path: Path, start: Callable[[], Process]) -> None:
    first, second = start(), start()
    first.count()
    second.count()
    assert total(tmp_path, "running") == 2
    first.end()
    assert total(tmp_path, "running") == 1
    start().count()
    assert total(tmp_path, "running") == 2


def test_child_of_a_fork_counts_under_a_number_of_its_own(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    process = start()
    process.count()
    process.count("fork")
    process.count()
    assert total(tmp_path, procedure="a") == 102
    assert len(list(tmp_path.glob("counter*"))) == 2


def test_node_forgets_what_the_one_before_has_counted_but_not_what_lives(
    tmp_path: Path, start: Callable[[], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Set first, so that what is offered is taken back: the tests after this one count alone.
    monkeypatch.setenv("WAMP_METRICS_DIR", "")
    monkeypatch.delenv("WAMP_METRICS_DIR")
    directory = tmp_path / "metrics"
    directory.mkdir()
    dead, alive = Process(directory), Process(directory)
    try:
        dead.count()
        alive.count()
        dead.end()
        offer(str(tmp_path), first=False)
        assert total(directory, procedure="a") == 2
        offer(str(tmp_path), first=True)
        assert total(directory, procedure="a") == 1
        alive.count()
        assert total(directory, procedure="a") == 2
    finally:
        alive.end()
    assert os.environ["WAMP_METRICS_DIR"] == str(directory)


def test_files_have_their_place_on_the_disk_before_anything_is_written(
    tmp_path: Path, start: Callable[[], Process]
) -> None:
    """The library writes through a memory map: a full disk would be the end of the process."""
    start().count()
    for path in tmp_path.glob("*.db"):
        status = path.stat()
        assert status.st_blocks * 512 >= status.st_size
        assert status.st_mode & 0o077 == 0


def application(body: str, directory: Path | None, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run *body* after an application with metrics was made."""
    environ = {key: value for key, value in os.environ.items() if "METRICS" not in key}
    if directory is not None:
        environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    program = (
        "from flask import Flask\nfrom flask_wamp import WAMP\nimport sys\n"
        f"app = Flask('shop')\napp.config['WAMP_METRICS'] = True\n{body}\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, **more
    )


def test_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    ended = application("sys.modules['prometheus_client'] = None\nWAMP(app)", None)
    assert ended.stderr.splitlines()[-1].endswith(
        "WAMP_METRICS = True is invalid: the metrics need prometheus-client: "
        "pip install 'flask-wamp[metrics]'."
    )


def test_directory_that_cannot_be_written_to_costs_the_counts_and_not_the_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    ended = application("WAMP(app)\nprint('served')", tmp_path / "file")
    assert ended.stdout == "served\n"
    assert "shop is not counted: its metrics cannot be kept: " in ended.stderr


def test_without_metrics_nothing_is_imported() -> None:
    program = (
        "import sys\nfrom flask import Flask\nfrom flask_wamp import WAMP\nWAMP(Flask('shop'))\n"
        "assert 'prometheus_client' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
