"""``flask wamp run``: what it starts, and what it says where it cannot."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flask_wamp.cli import run as module
from flask_wamp.cli.group import wamp
from flask_wamp.node.changes import Changes
from flask_wamp.node.command import NodeError


def test_run_without_a_configuration_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (["run"], ["run", "--reload"]):
        done = CliRunner().invoke(wamp, arguments)
        assert done.exit_code == 1
        assert done.output.startswith("Error: there is no .crossbar/config.json here")
        assert "flask wamp init" in done.output
        assert done.output.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (Path(".crossbar/config.json"), None, "warn")),
        (["--port", "9000", "--loglevel", "info"], (Path(".crossbar/config.json"), 9000, "info")),
        (["--config", "other.json"], (Path("other.json"), None, "warn")),
        (["--loglevel", "WARNING"], (Path(".crossbar/config.json"), None, "warn")),
        (["--loglevel", "critical"], (Path(".crossbar/config.json"), None, "error")),
        (["--loglevel", "DEBUG"], (Path(".crossbar/config.json"), None, "debug")),
    ],
)
def test_run_hands_its_options_on(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: tuple[object, ...]
) -> None:
    started: list[tuple[str, tuple[object, ...]]] = []

    def reload(*given: object) -> int:
        started.append(("reload", given))
        return 3

    monkeypatch.setattr(module, "run_node", lambda *given: started.append(("run", given)))
    monkeypatch.setattr(module, "run_and_reload", reload)
    assert CliRunner().invoke(wamp, ["run", *arguments]).exit_code == 0
    assert CliRunner().invoke(wamp, ["run", "--reload", *arguments]).exit_code == 3
    assert started == [("run", expected), ("reload", expected)]


def test_reload_without_watchdog_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    with pytest.raises(NodeError, match="pip install 'flask-wamp\\[node\\]'"):
        Changes([tmp_path])
