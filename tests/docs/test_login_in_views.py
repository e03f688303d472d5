"""The project of the how-to about logins in views, whose own tests pass."""

import re
import subprocess
import sys

import pytest

from .conftest import BLOCK, ROOT
from .test_howto import anchors

PAGE = ROOT / "docs/howto/login-in-views.md"
#: The files; a later block of the same name stands at the end of the earlier one.
FILES: dict[str, str] = {}
for _language, name, text in BLOCK.findall(PAGE.read_text()):
    FILES[name] = FILES[name] + "\n\n" + text if name in FILES else text
TESTS = re.findall(r"^def (test_\w+)", FILES["test_notes.py"], re.MULTILINE)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of each test of the page."""
    project = tmp_path_factory.mktemp("login")
    for name, text in FILES.items():
        (project / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider",
         "--disable-plugin-autoload", "-p", "flask_wamp.testing.pytest_plugin"],
        cwd=project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.partition("short test summary info")[2]
    return {
        test: outcome for outcome, test in re.findall(r"^(\w+) \S+::(\S+)", summary, re.MULTILINE)
    }


@pytest.mark.parametrize("test", TESTS)
def test_login_page_passes(outcomes: dict[str, str], test: str) -> None:
    assert outcomes[test] == "PASSED"


def test_login_page_has_its_files_and_contents() -> None:
    assert {language for language, *_ in BLOCK.findall(PAGE.read_text())} == {"python"}
    assert list(FILES) == ["notes.py", "test_notes.py"]
    assert len(TESTS) == 4
    linked = set(re.findall(r"\]\(#([\w-]+)\)", PAGE.read_text()))
    assert linked == anchors(PAGE) - {"logins-in-views"}
