"""The shape of the package, as docs/DESIGN.md has it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flask_wamp"
DESIGN = (ROOT / "docs" / "DESIGN.md").read_text()
ENGINE = PACKAGE / "_twisted" / "engine"
MODULES = sorted(PACKAGE.rglob("*.py"))

STEP = re.compile(r"^\d+\. `([\w/]+)\.py` `([\w.]+)`: ", re.MULTILINE)
FOLDER = re.compile(r"^\| `([\w/.]+)` \| .+ \| ((?:`\w+`(?:, )?)+) \|$", re.MULTILINE)

#: The most rooms of a walk, and the most lines of a module and of a test file.
ROOMS, LINES, TEST_LINES = 6, 300, 600


def walks() -> dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]]:
    """Return the walks of the page: their steps in and back, module and function each."""
    chapter = DESIGN[DESIGN.index("## Three walks") : DESIGN.index("## Rules the code keeps")]
    found = {}
    for section in chapter.split("\n### ")[1:]:
        way_in, back = section.split("\nBack:\n")
        found[section.partition("\n")[0]] = STEP.findall(way_in), STEP.findall(back)
    return found


WALKS = walks()


def test_structure_there_are_three_walks() -> None:
    assert list(WALKS) == ["A call", "An event", "A view that calls"]
    assert all(way_in and back for way_in, back in WALKS.values())


@pytest.mark.parametrize(
    ("module", "function"),
    sorted({step for walk in WALKS.values() for way in walk for step in way}),
)
def test_structure_of_walks_is_there(module: str, function: str) -> None:
    found: Any = importlib.import_module(f"flask_wamp.{module.replace('/', '.')}")
    for name in function.split("."):
        found = vars(found)[name]
    assert callable(found)


@pytest.mark.parametrize("walk", WALKS)
def test_structure_of_walks_has_few_rooms_and_none_twice(walk: str) -> None:
    way_in, back = ([module for module, _function in way] for way in WALKS[walk])
    assert len(set(way_in)) == len(way_in)
    assert len(set(back)) == len(back)
    assert len({*way_in, *back}) <= ROOMS


def test_structure_names_every_module() -> None:
    named = {
        (Path(folder) / f"{module}.py").as_posix()
        for folder, modules in FOLDER.findall(DESIGN)
        for module in re.findall(r"\w+", modules)
    }
    there = {path.relative_to(PACKAGE).as_posix() for path in MODULES}
    assert named == {path for path in there if not path.endswith("__init__.py")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_structure_modules_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES


def test_structure_test_files_are_not_long() -> None:
    long = {
        path.name: lines
        for path in (ROOT / "tests").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > TEST_LINES
    }
    assert long == {}


def test_structure_only_the_engine_reaches_into_others() -> None:
    """Ruff refuses what begins with an underscore and belongs to others, but where it is excused."""
    excused = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if "SLF001" in path.read_text() and ENGINE not in path.parents
    }
    # Werkzeug's documented way to what a proxy stands for.
    assert excused == {"extension.py"}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(ENGINE.glob("*.py")) if path.name != "__init__.py"],
    ids=lambda path: path.name,
)
def test_structure_engine_says_which_version_and_which_test(path: Path) -> None:
    docstring = importlib.import_module(f"flask_wamp._twisted.engine.{path.stem}").__doc__ or ""
    assert re.search(r"(Autobahn|Crossbar\.io|Twisted)\s+\d\d\.\d+\.\d+", docstring)
    assert re.search(r"``\w+/[\w/]+\.py``|``py_ecc``", docstring)
    named = re.findall(r"``(tests/[\w/]+\.py)``", docstring)
    assert named
    for test in named:
        assert (ROOT / test).exists()


def test_structure_imports_are_free_of_circles_and_floors_are_kept() -> None:
    """What `make check-imports` shows is not left to whoever remembers to run it."""
    config = (ROOT / "pyproject.toml").read_text()
    assert 'type = "acyclic_siblings"\nancestors = ["flask_wamp"]' in config
    assert "exclude_type_checking_imports = false" in config
    command = Path(sys.executable).parent / "lint-imports"
    subprocess.run([command, "--no-cache"], cwd=ROOT, check=True, capture_output=True)
