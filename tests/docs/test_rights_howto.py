"""The project of the how-to about rights: its tests pass, and the command says what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import BLOCK, ROOT
from .test_howto import anchors

PAGE = ROOT / "docs/howto/rights.md"
FILES: dict[str, str] = {}
for _language, name, text in BLOCK.findall(PAGE.read_text()):
    FILES[name] = FILES[name] + "\n\n" + text if name in FILES else text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the page."""
    directory = tmp_path_factory.mktemp("rights")
    for name in ("shop.py", "test_shop.py"):
        (directory / name).write_text(FILES[name])
    return directory


def run(*arguments: str, directory: Path) -> str:
    """Run a module of Python, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_of_the_page_is_run_here() -> None:
    blocks = {(language, name) for language, name, _text in BLOCK.findall(PAGE.read_text())}
    # What the log says is in tests/node/test_rights.py.
    assert blocks == {
        ("python", "shop.py"),
        ("python", "test_shop.py"),
        ("console", "rights"),
        ("text", ""),
    }


def test_tests_of_the_page_pass(project: Path) -> None:
    said = run("pytest", "-q", "-p", "no:cacheprovider", directory=project)
    assert f"{FILES['test_shop.py'].count('def test_')} passed" in said


def test_command_says_what_the_page_says(project: Path) -> None:
    said = run("flask", "--app", "shop", "wamp", "rights", directory=project).splitlines()
    command, *told = FILES["rights"].splitlines()
    assert command == "$ flask --app shop wamp rights"
    assert len(said) == len(told)
    for line, shown in zip(said, told, strict=True):
        fields = [
            re.escape(field).replace(r"\.\.\.", r"\d+") for field in shown.split("  ") if field
        ]
        pattern = r"\t".join(field.strip().removeprefix(r"\ ") for field in fields)
        assert re.fullmatch(pattern, line), (pattern, line)


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", " ".join(PAGE.read_text().split())):
        file, _, anchor = target.partition("#")
        linked = (PAGE.parent / file).resolve() if file else PAGE
        assert linked.exists(), target
        assert not anchor or anchor in anchors(Path(linked)), target
