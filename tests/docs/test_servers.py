"""The page about servers: its table is what ``make test-servers`` shows, its files what that runs."""

import re

import pytest

from tests.node.programs import python
from tests.servers.conftest import COLUMNS
from tests.servers.programs import ALL, HERE

from .tables import ROOT, files_of

PAGE = (ROOT / "docs/howto/servers.md").read_text()
FILES = files_of("howto/servers.md")
ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)


def table() -> list[list[str]]:
    """Return the cells of the table, its headings first and without the line below them."""
    rows = [row.split(" | ") for row in ROW.findall(PAGE)]
    return [row for row in rows if not row[0].startswith("---")]


def test_servers_table_is_what_is_tested() -> None:
    headings, hosted, *rows = table()
    assert headings[3:] == [column.replace("_", " ") for column in COLUMNS]
    assert hosted[0] == "the node"
    assert [row[:3] for row in rows] == [
        [
            server.name,
            f"`{server.shown()}`",
            "at its start" if server.begins else "with its first request",
        ]
        for server in ALL.values()
    ]
    assert all(cell == "yes" for row in (hosted, *rows) for cell in row[3:])


@pytest.mark.parametrize("name", ["with_gevent.py", "with_eventlet.py", "wrapped.py"])
def test_servers_file_is_what_is_tested(name: str) -> None:
    """But for the name of the application's module, and for what is said to the linters."""
    path = HERE / name if name == "wrapped.py" else HERE / "starts" / name
    text = re.sub(r'^""".*?"""\n+|  # (noqa|type).*$', "", path.read_text(), flags=re.MULTILINE)
    assert re.sub(r"from (tests\.servers)?\.app", "from app", text) == FILES[name]


def test_servers_files_are_all_known() -> None:
    """Each is run, by the tests here or by ``tests/servers/test_workers.py``, or is a file above."""
    assert FILES.keys() == {
        "app.py",
        "gunicorn.conf.py",
        "hook.py",
        "with_gevent.py",
        "with_eventlet.py",
        "wrapped.py",
    }


def test_servers_application_and_hook_are_complete() -> None:
    """Without a router; ``test_workers.py`` has one."""
    hook = FILES["hook.py"].replace("from app import app, wamp\n", "")
    code = FILES["app.py"] + hook.replace("timeout=5", "timeout=0.1")
    code += (
        "from flask_wamp import NotConnected\n"
        "try:\n"
        "    worker_has_started()\n"
        "except NotConnected as error:\n"
        "    print(error)\n"
        "print(app.test_client().get('/label/3').json)\n"
    )
    with python("-c", code) as program:
        assert program.wait() == 0, program.output
        assert "this process serves once it is" in program.output
        assert "{'order': 3}" in program.output


def test_servers_links_lead_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
    for target in re.findall(r"\]\(([^)]+)\)", " ".join(PAGE.split())):
        file, _, anchor = target.partition("#")
        if file:
            assert (ROOT / "docs/howto" / file).exists(), target
        else:
            assert anchor in anchors, target
    listed = re.findall(r"^- \[(.*)\]\(#", PAGE, re.MULTILINE)
    assert listed == headings
