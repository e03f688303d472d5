"""The project of the how-to about testing, whose own tests pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import BLOCK, ROOT
from .test_howto import anchors

pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/howto/testing.md"
#: The files; a later block of the same name stands at the end of the earlier one.
FILES: dict[str, str] = {}
for language, name, text in BLOCK.findall(PAGE.read_text()):
    assert language == "python"
    FILES[name] = FILES[name] + "\n\n" + text if name in FILES else text

TESTS = [
    f"{name}::{test}"
    for name, text in FILES.items()
    for test in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of each test of the page."""
    project = tmp_path_factory.mktemp("testing")
    for name, text in FILES.items():
        (project / name).write_text(text)
    (project / "wsgi.py").unlink()
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop", "wamp", "init"],
        cwd=project, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert (project / "wsgi.py").read_text().endswith(FILES["wsgi.py"])
    plugins = ["--disable-plugin-autoload", "-p", "flask_wamp.testing.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *plugins],
        cwd=project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("short test summary info")[2]
    return {test: outcome for outcome, test in re.findall(r"^(\w+) (\S+)", summary, re.MULTILINE)}


@pytest.mark.node
@pytest.mark.parametrize("test", TESTS)
def test_page_passes(outcomes: dict[str, str], test: str) -> None:
    assert outcomes[test] == "PASSED"


def test_page_has_files_and_tests_of_both_kinds() -> None:
    assert list(FILES) == [
        "shop.py", "conftest.py", "test_shop.py", "test_two.py", "wsgi.py", "test_node.py",
    ]  # fmt: skip
    assert len(TESTS) > 12


def test_page_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", " ".join(PAGE.read_text().split())):
        file, _, anchor = target.partition("#")
        linked = (PAGE.parent / file).resolve() if file else PAGE
        assert linked.exists(), target
        assert not anchor or anchor in anchors(Path(linked)), target
