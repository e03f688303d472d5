"""From an application that somebody has to a call from a browser, and on to the next change."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Browser

from flask_wamp.node import CrossbarNode, free_port
from tests.node.programs import Program
from tests.node.support import connected, http, wait_until

from .conftest import LIMIT, change, flask, run

pytestmark = [pytest.mark.node, pytest.mark.slow]

WAMPY_JS = Path(__file__).parents[2] / "flask_app/static/vendor/wampy.min.js"
PORT = free_port()
URL = f"http://127.0.0.1:{PORT}/"
WS = f"ws://127.0.0.1:{PORT}/ws"
FORK_SERVER = "flask_wamp._twisted.supervise.fork_server"
READY = f"flask-wamp: wsgi:app is ready at {URL}"
CALL = """async url => {
    const wampy = new Wampy(url, { realm: "realm1" });
    await wampy.connect();
    const result = await wampy.call("org.journal.entries.entry", [1]);
    return result.argsList[0];
}"""


@pytest.fixture(scope="module")
def node(project: Path) -> Iterator[Program]:
    """The journal's node, written and started as a person does."""
    assert flask(project, "--app", "journal", "init-db") == "Initialized the database.\n"
    said = flask(project, "--app", "journal", "wamp", "init", "--port", str(PORT))
    assert "Wrote wsgi.py" in said
    assert "flask wamp rights lists it" in said
    assert said.endswith("    flask wamp run\n")
    with run(project) as program:
        program.wait_for(READY, timeout=LIMIT)
        yield program
        family = psutil.Process(program.process.pid).children(recursive=True)
        assert len(family) >= 3
        assert program.end(signal.SIGINT) == 0
        assert psutil.wait_procs(family, timeout=LIMIT)[1] == []
    assert sorted(each.name for each in (project / ".crossbar").iterdir()) == [
        ".gitignore", "config.json", "flask-wamp-logins.sqlite3", "key.priv", "key.pub",
    ]  # fmt: skip


def entry_over_both() -> tuple[Any, Any]:
    """Return an entry over HTTP and over WAMP, or what stands for a node that is away."""
    try:
        over_http = http(URL + "entries/1").json
        with connected(WS) as peer:
            return over_http, peer.call("org.journal.entries.entry", 1)
    except Exception as error:  # noqa: BLE001 - whatever a node says that goes or comes
        return repr(error), None


@pytest.mark.browser
def test_page_is_there_and_calls(node: Program, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(URL)
    for title in ("Register", "Log in"):
        page.get_by_role("link", name=title).click()
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name=title).click()
    page.get_by_role("link", name="New").click()
    page.get_by_label("Title").fill("The first")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["The first"]
    page.add_script_tag(content=WAMPY_JS.read_text())
    assert page.evaluate(CALL, WS) == {"author": "ann", "title": "The first"}
    page.close()


@pytest.mark.browser
def test_browsers_may_do_nothing_else(node: Program, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(URL)
    page.add_script_tag(content=WAMPY_JS.read_text())
    refused = page.evaluate(
        """async url => {
            const wampy = new Wampy(url, { realm: "realm1" });
            await wampy.connect();
            const refused = [];
            const no = error => refused.push(error.errorUri ?? String(error));
            await wampy.call("wamp.session.count").catch(no);
            await wampy.subscribe("wamp.session.on_join", () => {}).catch(no);
            await wampy.subscribe("", () => {}, { match: "prefix" }).catch(no);
            await wampy.register("org.journal.entries.other", () => {}).catch(no);
            await wampy.publish("org.journal.entries.x", [1]).catch(no);
            return refused;
        }""",
        WS,
    )
    page.close()
    assert len(refused) == 5, refused


def test_change_is_live_over_both_and_a_broken_one_is_shown(project: Path, node: Program) -> None:
    entries = project / "journal" / "entries.py"
    wait_until(
        lambda: list(map(can_fork, controllers(node))) == [True, True],
        "the next node is prepared, what forks its serving processes as well",
        timeout=LIMIT,
    )
    change(entries, '"title": found["title"]', '"title": found["title"].upper()')
    wait_until(
        lambda: entry_over_both() == ({"title": "THE FIRST", "author": "ann"},) * 2,
        "the change is live",
        timeout=LIMIT,
    )
    assert "flask-wamp: entries.py changed\n" in node.output

    change(entries, "def index() -> str:", "def index() -> str")
    node.wait_for("SyntaxError: expected ':'", timeout=LIMIT)
    node.wait_for("flask-wamp: the node runs on as it is", timeout=LIMIT)
    assert "journal/entries.py" in node.output
    assert entry_over_both() == ({"title": "THE FIRST", "author": "ann"},) * 2

    change(entries, "def index() -> str", "def index() -> str:")
    change(entries, "from flask import", "import nonsense\nfrom flask import")
    node.wait_for("ModuleNotFoundError: No module named 'nonsense'", timeout=LIMIT)
    wait_until(lambda: node.output.count("runs on as it is") == 2, "it runs on", timeout=LIMIT)
    assert entry_over_both() == ({"title": "THE FIRST", "author": "ann"},) * 2

    change(entries, "import nonsense\n", "")
    change(entries, ".upper()", ".lower()")
    wait_until(
        lambda: entry_over_both() == ({"title": "the first", "author": "ann"},) * 2,
        "the repaired code is live",
        timeout=LIMIT,
    )
    assert "Fatal" not in node.output


def controllers(node: Program) -> list[psutil.Process]:
    """Return the controllers of the node that runs, and of the one that waits, with workers."""
    children = psutil.Process(node.process.pid).children()
    return [child for child in children if len(child.children()) >= 2]


def can_fork(controller: psutil.Process) -> bool:
    """Tell whether a node has a fork server."""
    commands = [each.cmdline() for each in controller.children(recursive=True)]
    return any(FORK_SERVER in command for command in commands)


def test_second_node_in_the_directory_is_refused(project: Path, node: Program) -> None:
    with run(project) as second:
        assert second.wait() == 1
        assert f"already, as process {node.process.pid}: end it first" in second.output
        assert second.output.count("\n") == 1


def test_configuration_of_init_has_nothing_to_complain_about(project: Path, node: Program) -> None:
    said = flask(project, "wamp", "check")
    warning, told, _remedy, summary = said.splitlines()
    assert "[node-runs]" in warning
    assert f"process {node.process.pid}" in told
    assert summary == ".crossbar/config.json: 1 warning"


def test_node_of_init_can_be_used_by_tests(project: Path) -> None:
    node = CrossbarNode(project / ".crossbar/config.json")
    node.remove()
    assert f"{project}" in str(node._config)
