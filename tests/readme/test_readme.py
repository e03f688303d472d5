"""Every command and block of code of the README, run as a reader would."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser

from flask_wamp.config import WampConfig
from flask_wamp.node import CrossbarNode, free_port
from flask_wamp.node.process import READY
from flask_wamp.serve.statuses import URI_BY_STATUS
from flask_wamp.tls import TLSFiles

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = free_port()

#: Each block by its file's name, or by its text, with a free port in place of 8080.
BLOCKS = {
    name or text.strip(): text
    for _language, name, text in BLOCK.findall(README.replace("8080", str(PORT)))
}


DRAWING = next(name for name in BLOCKS if "router worker" in name)


def wait_for_line(process: "subprocess.Popen[str]", text: str) -> str:
    """Return the first line of *process* that has *text* in it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r} in:\n" + "".join(lines))


def end(process: "subprocess.Popen[str]") -> int:
    """Interrupt *process* and its children, as Ctrl-C does, and return its exit code."""
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    return process.returncode


def run(command: str, directory: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start *command* in *directory*, in a process group of its own.

    A `make` that runs these tests must not hand its own variables on to the one that is run.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.Popen(
        shlex.split(command),
        cwd=directory,
        env={**inherited, "MFLAGS": "", **environment},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the README's files in it, and the node that its command writes."""
    directory = tmp_path_factory.mktemp("readme")
    for name, text in BLOCKS.items():
        if re.fullmatch(r"[\w./]+\.(py|json|html)", name):
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    written = run(f"{BLOCKS['init']} --port {PORT}", directory)
    assert written.wait(60) == 0
    written.communicate()
    return directory


@pytest.fixture(scope="module")
def node(project: Path) -> Iterator[None]:
    """The README's node, started with the README's command."""
    process = run(BLOCKS["node"], project)
    try:
        wait_for_line(process, READY)
        yield
    finally:
        assert end(process) == 0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout as a reader has it, with what `make` has brought already."""
    directory = tmp_path_factory.mktemp("clone") / "flask-wamp"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(directory)], check=True)
    for brought in ("build/js", "flask_app/static/vendor"):
        shutil.copytree(ROOT / brought, directory / brought, symlinks=True)
    return directory


def environments() -> dict[str, str]:
    """Let `make` in a clone use the environments that are there."""
    found = {"VENV": sys.prefix}
    for peer in ("WAMPY", "NAMEKO"):
        if python := os.environ.get(f"{peer}_PYTHON"):
            found[f"VENV_{peer}"] = str(Path(python).parents[1])
    return found


def test_every_block_is_run_by_a_test_here() -> None:
    """A block that is added to the README has to be run here as well."""
    assert {re.sub(r"\d{4,}", "8080", name) for name in BLOCKS} == {
        "make run",
        "make test",
        "app.py",
        "init",
        "node",
        "curl http://127.0.0.1:8080/add/1/2",
        "flask wamp call --url ws://127.0.0.1:8080/ws com.example.add 1 2",
        "client.py",
        "script.py",
        "static/page.html",
        "test_add.py",
        "test_node.py",
        DRAWING,
    }


@pytest.mark.node
def test_the_application_answers_http(node: None) -> None:
    command = next(name for name in BLOCKS if name.startswith("curl"))
    url = shlex.split(command)[1]
    assert json.load(urlopen(url)) == {"total": 3}


@pytest.mark.node
def test_the_command_line_calls_the_view(node: None, project: Path) -> None:
    command = next(name for name in BLOCKS if name.startswith("flask wamp call"))
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=project, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ('{"total": 3}\n', "")


@pytest.mark.node
@pytest.mark.parametrize(("program", "total"), [("client.py", 3), ("script.py", 7)])
def test_the_client_calls_the_view(node: None, project: Path, program: str, total: int) -> None:
    done = subprocess.run(
        [sys.executable, program], cwd=project, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{{'total': {total}}}\n", "")


@pytest.mark.node
@pytest.mark.browser
def test_the_page_calls_and_is_told(node: None, project: Path, browser: Browser) -> None:
    shutil.copy(ROOT / "flask_app/static/vendor/wampy.min.js", project / "static")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    with page.expect_console_message(lambda message: message.text.startswith("live")):
        page.goto(f"http://127.0.0.1:{PORT}/static/page.html")
    page.close()
    assert sorted(text for text in said if not text.startswith("Failed to load")) == [
        "called: 3",
        "live: 3",
    ]


@pytest.mark.node
@pytest.mark.slow
def test_the_readers_test_passes(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--disable-plugin-autoload", "-p", "flask_wamp.testing.pytest_plugin",
         "test_add.py", "test_node.py"],
        cwd=project, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.node
@pytest.mark.slow
def test_make_run_names_the_page(clone: Path) -> None:
    port = str(free_port())
    process = run("make run", clone, PORT=port, **environments())
    try:
        line = wait_for_line(process, READY)
        url = line.split(" is ready at ")[1].strip()
        assert url == f"http://127.0.0.1:{port}/"
        assert b"<h1" in urlopen(url).read()
    finally:
        end(process)


def test_make_test_runs_tests(clone: Path) -> None:
    process = run(
        "make test", clone, ARGS="-q --numprocesses 0 tests/unit/test_uris.py", **environments()
    )
    try:
        output, _ = process.communicate(timeout=100)
    except subprocess.TimeoutExpired:
        end(process)
        raise
    assert re.search(r"\d+ passed", output), output
    assert process.returncode == 0


def test_every_configuration_key_is_documented() -> None:
    rows = {
        key: default
        for keys, default in re.findall(
            r"^\| (`WAMP_.*?) \|.*\| `?([^`|]+)`? \|$", README, re.MULTILINE
        )
        for key in re.findall(r"WAMP_\w+", keys)
    }
    defaults = WampConfig.from_mapping({})
    assert defaults.tls == TLSFiles()
    assert defaults.credentials is None
    assert rows == {
        "WAMP_URL": defaults.urls,
        "WAMP_REALM": defaults.realm,
        "WAMP_TIMEOUT": f"{defaults.timeout:g}",
        "WAMP_PING": f"{defaults.ping:g}",
        "WAMP_METRICS": str(defaults.metrics),
        "WAMP_METRICS_TOKEN": "none",
        "WAMP_THREADS": str(defaults.threads),
        "WAMP_URI_PREFIX": defaults.uri_prefix or "none",
        "WAMP_TLS_CA": "none",
        "WAMP_TLS_CERT": "none",
        "WAMP_TLS_KEY": "none",
        "WAMP_AUTHID": "none",
        "WAMP_TICKET": "none",
        "WAMP_SECRET": "none",
        "WAMP_PRIVATE_KEY": "none",
        "WAMP_AUTHMETHOD": "none",
        "WAMP_SERIALIZER": ",".join(defaults.serializers),
        "WAMP_SERVE": str(defaults.serve),
        "WAMP_TRUST_REQUEST_ID": str(defaults.trust_request_id),
        "WAMP_OUTBOX_POLL": f"{defaults.outbox_poll:g}",
        "WAMP_OUTBOX_AWAITS": ",".join(defaults.outbox_awaits) or "none",
    }


def test_the_status_table_is_the_codes() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| `(wamp\.error\.\w+)` \|$", README, re.MULTILINE)
    documented = {int(status): uri for row, uri in rows for status in row.split(", ")}
    assert documented == dict(URI_BY_STATUS)


def test_the_node_fixture_is_the_one_the_readme_shows(project: Path) -> None:
    """The configuration of the README can be moved to a free port, as the plugin does."""
    node = CrossbarNode(project / ".crossbar/config.json")
    try:
        assert node.url == f"http://127.0.0.1:{node.port}/"
    finally:
        node.remove()
