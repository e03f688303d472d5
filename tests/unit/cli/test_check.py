"""``flask wamp check`` as a command: what it prints, and its exit code."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flask_wamp.cli.group import wamp
from flask_wamp.node import checking, free_port
from flask_wamp.node.preset import Target, configuration

APP = """
from flask import Flask
from flask_wamp import WAMP

app = Flask(__name__)
wamp = WAMP(app)

@app.get("/ws/page")
@wamp.callee("com.shop.price")
def price():
    return 3
"""


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give a configuration; the current directory has the application that it names."""
    project = Path(tempfile.mkdtemp(prefix="check-"))
    monkeypatch.chdir(project)
    (project / ".crossbar").mkdir()
    (project / "app.py").write_text(APP.replace("/ws/page", "/page"))
    yield configuration("single", Target("app", "app", port=free_port()))
    shutil.rmtree(project)


def check(config: Any, *arguments: str, whole: bool = False) -> Result:
    """Run ``flask wamp check`` on a configuration.

    :param whole: with Crossbar.io's own check, which takes long.
    """
    text = config if isinstance(config, str) else json.dumps(config)
    Path(".crossbar/config.json").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        if not whole:
            patch.setattr(checking, "crossbar_findings", lambda _path: [])
        return CliRunner().invoke(wamp, ["check", *arguments])


def test_check_of_a_good_node(config: dict[str, Any]) -> None:
    done = check(config)
    assert done.output == ".crossbar/config.json: nothing to complain about\n"
    assert done.exit_code == 0


def test_check_of_warnings_alone(config: dict[str, Any]) -> None:
    config["workers"][0]["transports"][0].pop("options")
    done = check(config)
    warning, text, remedy, summary = done.output.splitlines()
    assert warning == "warning workers[0].transports[0].options.client_timeout [idle-clients]"
    assert text.startswith("    ")
    assert remedy.startswith("    -> ")
    assert summary == ".crossbar/config.json: 1 warning"
    assert done.exit_code == 0


def test_check_of_errors_in_json(config: dict[str, Any]) -> None:
    """One that Crossbar.io finds, one that the import shows, and one of the configuration."""
    Path("app.py").write_text(APP)
    config["workers"][1]["optoins"] = {}
    config["workers"].reverse()
    done = check(config, "--json", whole=True)
    assert done.exit_code == 1
    findings = json.loads(done.output)
    assert {finding["rule"]: finding["severity"] for finding in findings} == {
        "crossbar": "error",
        "router-first": "error",
        "path-shadows-routes": "error",
    }
    assert "'optoins'" in findings[0]["text"]
    assert all(finding["remedy"] and finding["where"] for finding in findings)


def test_check_of_an_application_that_fails_to_import(config: dict[str, Any]) -> None:
    Path("app.py").write_text("import nonsense")
    done = check(config)
    assert "error app:app [import-fails]\n" in done.output
    assert "No module named 'nonsense'" in done.output
    assert done.exit_code == 1


def test_check_of_uris_that_are_declared_twice(config: dict[str, Any]) -> None:
    Path("app.py").write_text(APP + '\n@wamp.callee("com.shop.price")\ndef again():\n    pass\n')
    done = check(config)
    assert "the procedure 'com.shop.price' is declared twice" in done.output
    assert done.exit_code == 1


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_check_of_what_is_no_configuration(config: dict[str, Any], content: str) -> None:
    done = check(content)
    assert done.output.startswith("Error: .crossbar/config.json is no node configuration: ")
    assert done.output.count("\n") == 1
    assert done.exit_code == 1


def test_check_where_there_is_no_configuration(config: dict[str, Any]) -> None:
    done = CliRunner().invoke(wamp, ["check", "--config", "elsewhere.json"])
    assert done.output == "Error: there is no elsewhere.json here: flask wamp init writes one\n"
    assert done.exit_code == 1
