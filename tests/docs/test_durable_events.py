"""The two projects of the how-to about durable events."""

import re
import shlex
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from flask_wamp.config import WampConfig
from flask_wamp.node import CrossbarNode
from tests.node.support import http, wait_until

from .conftest import BLOCK, ROOT
from .test_howto import anchors

PAGE = ROOT / "docs/howto/durable-events.md"
BLOCKS = BLOCK.findall(PAGE.read_text())
FILES: dict[str, str] = defaultdict(str)
for language, name, text in BLOCKS:
    if language == "python":
        FILES[name] += ("\n\n" if name in FILES else "") + text

SELLING = """
import sqlite3
import dairy
from flask_wamp.testing import Publication

dairy.app.test_cli_runner().invoke(args=["init-db"])
with dairy.wamp.test_client(dairy.app) as client:
    assert client.call("com.dairy.sell", "milk") == {"sale": 1}
    assert dairy.app.test_client().post("/sales/cream").json == {"sale": 2}
    assert client.published == []
    assert client.relay() == 2
    assert client.published == [
        Publication("com.dairy.sold", 1, "milk"), Publication("com.dairy.sold", 2, "cream")
    ]
with dairy.app.app_context():
    dairy.session().connection()
    dairy.g.wampy.publish("com.dairy.sold", 3, durable=True)
with dairy.wamp.test_client(dairy.app) as client:
    assert client.relay() == 0
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the files."""
    directory = tmp_path_factory.mktemp("durable")
    for name, text in FILES.items():
        (directory / name).write_text(text)
    return directory


def test_every_block_is_run_here() -> None:
    names = {(language, name) for language, name, _ in BLOCKS}
    files = ("bakery.py", "dairy.py", "settings.py", "test_bakery.py")
    assert names == {("console", "set-aside"), *(("python", name) for name in files)}


def test_links_of_the_page_are_there() -> None:
    for page, anchor in re.findall(r"\]\(([\w.-]*)#([\w-]+)\)", PAGE.read_text()):
        assert anchor in anchors(PAGE.parent / page if page else PAGE)


def test_tests_of_the_page_pass(project: Path) -> None:
    plugins = ["--disable-plugin-autoload", "-p", "flask_wamp.testing.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins],
        cwd=project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_sales_of_the_page_are_published_when_they_are_committed(project: Path) -> None:
    subprocess.run([sys.executable, "-c", SELLING], cwd=project, check=True, timeout=100)


def test_settings_of_the_page_are_accepted() -> None:
    settings: dict[str, object] = {}
    exec(FILES["settings.py"], settings)  # noqa: S102 - a block of the page
    assert WampConfig.from_mapping(settings).outbox_awaits == {"com.bakery.ordered"}


@pytest.mark.slow
def test_commands_of_the_page_say_what_it_says(project: Path) -> None:
    (console,) = (text for language, _, text in BLOCKS if language == "console")
    flask = [sys.executable, "-m", "flask"]
    subprocess.run([*flask, "--app", "bakery", "wamp", "outbox", "create"], cwd=project, check=True)
    said = ""
    for line in console.splitlines():
        if line.startswith("$ "):
            command = [*flask, *shlex.split(line[2:])[1:]]
            subprocess.run([*flask, "--app", "bakery", "init-db"], cwd=project, check=False)
            done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
            said += f"{line}\n{done.stdout}"
    assert said == console


@pytest.mark.node
@pytest.mark.slow
def test_orders_of_the_page_are_baked_once_in_a_node(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router's process writes, and the container's sends, by looking into the database."""
    monkeypatch.setenv("FLASK_DATABASE", str(tmp_path / "bakery.sqlite"))
    flask = [sys.executable, "-m", "flask", "--app", "bakery"]
    subprocess.run([*flask, "init-db"], cwd=project, check=True, timeout=60)
    subprocess.run(
        [*flask, "wamp", "init"], cwd=project, check=True, stdin=subprocess.DEVNULL, timeout=60
    )
    with CrossbarNode(project / ".crossbar/config.json") as node:
        for _ in range(3):
            assert http(node.url + "orders/bread", {}).status == 200
        with closing(sqlite3.connect(tmp_path / "bakery.sqlite")) as db:
            baked = "SELECT article, count FROM baked"
            wait_until(lambda: db.execute(baked).fetchall() == [("bread", 3)], "all is baked")
            waiting = "SELECT COUNT(*) FROM flask_wamp_outbox"
            wait_until(lambda: db.execute(waiting).fetchone() == (0,), "nothing waits")
