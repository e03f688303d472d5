"""The project of the how-to about tracing: its tests pass, and its programs print what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flask_wamp.tracing.lines import LineFormatter

from .conftest import BLOCK, ROOT
from .test_howto import anchors

PAGE = ROOT / "docs/howto/tracing.md"
BLOCKS = BLOCK.findall(PAGE.read_text())
FILES = {name: text for language, name, text in BLOCKS if language == "python"}
SAID = {name: text for language, name, text in BLOCKS if language == "text"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the page."""
    directory = tmp_path_factory.mktemp("tracing")
    for name, text in FILES.items():
        (directory / name).write_text(text)
    return directory


def run(*arguments: str, directory: Path, **environment: str) -> str:
    """Run Python, and return what it says, errors included."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory, text=True, timeout=100, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_block_of_the_page_is_run_here() -> None:
    # nightly.py needs a node; what it shows of the log is in tests/node/test_tracing.py.
    assert set(FILES) == {
        "shop.py", "test_shop.py", "nightly.py", "threads.py", "configured.py", "traced.py",
    }  # fmt: skip
    assert set(SAID) == {"log", "threads", "configured", "traced"}


def test_tests_of_the_page_pass(project: Path) -> None:
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", directory=project)
    assert f"{FILES['test_shop.py'].count('def test_')} passed" in said


@pytest.mark.parametrize("name", ["threads", "configured", "traced"])
def test_programs_of_the_page_say_what_it_says(project: Path, name: str) -> None:
    said = run(f"{name}.py", directory=project, FLASK_WAMP_TRUST_REQUEST_ID="true")
    # Flask's own handler logs beside what is printed.
    assert re.sub(r"^\[2.* in shop: .*\n", "", said, flags=re.MULTILINE) == SAID[name]


def test_script_of_the_page_calls_with_the_id(project: Path) -> None:
    """In memory, in place of a node."""
    program = """
import runpy
from shop import wamp
from flask_wamp import correlation_id
with wamp.test_client() as client:
    client.stub("com.shop.take", lambda item: 7)
    runpy.run_path("nightly.py")
"""
    assert re.fullmatch(r"[0-9a-f]{16} 7\n", run("-c", program, directory=project))


def test_lines_of_the_page_are_formatted_so(project: Path) -> None:
    """Behind process and time, which are Crossbar.io's."""
    program = f"""
import logging, sys
from {LineFormatter.__module__} import LineFormatter
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(LineFormatter())
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel("INFO")
from shop import app, wamp
with wamp.test_client(), app.test_client() as http:
    http.post("/orders")
"""
    said = re.findall(r"^\[(\w{16})\] (.*)$", run("-c", program, directory=project), re.MULTILINE)
    shown = re.findall(r"^\[\w+ +\d+\] \[(\w{16})\] (.*)$", SAID["log"], re.MULTILINE)
    assert [text for _, text in said] == [text for _, text in shown]
    assert len({correlation for correlation, _ in said}) == 1


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", " ".join(PAGE.read_text().split())):
        if target.startswith("https:"):
            continue
        file, _, anchor = target.partition("#")
        linked = (PAGE.parent / file).resolve() if file else PAGE
        assert linked.exists(), target
        assert not anchor or anchor in anchors(Path(linked)), target
