"""Which files are watched, and how changes of them come."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_wamp.node.changes import Changes

#: Seconds for what is awaited.
LIMIT = 10.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a project."""
    for name in ("shop/templates", ".venv/lib", "env", "node_modules/x", ".crossbar"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").touch()
    (tmp_path / ".crossbar/config.json").touch()
    (tmp_path / "app.py").touch()
    return tmp_path.resolve()


@pytest.fixture
def changes(root: Path) -> Iterator[Changes]:
    """Watch the project, and its node's configuration."""
    with Changes([root], [root / ".crossbar/config.json"]) as changes:
        yield changes


@pytest.mark.parametrize(
    "name", ["app.py", "shop/new.py", "shop/templates/base.html", ".crossbar/config.json"]
)
def test_change_of_a_file_that_matters_comes(root: Path, changes: Changes, name: str) -> None:
    (root / name).write_text("x")
    assert changes.next(LIMIT) == {root / name}


@pytest.mark.parametrize(
    "name",
    [
        ".venv/lib/x.py",
        "node_modules/x/x.py",
        "shop/__pycache__/x.py",
        "shop/journal.sqlite",
        "shop/app.py.swp",
        ".crossbar/port-8081.json",
        ".crossbar/node.pid",
        "env/x.py",
    ],
)
def test_change_of_another_file_is_none(root: Path, changes: Changes, name: str) -> None:
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("x")
    # This one comes after, and alone.
    (root / "app.py").write_text("y")
    assert changes.next(LIMIT) == {root / "app.py"}


def test_changes_that_belong_together_come_together(root: Path, changes: Changes) -> None:
    (root / "app.py").write_text("x")
    (root / "shop/a.py").write_text("x")
    (root / "shop/b.html").write_text("x")
    assert changes.next(LIMIT) == {root / "app.py", root / "shop/a.py", root / "shop/b.html"}


def test_file_that_is_put_in_place_of_another_is_a_change(root: Path, changes: Changes) -> None:
    """As editors write."""
    (root / "app.py~").write_text("x")
    (root / "app.py~").rename(root / "app.py")
    assert changes.next(LIMIT) == {root / "app.py"}


def test_file_that_is_read_is_no_change(root: Path, changes: Changes) -> None:
    (root / "app.py").read_text()
    list(root.iterdir())
    (root / "shop/a.py").write_text("x")
    assert changes.next(LIMIT) == {root / "shop/a.py"}


def test_directory_that_comes_later_is_watched(root: Path, changes: Changes) -> None:
    (root / "later").mkdir()
    for number in range(1000):
        # Watching it begins a moment after it is there.
        (root / "later" / f"{number}.py").write_text("x")
        changed = changes.next(0.1)
        if changed:
            return
    pytest.fail("no change came")


def test_no_change_is_an_empty_set(changes: Changes) -> None:
    assert changes.next(0.01) == set()


def test_stop_ends_the_waiting(changes: Changes) -> None:
    timer = threading.Timer(0.05, changes.stop)
    timer.start()
    assert changes.next(LIMIT) is None
    timer.join()
